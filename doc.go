// Package postilion is the map of a library of mail protocol building blocks.
// It holds no identifiers; the packages below it do.
package postilion

// Package sasl logs people in: the mechanisms of RFC 4422 that mail uses, on
// both sides.
package sasl

// Package alias finds out who gets a message.
package alias

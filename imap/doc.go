// Package imap serves mail over IMAP.
package imap

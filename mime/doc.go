// Package mime reads any mail ever sent and writes mail that everything reads.
package mime

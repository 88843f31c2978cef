// Package addr reads the addresses of SMTP: paths, mailboxes, domains and
// address literals (RFC 5321 §4.1.2), with UTF-8 in them (RFC 6531 §3.3).
//
// It works on what quoting means, not on how it is written: a local-part comes
// out decoded and goes back through [Quote]. What a function accepts can hold
// no CR, LF, NUL or other control character, so it is safe on the wire.
package addr

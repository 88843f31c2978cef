package imap

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Error is a server's NO or BAD to a command, or the BYE with which it hung up,
// in place of a greeting, of an answer or between commands. After NO and BAD the
// dialogue goes on.
type Error struct {
	Command string // what was refused, without its arguments: "SELECT"; "" the greeting, or none
	Status  string // "NO", "BAD" or "BYE"
	Code    string // the response code without brackets and arguments (RFC 9051 §7.1): "OVERQUOTA"; "" none
	Args    string // the code's arguments
	Text    string // what the server says to people, without control characters
}

// Error gives the server's words.
func (e *Error) Error() string {
	what := e.Command
	if what == "" {
		what = "server"
	}
	if e.Code != "" {
		return fmt.Sprintf("imap: %s: %s [%s] %s", what, e.Status, strings.TrimSpace(e.Code+" "+e.Args), e.Text)
	}
	return fmt.Sprintf("imap: %s: %s %s", what, e.Status, e.Text)
}

// Response is Code, as a *mailbox.Error of a server has it.
func (e *Error) Response() string { return e.Code }

// Temporary reports whether the same may succeed later (RFC 9051 §7.1).
func (e *Error) Temporary() bool {
	switch e.Code {
	case "UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG", "CONTACTADMIN":
		return e.Code != "SERVERBUG" && e.Code != "CONTACTADMIN"
	}
	return e.Status == "BYE"
}

// Credentials reports whether the server refuses the user or the password, so
// that it makes sense to ask for another one. A server that gives no code
// leaves it open; then it is a refused login without any.
func (e *Error) Credentials() bool {
	switch e.Code {
	case "AUTHENTICATIONFAILED", "AUTHORIZATIONFAILED", "EXPIRED": // RFC 9051 §7.1
		return true
	case "":
		return e.Status == "NO" && (e.Command == "LOGIN" || e.Command == "AUTHENTICATE")
	}
	return false
}

// ProtocolError says that the other side does not speak the protocol. The
// connection is of no further use.
type ProtocolError string

// Error describes what was wrong.
func (e ProtocolError) Error() string { return "imap: " + string(e) }

var (
	errBotched = errors.New("imap: connection is out of step")
	errBusy    = errors.New("imap: a message or a loop of this connection is not at its end")
	errNoAuth  = errors.New("imap: server offers no login that fits the credentials")
	errStopped = errors.New("imap: stopped")
)

// cleanText makes a peer's words fit for logs: no controls, and valid UTF-8.
func cleanText(s string) string {
	s = strings.ToValidUTF8(s, "?")
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == utf8.RuneError || 0x80 <= r && r < 0xa0 || r == 0x2028 || r == 0x2029 {
			return '?'
		}
		return r
	}, s)
}

package pop3

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Error is a server's -ERR. The dialogue goes on after it.
type Error struct {
	Command string // what was refused, without its argument: "PASS"; "" the greeting
	Code    string // the extended response code without brackets (RFC 2449 §8): "IN-USE", "SYS/TEMP"; "" none
	Text    string // what the server says to people, without control characters
}

// Error gives the server's words.
func (e *Error) Error() string {
	what := e.Command
	if what == "" {
		what = "greeting"
	}
	if e.Code != "" {
		return fmt.Sprintf("pop3: %s: [%s] %s", what, e.Code, e.Text)
	}
	return fmt.Sprintf("pop3: %s: %s", what, e.Text)
}

// Temporary reports whether the same may succeed later, with the same user and
// password: the maildrop is in use, or the server says that the trouble is its
// own and passes (RFC 2449 §8.1, RFC 3206 §4).
func (e *Error) Temporary() bool {
	switch strings.ToUpper(e.Code) {
	case "IN-USE", "LOGIN-DELAY", "SYS/TEMP":
		return true
	}
	return false
}

// Credentials reports whether the server refuses the user or the password, so
// that it makes sense to ask for another one: only [AUTH] says so (RFC 3206
// §4). Servers without that code leave it open; then it is a refused login
// without any code.
func (e *Error) Credentials() bool {
	switch e.Command {
	case "PASS", "APOP", "AUTH":
		return e.Code == "" || strings.EqualFold(e.Code, "AUTH")
	}
	return strings.EqualFold(e.Code, "AUTH")
}

// ProtocolError says that the other side does not speak the protocol. The
// connection is of no further use.
type ProtocolError string

// Error describes what was wrong.
func (e ProtocolError) Error() string { return "pop3: " + string(e) }

var (
	errBotched = errors.New("pop3: connection is out of step")
	errTLS     = errors.New("pop3: TLS failed")
	errNoAuth  = errors.New("pop3: server offers no login that fits the credentials")
)

// cleanText makes a peer's words fit for logs: no controls, and valid UTF-8.
func cleanText(b []byte) string {
	s := strings.ToValidUTF8(string(b), "?")
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == utf8.RuneError || 0x80 <= r && r < 0xa0 || r == 0x2028 || r == 0x2029 {
			return '?'
		}
		return r
	}, s)
}

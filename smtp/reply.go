package smtp

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Reply is one answer of a server (RFC 5321 §4.2). It is data and never an
// error, so a 250 cannot travel as one.
type Reply struct {
	Code     int    // 200 to 559
	Enhanced string // "5.1.1" (RFC 3463); "" derives class.0.0 when a server sends it
	Text     string // for people; each "\n" begins another line of the reply
}

// String is the reply on one line: "550 5.1.1 no such user".
func (r Reply) String() string {
	s := strconv.Itoa(r.Code)
	if r.Enhanced != "" {
		s += " " + r.Enhanced
	}
	if r.Text != "" {
		s += " " + strings.ReplaceAll(r.Text, "\n", " ")
	}
	return s
}

// Positive reports 2yz.
func (r Reply) Positive() bool { return r.Code/100 == 2 }

// Temporary reports 4yz, and also a reply that is none: unknown keeps the mail.
func (r Reply) Temporary() bool { return r.Code/100 != 2 && r.Code/100 != 3 && r.Code/100 != 5 }

// Permanent reports 5yz, which no later try will change.
func (r Reply) Permanent() bool { return r.Code/100 == 5 }

// A reply line may have 512 octets with its CRLF (RFC 5321 §4.5.3.1.5), and no
// client reads for ever.
const (
	maxReplyLine  = 510
	maxReplyLines = 64
)

// append writes the reply for the wire. Enhanced codes stand on each line of
// 2yz, 4yz and 5yz (RFC 2034 §4), where enhanced asks for them. Nothing in the
// text can end the line or the reply: controls become spaces.
func (r Reply) append(b []byte, enhanced bool) []byte {
	code := enhancedFor(r.Code, r.Enhanced)
	if !enhanced {
		code = ""
	}
	room := maxReplyLine - len("250-") - len(code) - 1
	text, more := r.Text, true
	for n := 0; more; n++ {
		var line string
		line, text, more = cutLine(text, room)
		more = more && n < maxReplyLines-1
		b = strconv.AppendInt(b, int64(r.Code), 10)
		if more {
			b = append(b, '-')
		} else {
			b = append(b, ' ')
		}
		if code != "" {
			b = append(append(b, code...), ' ')
		}
		b = append(appendClean(b, line), '\r', '\n')
	}
	return b
}

// cutLine takes one line of at most room octets off text, and no rune apart.
func cutLine(text string, room int) (line, rest string, more bool) {
	line, rest, more = strings.Cut(text, "\n")
	line = strings.TrimSuffix(line, "\r")
	if len(line) <= room {
		return line, rest, more
	}
	n := room
	for n > room-utf8.UTFMax && !utf8.RuneStart(line[n]) {
		n--
	}
	return line[:n], text[n:], true
}

// appendClean appends s with a space for each control character.
func appendClean(b []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c < ' ' || c == 0x7f {
			c = ' '
		}
		b = append(b, c)
	}
	return b
}

// enhancedFor gives the enhanced code that fits code: its own, or class.0.0
// where there is none or one of another class. 3yz has none (RFC 2034 §4).
func enhancedFor(code int, enhanced string) string {
	class := code / 100
	if class != 2 && class != 4 && class != 5 {
		return ""
	}
	if validEnhanced(enhanced) && int(enhanced[0]-'0') == class {
		return enhanced
	}
	return [...]string{2: "2.0.0", 4: "4.0.0", 5: "5.0.0"}[class]
}

// validEnhanced reports class "." subject "." detail (RFC 3463 §2).
func validEnhanced(s string) bool {
	if len(s) < len("2.0.0") || s[0] != '2' && s[0] != '4' && s[0] != '5' || s[1] != '.' {
		return false
	}
	subject, detail, ok := strings.Cut(s[2:], ".")
	return ok && isNumber(subject, 3) && isNumber(detail, 3)
}

func isNumber(s string, digits int) bool {
	if s == "" || len(s) > digits {
		return false
	}
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// Error is a refusal. Its Reply is public and reaches the peer; Err is the
// private cause, which is logged and never sent.
type Error struct {
	Reply
	Err error
}

// Error gives the reply and the cause.
func (e *Error) Error() string {
	if e.Err != nil && e.Err.Error() != e.Text {
		return fmt.Sprintf("smtp: %v: %v", e.Reply, e.Err)
	}
	return fmt.Sprintf("smtp: %v", e.Reply)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// SMTP is the behaviour by which errors of any package become replies; *[Error]
// has it from its Reply.
func (r Reply) SMTP() (code int, enhanced, text string) { return r.Code, r.Enhanced, r.Text }

// Reject makes an error that a server sends as this reply: code 4yz asks the
// peer to try again later, 5yz refuses for good. enhanced may be "".
func Reject(code int, enhanced, text string) error {
	return &Error{Reply: Reply{code, enhanced, text}}
}

// tryLater is the answer to an error nobody knows: the peer keeps the mail.
var tryLater = Reply{451, "4.3.0", "Try again later"}

// ReplyTo gives the reply an error asks for by its method
//
//	SMTP() (code int, enhanced, text string)
//
// An error without it, or with a code that refuses nothing, is unknown, and
// unknown means the peer keeps the mail: 451 4.3.0, with no word of the cause.
// nil is 250.
func ReplyTo(err error) Reply {
	if err == nil {
		return Reply{250, "2.0.0", "OK"}
	}
	var s interface {
		SMTP() (code int, enhanced, text string)
	}
	if errors.As(err, &s) {
		code, enhanced, text := s.SMTP()
		if 400 <= code && code <= 559 {
			return Reply{code, enhancedFor(code, enhanced), text}
		}
	}
	return tryLater
}

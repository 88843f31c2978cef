package smtp

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/postilion-mail/postilion/internal/wire"
)

// ProtocolError says that the other side does not speak the protocol. The
// connection is of no further use.
type ProtocolError string

// Error describes what was wrong.
func (e ProtocolError) Error() string { return "smtp: " + string(e) }

// What a server may say at most before it is taken for broken. RFC 5321
// §4.5.3.1.5 allows 512 octets a line.
const (
	maxPeerLine  = 4096
	maxPeerLines = 512
	maxPeerReply = 64 << 10
)

// readReply reads one reply of any number of lines (RFC 5321 §4.2.1). The text
// of positive replies is built only where it is wanted.
func (c *Conn) readReply(want bool) (Reply, error) {
	line, err := c.replyLine()
	if err != nil {
		return Reply{}, err
	}
	code, more, text, err := cutReply(line)
	if err != nil {
		return Reply{}, err
	}
	r := Reply{Code: code}
	want = want || code >= 400
	if !more {
		if want {
			r.Enhanced, r.Text = cutEnhanced(cleanText(text), code)
		}
		return r, nil
	}
	return c.moreReply(r, text, want)
}

// moreReply reads the lines after the first.
func (c *Conn) moreReply(r Reply, first []byte, want bool) (Reply, error) {
	var b strings.Builder
	add := func(text []byte) {
		if !want {
			return
		}
		enhanced, rest := cutEnhanced(cleanText(text), r.Code)
		if r.Enhanced == "" {
			r.Enhanced = enhanced
		}
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(rest)
	}
	add(first)
	size := len(first)
	for n := 1; ; n++ {
		line, err := c.replyLine()
		if err != nil {
			return Reply{}, err
		}
		code, more, text, err := cutReply(line)
		if err != nil {
			return Reply{}, err
		}
		if size += len(line); code != r.Code || n == maxPeerLines || size > maxPeerReply {
			return Reply{}, ProtocolError("endless or inconsistent reply")
		}
		add(text)
		if !more {
			r.Text = b.String()
			return r, nil
		}
	}
}

func (c *Conn) replyLine() ([]byte, error) {
	line, err := c.r.ReadLine(maxPeerLine)
	switch {
	case errors.Is(err, wire.ErrBareLF): // lenient: it cannot hide a reply
		return line, nil
	case errors.Is(err, wire.ErrLineTooLong):
		return nil, ProtocolError("reply line too long")
	}
	return line, err
}

// cutReply takes a line apart. A reply may be its code alone.
func cutReply(line []byte) (code int, more bool, text []byte, err error) {
	if len(line) < 3 || !isNumber(string(line[:3]), 3) {
		return 0, false, nil, ProtocolError(fmt.Sprintf("not a reply: %.80q", line))
	}
	code = int(line[0]-'0')*100 + int(line[1]-'0')*10 + int(line[2]-'0')
	if code < 200 || code > 599 {
		return 0, false, nil, ProtocolError(fmt.Sprintf("reply code %d", code))
	}
	if len(line) == 3 {
		return code, false, nil, nil
	}
	if line[3] != ' ' && line[3] != '-' {
		return 0, false, nil, ProtocolError(fmt.Sprintf("not a reply: %.80q", line))
	}
	return code, line[3] == '-', line[4:], nil
}

// cutEnhanced splits an enhanced code of the reply's own class off its text.
func cutEnhanced(text string, code int) (enhanced, rest string) {
	word, rest, _ := strings.Cut(text, " ")
	if validEnhanced(word) && int(word[0]-'0') == code/100 {
		return word, rest
	}
	return "", text
}

// cleanText makes a peer's words fit for logs and reports: no controls, and
// valid UTF-8.
func cleanText(b []byte) string {
	clean := utf8.Valid(b)
	for _, ch := range b {
		clean = clean && ch >= ' ' && ch != 0x7f
	}
	if clean {
		return string(b)
	}
	return strings.ToValidUTF8(string(appendClean(nil, string(b))), "?")
}

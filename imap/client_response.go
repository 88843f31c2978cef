package imap

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	corewire "github.com/postilion-mail/postilion/internal/wire"

	"github.com/postilion-mail/postilion/imap/internal/wire"
)

// response is one response of a server with its literals in place. It is valid
// until the next one is read.
type response struct {
	tag  string // "*", "+" or that of a command
	num  uint32 // in front of EXISTS, EXPUNGE and FETCH; 0 none
	word string // in upper case: "OK", "FETCH", "LIST"
	rest []byte // all behind tag and space, for "*"; all behind word otherwise
	args []byte // all behind num and word
	code string // response code in upper case; of OK, NO, BAD, BYE and PREAUTH
	carg string // its arguments
	text string // what is said to people
}

// response sends what is left to send and reads one response.
func (c *Conn) response() (*response, error) {
	if err := c.read(); err != nil {
		return nil, err
	}
	r, ok := parseResponse(c.buf)
	if !ok {
		return nil, c.broken(fmt.Sprintf("not a response: %.80q", c.buf))
	}
	return r, nil
}

// read reads a response into buf, literals and all.
func (c *Conn) read() error {
	if err := c.flush(); err != nil {
		return err
	}
	if cap(c.buf) > 64<<10 {
		c.buf = nil // of one that was unusually large
	}
	c.buf = c.buf[:0]
	for {
		if err := c.readLine(); err != nil {
			return c.readError(err)
		}
		lit, at, ok := wire.LiteralAt(c.buf[:len(c.buf)-2])
		if !ok {
			c.buf = c.buf[:len(c.buf)-2]
			return nil
		}
		streamed := false
		if c.hook != nil {
			var err error
			if streamed, err = c.hook(c.buf, lit.Size); err != nil {
				return c.readError(err)
			}
		}
		if streamed { // the rest of the response goes on as if it had been empty
			c.buf = append(c.buf[:at], `""`...)
		} else if err := c.readLiteral(lit.Size); err != nil {
			return c.readError(err)
		}
	}
}

func (c *Conn) readError(err error) error {
	if errors.Is(err, errNews) {
		return err
	}
	c.botched = true
	if c.bye != nil && !corewire.IsTimeout(err) && !errors.Is(err, corewire.ErrWoken) {
		return c.bye // the reason why nothing more comes
	}
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (c *Conn) maxResponse() int64 {
	if n := c.client.MaxResponse; n > 0 {
		return n
	}
	return 64 << 20
}

var errLarge = ProtocolError("response is larger than Client.MaxResponse")

// readLine appends a line with its CRLF; a bare LF, which some send, becomes
// one.
func (c *Conn) readLine() error {
	for {
		if c.r.Buffered() == 0 {
			if err := c.r.Fill(0); err != nil {
				return c.waited(err)
			}
		}
		w := c.r.Peek()
		i := bytes.IndexByte(w, '\n') + 1
		if i == 0 {
			i = len(w)
		}
		if int64(len(c.buf)+i) > c.maxResponse() {
			return errLarge
		}
		c.buf = append(c.buf, w[:i]...)
		c.r.Discard(i)
		if n := len(c.buf); c.buf[n-1] == '\n' {
			if n < 2 || c.buf[n-2] != '\r' {
				if c.client.Strict {
					return ProtocolError("line ends in a bare LF")
				}
				c.buf = append(c.buf[:n-1], '\r', '\n')
			}
			return nil
		}
	}
}

// readLiteral appends n octets, as they come.
func (c *Conn) readLiteral(n int64) error {
	if n > c.maxResponse()-int64(len(c.buf)) {
		return errLarge
	}
	for n > 0 {
		b, err := c.r.Next(int(min(n, 1<<20)))
		if err != nil {
			return err
		}
		c.buf = append(c.buf, b...)
		n -= int64(len(b))
	}
	return nil
}

// parseResponse takes the frame of a response apart.
func parseResponse(b []byte) (*response, bool) {
	tag, rest, _ := bytes.Cut(b, []byte{' '})
	if len(tag) == 0 {
		return nil, false
	}
	r := &response{tag: string(tag), rest: rest}
	if r.tag == "+" {
		r.text = string(rest)
		return r, true
	}
	if r.tag != "*" && !wire.IsTag(tag) {
		return nil, false
	}
	word, args := cutWord(rest)
	if n, ok := number(word); ok && r.tag == "*" {
		r.num = n
		word, args = cutWord(args)
	}
	r.word, r.args = wire.Upper(string(word)), args
	switch r.word {
	case "OK", "NO", "BAD", "BYE", "PREAUTH":
		r.code, r.carg, r.text = cutRespText(string(args))
	case "":
		return nil, false
	default:
		if r.tag != "*" {
			return nil, false
		}
	}
	return r, true
}

// cutWord splits at the first space, and drops those that are too many.
func cutWord(b []byte) (word, rest []byte) {
	b = bytes.TrimLeft(b, " ")
	word, rest, _ = bytes.Cut(b, []byte{' '})
	return word, rest
}

func number(b []byte) (n uint32, ok bool) {
	if len(b) == 0 || len(b) > 10 {
		return 0, false
	}
	var v uint64
	for _, ch := range b {
		if ch < '0' || ch > '9' {
			return 0, false
		}
		v = v*10 + uint64(ch-'0')
	}
	return uint32(v), v <= 1<<32-1
}

// cutRespText splits a response code off (RFC 9051 §9: resp-text).
func cutRespText(s string) (code, args, text string) {
	if !strings.HasPrefix(s, "[") {
		return "", "", cleanText(s)
	}
	end := closing(s)
	if end < 0 {
		return "", "", cleanText(s)
	}
	code, args, _ = strings.Cut(s[1:end], " ")
	return wire.Upper(cleanText(code)), args, cleanText(strings.TrimLeft(s[end+1:], " "))
}

// closing finds the "]" of a response code; quoted strings may hold one.
func closing(s string) int {
	quoted := false
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case s[i] == '\\' && quoted:
			i++
		case s[i] == ']' && !quoted:
			return i
		}
	}
	return strings.IndexByte(s, ']')
}

// refusal makes an *Error.
func (r *response) refusal(verb string) *Error {
	return &Error{Command: verb, Status: r.word, Code: r.code, Args: cleanText(r.carg), Text: r.text}
}

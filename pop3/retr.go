package pop3

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

// RETR sends a message (RFC 1939 §5).
func (c *conn) RETR(arg string) (reply, error) {
	m, r := c.drop.find(arg)
	if m == nil {
		return r, nil
	}
	r, err := c.message(m, -1)
	m.seen = m.seen || err == nil && r.ok
	return r, err
}

// TOP sends the header and so many lines of the body (RFC 1939 §7).
func (c *conn) TOP(arg string) (reply, error) {
	number, count, _ := strings.Cut(arg, " ")
	lines, err := strconv.ParseUint(count, 10, 31)
	if err != nil || count[0] == '+' {
		return fail("", "Syntax: TOP message lines"), nil
	}
	m, r := c.drop.find(number)
	if m == nil {
		return r, nil
	}
	return c.message(m, int(lines))
}

// message sends m, or its header and so many lines. What fails before the
// first octet is an error reply; after that only the end of the connection
// tells the peer that it has not got all.
func (c *conn) message(m *message, lines int) (reply, error) {
	ctx, cancel := context.WithCancel(c.ctx) // covers the reads too
	defer cancel()
	blob, err := c.drop.box.Message(ctx, m.uid)
	if err != nil {
		return c.noMessage(err), nil
	}
	defer blob.Close()
	s := sender{c: c, blob: blob, size: blob.Size(), lines: lines, header: lines >= 0, bol: true, block: largePool.Get().(*[largeOut]byte)}
	defer largePool.Put(s.block)
	if err := s.fill(); err != nil {
		return c.noMessage(err), nil
	}
	if !c.utf8 && !c.srv.AnyUTF8 && s.needsUTF8() {
		return fail("UTF8", "This message needs UTF8 mode"), nil // RFC 6856 §5
	}
	if lines < 0 {
		c.put(ok(strconv.FormatInt(s.size, 10) + " octets"))
	} else {
		c.put(ok("Top of message follows"))
	}
	if err := s.run(); err != nil {
		return reply{}, err
	}
	return done, nil
}

// noMessage: another session may have expunged it.
func (c *conn) noMessage(err error) reply {
	if errors.Is(err, mailbox.ErrNotExist) {
		return fail("", "Message is gone")
	}
	c.warn("message could not be read", err)
	return fail("SYS/TEMP", "Message cannot be read now")
}

// sender streams one message through one block.
type sender struct {
	c      *conn
	blob   mailbox.Blob
	size   int64
	at     int64 // where the next block begins
	block  *[largeOut]byte
	w      []byte  // the block at hand
	tail   [2]byte // the last octets that were sent
	bol    bool    // at the beginning of a line
	lines  int     // of the body still to send; negative: all
	header bool    // TOP: the empty line is still to come
	blank  bool    // TOP: nothing but a CR came since the last LF
	over   bool    // TOP: enough
}

// fill reads the next block; w is empty at the end of the message.
func (s *sender) fill() error {
	n := min(int64(len(s.block)), s.size-s.at)
	s.w = s.block[:n]
	m, err := s.blob.ReadAt(s.w, s.at)
	s.at += n
	if int64(m) == n {
		return nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// needsUTF8 reports whether the header, as far as it is in the first block, is
// one of RFC 6532. Octets that are not UTF-8 are old mail of old clients, which
// have always got it as it is.
func (s *sender) needsUTF8() bool {
	header := s.w
	if i := bytes.Index(header, []byte("\r\n\r\n")); i >= 0 {
		header = header[:i]
	}
	for _, ch := range header {
		if ch >= utf8.RuneSelf {
			return utf8.Valid(header)
		}
	}
	return false
}

// run sends it all and the dot that ends it.
func (s *sender) run() error {
	s.blank = true
	for len(s.w) > 0 && !s.over {
		w := s.w
		if s.lines >= 0 {
			w = s.cut(w)
		}
		if err := s.stuff(w); err != nil {
			return err
		}
		if err := s.fill(); err != nil {
			return err
		}
	}
	if s.tail != [2]byte{'\r', '\n'} && s.tail != [2]byte{} {
		if err := s.c.send([]byte("\r\n")); err != nil {
			return err
		}
	}
	return s.c.send([]byte(".\r\n"))
}

// cut ends w where TOP has enough.
func (s *sender) cut(w []byte) []byte {
	for n := 0; n < len(w); {
		if !s.header && s.lines == 0 {
			s.over = true
			return w[:n]
		}
		i := bytes.IndexByte(w[n:], '\n')
		if i < 0 {
			s.blank = s.blank && string(w[n:]) == "\r"
			return w
		}
		line := w[n : n+i]
		n += i + 1
		switch {
		case !s.header:
			s.lines--
		case s.blank && (len(line) == 0 || string(line) == "\r"):
			s.header = false
		}
		s.blank = true
	}
	return w
}

// stuff sends w with each dot that begins a line doubled (RFC 1939 §3). It
// looks for dots, not for lines: most blocks have none in that place, and go
// out as they are.
func (s *sender) stuff(w []byte) error {
	if len(w) == 0 {
		return nil
	}
	from := 0
	for at := 0; ; {
		i := bytes.IndexByte(w[at:], '.')
		if i < 0 {
			break
		}
		at += i
		if at == 0 && s.bol || at > 0 && w[at-1] == '\n' {
			if err := s.c.send(w[from:at]); err != nil {
				return err
			}
			s.c.room(1)
			s.c.out = append(s.c.out, '.')
			from = at
		}
		at++
	}
	s.note(w)
	return s.c.send(w[from:])
}

// note remembers how what was sent ends.
func (s *sender) note(w []byte) {
	s.bol = w[len(w)-1] == '\n'
	if len(w) > 1 {
		s.tail = [2]byte(w[len(w)-2:])
	} else {
		s.tail = [2]byte{s.tail[1], w[0]}
	}
}

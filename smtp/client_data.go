package smtp

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/postilion-mail/postilion/internal/addr"
	"github.com/postilion-mail/postilion/internal/wire"
)

// appendChunk writes a BDAT command and its octets.
func (s *sending) appendChunk(block []byte, last bool) {
	c := s.c
	if s.o.enc.raw = s.need.body == BodyBinaryMIME; s.o.chunk == 0 {
		s.o.enc.enc = wire.NewEncoder(false)
	}
	s.o.chunk++
	// The size is known when the octets are there: they are put behind the
	// longest header there can be, and moved up to the one it is.
	var room [len("BDAT 131074 LAST\r\n")]byte
	start := len(c.out)
	text := start + len(room)
	c.out = s.o.enc.append(append(c.out, room[:]...), block, last)
	head := strconv.AppendInt(append(room[:0], "BDAT "...), int64(len(c.out)-text), 10)
	if last {
		head = append(head, " LAST"...)
	}
	head = append(head, '\r', '\n')
	n := copy(c.out[start:], head)
	n += copy(c.out[start+n:], c.out[text:])
	c.out = c.out[:start+n]
}

// sendChunks sends the message in chunks, a window of replies ahead.
func (s *sending) sendChunks() error {
	if s.accepted == 0 {
		return nil
	}
	ahead, bad := 0, Reply{}
	err := s.o.each(func(block []byte, last bool) error {
		s.appendChunk(block, last)
		if err := s.c.flush(); err != nil {
			return err
		}
		if s.committed = last; last {
			return nil
		}
		if ahead++; ahead < window/2 {
			return nil
		}
		ahead--
		r, err := s.next(s.c.waits.DataEnd, false)
		if err == nil && !r.Positive() {
			bad, err = r, errRefused
		}
		return err
	})
	if err != nil && err != errRefused {
		return s.broken(err)
	}
	for ; ahead > 0; ahead-- {
		r, err := s.next(s.c.waits.DataEnd, false)
		if err != nil {
			return err
		}
		if !r.Positive() && bad.Code == 0 {
			bad = r
		}
	}
	if bad.Code == 0 {
		return s.readEnd()
	}
	s.fate(replyResult(bad, s.c.host))
	if s.committed { // the last chunk has a reply of its own
		s.committed = false
		_, err = s.next(s.c.waits.DataEnd, false)
		return err
	}
	return nil
}

// errRefused stops the sending of a message the server has said no to.
var errRefused = errors.New("smtp: chunk refused")

// sendData reads the reply to DATA and sends the message if it is wanted.
func (s *sending) sendData() error {
	c := s.c
	r, err := s.next(c.waits.Command, false)
	if err != nil {
		return err
	}
	if r.Code != 354 {
		if r.Positive() {
			return ProtocolError("DATA answered with " + r.String())
		}
		s.fate(replyResult(r, c.host))
		return nil
	}
	if s.accepted == 0 { // RFC 2920 §3.1: end it at once
		c.out = append(c.out, ".\r\n"...)
		_, err := s.next(c.waits.DataEnd, false)
		return err
	}
	e := encoder{enc: wire.NewEncoder(true)}
	if !s.o.whole {
		c.watchEarly()
	}
	err = s.o.each(func(block []byte, last bool) error {
		c.out = e.append(c.out, block, last)
		if last {
			c.r.Unwatch() // from here on a reply is due
		}
		err := c.flush()
		s.committed = last && err == nil
		return err
	})
	if err != nil {
		return s.broken(err)
	}
	return s.readEnd()
}

// watchEarly stops the writing when the server answers before the end of a long
// message: it may have stopped reading, and would leave us waiting for ever.
func (c *Conn) watchEarly() {
	nc := c.nc
	c.r.WatchNews(func() {
		c.bounds.Stop()
		_ = nc.SetWriteDeadline(past)
	})
}

// broken ends a connection over which a message was half sent: its end must
// never be. The server's reason, if it gave one, is what the recipients get.
func (s *sending) broken(err error) error {
	c := s.c
	c.r.Unwatch()
	c.botched = true
	if c.r.Buffered() == 0 {
		return err
	}
	r, rerr := s.next(c.waits.Write, true)
	if rerr == nil && r.Code >= 400 {
		s.fate(replyResult(r, c.host))
	}
	return err
}

// readEnd reads what becomes of the message: one reply, or one for each
// recipient that was taken (RFC 2033 §4.2, PRDR).
func (s *sending) readEnd() error {
	c := s.c
	if c.lmtp {
		return s.readEach(s.accepted > 0)
	}
	r, err := s.next(c.waits.DataEnd, true)
	if err != nil {
		return err
	}
	if r.Code == 353 && s.prdr {
		if err := s.readEach(true); err != nil {
			return err
		}
		if r, err = s.next(c.waits.DataEnd, true); err != nil {
			return nil // each has his answer already
		}
		s.end(r)
		return nil
	}
	if s.accepted > 0 {
		s.fate(s.final(r))
	}
	s.end(r)
	return nil
}

// end notes that the transaction is over and how the server calls the message.
func (s *sending) end(r Reply) {
	if r.Positive() {
		s.c.open = false
		s.queued = queueID(r.Text)
	}
	s.c.used = time.Now()
}

func (s *sending) final(r Reply) Result {
	res := replyResult(r, s.c.host)
	res.DSN = r.Positive() && s.c.caps.Has("DSN")
	res.By = r.Positive() && s.c.caps.Has("DELIVERBY")
	return res
}

// readEach reads a reply for each recipient that was taken.
func (s *sending) readEach(any bool) error {
	for _, i := range s.to {
		if !any || s.results[i].refused() {
			continue
		}
		r, err := s.next(s.c.waits.DataEnd, true)
		if err != nil {
			return err
		}
		s.results[i] = s.final(r)
		if s.c.lmtp {
			s.end(r)
		}
	}
	if !any { // nobody was taken, and the data refused
		r, err := s.next(s.c.waits.DataEnd, false)
		if err == nil {
			s.fate(replyResult(r, s.c.host))
		}
		return err
	}
	return nil
}

// queueID finds the server's name for a message in "OK: queued as 4F2D", "Ok
// 0A-1 id=1qX" and the like.
func queueID(text string) string {
	for _, mark := range [...]string{"queued as ", "id=", "queued "} {
		for i := 0; i+len(mark) <= len(text); i++ {
			if addr.EqualFold(text[i:i+len(mark)], mark) {
				word, _, _ := strings.Cut(text[i+len(mark):], " ")
				return strings.Trim(word, ".,;()<>\n")
			}
		}
	}
	return ""
}

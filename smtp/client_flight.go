package smtp

import (
	"errors"
	"io"
	"strings"
	"time"
)

// pipelined sends MAIL and all RCPT in one flight (RFC 2920), and with them the
// whole message in one chunk (RFC 3030) where it is small and the server known
// to be there.
func (s *sending) pipelined() error {
	c := s.c
	chunks := c.caps.Has("CHUNKING")
	one := chunks && s.o.whole && len(s.to) <= window && time.Since(c.used) < hot
	reset := s.appendReset()
	c.out = c.appendMail(c.out, s.env, s.o, s.need, s.prdr)
	c.out = append(c.out, '\r', '\n')
	first := min(len(s.to), window)
	for _, i := range s.to[:first] {
		s.appendRcpt(i)
	}
	switch {
	case one:
		s.appendChunk(s.o.head, true)
	case !chunks && first == len(s.to):
		c.out = append(c.out, "DATA\r\n"...)
	}
	if err := c.flush(); err != nil {
		return err
	}
	s.committed = one
	if err := s.readMail(reset); err != nil {
		return err
	}
	if err := s.readRcpts(s.to[:first]); err != nil {
		return err
	}
	switch {
	case one:
		return s.readEnd()
	case first < len(s.to):
		if err := s.moreRcpts(s.to[first:]); err != nil {
			return err
		}
		if !chunks {
			c.out = append(c.out, "DATA\r\n"...)
		}
	}
	if chunks {
		return s.sendChunks()
	}
	return s.sendData()
}

// moreRcpts offers the rest of a long list, a window at a time.
func (s *sending) moreRcpts(rest []int) error {
	for len(rest) > 0 && s.mailed.Positive() {
		n := min(len(rest), window)
		for _, i := range rest[:n] {
			s.appendRcpt(i)
		}
		if err := s.readRcpts(rest[:n]); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

// stepwise sends a command at a time, to a server without PIPELINING.
func (s *sending) stepwise() error {
	c := s.c
	reset := s.appendReset()
	if reset {
		if _, err := c.reply(c.waits.Command); err != nil {
			return err
		}
	}
	c.out = append(c.appendMail(c.out, s.env, s.o, s.need, s.prdr), '\r', '\n')
	if err := s.readMail(false); err != nil || !s.mailed.Positive() {
		return err
	}
	for n := range s.to {
		s.appendRcpt(s.to[n])
		if err := s.readRcpts(s.to[n : n+1]); err != nil {
			return err
		}
	}
	if s.accepted == 0 {
		return nil // the next transaction begins with RSET, which costs no round trip
	}
	if c.caps.Has("CHUNKING") {
		return s.sendChunks()
	}
	c.out = append(c.out, "DATA\r\n"...)
	return s.sendData()
}

// appendReset puts RSET in front where the last transaction was left open.
func (s *sending) appendReset() bool {
	open := s.c.open
	if s.c.open = true; open {
		s.c.out = append(s.c.out, "RSET\r\n"...)
	}
	return open
}

func (s *sending) appendRcpt(i int) {
	s.c.out = append(s.c.appendRcpt(s.c.out, &s.env.To[i], s.need), '\r', '\n')
}

// next reads one reply of this transaction.
func (s *sending) next(wait time.Duration, want bool) (Reply, error) {
	c := s.c
	if err := c.flush(); err != nil {
		return Reply{}, err
	}
	c.wait = wait
	r, err := c.readReply(want)
	if err != nil {
		c.botched = true
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return Reply{}, err
	}
	s.replied = true
	if r.Code != 421 {
		s.begun = true
	}
	if r.Code == 421 { // RFC 5321 §3.8: the server hangs up, and has not taken the message
		c.botched, s.committed = true, false
		return r, &Error{Reply: r}
	}
	return r, nil
}

func (s *sending) readMail(reset bool) (err error) {
	if reset {
		if _, err := s.next(s.c.waits.Command, false); err != nil {
			return err
		}
	}
	if s.mailed, err = s.next(s.c.waits.Command, false); err != nil {
		return err
	}
	if !s.mailed.Positive() {
		s.fate(replyResult(s.mailed, s.c.host))
	}
	return nil
}

func (s *sending) readRcpts(list []int) error {
	for _, i := range list {
		r, err := s.next(s.c.waits.Command, false)
		if err != nil {
			return err
		}
		if !s.mailed.Positive() {
			continue // its fate is MAIL's
		}
		if r.Positive() {
			s.accepted++
			continue
		}
		if s.tooMany(r) {
			s.again = append(s.again, i)
			s.results[i] = Result{Reply: r, Host: s.c.host, Err: &Error{Reply: r}}
			continue
		}
		s.results[i] = replyResult(r, s.c.host)
	}
	return nil
}

// tooMany reports that the server has enough recipients for one transaction,
// 452, or in old servers 552 (RFC 5321 §4.5.3.1.10).
func (s *sending) tooMany(r Reply) bool {
	return s.accepted > 0 && (r.Code == 452 || r.Code == 552) && (r.Enhanced == "" || strings.HasSuffix(r.Enhanced, ".5.3"))
}

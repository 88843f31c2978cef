package smtptest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/postilion-mail/postilion/smtp"
)

// Message is one that the server has taken.
type Message struct {
	Envelope smtp.Envelope // To: only the recipients that were accepted
	Data     []byte        // as the client meant it: no dot-stuffing, CRLF line ends
	User     string        // who logged in; "" nobody
	Protocol string        // as Received names it: "ESMTPSA" (RFC 3848)
}

// dialogueKey finds the dialogue in the context of a handler.
type dialogueKey struct{}

func dialogueOf(ctx context.Context) *dialogue {
	d, _ := ctx.Value(dialogueKey{}).(*dialogue)
	return d
}

// record keeps what next accepts.
func (s *Server) record(next smtp.Handler) smtp.Handler {
	h := next
	h.Connect = shown(next.Connect)
	h.Hello = shown(next.Hello)
	h.Message = func(ctx context.Context, t *smtp.Transaction, body io.Reader) error {
		var data bytes.Buffer
		err := deliver(ctx, next, t, io.TeeReader(body, &data))
		partial, _ := errors.AsType[*smtp.PartialError](err)
		if err != nil && partial == nil {
			return err
		}
		if fault := dialogueOf(ctx).outcome(len(t.To)); fault != nil {
			if p, ok := errors.AsType[*smtp.PartialError](fault); !ok {
				return fault
			} else if partial == nil {
				partial, err = p, fault
			}
		}
		s.keep(t, data.Bytes(), partial)
		return err
	}
	if h.Partial == nil { // a fake takes what it can, and writes no bounces
		h.Partial = func(context.Context, *smtp.Transaction, smtp.Results) {}
	}
	return h
}

// shown runs f after the session was given the TLS that the client sees.
func shown(f func(context.Context, *smtp.Session) error) func(context.Context, *smtp.Session) error {
	return func(ctx context.Context, sess *smtp.Session) error {
		dialogueOf(ctx).show(sess)
		if f == nil {
			return nil
		}
		return f(ctx, sess)
	}
}

// deliver gives the message to the test's own handler and reads what that
// leaves.
func deliver(ctx context.Context, h smtp.Handler, t *smtp.Transaction, body io.Reader) error {
	var err error
	if h.Message != nil {
		err = h.Message(ctx, t, body)
	}
	if _, bad := io.Copy(io.Discard, body); bad != nil {
		return bad
	}
	return err
}

// keep notes a message for those of its recipients that were accepted.
func (s *Server) keep(t *smtp.Transaction, data []byte, partial *smtp.PartialError) {
	m := Message{Envelope: t.Envelope.Clone(), Data: data, User: t.Session.User, Protocol: t.Session.Protocol}
	if partial != nil {
		m.Envelope.To = m.Envelope.To[:0]
		for i, r := range partial.Results {
			if r.Status == smtp.Accepted && i < len(t.To) {
				m.Envelope.To = append(m.Envelope.To, t.To[i])
			}
		}
		if len(m.Envelope.To) == 0 {
			return
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages = append(s.messages, m)
	close(s.arrived)
	s.arrived = make(chan struct{})
}

// Messages gives what was taken so far, in its order.
func (s *Server) Messages() []Message {
	list, _ := s.inbox()
	return list
}

func (s *Server) inbox() ([]Message, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.messages), s.arrived
}

// Wait waits until n messages, or more, were taken in all, and gives them. It
// fails the test, with the transcript, when that takes more than 5 seconds.
func (s *Server) Wait(n int) []Message {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	list, err := s.WaitContext(ctx, n)
	if err != nil {
		s.t.Fatalf("%v; the conversation so far:\n%s", err, s.Transcript())
	}
	return list
}

// WaitContext is Wait that ends with ctx, and with an error in place of the
// test.
func (s *Server) WaitContext(ctx context.Context, n int) ([]Message, error) {
	for {
		list, more := s.inbox()
		if len(list) >= n {
			return list, nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return list, fmt.Errorf("smtptest: %d of %d messages came: %w", len(list), n, context.Cause(ctx))
		}
	}
}

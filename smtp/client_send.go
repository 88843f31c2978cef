package smtp

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"time"
)

// Sent is what became of a message.
type Sent struct {
	Results Results              // one for each of Envelope.To, in its order
	Queued  string               // the server's name for the message, where its last reply tells
	TLS     *tls.ConnectionState // how it went there; nil in the clear
}

const (
	// hot is how long after a sign of life the whole message is risked in one
	// flight: if the server hung up meanwhile nobody could tell whether it took
	// it.
	hot = 5 * time.Second
	// window is how many replies may be under way at once, so that neither
	// side's buffers fill up while the other writes.
	window = 64
)

// sending is one transaction.
type sending struct {
	c       *Conn
	env     *Envelope
	o       *outgoing
	need    needs
	body    io.Reader
	to      []int   // indexes of the recipients offered now
	left    []int   // those that come later
	few     [4]int  // room for both
	results Results // of all recipients
	queued  string

	mailed    Reply // the reply to MAIL
	accepted  int   // recipients taken so far
	replied   bool  // the server answered at all
	begun     bool  // it may have taken something, so another try might send it twice
	committed bool  // the end of the message went out: it may have been taken
	prdr      bool
	again     []int // recipients for a further transaction
}

// Send sends one message over this connection: env.Prefix and then body. The
// rules are those of [Client.Send], but that nothing is tried again elsewhere.
func (c *Conn) Send(ctx context.Context, env Envelope, body io.Reader) (*Sent, error) {
	if len(env.To) == 0 {
		return nil, errNoRecipients
	}
	o, err := openBody(env.Prefix, body)
	if err != nil {
		return nil, err
	}
	defer o.close()
	s := newSending(&env, o, body)
	if err := c.deliver(ctx, s); err != nil && !s.replied && !s.committed {
		return nil, err
	}
	return s.sent(c), s.results.Err()
}

var errNoRecipients = errors.New("smtp: no recipients")

func newSending(env *Envelope, o *outgoing, body io.Reader) *sending {
	s := &sending{env: env, o: o, body: body, results: make(Results, len(env.To))}
	s.left = s.few[:0]
	for i := range env.To {
		s.left = append(s.left, i)
	}
	return s
}

func (s *sending) sent(c *Conn) *Sent {
	return &Sent{Results: s.results, Queued: s.queued, TLS: c.state}
}

// deliver runs transactions until every recipient had his turn, since servers
// take only so many at once (RFC 5321 §4.5.3.1.10, RFC 9422), or the connection
// has carried what it may. Who is left in s.left can go on elsewhere.
func (c *Conn) deliver(ctx context.Context, s *sending) error {
	defer c.bound(ctx)()
	s.c = c // whatever comes: what is said of a recipient names the host
	for len(s.left) > 0 {
		n := c.room(s)
		s.to, s.left = s.left[:n:n], s.left[n:]
		if err := c.transact(s); err != nil {
			s.begun = s.begun || s.committed
			return s.lost(cause(ctx, err))
		}
		s.left = append(s.left, s.again...)
		s.again = nil
		if len(s.left) == 0 {
			return nil
		}
		if !s.o.rewind(s.env.Prefix, s.body) {
			s.left = nil // they stay temporary: the body cannot be read again
			return nil
		}
		if max := c.caps.Limit("MAILMAX"); max > 0 && c.messages >= max {
			return nil
		}
	}
	return nil
}

// room is how many of those left the server takes in one transaction (RFC
// 9422): so many recipients, of so many domains.
func (c *Conn) room(s *sending) int {
	n := len(s.left)
	if max := c.caps.Limit("RCPTMAX"); max > 0 {
		n = min(n, max)
	}
	max := c.caps.Limit("RCPTDOMAINMAX")
	if max == 0 {
		return n
	}
	domains := make(map[string]bool)
	for i, r := range s.left[:n] {
		domains[s.env.To[r].Path.Domain()] = true
		if len(domains) > max {
			return i
		}
	}
	return n
}

// lost notes a broken dialogue with every recipient whose fate it leaves open.
func (s *sending) lost(err error) error {
	s.note(s.to, err, s.committed)
	s.note(s.left, err, false)
	return err
}

func (s *sending) note(open []int, err error, committed bool) {
	for _, i := range open {
		r := &s.results[i]
		if r.Status != Temporary || r.refused() {
			continue
		}
		r.Err, r.Host = err, s.c.host
		if e, ok := errors.AsType[*Error](err); ok {
			r.Reply = e.Reply
		}
		if committed {
			r.Status = Unknown
		}
	}
}

func (r *Result) refused() bool { return r.Reply.Code >= 400 }

// transact offers the message to s.to in one transaction. Its error is the end
// of the connection; what the server says no to is in the results.
func (c *Conn) transact(s *sending) error {
	if c.botched {
		return errBotched
	}
	s.accepted, s.committed, s.mailed = 0, false, Reply{}
	c.sending = true
	defer func() { c.sending = false }()
	for _, i := range s.to {
		s.results[i] = Result{}
	}
	var err error
	if s.need, err = c.plan(s.env, s.o); err != nil {
		s.fate(resultOf(err))
		return nil
	}
	s.dropImpossible()
	if len(s.to) == 0 {
		return nil
	}
	s.prdr = len(s.to) > 1 && c.caps.Has("PRDR") && !c.lmtp
	c.messages++
	if !c.caps.Has("PIPELINING") {
		return s.stepwise()
	}
	return s.pipelined()
}

// fate gives the recipients offered now the same result.
func (s *sending) fate(r Result) {
	if r.Host == "" {
		r.Host = s.c.host
	}
	for _, i := range s.to {
		if s.results[i].Status == Temporary && !s.results[i].refused() {
			s.results[i] = r
		}
	}
}

// dropImpossible takes out the recipients this server cannot be asked for.
func (s *sending) dropImpossible() {
	for n, i := range s.to {
		if err := s.c.planRcpt(&s.env.To[i], s.need); err != nil {
			kept := append([]int(nil), s.to[:n]...)
			for _, j := range s.to[n:] {
				if err := s.c.planRcpt(&s.env.To[j], s.need); err != nil {
					s.results[j] = resultOf(err)
				} else {
					kept = append(kept, j)
				}
			}
			s.to = kept
			return
		}
	}
}

// replyResult is the outcome that a reply stands for.
func replyResult(r Reply, host string) Result {
	res := Result{Reply: r, Host: host}
	switch {
	case r.Positive():
		res.Status = Accepted
		return res
	case r.Permanent():
		res.Status = Permanent
	}
	res.Err = &Error{Reply: r}
	return res
}

package smtp

import (
	"context"
	"crypto/tls"
	"io"
	"net/netip"
)

// Session is what a server knows of one connection. It has exported fields
// only, so a test writes &Session{...} and calls a handler without a socket.
type Session struct {
	ID       string // of the connection, in every log line
	Hello    string // the argument of HELO, EHLO or LHLO
	User     string // who logged in; "" nobody
	Protocol string // as Received names it: SMTP, ESMTP, ESMTPSA, LMTP … (RFC 3848)
	Remote   netip.AddrPort
	Local    netip.AddrPort
	TLS      *tls.ConnectionState // nil without TLS
	Values   Values
}

// Transaction is one message on its way in, from MAIL to the reply after its
// data. The envelope grows with each RCPT.
type Transaction struct {
	Session  *Session // not embedded: both have an ID
	Envelope          // what was accepted so far
	Values   Values   // dies with the transaction
	Queued   string   // set by the handler: the text of the final 250 names it
}

// Handler answers the phases of a dialogue. Each func is optional: nil accepts,
// and a nil Message reads the message and drops it. An error refuses with the
// reply that [ReplyTo] gives it, so a plain error means try again later. After a
// 421 the server hangs up.
//
// The funcs of one connection are called one after the other, those of several
// connections at the same time. ctx ends when the peer is gone, when
// Timeouts.Handler has passed, or when the server is closed. A panic ends the
// connection with 421, is logged, and harms no other.
type Handler struct {
	// Connect is called before the greeting, and again for the client that a
	// trusted peer names by XCLIENT. An error is sent in its place: 5yz as 554,
	// after which the peer may only say QUIT, all else as 421. What it sets in
	// s.Values outlives STARTTLS; what the later funcs set does not.
	Connect func(ctx context.Context, s *Session) error
	// Hello is called for HELO, EHLO and LHLO. After an error all stays as it
	// was before, an open transaction too unless its chunks have begun.
	Hello func(ctx context.Context, s *Session) error
	// Mail is called with From and Params set.
	Mail func(ctx context.Context, t *Transaction) error
	// Rcpt may change r; it is appended to t.To after nil.
	Rcpt func(ctx context.Context, t *Transaction, r *Recipient) error
	// Data is called before the message is asked for. An error ends the
	// transaction.
	Data func(ctx context.Context, t *Transaction) error
	// Message takes the message. body gives io.EOF only for a complete one;
	// after any other error nothing may be kept. A *[PartialError] answers for
	// each recipient by itself.
	Message func(ctx context.Context, t *Transaction, body io.Reader) error
	// Partial is told when plain SMTP had to say 250 though some recipients
	// failed: who is not told in the dialogue must be told by a bounce. Without
	// it such a message is refused with 451 for all.
	Partial func(ctx context.Context, t *Transaction, r Results)
	// Verify answers VRFY, Expand EXPN; nil is 252 and 502 (RFC 5321 §3.5).
	// Which of them is there is told in EHLO.
	Verify func(ctx context.Context, s *Session, arg string) (Reply, error)
	Expand func(ctx context.Context, s *Session, arg string) (Reply, error)
	// Reset is told of a transaction that ends without its message.
	Reset func(t *Transaction)
	// Close is told once that the connection is over; err is nil after QUIT.
	Close func(s *Session, err error)
}

// Middleware wraps a handler: it keeps the funcs it does not care for and
// calls the ones it replaces.
type Middleware func(next Handler) Handler

// Chain wraps h in m; m[0] is outermost and sees everything first.
func Chain(h Handler, m ...Middleware) Handler {
	for i := len(m) - 1; i >= 0; i-- {
		h = m[i](h)
	}
	return h
}

package smtp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/postilion-mail/postilion/internal/wire"
	"github.com/postilion-mail/postilion/smtp/sasl"
)

// TLSMode is how a client comes to TLS.
type TLSMode uint8

const (
	// TLSRequired demands STARTTLS with a valid certificate.
	TLSRequired TLSMode = iota
	// TLSImplicit speaks TLS from the first octet (RFC 8314 §3.3), port 465.
	TLSImplicit
	// TLSOpportunistic takes STARTTLS where it is offered, without asking whose
	// certificate it is unless TLSConfig says so, and the clear where it fails
	// (RFC 7435). Credentials are never sent in the clear.
	TLSOpportunistic
	// TLSNone stays in the clear.
	TLSNone
)

// Target is one server. A [Client] pools its connections by it.
type Target struct {
	Addr      string // "host:port"; a path begins with "/" and is a Unix socket
	Name      string // in the certificate; "" is the host of Addr
	TLS       TLSMode
	TLSConfig *tls.Config // nil: the system's roots. Not changed after use
	LMTP      bool
}

// Client sends mail, to one server or to many, over connections that it keeps.
// Its zero value sends nowhere but by SendTo. The fields must not change after
// the first use; a Client is safe for concurrent use and must not be copied.
type Client struct {
	// The server of Send, Submit and Deliver: a smarthost, a submission server
	// or an LMTP server. See [Target] for each field.
	Addr      string
	TLS       TLSMode
	TLSConfig *tls.Config
	LMTP      bool

	Auth      *sasl.Credentials // nil: no login. Used with every target
	LocalName string            // what EHLO says: this host's name; "" is "localhost"

	// Dial connects; nil is a net.Dialer.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)

	Pool     Pool
	Timeouts Timeouts
	Log      *slog.Logger // nil is silent. Never sees a credential

	mu    sync.Mutex // guards pools
	pools map[Target]*pool
}

// Pool bounds the connections a client keeps. In each field 0 means the default
// named there and a negative number no limit, but for MaxIdle and IdleTimeout,
// where negative means that none is kept.
type Pool struct {
	PerTarget   int           // connections to one target at the same time; 10. More senders wait
	MaxIdle     int           // kept open to one target; 2
	MaxMessages int           // over one connection; 1000. The server's MAILMAX counts too (RFC 9422)
	IdleTimeout time.Duration // after which an idle one is closed; 1 min
}

var _ DeliverFunc = (*Client)(nil).Deliver

// Send sends env.Prefix and then body, once, to all of env.To, by the target of
// the client's own fields.
//
// The error is nil only if every recipient was accepted. After a dialogue it is
// a *[PartialError] and Sent tells of each recipient; Sent is nil where there
// was none, because the server could not be reached, TLS or login failed, or
// body could not be read.
//
// Bare CR and LF become CRLF, dots are stuffed, and no body can end the message
// or begin a command, whatever it holds. If body ends in an error the message
// is never ended. body may also be an io.Seeker, so that a connection that went
// stale in the pool, or a server that takes only so many recipients at once,
// needs no word from the caller, and may have Len() int or Size() int64, which
// SIZE tells the server.
func (c *Client) Send(ctx context.Context, env Envelope, body io.Reader) (*Sent, error) {
	return c.SendTo(ctx, c.target(), env, body)
}

func (c *Client) target() Target {
	return Target{Addr: c.Addr, TLS: c.TLS, TLSConfig: c.TLSConfig, LMTP: c.LMTP}
}

// SendTo is Send to another server.
func (c *Client) SendTo(ctx context.Context, to Target, env Envelope, body io.Reader) (*Sent, error) {
	if len(env.To) == 0 {
		return nil, errNoRecipients
	}
	o, err := openBody(env.Prefix, body)
	if err != nil {
		return nil, err
	}
	defer o.close()
	p := c.pool(to)
	defer p.leave(1)
	if err := p.acquire(ctx); err != nil {
		return nil, err
	}
	defer p.release()
	return c.sendOver(ctx, p, &env, o, body)
}

// sendOver finds connections that work. One from the pool may have gone stale:
// it is replaced without a word as long as the server cannot have taken the
// message. A server with MAILMAX may need several for one long list.
func (c *Client) sendOver(ctx context.Context, p *pool, env *Envelope, o *outgoing, body io.Reader) (*Sent, error) {
	s := newSending(env, o, body)
	for {
		conn, reused, err := p.get(ctx)
		if err != nil {
			return c.ended(s, nil, err)
		}
		s.begun = false
		err = conn.deliver(ctx, s)
		p.put(conn)
		switch {
		case err != nil && reused && !s.begun && ctx.Err() == nil && o.rewind(env.Prefix, body):
			s.left = append(s.to, s.left...)
		case err != nil || len(s.left) == 0:
			return c.ended(s, conn, err)
		}
	}
}

// ended says what became of the message. A server that never answered may have
// it all the same, if all of it went out.
func (c *Client) ended(s *sending, conn *Conn, err error) (*Sent, error) {
	if err != nil && !s.replied && !s.committed {
		return nil, err
	}
	if conn == nil { // no connection for the rest of a long list
		s.note(s.left, err, false)
		conn = s.c
	}
	c.log(s.env, s)
	return s.sent(conn), s.results.Err()
}

func (c *Client) log(env *Envelope, s *sending) {
	if c.Log == nil {
		return
	}
	for i, r := range s.results {
		c.Log.Info("sent", "id", env.ID, "from", env.From.String(), "to", env.To[i].Path.String(), "host", r.Host, "status", r.Status.String(), "reply", r.Reply.String(), "queued", s.queued)
	}
}

// Deliver is a [DeliverFunc]: the client as a smarthost's or LMTP server's
// delivery agent. body holds the prefix already.
func (c *Client) Deliver(ctx context.Context, env Envelope, body *io.SectionReader) Results {
	env.Prefix = nil
	sent, err := c.Send(ctx, env, io.NewSectionReader(body, 0, body.Size()))
	if sent != nil {
		return sent.Results
	}
	// No dialogue about this message: whatever the server said, of the login
	// perhaps, it said of the connection, and another day it may be better.
	out := make(Results, len(env.To))
	for i := range out {
		out[i] = Result{Host: c.Addr, Err: err}
		if e, ok := errors.AsType[*Error](err); ok {
			out[i].Reply = e.Reply
		}
	}
	return out
}

// Close closes all idle connections with QUIT. Those in use are closed when
// their message is through.
func (c *Client) Close() error {
	c.mu.Lock()
	pools := c.pools
	c.pools = nil
	c.mu.Unlock()
	for _, p := range pools {
		p.close()
	}
	return nil
}

// connect makes a connection to t that is ready for mail.
func (c *Client) connect(ctx context.Context, t Target) (*Conn, error) {
	conn, err := c.open(ctx, t, t.TLS)
	if err == nil || t.TLS != TLSOpportunistic || !errors.Is(err, errTLS) || ctx.Err() != nil {
		return conn, err
	}
	if c.Log != nil {
		c.Log.Warn("TLS failed, sending in the clear", "host", t.Addr, "err", err)
	}
	return c.open(ctx, t, TLSNone)
}

var errTLS = errors.New("smtp: TLS failed")

// open goes through greeting, hello, TLS and login.
func (c *Client) open(ctx context.Context, t Target, mode TLSMode) (*Conn, error) {
	nc, err := c.dial(ctx, t, mode)
	if err != nil {
		return nil, fmt.Errorf("smtp: connecting to %s: %w", t.Addr, err)
	}
	conn, err := NewConn(ctx, nc, t.LMTP, c.Timeouts)
	if err != nil {
		return nil, fmt.Errorf("smtp: %s: %w", t.Addr, err)
	}
	conn.host = t.Addr
	if err := c.prepare(ctx, conn, t, mode); err != nil {
		conn.Close()
		return nil, fmt.Errorf("smtp: %s: %w", t.Addr, err)
	}
	return conn, nil
}

func (c *Client) dial(ctx context.Context, t Target, mode TLSMode) (net.Conn, error) {
	d := wire.Dialer{Addr: t.Addr, Timeout: c.Timeouts.withDefaults().Dial, Dial: c.Dial}
	if mode == TLSImplicit {
		d.Implicit = t.config(mode)
	}
	return d.Connect(ctx)
}

// config is the TLS configuration for a target.
func (t Target) config(mode TLSMode) *tls.Config {
	conf := wire.ClientTLS(t.TLSConfig, t.Addr)
	if t.TLSConfig == nil && mode == TLSOpportunistic {
		conf.InsecureSkipVerify = true // better than the clear, which is the alternative
	}
	if t.Name != "" && (t.TLSConfig == nil || t.TLSConfig.ServerName == "") {
		conf.ServerName = t.Name
	}
	return conf
}

// prepare says hello, turns TLS on and logs in, as the mode demands.
func (c *Client) prepare(ctx context.Context, conn *Conn, t Target, mode TLSMode) error {
	if err := conn.Hello(ctx, c.LocalName); err != nil {
		return err
	}
	if mode == TLSRequired || mode == TLSOpportunistic && conn.caps.Has("STARTTLS") {
		if !conn.caps.Has("STARTTLS") {
			return fmt.Errorf("%w: server does not offer STARTTLS", errTLS)
		}
		if err := conn.StartTLS(ctx, t.config(mode)); err != nil {
			return fmt.Errorf("%w: %w", errTLS, err)
		}
		if err := conn.Hello(ctx, c.LocalName); err != nil {
			return err
		}
	}
	if c.Auth == nil || t.LMTP && !conn.caps.Has("AUTH") {
		return nil
	}
	return conn.Auth(ctx, c.Auth)
}

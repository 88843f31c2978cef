package dns

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Client is a stub resolver: it puts its questions to recursive name servers and
// leaves the search through the DNS to them. The zero Client asks the servers of
// /etc/resolv.conf.
//
// Each query goes out with a random id from a port of its own, and only an answer
// that repeats both and the question is taken (RFC 5452 §9.1). A truncated answer
// is asked for again over TCP, a server that does not know EDNS(0) without it, and
// a server that fails is followed by the next one, so that its fault is not taken
// for an answer.
type Client struct {
	// Servers are asked in this order, "192.0.2.53" or "192.0.2.53:5353"; the one
	// that answered last is asked first. Empty means those of ResolvConf.
	Servers []string

	// ResolvConf is read again whenever it changes, for its name servers, its
	// options timeout, attempts and trust-ad; search lists are ignored. "" means
	// /etc/resolv.conf; without the file the name server is on this host.
	ResolvConf string

	Timeout  time.Duration // of one try; 0 means 3 s, or what ResolvConf says of its servers
	Attempts int           // tries with each server; 0 means 2, or what ResolvConf says

	// TrustAD takes the AD bit of the servers for true: set it only if they check
	// DNSSEC and the way to them is safe, as on this host (RFC 6840 §5.8).
	TrustAD bool

	Dial func(ctx context.Context, network, addr string) (net.Conn, error) // "udp" or "tcp"; nil means net.Dialer
	Rand io.Reader                                                         // query ids; nil means crypto/rand

	good atomic.Uint32 // index of the server that answered last
	mu   sync.Mutex    // guards conf
	conf conf
}

// Lookup asks the servers until one answers. A failure of all of them gives what
// the last one said.
func (c *Client) Lookup(ctx context.Context, name string, t Type) (Answer, error) {
	cf := c.settings()
	q := question{name: Fold(name), typ: t, edns: true, ad: cf.trustAD}
	var whole reply
	for hop := 0; ; hop++ {
		r, server, err := c.ask(ctx, cf, q)
		if err != nil {
			return Answer{}, locate(err, name, t, server)
		}
		whole.join(r, hop > 0)
		if !r.open {
			whole.Authentic = whole.Authentic && cf.trustAD
			return whole.Answer, nil
		}
		// The server gave the alias but not what it stands for: ask for that.
		if q.name = Fold(whole.Canonical(name)); len(whole.CNAMEs) >= maxChain {
			return Answer{}, locate(ErrLoop, name, t, server)
		}
	}
}

// join puts the answer to a later link of a chain behind the earlier ones.
func (r *reply) join(next reply, later bool) {
	if later {
		next.CNAMEs = append(r.CNAMEs, next.CNAMEs...)
		next.TTL = min(r.TTL, next.TTL)
		next.Authentic = next.Authentic && r.Authentic
	}
	*r = next
}

// locate puts question and server into an error.
func locate(err error, name string, t Type, server string) error {
	e := &Error{Name: name, Type: t, Server: server, Err: err}
	var said *Error
	if errors.As(err, &said) {
		e.RCode, e.Err = said.RCode, said.Err
	}
	return e
}

// ask tries all servers, the last good one first, until one answers.
func (c *Client) ask(ctx context.Context, cf conf, q question) (r reply, server string, err error) {
	if err := CheckName(q.name); err != nil {
		return reply{}, "", err
	}
	n := len(cf.servers)
	first := int(c.good.Load())
	for i := range n * cf.attempts {
		if ctx.Err() != nil {
			return reply{}, server, ctx.Err()
		}
		at := (first + i) % n
		server = cf.servers[at]
		if r, err = c.try(ctx, cf, server, q); err == nil {
			c.good.Store(uint32(at))
			return r, server, nil
		}
	}
	if ctx.Err() != nil {
		err = ctx.Err() // the cause, not the closed socket it made
	}
	return reply{}, server, err
}

// try puts the question to one server once: over UDP, then where the answer asks
// for it without EDNS or over TCP.
func (c *Client) try(ctx context.Context, cf conf, server string, q question) (reply, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, cf.timeout, ErrTimeout)
	defer cancel()
	r, err := c.exchange(ctx, "udp", server, q)
	if edns := (*Error)(nil); errors.As(err, &edns) &&
		(edns.RCode == FormErr || edns.RCode == NotImp || edns.RCode == BadVers) {
		q.edns = false // RFC 6891 §7
		r, err = c.exchange(ctx, "udp", server, q)
	}
	if err == nil && r.truncated {
		r, err = c.exchange(ctx, "tcp", server, q) // RFC 7766 §5
		if err == nil && r.truncated {
			err = ErrTruncated
		}
	}
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return r, err
}

// exchange sends the question over a new connection, hence from a new port, and
// waits for its answer.
func (c *Client) exchange(ctx context.Context, network, server string, q question) (reply, error) {
	var err error
	if q.id, err = c.id(); err != nil {
		return reply{}, err
	}
	msg, err := q.pack()
	if err != nil {
		return reply{}, err
	}
	conn, err := c.dial(ctx, network, server)
	if err != nil {
		return reply{}, err
	}
	defer conn.Close()
	// Cancellation has to end the read: a deadline copied to the socket would not.
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if network == "tcp" {
		return q.overTCP(conn, msg)
	}
	return q.overUDP(conn, msg[2:])
}

// overUDP waits for the datagram that answers the question. Others may come first:
// anybody can send one.
func (q question) overUDP(conn net.Conn, msg []byte) (reply, error) {
	if _, err := conn.Write(msg); err != nil {
		return reply{}, err
	}
	buf := make([]byte, 2048) // more than asked for: some servers round up
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return reply{}, err
		}
		r, err := q.parse(buf[:n])
		switch {
		case errors.Is(err, errForeign):
			continue
		case errors.Is(err, ErrMalformed) && n == len(buf):
			return reply{truncated: true}, nil // by us: the server sent more than we asked for
		}
		return r, err
	}
}

// overTCP sends the message with its length in front and reads one like it (RFC
// 1035 §4.2.2). The length bounds what is read: 65,535 octets.
func (q question) overTCP(conn net.Conn, msg []byte) (reply, error) {
	if _, err := conn.Write(msg); err != nil {
		return reply{}, err
	}
	var size [2]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return reply{}, err
	}
	buf := make([]byte, int(size[0])<<8|int(size[1]))
	if _, err := io.ReadFull(conn, buf); err != nil {
		return reply{}, err
	}
	r, err := q.parse(buf)
	if errors.Is(err, errForeign) {
		err = ErrMalformed // nobody else can write into this stream
	}
	return r, err
}

// id draws a query id. Without randomness no query is made: one with a known id
// could be answered by anyone (RFC 5452 §4.3).
func (c *Client) id() (uint16, error) {
	r := c.Rand
	if r == nil {
		r = rand.Reader
	}
	var b [2]byte
	_, err := io.ReadFull(r, b[:])
	return uint16(b[0])<<8 | uint16(b[1]), err
}

// dial opens the connection for one query. The kernel picks its port.
func (c *Client) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if c.Dial != nil {
		return c.Dial(ctx, network, addr)
	}
	return new(net.Dialer).DialContext(ctx, network, addr)
}

// settings are the fields where they are set. Where Servers are, resolv.conf is not
// looked at: what it says was said of other servers.
func (c *Client) settings() conf {
	cf := conf{servers: c.Servers, timeout: defaultTimeout, attempts: defaultAttempts}
	if len(c.Servers) == 0 {
		cf = c.resolvConf()
	} else if slices.ContainsFunc(c.Servers, func(s string) bool { return withPort(s) != s }) {
		cf.servers = withPorts(c.Servers)
	}
	cf.timeout = cmp.Or(c.Timeout, cf.timeout)
	cf.attempts = max(1, cmp.Or(c.Attempts, cf.attempts))
	cf.trustAD = cf.trustAD || c.TrustAD
	return cf
}

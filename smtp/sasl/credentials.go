package sasl

import (
	"context"
	"fmt"
	"io"
	"strings"
)

// Credentials is the client's side: who logs in, and by what. It is a value
// without state, so one may serve many connections at once; its fields must
// not change meanwhile. It prints as its user alone, whichever verb or
// logger prints it.
//
// With User and Password set, SCRAM is preferred, bound to the TLS channel
// where the server offers that; with Token, OAUTHBEARER; with neither,
// EXTERNAL by the client certificate.
type Credentials struct {
	// User is the name that logs in.
	User string

	// Password is his password; empty means that he has none to show.
	Password string

	// Authz is whom to act as; empty means as User. CRAM-MD5 and LOGIN have
	// no room for it and are not used if it is set.
	Authz string

	// Token gives a fresh OAuth bearer token, once for each login. It must
	// be safe for concurrent use.
	Token func(ctx context.Context) (string, error)

	// Mechanisms are those that may be used, the preferred first; the first
	// of them that is offered and fits is taken. nil means all, strongest
	// first.
	Mechanisms []string

	// Cleartext lets a password or token go out without TLS, as the
	// mechanisms for which [Plaintext] reports true do. The zero value
	// refuses that.
	Cleartext bool

	// Binding is the channel binding for the -PLUS mechanisms:
	// "tls-exporter", "tls-server-end-point", or "none" to do without.
	// Empty means tls-exporter with TLS 1.3 and tls-server-end-point before.
	Binding string

	// MinIterations and MaxIterations bound the work factor that a server
	// may ask of SCRAM; 0 means 4096 (RFC 7677 §4) and 1,000,000: less
	// would help whoever recorded the exchange to guess the password,
	// more would only burn this machine's time.
	MinIterations, MaxIterations int

	// Rand is the source of nonces; nil means crypto/rand.
	Rand io.Reader
}

// Start picks the strongest mechanism that the server offers, these
// credentials have something for, and the connection is safe for; l tells
// about the connection (Protocol, Remote, TLS). The names in offered may be
// in any case. If nothing fits, the error is [ErrMechanism]. It does not wait:
// Token is called by the first Next.
func (c *Credentials) Start(l Login, offered []string) (mech string, x Exchange, err error) {
	if c == nil {
		return "", nil, ErrMechanism
	}
	m := c.pick(&l, offered)
	if m == nil {
		return "", nil, fmt.Errorf("%w: of %.200q none fits the credentials%s",
			ErrMechanism, strings.Join(offered, " "), noTLS(&l))
	}
	own := *c // so that the exchange does not see later changes
	cl := &client{cred: own, login: l, offered: offered}
	cl.login.Mechanism, cl.login.User, cl.login.Authz, cl.login.Identity = m.name, c.User, c.Authz, ""
	cl.next = m.client(cl)
	return m.name, cl, nil
}

func noTLS(l *Login) string {
	if l.TLS == nil {
		return " without TLS"
	}
	return ""
}

func (c *Credentials) pick(l *Login, offered []string) *mechanism {
	if c.Mechanisms == nil {
		for i := range mechanisms {
			if m := &mechanisms[i]; has(offered, m.name) && c.fits(m, l) {
				return m
			}
		}
		return nil
	}
	for _, name := range c.Mechanisms {
		if m := find(name); m != nil && has(offered, m.name) && c.fits(m, l) {
			return m
		}
	}
	return nil
}

func (c *Credentials) fits(m *mechanism, l *Login) bool {
	if m.plaintext && l.TLS == nil && !c.Cleartext {
		return false
	}
	return m.usable(c, l)
}

// client is the client's side of every mechanism; the mechanisms are methods
// on it, each a chain of steps.
type client struct {
	cred    Credentials
	login   Login
	offered []string
	next    step // nil: all is said
	done    bool // satisfied, although a step is left for bad news
}

// Login implements [Exchange].
func (x *client) Login() Login { return x.login }

// Next implements [Exchange].
func (x *client) Next(ctx context.Context, in []byte) (out []byte, done bool, err error) {
	turn := x.next
	x.next, x.login.Identity = nil, ""
	switch {
	case turn == nil:
		return nil, false, badServer("a challenge too many")
	case len(in) > MaxMessage:
		return nil, false, badServer("challenge too long")
	}
	out, x.next, err = turn(ctx, in)
	if err != nil {
		x.next, x.done = nil, false
		return out, false, err
	}
	if x.next != nil && !x.done {
		return out, false, nil
	}
	if x.login.Identity = x.cred.Authz; x.cred.Authz == "" {
		x.login.Identity = x.cred.User
	}
	return out, true, nil
}

package sasl

import (
	"context"
	"crypto/rand"
	"io"
	"sync/atomic"
	"time"
)

// Authenticator is the server's side of all mechanisms: what you implement is
// what is offered. Each func is optional, and one value may serve smtp, pop3
// and imap at once: the funcs must be safe for concurrent use, and the fields
// must not change after the first use. The zero Authenticator, and nil, offer
// nothing. Do not copy it after the first use.
//
// A func returns [ErrCredentials], or an error that wraps it, when the peer
// is not who he says; any other error means that it could not find out, and
// the peer is told to try again later. Unknown users must give the same error
// as wrong passwords; see Secret for how SCRAM keeps them apart from nothing.
type Authenticator struct {
	// Password checks a password for PLAIN, LOGIN, USER/PASS and IMAP's
	// LOGIN; l.User and the password come prepared by [Prepare], and
	// are never empty. Compare in constant time, best by a slow hash;
	// [Secrets] makes one from the Secret func.
	Password func(ctx context.Context, l Login, password string) error

	// Secret looks up what SCRAM-*, CRAM-MD5 and APOP need to know of l.User.
	// For an unknown user return ErrCredentials: the peer then goes through
	// the same course with a made-up salt, which for the same name stays
	// the same, and fails at the end of it as he would by a wrong password.
	Secret func(ctx context.Context, l Login) (Secret, error)

	// Token checks a bearer token for OAUTHBEARER and XOAUTH2 and returns
	// whose it is; an empty user is refused. l.User is the name that the
	// client sent along: it proves nothing, may be empty, and if it is not
	// the token's owner it is whom the owner asks to act as. Return a
	// [*TokenError] to tell more than "invalid_token". The token may be
	// empty: the client asks where to get one (RFC 7628 §4.3), and fails
	// whatever Token returns.
	Token func(ctx context.Context, l Login, token string) (user string, err error)

	// Certificate names the user of a client certificate, for EXTERNAL.
	// l.TLS.VerifiedChains is not empty: the TLS stack has verified it.
	Certificate func(ctx context.Context, l Login) (user string, err error)

	// Authorize runs after the peer has proved to be l.User, and returns as
	// whom the login acts: the place to map "name@domain" to the name of a
	// mailbox, and to let a master user act as l.Authz. nil means that
	// everyone acts as himself and l.Authz must be empty or equal to l.User.
	// To refuse, return ErrCredentials (RFC 4422 §3.4.1).
	Authorize func(ctx context.Context, l Login) (user string, err error)

	// Disable names mechanisms that are not offered although their func is
	// set: CRAM-MD5 for one, where Secret gives keys but no passwords.
	Disable []string

	// Iterations is the work factor SCRAM announces for secrets that are
	// plain passwords, and for unknown users; 0 means 4096, the least
	// RFC 7677 §4 allows. Where Secret returns keys, set it to what they
	// were derived with: otherwise it tells the unknown users from the rest.
	Iterations int

	// SaltKey makes the salts of plain passwords and unknown users. Empty
	// means a random one for each process: then a peer that asks before and
	// after a restart can tell unknown users by their changed salt.
	SaltKey []byte

	// Rand is the source of nonces; nil means crypto/rand.
	Rand io.Reader

	// Now is the clock of Throttle and of challenges; nil means time.Now.
	Now func() time.Time

	limit *limiter                 // nil: no throttle
	salt  atomic.Pointer[[32]byte] // stands in for SaltKey once needed
	plain atomic.Bool              // a Secret with a plain password was seen
}

// Mechanisms lists what can be offered to this peer now, strongest first. A
// mechanism is there only if its func is set and Disable does not name it;
// -PLUS only with TLS that can be bound to, EXTERNAL only with a verified
// client certificate. Filter it by [Plaintext] where there is no TLS.
func (a *Authenticator) Mechanisms(l Login) []string {
	if a == nil {
		return nil
	}
	var names []string
	for i := range mechanisms {
		if m := &mechanisms[i]; a.offers(m, &l) {
			names = append(names, m.name)
		}
	}
	return names
}

func (a *Authenticator) offers(m *mechanism, l *Login) bool {
	return m.offered(a, l) && !has(a.Disable, m.name)
}

// Start begins an attempt by l.Mechanism. It returns [ErrMechanism] if that
// is not among Mechanisms(l), and never waits.
func (a *Authenticator) Start(l Login) (Exchange, error) {
	m := find(l.Mechanism)
	if a == nil || m == nil || !a.offers(m, &l) {
		return nil, ErrMechanism
	}
	x := &server{auth: a, login: l}
	x.login.Mechanism, x.login.User, x.login.Authz, x.login.Identity = m.name, "", "", ""
	x.next = m.server(x)
	return x, nil
}

// Check logs l.User in by a password: what POP3's USER and PASS and IMAP's
// LOGIN need, where there is no exchange. It goes the way of PLAIN (the same
// func, Authorize, Throttle and errors) and returns l with Identity set.
func (a *Authenticator) Check(ctx context.Context, l Login, password string) (Login, error) {
	if a == nil || a.Password == nil {
		return l, ErrMechanism
	}
	x := &server{auth: a, login: l}
	err := x.password(ctx, l.User, password)
	if err == nil {
		x.login.Identity = x.identity
	}
	return x.login, err
}

// server is the server's side of every mechanism; the mechanisms are methods
// on it, each a chain of steps.
type server struct {
	auth     *Authenticator
	login    Login
	identity string // becomes login.Identity at the end
	next     step   // nil: over
}

// Login implements [Exchange].
func (x *server) Login() Login { return x.login }

// Next implements [Exchange].
func (x *server) Next(ctx context.Context, in []byte) (out []byte, done bool, err error) {
	turn := x.next
	x.next = nil
	switch {
	case turn == nil:
		return nil, false, badClient("exchange is over")
	case len(in) > MaxMessage:
		return nil, false, badClient("message too long")
	}
	out, x.next, err = turn(ctx, in)
	switch {
	case err != nil:
		x.next = nil
		return nil, false, err
	case x.next == nil:
		x.login.Identity = x.identity
		return nil, true, nil
	case out == nil:
		out = []byte{}
	}
	return out, false, nil
}

// clientFirst is for mechanisms in which the client speaks first: without an
// initial response it is asked for by an empty challenge (RFC 4422 §5).
func clientFirst(first step) step {
	return func(ctx context.Context, in []byte) ([]byte, step, error) {
		if in == nil {
			return nil, first, nil
		}
		return first(ctx, in)
	}
}

// verify runs one check of credentials and, if they hold, Authorize, under
// the throttle. It is the only place where a login can succeed or be counted
// as failed.
func (x *server) verify(ctx context.Context, check func() error) error {
	release, err := x.auth.limit.take(ctx, x.auth.now(), x.login.Remote)
	if err != nil {
		return err
	}
	if err = check(); err == nil {
		err = x.authorize(ctx)
	}
	return release(ctx, err)
}

// authorize decides as whom the authenticated user acts (RFC 4422 §2).
func (x *server) authorize(ctx context.Context) error {
	l := &x.login
	id := l.User
	if x.auth.Authorize != nil {
		var err error
		if id, err = x.auth.Authorize(ctx, *l); err != nil {
			return err
		}
	} else if l.Authz != "" && l.Authz != l.User {
		return denied("may not act as another")
	}
	if id == "" {
		return denied("names nobody")
	}
	x.identity = id
	return nil
}

// password is the end of PLAIN and LOGIN: RFC 4616 §2 has both strings
// prepared before they are compared, and fails if nothing is left of one.
func (x *server) password(ctx context.Context, user, password string) error {
	return x.verify(ctx, func() error {
		if err := x.setUser(user, x.login.Authz); err != nil {
			return err
		}
		p, err := Prepare(password)
		if err != nil || p == "" {
			return denied("password cannot be prepared")
		}
		return x.auth.Password(ctx, x.login, p)
	})
}

// setUser prepares the names and makes them known.
func (x *server) setUser(user, authz string) error {
	u, err := Prepare(user)
	if err != nil || u == "" {
		return denied("user name cannot be prepared")
	}
	x.login.User = u
	return x.setAuthz(authz)
}

// setAuthz prepares the authorization identity: it is invalid if that fails
// or leaves nothing, unless it was sent empty (RFC 4954 §4).
func (x *server) setAuthz(authz string) error {
	if authz == "" {
		x.login.Authz = ""
		return nil
	}
	z, err := Prepare(authz)
	if err != nil || z == "" {
		return denied("authorization identity cannot be prepared")
	}
	x.login.Authz = z
	return nil
}

func (a *Authenticator) now() time.Time {
	if a.Now != nil {
		return a.Now()
	}
	return time.Now()
}

func (a *Authenticator) rand() io.Reader { return random(a.Rand) }

func random(r io.Reader) io.Reader {
	if r == nil {
		return rand.Reader
	}
	return r
}

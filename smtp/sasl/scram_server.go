package sasl

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// scramServer is the server's side of one SCRAM exchange (RFC 5802 §5).
type scramServer struct {
	*server
	h    *scramHash
	plus bool

	bare, first string // client-first-bare and server-first: what the proof is over
	nonce       string
	binding     []byte // what c= must hold
	course
}

// course is how one exchange goes: the same for a known user, an unknown one
// and one without keys for this hash, up to the proof.
type course struct {
	salt       []byte
	iterations int
	keys       Keys
	plain      string // derive the keys from it
	why        error  // nil, or why it fails whatever the proof
}

func (x *scramServer) start() step { return clientFirst(x.clientFirst) }

// clientFirst takes the user's name and gives him his salt.
func (x *scramServer) clientFirst(ctx context.Context, in []byte) ([]byte, step, error) {
	m, err := parseClientFirst(string(in))
	if err != nil {
		return nil, nil, atClient(err)
	}
	if err := x.bind(&m); err != nil {
		return nil, nil, err
	}
	x.login.User = m.user // for the log, if it cannot be prepared
	if err := x.setUser(m.user, m.authz); err != nil {
		return nil, nil, err
	}
	if err := x.auth.limit.peek(ctx, x.auth.now(), x.login.Remote); err != nil {
		return nil, nil, err
	}
	if x.course, err = x.auth.course(ctx, x.h, x.login); err != nil {
		return nil, nil, err
	}
	own, err := newNonce(x.auth.rand())
	if err != nil {
		return nil, nil, err
	}
	x.bare, x.nonce = m.bare, m.nonce+own
	x.first = "r=" + x.nonce + ",s=" + encode64(x.salt) + ",i=" + strconv.Itoa(x.iterations)
	return []byte(x.first), x.clientFinal, nil
}

// bind checks the channel binding flag against what was offered, and notes
// what the client must show (RFC 5802 §6).
func (x *scramServer) bind(m *clientFirstMessage) error {
	x.binding = []byte(m.raw)
	switch {
	case x.plus != (m.flag == 'p'):
		return badClient("channel binding flag does not fit the mechanism")
	case m.flag == 'y' && x.auth.offersPlus(&x.login):
		// The client could bind but saw no -PLUS: somebody took it out of
		// the list.
		return denied("downgraded: the client was not shown the -PLUS mechanisms")
	case m.flag == 'p':
		data := bindingData(m.binding, x.login.TLS, x.login.ServerCert)
		if len(data) == 0 {
			return denied("channel binding type not supported here")
		}
		x.binding = append(x.binding, data...)
	}
	return nil
}

// offersPlus reports whether any mechanism with channel binding is offered.
func (a *Authenticator) offersPlus(l *Login) bool {
	all := true
	for _, h := range [...]*scramHash{&sha1Hash, &sha256Hash, &sha512Hash} {
		all = all && has(a.Disable, h.name+plusSuffix)
	}
	return !all && canBind(l)
}

// clientFinal takes the proof and gives the server's own.
func (x *scramServer) clientFinal(ctx context.Context, in []byte) ([]byte, step, error) {
	m, err := parseClientFinal(string(in))
	if err != nil {
		return nil, nil, atClient(err)
	}
	if len(m.proof) != x.h.id.Size() {
		return nil, nil, badClient("proof has the wrong size")
	}
	message := x.bare + "," + x.first + "," + m.without
	if err := x.verify(ctx, func() error { return x.prove(ctx, &m, message) }); err != nil {
		return nil, nil, err
	}
	return []byte("v=" + encode64(x.h.hmac(x.keys.Server, message))), x.ack, nil
}

// ack takes the empty answer to the final message: see Exchange.
func (x *scramServer) ack(_ context.Context, in []byte) ([]byte, step, error) {
	if len(in) != 0 {
		return nil, nil, badClient("the final message takes an empty answer")
	}
	return nil, nil, nil
}

// prove checks nonce, channel binding and proof (RFC 5802 §3), all of them
// whichever fails.
func (x *scramServer) prove(ctx context.Context, m *clientFinalMessage, message string) error {
	if err := x.deriveKeys(ctx); err != nil {
		return err
	}
	key := x.h.hmac(x.keys.Stored, message) // ClientSignature
	subtle.XORBytes(key, key, m.proof)      // ClientKey
	proved := subtle.ConstantTimeCompare(x.h.sum(key), x.keys.Stored)
	sameNonce := subtle.ConstantTimeCompare([]byte(x.nonce), []byte(m.nonce))
	sameChannel := subtle.ConstantTimeCompare(x.binding, m.binding)
	switch {
	case x.why != nil:
		return x.why
	case sameNonce != 1:
		return denied("nonce does not match")
	case sameChannel != 1:
		return denied("channel binding does not match")
	case proved != 1:
		return denied("proof does not match")
	}
	return nil
}

// deriveKeys makes the keys of a plain password. Who is unknown costs the
// same where passwords are kept in plain, so that time tells nothing.
func (x *scramServer) deriveKeys(ctx context.Context) error {
	if x.plain == "" && !(x.why != nil && x.auth.plain.Load()) {
		return nil
	}
	salted, err := x.h.salted(ctx, x.plain, x.salt, x.iterations)
	if err != nil {
		return err
	}
	if x.plain != "" {
		x.keys = x.h.derive(salted)
	}
	return nil
}

// course looks the user up. An error is one that can be told at once.
func (a *Authenticator) course(ctx context.Context, h *scramHash, l Login) (course, error) {
	s, err := a.Secret(ctx, l)
	if err != nil && !errors.Is(err, ErrCredentials) {
		return course{}, err
	}
	if err == nil && s.Plain != "" {
		a.plain.Store(true)
		c, err := a.madeUp(h, l.User)
		if c.plain, c.why = s.Plain, nil; err == nil {
			err = preparePlain(&c)
		}
		return c, err
	}
	if k := h.keys(&s); err == nil && h.complete(k) && len(s.Salt) > 0 && s.Iterations > 0 {
		return course{salt: s.Salt, iterations: s.Iterations, keys: *k}, nil
	}
	c, mistake := a.madeUp(h, l.User)
	if c.why = err; err == nil {
		c.why = denied("no keys are kept for " + h.name)
	}
	return c, mistake
}

// preparePlain prepares a plain password as the client prepares it. One that
// cannot be prepared fails as if it were wrong.
func preparePlain(c *course) error {
	p, err := PrepareStored(c.plain)
	if err != nil || p == "" {
		c.plain, c.why = "", denied("the password that is kept cannot be prepared")
		return nil
	}
	c.plain = p
	return nil
}

// madeUp is the salt for a name without one of its own: the same each time,
// and not to be told from a real one without the key. The keys are zero,
// which nobody can prove to know.
func (a *Authenticator) madeUp(h *scramHash, user string) (course, error) {
	key := a.SaltKey
	if len(key) == 0 {
		var err error
		if key, err = a.randomKey(); err != nil {
			return course{}, err
		}
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s\x00%s", h.name, user)
	return course{
		salt:       mac.Sum(nil)[:saltSize],
		iterations: orDefault(a.Iterations, minIterations),
		keys:       Keys{Stored: make([]byte, h.id.Size()), Server: make([]byte, h.id.Size())},
		why:        ErrCredentials,
	}, nil
}

// randomKey is made once and then stays.
func (a *Authenticator) randomKey() ([]byte, error) {
	if k := a.salt.Load(); k != nil {
		return k[:], nil
	}
	k := new([32]byte)
	if _, err := io.ReadFull(a.rand(), k[:]); err != nil {
		return nil, err
	}
	a.salt.CompareAndSwap(nil, k)
	return a.salt.Load()[:], nil
}

// atClient blames the client for a message that does not parse.
func atClient(err error) error {
	if errors.Is(err, ErrMalformed) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrMalformed, err)
}

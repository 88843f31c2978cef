package sasl

import (
	"context"
	"crypto/hmac"
	"crypto/md5"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
)

// cramMD5 is CRAM-MD5 on the server, which speaks first; an initial response
// is an error (RFC 4954 §4). It needs the plain password.
func (x *server) cramMD5() step {
	return func(_ context.Context, in []byte) ([]byte, step, error) {
		if in != nil {
			return nil, nil, errUnasked
		}
		var nonce [12]byte
		if _, err := io.ReadFull(x.auth.rand(), nonce[:]); err != nil {
			return nil, nil, err
		}
		// RFC 2195 §2: the form of a message-id, never the same twice.
		challenge := fmt.Sprintf("<%x.%d@localhost>", nonce, x.auth.now().Unix())
		return []byte(challenge), func(ctx context.Context, in []byte) ([]byte, step, error) {
			return nil, nil, x.cramReply(ctx, challenge, string(in))
		}, nil
	}
}

// cramReply checks user SP digest; the user may hold spaces, the digest is 32
// lower-case hex digits (RFC 2195 §2).
func (x *server) cramReply(ctx context.Context, challenge, reply string) error {
	i := strings.LastIndexByte(reply, ' ')
	if i < 0 || len(reply)-i-1 != 2*md5.Size {
		return badClient("CRAM-MD5 takes a name and a digest")
	}
	user, digest := reply[:i], reply[i+1:]
	x.login.User = user
	return x.verify(ctx, func() error {
		return x.digest(ctx, user, digest, func(password string) string { return cramDigest(password, challenge) })
	})
}

func cramDigest(password, challenge string) string {
	h := hmac.New(md5.New, []byte(password))
	io.WriteString(h, challenge)
	return hex.EncodeToString(h.Sum(nil))
}

// digest compares what the peer sent with what the user's plain password
// gives; without one it computes all the same.
func (x *server) digest(ctx context.Context, user, got string, want func(password string) string) error {
	if err := x.setUser(user, ""); err != nil {
		return err
	}
	secret, err := x.auth.Secret(ctx, x.login)
	if err != nil && !errors.Is(err, ErrCredentials) {
		return err
	}
	same := subtle.ConstantTimeCompare([]byte(want(secret.Plain)), []byte(got)) == 1
	switch {
	case err != nil:
		return err
	case secret.Plain == "":
		return denied("no plain password is kept")
	case !same:
		return denied("digest does not match")
	}
	return nil
}

// APOP logs l.User in by POP3's command of that name: timestamp is what the
// greeting showed, with its angle brackets, digest the 32 hex digits
// (RFC 1939 §7). Like CRAM-MD5 it needs Secret to give the plain password,
// and it goes through Authorize and Throttle as all the others.
func (a *Authenticator) APOP(ctx context.Context, l Login, timestamp, digest string) (Login, error) {
	if a == nil || a.Secret == nil || has(a.Disable, "APOP") {
		return l, ErrMechanism
	}
	x := &server{auth: a, login: l}
	err := x.verify(ctx, func() error {
		return x.digest(ctx, l.User, digest, func(password string) string {
			sum := md5.Sum([]byte(timestamp + password))
			return hex.EncodeToString(sum[:])
		})
	})
	if err == nil {
		x.login.Identity = x.identity
	}
	return x.login, err
}

// cramMD5 is CRAM-MD5 on the client.
func (x *client) cramMD5() step {
	reply := func(_ context.Context, in []byte) ([]byte, step, error) {
		return []byte(x.cred.User + " " + cramDigest(x.cred.Password, string(in))), nil, nil
	}
	return func(context.Context, []byte) ([]byte, step, error) {
		return nil, reply, nil // the server speaks first
	}
}

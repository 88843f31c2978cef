package sasl

import (
	"context"
	"strings"
)

// plainText is PLAIN on the server: [authzid] NUL authcid NUL passwd, each of
// any length up to MaxMessage (RFC 4616 §2 asks for 255 octets at least).
func (x *server) plainText() step {
	return clientFirst(func(ctx context.Context, in []byte) ([]byte, step, error) {
		authz, user, password, ok := parsePlain(string(in))
		if !ok {
			return nil, nil, badClient("PLAIN takes three fields")
		}
		x.login.User, x.login.Authz = user, authz // for the log, if they cannot be prepared
		return nil, nil, x.password(ctx, user, password)
	})
}

func parsePlain(s string) (authz, user, password string, ok bool) {
	authz, s, _ = strings.Cut(s, "\x00")
	user, password, ok = strings.Cut(s, "\x00")
	return authz, user, password, ok && !strings.Contains(password, "\x00")
}

// plainText is PLAIN on the client. Only the server prepares the strings
// (RFC 4616 §2): some compare the octets as they are.
func (x *client) plainText() step {
	return func(context.Context, []byte) ([]byte, step, error) {
		c := &x.cred
		if strings.Contains(c.Authz+c.User+c.Password, "\x00") {
			return nil, nil, denied("PLAIN cannot carry NUL")
		}
		return []byte(c.Authz + "\x00" + c.User + "\x00" + c.Password), nil, nil
	}
}

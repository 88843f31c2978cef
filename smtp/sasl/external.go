package sasl

import "context"

// offersExternal: the TLS stack has verified a client certificate.
func offersExternal(a *Authenticator, l *Login) bool {
	return a.Certificate != nil && l.TLS != nil && len(l.TLS.VerifiedChains) > 0
}

// usesExternal: TLS does not tell the client whether it showed a
// certificate, so EXTERNAL is for those that name it or have nothing else.
func usesExternal(c *Credentials, l *Login) bool {
	return l.TLS != nil && (has(c.Mechanisms, "EXTERNAL") || c.Password == "" && c.Token == nil)
}

// external is EXTERNAL on the server: the only message is the authorization
// identity, empty for "whom the certificate names" (RFC 4422 appendix A).
func (x *server) external() step {
	return clientFirst(func(ctx context.Context, in []byte) ([]byte, step, error) {
		x.login.Authz = string(in)
		return nil, nil, x.verify(ctx, func() error {
			if err := x.setAuthz(string(in)); err != nil {
				return err
			}
			user, err := x.auth.Certificate(ctx, x.login)
			if err != nil {
				return err
			}
			if user == "" {
				return denied("certificate names nobody")
			}
			x.login.User = user
			return nil
		})
	})
}

func (x *client) external() step {
	return func(context.Context, []byte) ([]byte, step, error) {
		return append([]byte{}, x.cred.Authz...), nil, nil // never nil: empty is a response
	}
}

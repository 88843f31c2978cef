package sasl

import "context"

// LOGIN has no RFC. The prompts are those that every client knows; some
// clients send the user name along as the initial response.

// loginName is LOGIN on the server.
func (x *server) loginName() step {
	name := func(_ context.Context, in []byte) ([]byte, step, error) {
		x.login.User = string(in)
		return []byte("Password:"), x.loginPassword, nil
	}
	return func(ctx context.Context, in []byte) ([]byte, step, error) {
		if in == nil {
			return []byte("Username:"), name, nil
		}
		return name(ctx, in)
	}
}

func (x *server) loginPassword(ctx context.Context, in []byte) ([]byte, step, error) {
	return nil, nil, x.password(ctx, x.login.User, string(in))
}

// loginName is LOGIN on the client: it waits for two prompts, whatever they
// say, as servers word them differently.
func (x *client) loginName() step {
	password := func(context.Context, []byte) ([]byte, step, error) {
		return []byte(x.cred.Password), nil, nil
	}
	name := func(context.Context, []byte) ([]byte, step, error) {
		return []byte(x.cred.User), password, nil
	}
	return func(context.Context, []byte) ([]byte, step, error) {
		return nil, name, nil // the server speaks first
	}
}

package sasl

import (
	"context"
	"crypto/subtle"
	"fmt"
	"strings"
)

// scramClient is the client's side of one SCRAM exchange (RFC 5802 §5).
type scramClient struct {
	*client
	h    *scramHash
	plus bool

	header      string // GS2
	bare, nonce string
	binding     []byte // channel binding data, nil without
	password    string // prepared
	signature   []byte // what the server must show
}

// start says who logs in.
func (x *scramClient) start(context.Context, []byte) ([]byte, step, error) {
	user, authz, err := x.prepare()
	if err != nil {
		return nil, nil, err
	}
	if x.nonce, err = newNonce(x.cred.Rand); err != nil {
		return nil, nil, err
	}
	x.header = gs2Header(x.flag(), authz)
	x.bare = "n=" + encodeName(user) + ",r=" + x.nonce
	return []byte(x.header + x.bare), x.serverFirst, nil
}

// prepare does what RFC 5802 §5.1 asks of names, and RFC 5802 §2.2 of the password.
func (x *scramClient) prepare() (user, authz string, err error) {
	c := &x.cred
	if user, err = Prepare(c.User); err != nil {
		return "", "", fmt.Errorf("user name: %w", err)
	}
	if authz, err = Prepare(c.Authz); err != nil {
		return "", "", fmt.Errorf("authorization identity: %w", err)
	}
	if x.password, err = PrepareStored(c.Password); err != nil {
		return "", "", fmt.Errorf("password: %w", err)
	}
	if user == "" || x.password == "" || authz == "" && c.Authz != "" {
		return "", "", denied("nothing is left of a name or the password once prepared")
	}
	return user, authz, nil
}

// flag tells the server of channel binding (RFC 5802 §6): bound, or could be
// but was not offered (which the server checks, since an attacker may have
// cut its list), or not possible.
func (x *scramClient) flag() string {
	kind, data := x.cred.binding(&x.login)
	switch {
	case x.plus:
		x.binding = data
		return "p=" + kind
	case data == nil || offersAnyPlus(x.offered):
		return "n"
	}
	return "y"
}

func offersAnyPlus(names []string) bool {
	for _, n := range names {
		if n = upper(n); strings.HasPrefix(n, "SCRAM-") && strings.HasSuffix(n, plusSuffix) {
			return true
		}
	}
	return false
}

// serverFirst takes salt and work factor and gives the proof.
func (x *scramClient) serverFirst(ctx context.Context, in []byte) ([]byte, step, error) {
	m, err := parseServerFirst(string(in))
	if err != nil {
		return nil, nil, atServer(err)
	}
	if err := x.acceptable(&m); err != nil {
		return nil, nil, err
	}
	salted, err := x.h.salted(ctx, x.password, m.salt, m.iterations)
	if err != nil {
		return nil, nil, err
	}
	without := "c=" + encode64(append([]byte(x.header), x.binding...)) + ",r=" + m.nonce
	message := x.bare + "," + string(in) + "," + without
	key := x.h.hmac(salted, "Client Key")
	x.signature = x.h.hmac(x.h.hmac(salted, "Server Key"), message)
	proof := x.h.hmac(x.h.sum(key), message)
	subtle.XORBytes(proof, proof, key)
	return []byte(without + ",p=" + encode64(proof)), x.serverFinal, nil
}

// acceptable refuses what would weaken the proof or burn the machine.
func (x *scramClient) acceptable(m *serverFirstMessage) error {
	low := orDefault(x.cred.MinIterations, minIterations)
	high := orDefault(x.cred.MaxIterations, maxIterations)
	switch {
	case len(m.nonce) <= len(x.nonce) || !strings.HasPrefix(m.nonce, x.nonce):
		return badServer("nonce is not ours")
	case len(m.salt) == 0:
		return badServer("no salt")
	case m.iterations < low || m.iterations > high:
		return badServer(fmt.Sprintf("asks for %d iterations, %d to %d are allowed", m.iterations, low, high))
	}
	return nil
}

// serverFinal checks that the server knows the user too. The empty answer is
// needed where the message came as a challenge.
func (x *scramClient) serverFinal(_ context.Context, in []byte) ([]byte, step, error) {
	verifier, failure, err := parseServerFinal(string(in))
	switch {
	case err != nil:
		return nil, nil, atServer(err)
	case failure != "":
		return nil, nil, denied(fmt.Sprintf("the server says %.64q", failure))
	case subtle.ConstantTimeCompare(verifier, x.signature) != 1:
		return nil, nil, badServer("signature does not match")
	}
	return []byte{}, nil, nil
}

// atServer blames the server for a message that does not parse.
func atServer(err error) error { return fmt.Errorf("%w: %w", ErrServer, err) }

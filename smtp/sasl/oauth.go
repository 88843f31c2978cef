package sasl

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
)

// oauthbearer is OAUTHBEARER on the server (RFC 7628 §3).
func (x *server) oauthbearer() step {
	return clientFirst(func(ctx context.Context, in []byte) ([]byte, step, error) {
		user, token, err := parseBearer(string(in))
		if err != nil {
			return nil, nil, err
		}
		return x.bearer(ctx, user, token)
	})
}

// xoauth2 is XOAUTH2 on the server: OAUTHBEARER's elder, without an RFC,
// in which the client answers a refusal by an empty line.
func (x *server) xoauth2() step {
	return clientFirst(func(ctx context.Context, in []byte) ([]byte, step, error) {
		user, token, err := parseXOAuth2(string(in))
		if err != nil {
			return nil, nil, err
		}
		return x.bearer(ctx, user, token)
	})
}

// bearer checks a token. A refusal is told in JSON first; whatever the client
// answers to that, ^A or nothing, ends the exchange (RFC 7628 §3.2.3).
func (x *server) bearer(ctx context.Context, user, token string) ([]byte, step, error) {
	x.login.User = user
	err := x.verify(ctx, func() error { return x.token(ctx, user, token) })
	if !errors.Is(err, ErrCredentials) {
		return nil, nil, err
	}
	why := &TokenError{}
	errors.As(err, &why)
	end := func(context.Context, []byte) ([]byte, step, error) { return nil, nil, err }
	return why.encode(x.login.Mechanism), end, nil
}

// token asks whose token it is; the name sent along is a hint.
func (x *server) token(ctx context.Context, user, token string) error {
	x.login.User = ""
	if user != "" {
		if err := x.setUser(user, ""); err != nil {
			return err
		}
	}
	owner, err := x.auth.Token(ctx, x.login, token)
	switch {
	case err != nil:
		return err
	case token == "" || owner == "":
		return denied("token names nobody")
	case owner == x.login.User:
		return nil
	}
	// RFC 7628 §3.2: the token tells who it is, the name in the GS2 header
	// whom he wants to act as (RFC 7628 §3.1).
	x.login.User, x.login.Authz = owner, x.login.User
	return nil
}

// parseBearer reads gs2-header ^A *(key "=" value ^A) ^A (RFC 7628 §3.1).
// Unknown keys are ignored, host and port with them.
func parseBearer(s string) (user, token string, err error) {
	head, rest, err := parseGS2(s)
	if err != nil {
		return "", "", err
	}
	if head.flag == 'p' {
		return "", "", badClient("OAUTHBEARER has no channel binding")
	}
	rest, ok1 := strings.CutPrefix(rest, "\x01")
	rest, ok2 := strings.CutSuffix(rest, "\x01")
	if !ok1 || !ok2 {
		return "", "", badClient("OAUTHBEARER fields are not framed")
	}
	token, err = bearerField(rest)
	return head.authz, token, err
}

// parseXOAuth2 reads "user=" name ^A "auth=Bearer " token ^A ^A.
func parseXOAuth2(s string) (user, token string, err error) {
	s, ok1 := strings.CutPrefix(s, "user=")
	user, rest, ok2 := strings.Cut(s, "\x01")
	rest, ok3 := strings.CutSuffix(rest, "\x01")
	if !ok1 || !ok2 || !ok3 {
		return "", "", badClient("XOAUTH2 fields are not framed")
	}
	token, err = bearerField(rest)
	return user, token, err
}

// bearerField finds the one auth field among fields that each end in ^A.
func bearerField(s string) (token string, err error) {
	found := false
	for s != "" {
		field, rest, ok := strings.Cut(s, "\x01")
		key, value, eq := strings.Cut(field, "=")
		if !ok || !eq || !isAlpha(key) || !isFieldValue(value) {
			return "", badClient("bad key/value pair")
		}
		s = rest
		if key != "auth" {
			continue
		}
		if found {
			return "", badClient("two auth fields")
		}
		found = true
		// The scheme is case-insensitive: RFC 7235 §2.1. Nothing at all asks
		// where to get a token: RFC 7628 §4.3.
		scheme, t, _ := strings.Cut(value, " ")
		if upper(scheme) != "BEARER" && value != "" {
			return "", badClient("not a bearer token")
		}
		token = strings.TrimLeft(t, " ")
	}
	if !found {
		return "", badClient("no auth field")
	}
	return token, nil
}

func isAlpha(s string) bool {
	for i := range len(s) {
		if c := s[i] | 0x20; c < 'a' || c > 'z' {
			return false
		}
	}
	return s != ""
}

func isFieldValue(s string) bool { // RFC 7628 §3.1: VCHAR, SP, HTAB, CR, LF
	for i := range len(s) {
		if c := s[i]; (c < ' ' || c > '~') && c != '\t' && c != '\r' && c != '\n' {
			return false
		}
	}
	return true
}

// encode writes the refusal as the mechanism has it. XOAUTH2's status is a
// number, as in HTTP.
func (e *TokenError) encode(mechanism string) []byte {
	refusal := bearerRefusal{Status: e.status(), Scope: e.Scope, Configuration: e.Configuration}
	if mechanism == "XOAUTH2" {
		refusal.Status, refusal.Schemes = cmp.Or(e.Status, "401"), "bearer"
	}
	b, err := json.Marshal(refusal)
	if err != nil { // three strings always encode
		return []byte(`{"status":"invalid_token"}`)
	}
	return b
}

type bearerRefusal struct { // RFC 7628 §3.2.2
	Status        string `json:"status"`
	Schemes       string `json:"schemes,omitempty"`
	Scope         string `json:"scope,omitempty"`
	Configuration string `json:"openid-configuration,omitempty"`
}

func usesBearer(token string) bool {
	return token != "" && isFieldValue(token) && !strings.ContainsAny(token, " \t\r\n")
}

// fetch asks for the token.
func (x *client) fetch(ctx context.Context) (string, error) {
	token, err := x.cred.Token(ctx)
	if err != nil {
		return "", err
	}
	if !usesBearer(token) {
		return "", denied("the token has characters a bearer token cannot have")
	}
	return token, nil
}

// oauthbearer is OAUTHBEARER on the client.
func (x *client) oauthbearer() step {
	return func(ctx context.Context, _ []byte) ([]byte, step, error) {
		token, err := x.fetch(ctx)
		if err != nil {
			return nil, nil, err
		}
		var b bytes.Buffer
		b.WriteString(gs2Header("n", cmp.Or(x.cred.Authz, x.cred.User)))
		if t := x.login.TLS; t != nil && isFieldValue(t.ServerName) && t.ServerName != "" {
			b.WriteString("\x01host=" + t.ServerName)
		}
		if port := x.login.Remote.Port(); port != 0 {
			b.WriteString("\x01port=" + strconv.Itoa(int(port)))
		}
		b.WriteString("\x01auth=Bearer " + token + "\x01\x01")
		x.done = true
		return b.Bytes(), refused("\x01"), nil
	}
}

// xoauth2 is XOAUTH2 on the client.
func (x *client) xoauth2() step {
	return func(ctx context.Context, _ []byte) ([]byte, step, error) {
		token, err := x.fetch(ctx)
		if err != nil {
			return nil, nil, err
		}
		user := cmp.Or(x.cred.Authz, x.cred.User)
		if strings.Contains(user, "\x01") {
			return nil, nil, denied("XOAUTH2 cannot carry this user name")
		}
		x.done = true
		return []byte("user=" + user + "\x01auth=Bearer " + token + "\x01\x01"), refused(""), nil
	}
}

// refused reads why the server refused the token and says so, together with
// the answer that lets the server end the exchange.
func refused(ack string) step {
	return func(_ context.Context, in []byte) ([]byte, step, error) {
		var r bearerRefusal
		if json.Unmarshal(in, &r) != nil { // it is a refusal all the same
			r = bearerRefusal{}
		}
		return []byte(ack), nil, &TokenError{Status: r.Status, Scope: r.Scope, Configuration: r.Configuration}
	}
}

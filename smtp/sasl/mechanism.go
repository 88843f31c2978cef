package sasl

// mechanism is one row of the table below.
type mechanism struct {
	name      string
	plaintext bool                              // see Plaintext
	offered   func(*Authenticator, *Login) bool // the server can
	usable    func(*Credentials, *Login) bool   // the client can
	server    func(*server) step
	client    func(*client) step
}

// mechanisms is all this package knows, strongest first: proofs that
// cannot be replayed elsewhere, then proofs, then what the server gets to see.
var mechanisms = [...]mechanism{
	{"EXTERNAL", false, offersExternal, usesExternal, (*server).external, (*client).external}, // RFC 4422 appendix A
	scramRow(&sha512Hash, true), // RFC 5802 §4, RFC 7677 §3
	scramRow(&sha256Hash, true),
	scramRow(&sha1Hash, true),
	scramRow(&sha512Hash, false),
	scramRow(&sha256Hash, false),
	scramRow(&sha1Hash, false),
	{"OAUTHBEARER", true, offersToken, usesToken, (*server).oauthbearer, (*client).oauthbearer}, // RFC 7628
	{"XOAUTH2", true, offersToken, usesToken, (*server).xoauth2, (*client).xoauth2},
	{"CRAM-MD5", false, offersSecret, usesOwnName, (*server).cramMD5, (*client).cramMD5},    // RFC 2195
	{"PLAIN", true, offersPassword, usesPassword, (*server).plainText, (*client).plainText}, // RFC 4616
	{"LOGIN", true, offersPassword, usesOwnName, (*server).loginName, (*client).loginName},
}

// find returns the mechanism by its name in any case, nil if there is none.
func find(name string) *mechanism {
	if len(name) > 20 { // RFC 4422 §3.1
		return nil
	}
	name = upper(name)
	for i := range mechanisms {
		if mechanisms[i].name == name {
			return &mechanisms[i]
		}
	}
	return nil
}

func offersPassword(a *Authenticator, _ *Login) bool { return a.Password != nil }
func offersSecret(a *Authenticator, _ *Login) bool   { return a.Secret != nil }
func offersToken(a *Authenticator, _ *Login) bool    { return a.Token != nil }

func usesPassword(c *Credentials, _ *Login) bool { return c.User != "" && c.Password != "" }
func usesToken(c *Credentials, _ *Login) bool    { return c.Token != nil }

// usesOwnName is for mechanisms that cannot carry an authorization identity:
// without it the login would act as somebody else than was asked for.
func usesOwnName(c *Credentials, l *Login) bool { return c.Authz == "" && usesPassword(c, l) }

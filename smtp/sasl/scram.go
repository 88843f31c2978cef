package sasl

import (
	"context"
	"crypto"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"hash"
	"io"
)

// scramHash is one member of the family (RFC 5802 §4).
type scramHash struct {
	id   crypto.Hash
	name string // "SCRAM-SHA-256"
	new  func() hash.Hash
	keys func(*Secret) *Keys
}

var (
	sha1Hash   = scramHash{crypto.SHA1, "SCRAM-SHA-1", sha1.New, func(s *Secret) *Keys { return &s.SHA1 }}
	sha256Hash = scramHash{crypto.SHA256, "SCRAM-SHA-256", sha256.New, func(s *Secret) *Keys { return &s.SHA256 }}
	sha512Hash = scramHash{crypto.SHA512, "SCRAM-SHA-512", sha512.New, func(s *Secret) *Keys { return &s.SHA512 }}
)

func scramHashOf(id crypto.Hash) *scramHash {
	for _, h := range [...]*scramHash{&sha1Hash, &sha256Hash, &sha512Hash} {
		if h.id == id {
			return h
		}
	}
	return nil
}

const plusSuffix = "-PLUS"

// scramRow is the mechanism by this hash, with channel binding if plus.
func scramRow(h *scramHash, plus bool) mechanism {
	m := mechanism{
		name: h.name, offered: offersSecret, usable: usesPassword,
		server: func(x *server) step { return (&scramServer{server: x, h: h, plus: plus}).start() },
		client: func(x *client) step { return (&scramClient{client: x, h: h, plus: plus}).start },
	}
	if plus {
		m.name += plusSuffix
		m.offered = func(a *Authenticator, l *Login) bool { return a.Secret != nil && canBind(l) }
		m.usable = func(c *Credentials, l *Login) bool {
			_, data := c.binding(l)
			return usesPassword(c, l) && data != nil
		}
	}
	return m
}

// complete reports whether these are keys of this hash.
func (h *scramHash) complete(k *Keys) bool {
	return len(k.Stored) == h.id.Size() && len(k.Server) == h.id.Size()
}

// salted is Hi(password, salt, i) of RFC 5802 §2.2. It gives up when ctx ends.
func (h *scramHash) salted(ctx context.Context, password string, salt []byte, iterations int) ([]byte, error) {
	mac := hmac.New(h.new, []byte(password))
	mac.Write(salt)
	mac.Write(binary.BigEndian.AppendUint32(nil, 1))
	u := mac.Sum(nil)
	sum := append([]byte(nil), u...)
	for i := 1; i < iterations; i++ {
		if i%1024 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		mac.Reset()
		mac.Write(u)
		u = mac.Sum(u[:0])
		subtle.XORBytes(sum, sum, u)
	}
	return sum, nil
}

func (h *scramHash) hmac(key []byte, message string) []byte {
	mac := hmac.New(h.new, key)
	io.WriteString(mac, message)
	return mac.Sum(nil)
}

func (h *scramHash) sum(b []byte) []byte {
	d := h.new()
	d.Write(b)
	return d.Sum(nil)
}

// derive is what the server keeps of a SaltedPassword (RFC 5802 §3).
func (h *scramHash) derive(salted []byte) Keys {
	return Keys{
		Stored: h.sum(h.hmac(salted, "Client Key")),
		Server: h.hmac(salted, "Server Key"),
	}
}

// newNonce is 24 printable characters without a comma (RFC 5802 §5.1).
func newNonce(r io.Reader) (string, error) {
	var b [18]byte
	if _, err := io.ReadFull(random(r), b[:]); err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(b[:]), nil
}

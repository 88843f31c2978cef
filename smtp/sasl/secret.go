package sasl

import (
	"context"
	"crypto"
	_ "crypto/sha1" // SCRAM-SHA-1
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
)

// Secret is what a server keeps of one user: either the plain password,
// which serves every mechanism, or keys derived from it, which serve SCRAM
// with those hashes. It prints as a mask.
type Secret struct {
	// Plain is the password as the user chose it; empty means that only
	// keys are kept, and then CRAM-MD5 and APOP cannot succeed.
	Plain string

	// Salt and Iterations are what the keys were derived with.
	Salt       []byte
	Iterations int

	// The keys by hash; the zero Keys mean that SCRAM with that hash cannot
	// succeed for this user. Not used if Plain is set.
	SHA1, SHA256, SHA512 Keys
}

// Keys verify a user's proof without being good for making one: StoredKey and
// ServerKey of RFC 5802 §3. They print as a mask.
type Keys struct{ Stored, Server []byte }

const (
	minIterations = 4096 // RFC 7677 §4
	maxIterations = 1_000_000
	saltSize      = 16
)

// NewSecret derives the keys of all three hashes from a password, by a fresh
// random salt, and does not keep the password. Iterations must be at least
// 4096 and should be the same for all users. The password is prepared as a stored string
// ([PrepareStored]).
func NewSecret(password string, iterations int) (Secret, error) {
	s := Secret{Salt: make([]byte, saltSize), Iterations: iterations}
	if _, err := io.ReadFull(random(nil), s.Salt); err != nil {
		return Secret{}, err
	}
	for _, h := range [...]*scramHash{&sha1Hash, &sha256Hash, &sha512Hash} {
		k, err := Derive(h.id, password, s.Salt, iterations)
		if err != nil {
			return Secret{}, err
		}
		*h.keys(&s) = k
	}
	return s, nil
}

// Derive makes the keys of one hash (crypto.SHA1, SHA256 or SHA512) from a
// password, a salt of at least 8 octets, and at least 4096 iterations; fewer
// are refused, as are passwords that [PrepareStored] refuses.
func Derive(hash crypto.Hash, password string, salt []byte, iterations int) (Keys, error) {
	h := scramHashOf(hash)
	switch {
	case h == nil:
		return Keys{}, errors.New("sasl: SCRAM is not defined with this hash")
	case iterations < minIterations:
		return Keys{}, fmt.Errorf("sasl: %d iterations are too few, RFC 7677 wants %d", iterations, minIterations)
	case len(salt) < 8:
		return Keys{}, errors.New("sasl: salt is too short")
	}
	prepared, err := PrepareStored(password)
	if err != nil {
		return Keys{}, err
	}
	if prepared == "" {
		return Keys{}, errors.New("sasl: nothing is left of the password once prepared")
	}
	salted, err := h.salted(context.Background(), prepared, salt, iterations)
	if err != nil {
		return Keys{}, err
	}
	return h.derive(salted), nil
}

// Check reports whether this is the user's password. Without Plain it takes
// the strongest keys there are and the time to derive them.
func (s Secret) Check(ctx context.Context, password string) error {
	p, err := Prepare(password)
	if err != nil || p == "" {
		return denied("password cannot be prepared")
	}
	if s.Plain != "" {
		want, err := Prepare(s.Plain)
		if err != nil || subtle.ConstantTimeCompare([]byte(want), []byte(p)) != 1 {
			return denied("password does not match")
		}
		return nil
	}
	for _, h := range [...]*scramHash{&sha512Hash, &sha256Hash, &sha1Hash} {
		k := h.keys(&s)
		if !h.complete(k) || len(s.Salt) == 0 || s.Iterations < 1 {
			continue
		}
		salted, err := h.salted(ctx, p, s.Salt, s.Iterations)
		if err != nil {
			return err
		}
		if subtle.ConstantTimeCompare(h.derive(salted).Stored, k.Stored) != 1 {
			return denied("password does not match")
		}
		return nil
	}
	return denied("no secret is kept")
}

// Secrets makes a Password func from a Secret func, for those that keep
// Secrets: an unknown user costs the same time as one whose SHA-512 keys were
// derived with that many iterations (0 means 4096, and no time at all is
// spent if iterations is negative: for plain passwords).
func Secrets(secret func(ctx context.Context, l Login) (Secret, error), iterations int) func(ctx context.Context, l Login, password string) error {
	return func(ctx context.Context, l Login, password string) error {
		s, err := secret(ctx, l)
		if errors.Is(err, ErrCredentials) && iterations >= 0 {
			dummy := Secret{
				Salt: make([]byte, saltSize), Iterations: orDefault(iterations, minIterations),
				SHA512: Keys{Stored: make([]byte, 64), Server: make([]byte, 64)},
			}
			if slow := dummy.Check(ctx, password); !errors.Is(slow, ErrCredentials) {
				return slow
			}
		}
		if err != nil {
			return err
		}
		return s.Check(ctx, password)
	}
}

func orDefault(n, def int) int {
	if n == 0 {
		return def
	}
	return n
}

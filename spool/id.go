package spool

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"io"
	"time"
)

// ID names one item of a store: 26 lower-case letters and digits, so that it is
// safe as a file name, a key and a word in a log. The IDs of [NewID] sort by
// the time they were made. The zero value is no ID; [Writer].Commit replaces it.
type ID string

// idLen is 128 bits, five to a character.
const idLen = 26

// alphabet has its characters in ASCII order, so the IDs sort as their bytes do.
const alphabet = "0123456789abcdefghijklmnopqrstuv"

// encoding is read only and shared: base32 keeps no state.
var encoding = base32.NewEncoding(alphabet).WithPadding(base32.NoPadding)

// NewID makes an ID of the time in milliseconds and of 80 bits read from random.
// The error is that of random.
func NewID(now time.Time, random io.Reader) (ID, error) {
	var b [16]byte
	ms := now.UnixMilli()
	for i := range 6 {
		b[i] = byte(ms >> (40 - 8*i))
	}
	if _, err := io.ReadFull(random, b[6:]); err != nil {
		return "", fmt.Errorf("spool: no randomness for an ID: %w", err)
	}
	return ID(encoding.EncodeToString(b[:])), nil
}

// DerivedID makes the ID that belongs to the parts, always the same one: give
// an [Item] the ID derived from an order number, and putting it twice queues it
// once. ("a", "bc") and ("ab", "c") give different IDs.
func DerivedID(parts ...string) ID {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return ID(encoding.EncodeToString(h.Sum(nil)[:16]))
}

// ParseID reads an ID that came from outside, such as from a command line. The
// error is [ErrInvalid].
func ParseID(s string) (ID, error) {
	if len(s) != idLen {
		return "", fmt.Errorf("%w: an ID has %d characters", ErrInvalid, idLen)
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'v') {
			return "", fmt.Errorf("%w: an ID has digits and letters up to v", ErrInvalid)
		}
	}
	return ID(s), nil
}

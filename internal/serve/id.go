package serve

import (
	"crypto/rand"
	"encoding/base32"
	"io"
	"strconv"
	"strings"
	"sync/atomic"
)

// IDs names connections and what happens on them: random for each server,
// counted within it.
type IDs struct {
	prefix string
	count  atomic.Uint64
}

// Init makes the random part, from src or, if that is nil, from crypto/rand.
func (i *IDs) Init(src io.Reader) { i.prefix = RandomID(src, 5) }

// Next is the next ID. Any number of goroutines may call it.
func (i *IDs) Next() string { return i.prefix + strconv.FormatUint(i.count.Add(1), 36) }

// RandomID is n random octets as lower-case text, from src or, if that is nil,
// from crypto/rand. A src that fails gives zeros for what is missing: then the
// count of [IDs] alone tells them apart.
func RandomID(src io.Reader, n int) string {
	if src == nil {
		src = rand.Reader
	}
	b := make([]byte, n)
	_, _ = io.ReadFull(src, b)
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b))
}

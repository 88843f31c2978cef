package serve

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestIDs(t *testing.T) {
	var a, b IDs
	a.Init(bytes.NewReader([]byte("abcde")))
	b.Init(nil)
	assert.Equal(t, []string{"mfrggzdf1", "mfrggzdf2"}, []string{a.Next(), a.Next()})
	first, second := b.Next(), b.Next()
	assert.Len(t, first, 9)
	assert.Equal(t, first[:8], second[:8])
	assert.NotEqual(t, a.prefix, b.prefix)
	var broken IDs
	broken.Init(strings.NewReader(""))
	assert.NotEqual(t, broken.Next(), broken.Next(), "the count tells them apart")
}

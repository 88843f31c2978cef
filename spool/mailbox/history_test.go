package mailbox

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestHistory(t *testing.T) {
	var h History
	h.Add(3, SetOf(1, 2))
	h.Add(4, nil)
	h.Add(5, SetOf(9))
	h.Add(5, SetOf(3))
	for since, want := range map[ModSeq]string{0: "1:3,9", 2: "1:3,9", 3: "3,9", 4: "3,9", 5: "", 99: ""} {
		got, ok := h.Since(since)
		assert.True(t, ok)
		assert.Equal(t, want, got.String(), "since %d", since)
	}
	assert.Len(t, h.Entries(), 3)
	h.Forget(4)
	h.Forget(2)
	_, ok := h.Since(3)
	assert.False(t, ok)
	got, ok := h.Since(4)
	assert.True(t, ok)
	assert.Equal(t, "3,9", got.String())
}

// TestHistoryBounded: what is oldest is forgotten, and asked for is not known.
func TestHistoryBounded(t *testing.T) {
	h := History{Max: 100}
	for i := range ModSeq(101) {
		h.Add(i+1, SetOf(UID(2*i+1)))
	}
	assert.EqualValues(t, 51, h.Forgotten())
	_, ok := h.Since(50)
	assert.False(t, ok)
	got, ok := h.Since(51)
	assert.True(t, ok)
	assert.EqualValues(t, 50, got.Len())
	h.Add(200, SetOf(121, 123))
	got, _ = h.Since(51)
	assert.EqualValues(t, 50, got.Len(), "a UID twice")
}

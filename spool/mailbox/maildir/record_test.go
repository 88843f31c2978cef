package maildir

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

func TestHead(t *testing.T) {
	h := head{[8]byte{1, 2, 3}, 77}
	b := h.encode()
	require.Len(t, b, headLen)
	got, ok := decodeHead(b)
	assert.True(t, ok)
	assert.Equal(t, h, got)
	for i := range b {
		b[i] ^= 1
		_, ok := decodeHead(b)
		assert.False(t, ok, "byte %d", i)
		b[i] ^= 1
	}
	_, ok = decodeHead(b[:headLen-1])
	assert.False(t, ok)
}

// TestFrames: a frame is whole or none, and none of another file.
func TestFrames(t *testing.T) {
	h := head{[8]byte{1}, 1}
	b := append(h.frame([]byte("first")), h.frame([]byte("second"))...)
	one, rest, ok := h.split(b)
	require.True(t, ok)
	assert.Equal(t, "first", string(one))
	two, rest, ok := h.split(rest)
	require.True(t, ok)
	assert.Equal(t, "second", string(two))
	_, _, ok = h.split(rest)
	assert.False(t, ok)
	_, _, ok = (head{[8]byte{2}, 1}).split(b)
	assert.False(t, ok, "of another file")
	for i := range frameHead + 5 {
		_, _, ok := h.split(b[:i])
		assert.False(t, ok)
	}
}

func newIndex() *index {
	return &index{words: []string{""}, wordAt: map[string]uint16{"": 0}, state: state{next: 1, seq: 1, unclaimed: 1}}
}

func TestApply(t *testing.T) {
	x := newIndex()
	m := &message{mailbox.Meta{UID: 5, Flags: mailbox.Flags{Sys: mailbox.Seen, Keywords: "a b"}, ModSeq: 9, Size: 1 << 40, Received: -7, Saved: 1e9}, bareLF, "name:2,S"}
	b := appendMessage(nil, m)
	require.NoError(t, x.apply(b, 100))
	require.Len(t, x.recs, 1)
	assert.Equal(t, m.meta, x.meta(&x.recs[0]))
	assert.EqualValues(t, 100+len(b)-len(m.name), x.recs[0].nameAt)
	assert.Equal(t, mailbox.Counts{Messages: 1, Size: 1 << 40}, x.sum)
	b = appendState(appendExpunge(nil, 10, mailbox.Set{{From: 1, To: 5}}), state{6, 10, 2, 3})
	require.NoError(t, x.apply(appendStamps(b, stamps{4, -5}), 0))
	assert.Empty(t, x.recs)
	assert.Equal(t, state{6, 10, 2, 3}, x.state)
	assert.Equal(t, stamps{4, -5}, x.stamps)
	assert.Equal(t, mailbox.Counts{}, x.sum)
	_, ok := x.gone.Since(2)
	assert.False(t, ok, "forgotten up to 3")
	assert.ErrorIs(t, x.apply([]byte{'?'}, 0), errRecord)
	assert.ErrorIs(t, x.apply(appendMessage(nil, m)[:10], 0), errRecord)
}

// FuzzApply: whatever is in a frame, nothing breaks, the messages stay in order,
// and the sums agree with them.
func FuzzApply(f *testing.F) {
	m := &message{mailbox.Meta{UID: 5, ModSeq: 9, Size: 3, Flags: mailbox.Flags{Keywords: "k"}}, inNew, "name"}
	f.Add(appendMessage(appendMessage(nil, m), m))
	f.Add(appendExpunge(appendState(nil, state{6, 10, 2, 3}), 7, mailbox.SetOf(1, 5)))
	f.Fuzz(func(t *testing.T, b []byte) {
		x := newIndex()
		_ = x.apply(b, 0)
		var last mailbox.UID
		var sum mailbox.Counts
		for i := range x.recs {
			r := &x.recs[i]
			require.Greater(t, r.uid, last)
			last = r.uid
			require.LessOrEqual(t, r.nameAt+int64(r.nameLen), int64(len(b)))
			sum.Messages++
			sum.Size += r.size
		}
		assert.Equal(t, sum.Messages, x.sum.Messages)
		assert.Equal(t, sum.Size, x.sum.Size)
	})
}

// TestMemoryOfARecord: a message takes 64 bytes at most.
func TestMemoryOfARecord(t *testing.T) {
	assert.LessOrEqual(t, sizeOfRec, uintptr(64))
}

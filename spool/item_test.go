package spool_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/spool"
)

var day = time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)

func envelope(t testing.TB, from string, to ...string) smtp.Envelope {
	e, err := smtp.NewEnvelope(from, to...)
	require.NoError(t, err)
	return e
}

// fullItem has everything in it.
func fullItem(t testing.TB) *spool.Item {
	it := &spool.Item{
		ID: spool.DerivedID("x"), Envelope: envelope(t, "ann@example.org", "bob@example.net", "c@example.com"),
		Dest: []string{"", "smarthost"}, Class: "bulk", Created: day, NotBefore: day.Add(1), WarnAt: day.AddDate(300, 0, 0), Expire: day.AddDate(-500, 0, 0),
		Meta: map[string]string{"b": "2", "a": "", "": "x"},
	}
	it.Envelope.Prefix = []byte("X: y\r\n")
	it.Envelope.Params.EnvID = "e"
	return it
}

func TestItemBinary(t *testing.T) {
	for _, it := range []*spool.Item{fullItem(t), {ID: spool.DerivedID(), Envelope: envelope(t, "", "a@b.example")}} {
		b, err := it.AppendBinary([]byte("before"))
		require.NoError(t, err)
		require.True(t, bytes.HasPrefix(b, []byte("before")))
		b = b[len("before"):]
		var back spool.Item
		require.NoError(t, back.UnmarshalBinary(b))
		assert.Equal(t, *it, back)
		for cut := range b {
			old := spool.Item{Class: "kept"}
			require.ErrorIs(t, old.UnmarshalBinary(b[:cut]), spool.ErrCorrupt, "cut at %d", cut)
			require.Equal(t, spool.Item{Class: "kept"}, old)
		}
		assert.ErrorIs(t, back.UnmarshalBinary(append(b, 0)), spool.ErrCorrupt)
		assert.ErrorIs(t, back.UnmarshalBinary(append([]byte{2}, b[1:]...)), spool.ErrCorrupt, "a version that is not known")
	}
}

// TestBinaryRefusesBadItems: what no Commit would take does not come from disk.
func TestBinaryRefusesBadItems(t *testing.T) {
	for name, change := range map[string]func(*spool.Item){
		"path in ID":       func(it *spool.Item) { it.ID = "../../../../../etc/passwd000" },
		"26 octets of ../": func(it *spool.Item) { it.ID = spool.ID(strings.Repeat("../", 8) + "..") },
		"no ID":            func(it *spool.Item) { it.ID = "" },
		"no recipients":    func(it *spool.Item) { it.Envelope.To, it.Dest = nil, nil },
		"null recipient":   func(it *spool.Item) { it.Envelope.To[0].Path = smtp.Path{} },
		"few destinations": func(it *spool.Item) { it.Dest = it.Dest[:1] },
	} {
		t.Run(name, func(t *testing.T) {
			it := fullItem(t)
			change(it)
			b, err := it.MarshalBinary()
			require.NoError(t, err)
			assert.ErrorIs(t, new(spool.Item).UnmarshalBinary(b), spool.ErrCorrupt)
		})
	}
}

func FuzzItem(f *testing.F) {
	b, _ := fullItem(f).MarshalBinary()
	f.Add(b)
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, b []byte) {
		var it spool.Item
		if err := it.UnmarshalBinary(b); err != nil {
			if !errors.Is(err, spool.ErrCorrupt) {
				t.Fatalf("error %v", err)
			}
			return
		}
		c, err := it.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		var back spool.Item
		if err := back.UnmarshalBinary(c); err != nil {
			t.Fatalf("what was read cannot be read again: %v", err)
		}
		d, _ := back.MarshalBinary()
		if !bytes.Equal(c, d) {
			t.Errorf("%x\n%x", c, d)
		}
	})
}

func TestIDs(t *testing.T) {
	random := bytes.NewReader(bytes.Repeat([]byte{7}, 1000))
	var ids []string
	for i := range 20 {
		id, err := spool.NewID(day.Add(time.Duration(i*i)*time.Millisecond), random)
		require.NoError(t, err)
		back, err := spool.ParseID(string(id))
		require.NoError(t, err)
		assert.Equal(t, id, back)
		ids = append(ids, string(id))
	}
	assert.True(t, slices.IsSorted(ids), "IDs sort by time: %v", ids)
	_, err := spool.NewID(day, iotest.ErrReader(errors.New("dry")))
	assert.ErrorContains(t, err, "dry")
	for _, bad := range []string{"", "x", strings.Repeat("0", 27), strings.Repeat("w", 26), strings.Repeat("A", 26), "../../../../../../../../../", strings.Repeat("0", 25) + "\n"} {
		_, err := spool.ParseID(bad)
		assert.ErrorIs(t, err, spool.ErrInvalid, "%q", bad)
	}
	assert.NotEqual(t, spool.DerivedID("a", "bc"), spool.DerivedID("ab", "c"))
	assert.Equal(t, spool.DerivedID("a"), spool.DerivedID("a"))
}

func TestPrepare(t *testing.T) {
	a := &spool.Item{Envelope: envelope(t, "", "a@b.example")}
	b := &spool.Item{Envelope: envelope(t, "", "a@b.example"), ID: spool.DerivedID("b"), Created: day}
	assert.ErrorIs(t, spool.Prepare(day, nil, a, b, b), spool.ErrInvalid)
	assert.Error(t, spool.Prepare(day, iotest.ErrReader(errors.New("dry")), b, a))
	assert.Empty(t, a.ID, "an error fills nothing in")
	require.NoError(t, spool.Prepare(day.Add(1), nil, a, b))
	assert.Equal(t, day.Add(1), a.Created)
	assert.Equal(t, day, b.Created)
	assert.NotEmpty(t, a.ID)
	assert.ErrorIs(t, spool.Prepare(day, nil), spool.ErrInvalid)
}

func TestCloneSharesNothing(t *testing.T) {
	it := fullItem(t)
	c := it.Clone()
	require.Equal(t, it, c)
	c.Dest[0], c.Meta["a"], c.Envelope.Prefix[0] = "z", "z", 'z'
	assert.Equal(t, fullItem(t), it)
	assert.Equal(t, "z", c.DestOf(0))
	c.Dest = nil
	assert.Equal(t, "example.net", c.DestOf(0))
}

func TestErrorsHaveReplies(t *testing.T) {
	for err, want := range map[error]string{
		spool.ErrFull: "452 4.3.1 Insufficient system storage", spool.ErrBusy: "451 4.3.2 Queue is busy, try again later",
		spool.ErrLost: "451 4.3.0 Try again later", spool.ErrInvalid: "451 4.3.0 Try again later", spool.ErrClosed: "451 4.3.0 Try again later",
	} {
		assert.Equal(t, want, smtp.ReplyTo(fmt.Errorf("wrapped: %w", err)).String())
	}
}

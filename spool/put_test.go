package spool_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/spool"
	"github.com/postilion-mail/postilion/spool/memspool"
)

// failing is a store that fails where it is told to.
type failing struct {
	spool.Store
	begin, write, commit error
	aborted              int
	size                 int64
}

func (f *failing) Begin(ctx context.Context, size int64) (spool.Writer, error) {
	if f.size = size; f.begin != nil {
		return nil, f.begin
	}
	w, err := f.Store.Begin(ctx, size)
	return &failingWriter{w, f}, err
}

type failingWriter struct {
	spool.Writer
	f *failing
}

func (w *failingWriter) Write(p []byte) (int, error) {
	if w.f.write != nil {
		return 0, w.f.write
	}
	return w.Writer.Write(p)
}

func (w *failingWriter) Commit(ctx context.Context, items ...*spool.Item) error {
	if w.f.commit != nil {
		return w.f.commit
	}
	return w.Writer.Commit(ctx, items...)
}

func (w *failingWriter) Abort() error {
	w.f.aborted++
	return w.Writer.Abort()
}

func queued(t *testing.T, s spool.Store) []spool.Claim {
	got, err := s.Claim(t.Context(), spool.Query{Max: 100})
	require.NoError(t, err)
	return got
}

func TestPut(t *testing.T) {
	f := &failing{Store: &memspool.Store{Now: at(day)}}
	a, b := envelope(t, "ann@example.org", "bob@one.example"), envelope(t, "", "c@two.example", "d@two.example")
	a.Params.Size, b.Params.HoldUntil = 77, day.Add(time.Hour)
	id, err := spool.Put(t.Context(), f, strings.NewReader("body"), a, b)
	require.NoError(t, err)
	assert.EqualValues(t, 77, f.size)
	got := queued(t, f)
	require.Len(t, got, 1, "the other waits for its HoldUntil")
	assert.Equal(t, id, got[0].Item.ID)
	assert.Equal(t, string(id), got[0].Envelope().ID)
	blob, err := f.Open(t.Context(), id)
	require.NoError(t, err)
	assert.EqualValues(t, 4, blob.Size())
}

// TestPutErrors: nothing is kept, the writer is aborted, and the peer hears
// what the error asks for.
func TestPutErrors(t *testing.T) {
	env := envelope(t, "ann@example.org", "bob@example.net")
	good := strings.NewReader
	cut := io.MultiReader(strings.NewReader("half"), iotest.ErrReader(io.ErrUnexpectedEOF))
	virus := io.MultiReader(strings.NewReader("half"), iotest.ErrReader(smtp.Reject(550, "5.7.1", "infected")))
	for _, tt := range []struct {
		name  string
		store failing
		body  io.Reader
		reply string
		abort int
	}{
		{"full at once", failing{begin: spool.ErrFull}, good("x"), "452 4.3.1 Insufficient system storage", 0},
		{"full in the middle", failing{write: fmt.Errorf("disk: %w", spool.ErrFull)}, good("x"), "452 4.3.1 Insufficient system storage", 1},
		{"full at the end", failing{commit: spool.ErrFull}, good("x"), "452 4.3.1 Insufficient system storage", 1},
		{"busy", failing{begin: spool.ErrBusy}, good("x"), "451 4.3.2 Queue is busy, try again later", 0},
		{"in doubt", failing{commit: errors.New("fsync: input/output error")}, good("x"), "451 4.3.0 Try again later", 1},
		{"peer gone", failing{}, cut, "451 4.3.0 Try again later", 1},
		{"wrapped end", failing{}, iotest.ErrReader(fmt.Errorf("scanner: %w", io.EOF)), "451 4.3.0 Try again later", 1},
		{"refused by a scanner", failing{}, virus, "550 5.7.1 infected", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.store.Store = &memspool.Store{}
			id, err := spool.Put(t.Context(), &tt.store, tt.body, env)
			assert.Equal(t, tt.reply, smtp.ReplyTo(err).String())
			assert.Empty(t, id)
			assert.Equal(t, tt.abort, tt.store.aborted)
			assert.Empty(t, queued(t, &tt.store))
		})
	}
}

func TestPutChecksItemsFirst(t *testing.T) {
	f := &failing{Store: &memspool.Store{}, begin: errors.New("begun")}
	never := iotest.ErrReader(errors.New("read"))
	for _, envs := range [][]smtp.Envelope{nil, {{}}, {envelope(t, "a@b.example", "c@d.example"), {}}} {
		_, err := spool.Put(t.Context(), f, never, envs...)
		assert.ErrorIs(t, err, spool.ErrInvalid)
	}
	it := &spool.Item{Envelope: envelope(t, "", "c@d.example"), ID: spool.DerivedID("x")}
	assert.ErrorIs(t, spool.PutItems(t.Context(), f, never, it, it), spool.ErrInvalid)
}

// TestPutContext: a context that ends with the body commits nothing.
func TestPutContext(t *testing.T) {
	var s memspool.Store
	ctx, cancel := context.WithCancel(t.Context())
	body := io.MultiReader(strings.NewReader("x"), iotest.ErrReader(io.EOF), endless{cancel})
	_, err := spool.Put(ctx, &s, body, envelope(t, "", "c@d.example"))
	assert.ErrorIs(t, err, context.Canceled)
	assert.Empty(t, queued(t, &s))
}

// endless never ends, and ends a context.
type endless struct{ cancel func() }

func (e endless) Read(p []byte) (int, error) {
	e.cancel()
	return len(p), nil
}

// TestPutPanic: a body that panics leaves nothing behind, not even room taken.
func TestPutPanic(t *testing.T) {
	s := memspool.Store{MaxBytes: 2000}
	for range 10 {
		assert.Panics(t, func() {
			body := io.MultiReader(strings.NewReader(strings.Repeat("x", 1000)), panicking{})
			_, _ = spool.Put(t.Context(), &s, body, envelope(t, "", "c@d.example"))
		})
	}
	_, err := spool.Put(t.Context(), &s, strings.NewReader("x"), envelope(t, "", "c@d.example"))
	assert.NoError(t, err)
}

type panicking struct{}

func (panicking) Read([]byte) (int, error) { panic("broken middleware") }

func TestFilterMatch(t *testing.T) {
	it := &spool.Item{ID: spool.DerivedID("x"), Envelope: envelope(t, "", "c@d.example"), Class: "bulk"}
	p := spool.Progress{State: spool.StateHeld}
	bulk, none := "bulk", ""
	for f, want := range map[spool.Filter]bool{
		{}: true, {ID: it.ID}: true, {ID: spool.DerivedID("y")}: false, {Dest: "d.example"}: true, {Dest: "e.example"}: false,
		{Class: &bulk}: true, {Class: &none}: false, {State: spool.StateHeld}: true, {State: spool.StateQueued}: false,
		{Dest: "d.example", State: spool.StateQueued}: false,
	} {
		assert.Equal(t, want, f.Match(it, p), "%+v", f)
	}
}

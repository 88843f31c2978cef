package memspool_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/spool"
	"github.com/postilion-mail/postilion/spool/memspool"
)

func envelope(t testing.TB, to ...string) smtp.Envelope {
	e, err := smtp.NewEnvelope("ann@example.org", to...)
	require.NoError(t, err)
	return e
}

func put(t testing.TB, s *memspool.Store, size int, envs ...smtp.Envelope) error {
	_, err := spool.Put(t.Context(), s, io.LimitReader(zeros{}, int64(size)), envs...)
	return err
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// settleAll delivers everything, with n follow-ups for each claim.
func settleAll(t *testing.T, s *memspool.Store, next ...spool.Followup) error {
	claims, err := s.Claim(t.Context(), spool.Query{Max: 1000})
	require.NoError(t, err)
	for _, c := range claims {
		var out []spool.Outcome
		for _, p := range c.Due {
			out = append(out, spool.Outcome{Rcpt: p.Rcpt})
		}
		if err := s.Settle(t.Context(), c.Lease, out, next...); err != nil {
			return err
		}
	}
	return nil
}

// TestMaxBytes: what is gone makes room again, byte for byte, however it went.
func TestMaxBytes(t *testing.T) {
	s := &memspool.Store{MaxBytes: 100_000}
	env := envelope(t, "bob@example.net")
	for range 50 {
		require.ErrorIs(t, put(t, s, 110_000, env), spool.ErrFull)
		require.NoError(t, put(t, s, 40_000, env, env, env), "one body for three")
		require.ErrorIs(t, put(t, s, 60_000, env), spool.ErrFull)
		require.NoError(t, settleAll(t, s))
	}
	declared := env
	declared.Params.Size = 200_000
	_, err := spool.Put(t.Context(), s, panicking{}, declared)
	require.ErrorIs(t, err, spool.ErrFull, "refused before it is read")
}

type panicking struct{}

func (panicking) Read([]byte) (int, error) { panic("not to be read") }

func TestMaxItems(t *testing.T) {
	s := &memspool.Store{MaxItems: 3}
	env := envelope(t, "bob@example.net")
	require.ErrorIs(t, put(t, s, 1, env, env, env, env), spool.ErrFull)
	require.NoError(t, put(t, s, 1, env, env, env))
	require.ErrorIs(t, put(t, s, 1, env), spool.ErrFull)
	none := &memspool.Store{MaxItems: -1, MaxBytes: -1}
	require.NoError(t, put(t, none, 1<<20, env))
}

// TestLongEnvelopeCounts: memory is bounded for envelopes too.
func TestLongEnvelopeCounts(t *testing.T) {
	s := &memspool.Store{MaxBytes: 100_000}
	var to []string
	for i := range 1000 {
		to = append(to, fmt.Sprintf("u%d@example.net", i))
	}
	require.ErrorIs(t, put(t, s, 1, envelope(t, to...)), spool.ErrFull)
}

// TestRoomForFollowups: outcomes are recorded when nothing else fits.
func TestRoomForFollowups(t *testing.T) {
	s := &memspool.Store{MaxItems: 1}
	require.NoError(t, put(t, s, 1, envelope(t, "bob@example.net")))
	require.ErrorIs(t, put(t, s, 1, envelope(t, "bob@example.net")), spool.ErrFull)
	bounce := func(n int) (out []spool.Followup) {
		for range n {
			out = append(out, spool.Followup{Items: []*spool.Item{{Envelope: envelope(t, "c@example.net")}}, Body: strings.NewReader("x")})
		}
		return out
	}
	assert.ErrorIs(t, settleAll(t, s, bounce(5)...), spool.ErrFull, "but not without end")
	require.NoError(t, s.Extend(t.Context(), spool.Lease{ID: one(t, s), Token: 1}, -1), "the lease is still good")
	assert.NoError(t, settleAll(t, s, bounce(1)...))
}

// one is the ID of the only item.
func one(t *testing.T, s *memspool.Store) (id spool.ID) {
	for info, err := range s.List(t.Context(), spool.Filter{}) {
		require.NoError(t, err)
		require.Empty(t, id)
		id = info.Item.ID
	}
	return id
}

// TestOpenBodyCounts: memory that a reader holds is not free yet.
func TestOpenBodyCounts(t *testing.T) {
	s := &memspool.Store{MaxBytes: 100_000}
	require.NoError(t, put(t, s, 60_000, envelope(t, "bob@example.net")))
	b, err := s.Open(t.Context(), one(t, s))
	require.NoError(t, err)
	require.NoError(t, settleAll(t, s))
	require.ErrorIs(t, put(t, s, 60_000, envelope(t, "bob@example.net")), spool.ErrFull)
	require.NoError(t, b.Close())
	require.ErrorIs(t, b.Close(), fs.ErrClosed)
	_, err = b.ReadAt(make([]byte, 1), 0)
	require.ErrorIs(t, err, fs.ErrClosed)
	require.NoError(t, put(t, s, 60_000, envelope(t, "bob@example.net")))
}

func TestBlobContext(t *testing.T) {
	var s memspool.Store
	require.NoError(t, put(t, &s, 10, envelope(t, "bob@example.net")))
	ctx, cancel := context.WithCancel(t.Context())
	b, err := s.Open(ctx, one(t, &s))
	require.NoError(t, err)
	defer b.Close()
	cancel()
	_, err = b.ReadAt(make([]byte, 1), 0)
	require.ErrorIs(t, err, context.Canceled)
}

// TestBodyReadAt compares reads at any offset with a plain slice.
func TestBodyReadAt(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	want := make([]byte, 300_001)
	for i := range want {
		want[i] = byte(rnd.Uint32())
	}
	var s memspool.Store
	_, err := spool.Put(t.Context(), &s, bytes.NewReader(want), envelope(t, "bob@example.net"))
	require.NoError(t, err)
	b, err := s.Open(t.Context(), one(t, &s))
	require.NoError(t, err)
	defer b.Close()
	model := bytes.NewReader(want)
	for range 2000 {
		off := rnd.Int64N(int64(len(want)) + 10)
		p, q := make([]byte, rnd.IntN(200_000)), make([]byte, 200_000)
		n, err := b.ReadAt(p, off)
		m, merr := model.ReadAt(q[:len(p)], off)
		if len(p) == 0 { // a reader may say EOF for nothing or not
			err, merr = nil, nil
		}
		require.Equal(t, m, n)
		require.Equal(t, merr, err)
		require.Equal(t, q[:m], p[:n])
	}
	_, err = b.ReadAt(make([]byte, 1), -1)
	require.Error(t, err)
}

// TestWaitTimes: Wait sleeps until the very moment, and spends none awake.
func TestWaitTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s memspool.Store
		start := time.Now()
		it := &spool.Item{Envelope: envelope(t, "bob@example.net"), NotBefore: start.Add(90*time.Minute + 7)}
		require.NoError(t, spool.PutItems(t.Context(), &s, strings.NewReader("x"), it))
		require.NoError(t, s.Wait(t.Context(), spool.Query{}))
		assert.Equal(t, 90*time.Minute+7, time.Since(start))
		got, err := s.Claim(t.Context(), spool.Query{})
		require.NoError(t, err)
		require.Len(t, got, 1)
		require.NoError(t, s.Wait(t.Context(), spool.Query{}))
		assert.Equal(t, 90*time.Minute+7+spool.DefaultLease, time.Since(start))
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		assert.ErrorIs(t, s.Wait(ctx, spool.Query{Skip: []string{"example.net"}}), context.DeadlineExceeded)
	})
}

// TestManyRecipients: a claim of many for one destination costs no square.
func TestManyRecipients(t *testing.T) {
	var s memspool.Store
	env := envelope(t, "bob@example.net")
	for len(env.To) < 50_000 {
		env.To = append(env.To, env.To[0])
	}
	require.NoError(t, put(t, &s, 1, env))
	require.NoError(t, settleAll(t, &s))
	assert.Empty(t, one(t, &s))
}

func ExampleStore() {
	ctx, store := context.Background(), &memspool.Store{MaxItems: 1}
	env, _ := smtp.NewEnvelope("ann@example.org", "bob@hamburger.edu")
	for range 2 {
		_, err := spool.Put(ctx, store, strings.NewReader("hello\r\n"), env)
		fmt.Println(smtp.ReplyTo(err))
	}
	// Output:
	// 250 2.0.0 OK
	// 452 4.3.1 Insufficient system storage
}

func BenchmarkPutClaimSettle(b *testing.B) {
	for _, queued := range []int{0, 100_000} {
		b.Run(fmt.Sprintf("queued=%d", queued), func(b *testing.B) {
			s := &memspool.Store{MaxBytes: -1, MaxItems: -1}
			for i := range queued {
				it := &spool.Item{Envelope: envelope(b, fmt.Sprintf("u@d%d.example", i%5000)), NotBefore: time.Now().Add(time.Hour)}
				require.NoError(b, spool.PutItems(b.Context(), s, strings.NewReader("x"), it))
			}
			env := envelope(b, "bob@example.net")
			b.ReportAllocs()
			for b.Loop() {
				if _, err := spool.Put(b.Context(), s, strings.NewReader("x"), env); err != nil {
					b.Fatal(err)
				}
				got, err := s.Claim(b.Context(), spool.Query{})
				if err != nil || len(got) != 1 {
					b.Fatal(len(got), err)
				}
				if err := s.Settle(b.Context(), got[0].Lease, []spool.Outcome{{}}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestFollowupWithoutBody(t *testing.T) {
	var s memspool.Store
	require.NoError(t, put(t, &s, 1, envelope(t, "bob@example.net")))
	assert.ErrorIs(t, settleAll(t, &s, spool.Followup{Items: []*spool.Item{{Envelope: envelope(t, "c@example.net")}}}), spool.ErrInvalid)
	assert.NotEmpty(t, one(t, &s))
}

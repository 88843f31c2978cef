package dns_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/mx/dns"
	"github.com/postilion-mail/postilion/mx/dns/dnstest"
)

func TestCacheKeepsForTheTTL(t *testing.T) {
	z := dnstest.New(t, `
t.test 900 SOA n h 1 2 3 4 60
a.t.test 300 A 192.0.2.1
`)
	now := time.Unix(1e9, 0)
	c := &dns.Cache{Next: z, Now: func() time.Time { return now }}
	assert.Equal(t, 300*time.Second, lookup(t, c, "a.t.test", dns.A).TTL)
	now = now.Add(100 * time.Second)
	assert.Equal(t, 200*time.Second, lookup(t, c, "A.T.TEST.", dns.A).TTL)
	assert.Len(t, z.Queries(), 1)
	now = now.Add(200 * time.Second)
	lookup(t, c, "a.t.test", dns.A)
	assert.Len(t, z.Queries(), 2)

	for range 3 { // NXDOMAIN and NODATA, each for their own
		assert.Equal(t, dns.NXDomain, lookup(t, c, "no.t.test", dns.A).RCode)
		assert.Equal(t, dns.NoError, lookup(t, c, "a.t.test", dns.MX).RCode)
	}
	assert.Len(t, z.Queries(), 4)
	now = now.Add(61 * time.Second)
	lookup(t, c, "no.t.test", dns.A)
	assert.Len(t, z.Queries(), 5)
}

func TestCacheCapsTTL(t *testing.T) {
	z := dnstest.New(t, `
t.test 604800 SOA n h 1 2 3 4 604800
a.t.test 604800 A 192.0.2.1
z.t.test 0 A 192.0.2.1
`)
	now := time.Unix(1e9, 0)
	c := &dns.Cache{Next: z, Now: func() time.Time { return now }}
	lookup(t, c, "a.t.test", dns.A)
	assert.Equal(t, 24*time.Hour, lookup(t, c, "a.t.test", dns.A).TTL)
	lookup(t, c, "no.t.test", dns.A)
	assert.Equal(t, 3*time.Hour, lookup(t, c, "no.t.test", dns.A).TTL)
	c.MaxTTL = time.Minute
	lookup(t, c, "a.t.test", dns.AAAA)
	assert.Equal(t, time.Minute, lookup(t, c, "a.t.test", dns.AAAA).TTL)
}

func TestCacheKeepsNoErrors(t *testing.T) {
	z := dnstest.New(t, `a.test SERVFAIL`)
	c := &dns.Cache{Next: z}
	for range 3 {
		_, err := c.Lookup(t.Context(), "a.test", dns.A)
		assert.Error(t, err)
	}
	assert.Len(t, z.Queries(), 3)
}

func TestCacheIsBounded(t *testing.T) {
	z := dnstest.New(t, `
*.test A 192.0.2.1
big.test TXT "`+strings.Repeat("x", 9000)+"\"\n")
	c := &dns.Cache{Next: z, Max: 3}
	for i := range 10 {
		lookup(t, c, "keep.test", dns.A)
		lookup(t, c, fmt.Sprintf("n%d.test", i), dns.A)
	}
	assert.Len(t, z.Queries(), 11, "the one in use stays")
	z.Reset()
	lookup(t, c, "n9.test", dns.A)
	lookup(t, c, "n8.test", dns.A)
	assert.Empty(t, z.Queries())
	lookup(t, c, "n7.test", dns.A)
	assert.Len(t, z.Queries(), 1)
	lookup(t, c, "big.test", dns.TXT)
	lookup(t, c, "big.test", dns.TXT)
	assert.Len(t, z.Queries(), 3, "what is too big is not kept")
}

func TestCacheAsksOnceForMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := dnstest.New(t, `
a.test DELAY 1s
a.test A 192.0.2.1
`)
		c := &dns.Cache{Next: z}
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() { assert.Len(t, lookup(t, c, "a.test", dns.A).RRs, 1) })
		}
		wg.Wait()
		assert.Len(t, z.Queries(), 1)
	})
}

// Who was first may go; the others still get their answer. When the last has gone
// the query ends, and who comes then starts a new one.
func TestCacheCallersLeaveAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls, cancelled atomic.Int32
		c := &dns.Cache{Next: dns.ResolverFunc(func(ctx context.Context, _ string, _ dns.Type) (dns.Answer, error) {
			calls.Add(1)
			select {
			case <-ctx.Done():
				cancelled.Add(1)
				return dns.Answer{}, ctx.Err()
			case <-time.After(time.Second):
				return dns.Answer{TTL: time.Minute}, nil
			}
		})}
		first, leave := context.WithCancel(t.Context())
		errs := make(chan error, 2)
		go func() { _, err := c.Lookup(first, "a.test", dns.A); errs <- err }()
		synctest.Wait()
		go func() { _, err := c.Lookup(t.Context(), "a.test", dns.A); errs <- err }()
		synctest.Wait()
		leave()
		assert.ErrorIs(t, <-errs, context.Canceled)
		assert.NoError(t, <-errs)
		assert.EqualValues(t, 1, calls.Load())

		alone, leave := context.WithCancel(t.Context())
		go func() { _, err := c.Lookup(alone, "b.test", dns.A); errs <- err }()
		synctest.Wait()
		leave()
		assert.ErrorIs(t, <-errs, context.Canceled)
		synctest.Wait()
		assert.EqualValues(t, 1, cancelled.Load())
		_, err := c.Lookup(t.Context(), "b.test", dns.A)
		assert.NoError(t, err)
	})
}

// Who comes with a context that is done gets what is there, and starts nothing.
func TestCacheAsksNothingInVain(t *testing.T) {
	z := dnstest.New(t, `a.test A 192.0.2.1`)
	c := &dns.Cache{Next: z}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := c.Lookup(ctx, "a.test", dns.A)
	assert.ErrorIs(t, err, context.Canceled)
	lookup(t, c, "a.test", dns.A)
	assert.Len(t, lookup(t, c, "a.test", dns.A).RRs, 1)
	_, err = c.Lookup(ctx, "a.test", dns.A)
	assert.NoError(t, err)
	assert.Len(t, z.Queries(), 1)
}

func TestCacheHitAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	c := &dns.Cache{Next: dnstest.New(t, `a.test A 192.0.2.1`)}
	lookup(t, c, "a.test", dns.A)
	ctx := t.Context()
	assert.Zero(t, testing.AllocsPerRun(100, func() { _, _ = c.Lookup(ctx, "a.test", dns.A) }))
}

func TestBudget(t *testing.T) {
	z := dnstest.New(t, `a.test A 192.0.2.1`)
	r := dns.Budget(z, 2)
	lookup(t, r, "a.test", dns.A)
	lookup(t, r, "b.test", dns.A)
	_, err := r.Lookup(t.Context(), "a.test", dns.A)
	assert.ErrorIs(t, err, dns.ErrBudget)
	var e *dns.Error
	require.True(t, errors.As(err, &e))
	assert.True(t, e.Temporary())
	assert.Len(t, z.Queries(), 2)
}

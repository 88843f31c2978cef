package sasl

import (
	"context"
	"errors"
	"net/netip"
	"reflect"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func passwordIs(want string) func(context.Context, Login, string) error {
	return func(_ context.Context, _ Login, got string) error {
		switch got {
		case want:
			return nil
		case "down":
			return errors.New("database is down")
		}
		return ErrCredentials
	}
}

func from(addr string) Login {
	return Login{User: "u", Remote: netip.AddrPortFrom(netip.MustParseAddr(addr), 1)}
}

func try(t *testing.T, a *Authenticator, addr, password string) error {
	_, err := a.Check(t.Context(), from(addr), password)
	return err
}

func TestThrottleRefusesAfterFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := Throttle(&Authenticator{Password: passwordIs("p")}, 3, time.Second)
		start := time.Now()
		for range 3 {
			require.ErrorIs(t, try(t, a, "192.0.2.1", "x"), ErrCredentials)
		}
		assert.Equal(t, 3*time.Second, time.Since(start), "each failure is answered late")

		// Three seconds leak a seventh of a failure: still full.
		start = time.Now()
		assert.ErrorIs(t, try(t, a, "192.0.2.1", "p"), ErrThrottled, "the right password is not checked")
		assert.Equal(t, time.Second, time.Since(start))
		assert.NoError(t, try(t, a, "192.0.2.2", "p"), "the neighbour is not meant")
		assert.Equal(t, time.Second, time.Since(start), "success is not slowed")

		time.Sleep(20 * time.Second) // a third of a minute, a third of three
		assert.NoError(t, try(t, a, "192.0.2.1", "p"))
		assert.NoError(t, try(t, a, "192.0.2.1", "p"), "success does not count")
		assert.ErrorIs(t, try(t, a, "192.0.2.1", "x"), ErrCredentials)
		assert.ErrorIs(t, try(t, a, "192.0.2.1", "p"), ErrThrottled)
	})
}

func TestThrottleCountsEveryProtocolAndMechanism(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := all(Secret{Plain: testPassword})
		a = Throttle(a, 4, 0)
		l := Login{Remote: peer}
		for _, mech := range []string{"PLAIN", "SCRAM-SHA-256", "CRAM-MD5", "OAUTHBEARER"} {
			c := good(mech)
			c.Password, c.Token = "wrong", func(context.Context) (string, error) { return "stale", nil }
			x, s := begin(t, c, a, Login{}, l, []string{mech})
			_, err := dialogue(t.Context(), x, s, mech != "CRAM-MD5")
			assert.ErrorIs(t, err, ErrCredentials, mech)
		}
		for _, mech := range []string{"PLAIN", "SCRAM-SHA-256", "CRAM-MD5", "OAUTHBEARER"} {
			x, s := begin(t, good(mech), a, Login{}, l, []string{mech})
			_, err := dialogue(t.Context(), x, s, mech != "CRAM-MD5")
			assert.ErrorIs(t, err, ErrThrottled, mech)
		}
		_, err := a.Check(t.Context(), Login{User: testUser, Remote: peer}, testPassword)
		assert.ErrorIs(t, err, ErrThrottled)
		_, err = a.APOP(t.Context(), Login{User: testUser, Remote: peer}, "<x>", "")
		assert.ErrorIs(t, err, ErrThrottled)
	})
}

func TestThrottleDoesNotCountOutages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := Throttle(&Authenticator{Password: passwordIs("p")}, 2, time.Second)
		for range 10 {
			err := try(t, a, "192.0.2.1", "down")
			require.Error(t, err)
			require.NotErrorIs(t, err, ErrThrottled)
		}
		assert.NoError(t, try(t, a, "192.0.2.1", "p"))
	})
}

func TestThrottleByNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := Throttle(&Authenticator{Password: passwordIs("p")}, 1, 0)
		for _, c := range []struct{ guess, other, free string }{
			{"192.0.2.1", "192.0.2.1", "192.0.2.2"},
			{"::ffff:192.0.2.7", "192.0.2.7", "192.0.2.8"}, // the same address, mapped
			{"2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:1::1"},
			{"fe80::1%eth0", "fe80::2%eth1", "fe80:0:0:1::1"},
		} {
			require.ErrorIs(t, try(t, a, c.guess, "x"), ErrCredentials, c.guess)
			assert.ErrorIs(t, try(t, a, c.other, "p"), ErrThrottled, c.other)
			assert.NoError(t, try(t, a, c.free, "p"), c.free)
		}
		// Ten in one /24, each from its own address.
		for i := range 10 {
			ip := netip.AddrFrom4([4]byte{198, 51, 100, byte(i)})
			require.ErrorIs(t, try(t, a, ip.String(), "x"), ErrCredentials)
		}
		assert.ErrorIs(t, try(t, a, "198.51.100.200", "p"), ErrThrottled)
		assert.NoError(t, try(t, a, "198.51.101.1", "p"))
		for i := range 10 {
			ip := netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 9, 9, 0, byte(i), 1})
			require.ErrorIs(t, try(t, a, ip.String(), "x"), ErrCredentials)
		}
		assert.ErrorIs(t, try(t, a, "2001:db8:909:ffff::1", "p"), ErrThrottled)
	})
}

// Many at once guess no more often than one: attempts count while they run.
func TestThrottleParallel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var checked atomic.Int32
		a := Throttle(&Authenticator{Password: func(context.Context, Login, string) error {
			checked.Add(1)
			time.Sleep(time.Second)
			return ErrCredentials
		}}, 5, time.Second)
		done := make(chan error)
		for range 200 {
			go func() {
				_, err := a.Check(context.Background(), from("192.0.2.1"), "x")
				done <- err
			}()
		}
		for range 200 {
			require.Error(t, <-done)
		}
		assert.EqualValues(t, 5, checked.Load())
	})
}

func TestThrottleWaitEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := Throttle(&Authenticator{Password: passwordIs("p")}, 1, time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, err := a.Check(ctx, from("192.0.2.1"), "x")
		assert.ErrorIs(t, err, ErrCredentials)
		_, err = a.Check(ctx, from("192.0.2.1"), "x")
		assert.ErrorIs(t, err, ErrThrottled)
		assert.Equal(t, time.Second, time.Since(start))
	})
}

func TestThrottleWithoutLimitOrAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := Throttle(&Authenticator{Password: passwordIs("p")}, 0, time.Second)
		for range 100 {
			require.ErrorIs(t, try(t, a, "192.0.2.1", "x"), ErrCredentials)
		}
		a = Throttle(&Authenticator{Password: passwordIs("p")}, 1, time.Second)
		start := time.Now()
		for range 10 { // a Unix socket
			_, err := a.Check(t.Context(), Login{User: "u"}, "x")
			require.ErrorIs(t, err, ErrCredentials)
		}
		assert.Equal(t, 10*time.Second, time.Since(start))
		assert.Nil(t, Throttle(nil, 1, 0))
	})
}

func TestThrottleInjectedClock(t *testing.T) {
	now := time.Unix(1000, 0)
	a := Throttle(&Authenticator{Password: passwordIs("p"), Now: func() time.Time { return now }}, 1, 0)
	require.ErrorIs(t, try(t, a, "192.0.2.1", "x"), ErrCredentials)
	require.ErrorIs(t, try(t, a, "192.0.2.1", "p"), ErrThrottled)
	now = now.Add(-time.Hour) // set back: nothing leaks, nothing breaks
	require.ErrorIs(t, try(t, a, "192.0.2.1", "p"), ErrThrottled)
	now = now.Add(time.Hour + 61*time.Second)
	require.NoError(t, try(t, a, "192.0.2.1", "p"))
}

// One that is released late must not make the others leak twice.
func TestThrottleLateRelease(t *testing.T) {
	t0 := time.Unix(1000, 0)
	l, p := &limiter{perMinute: 6}, pledgeOf(peer)
	for range 6 {
		require.True(t, l.add(p, t0, 1))
	}
	t1 := t0.Add(10 * time.Second) // one has leaked
	require.True(t, l.add(p, t1, 1))
	l.add(p, t0, -1)
	assert.InDelta(t, 5, l.level(p.prefix[0], t1, 6), 1e-9)
}

func TestThrottleOneAMinute(t *testing.T) {
	t0 := time.Unix(1000, 0)
	l, p := &limiter{perMinute: 1}, pledgeOf(peer)
	require.True(t, l.add(p, t0, 1))
	assert.False(t, l.add(p, t0.Add(59*time.Second), 1))
	assert.True(t, l.add(p, t0.Add(60*time.Second), 1))
}

func TestThrottleMemoryIsBounded(t *testing.T) {
	now := time.Unix(1000, 0)
	l := &limiter{perMinute: 5}
	for i := range 4 * maxTracked {
		ip := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		l.add(pledgeOf(netip.AddrPortFrom(ip, 1)), now, 1)
		if len(l.cur) > maxTracked || len(l.old) > maxTracked {
			t.Fatalf("%d and %d entries after %d addresses", len(l.cur), len(l.old), i)
		}
	}
	now = now.Add(time.Hour)
	l.add(pledgeOf(peer), now, 1)
	now = now.Add(time.Hour)
	l.add(pledgeOf(peer), now, 1)
	assert.LessOrEqual(t, len(l.cur)+len(l.old), 4, "quiet hours forget everybody")
}

// A field that Throttle forgets to copy would switch something off.
func TestThrottleCopiesEveryField(t *testing.T) {
	a := all(Secret{Plain: "p"})
	a.Authorize = func(context.Context, Login) (string, error) { return "", nil }
	a.Disable, a.Iterations, a.SaltKey = []string{"LOGIN"}, 5000, []byte("k")
	a.Rand, a.Now = random(nil), time.Now
	was, is := reflect.ValueOf(a).Elem(), reflect.ValueOf(Throttle(a, 1, 1)).Elem()
	for i := range was.NumField() {
		if f := was.Type().Field(i); f.IsExported() {
			assert.False(t, was.Field(i).IsZero(), "set %s in this test", f.Name)
			assert.False(t, is.Field(i).IsZero(), f.Name)
		}
	}
}

func TestThrottleLeavesNoGoroutine(t *testing.T) {
	before := runtime.NumGoroutine()
	a := Throttle(&Authenticator{Password: passwordIs("p")}, 1, time.Millisecond)
	for range 20 {
		_ = try(t, a, "192.0.2.1", "x")
	}
	assert.LessOrEqual(t, runtime.NumGoroutine(), before)
}

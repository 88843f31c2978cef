package sasl

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"
)

const (
	// wide is how much more a network may fail than one address in it.
	wide = 10
	// maxTracked bounds the table: two maps of so many prefixes, some 10 MB
	// when an attacker fills both.
	maxTracked = 1 << 16
)

// Throttle returns an Authenticator that does as a does but slows down and
// then refuses those that guess. Each failed login is answered only after
// slow. An address that has failed perMinute times within a minute, or a
// network that has failed ten times as often, gets [ErrThrottled] after slow
// and is not checked at all, until enough of a minute has gone by: not even
// a right password gets through, or the guessing would go on. An IPv6
// address is its /64; the networks are /24 and /48.
//
// Failures are counted across all protocols that share the returned value,
// also while they are being checked, so that many connections at once guess
// no more often than one. Errors other than ErrCredentials, aborted exchanges
// and successes do not count. Peers without an address (Unix sockets) are
// slowed down but never refused. perMinute ≤ 0 means no limit, slow ≤ 0 no
// delay. Users are not locked out, which would let anyone lock out anyone.
//
// Waiting ends with the context; there are no goroutines, and memory is
// bounded whatever the peers do. The clock of the count is a.Now.
func Throttle(a *Authenticator, perMinute int, slow time.Duration) *Authenticator {
	if a == nil {
		return nil
	}
	return &Authenticator{
		Password: a.Password, Secret: a.Secret, Token: a.Token,
		Certificate: a.Certificate, Authorize: a.Authorize,
		Disable: a.Disable, Iterations: a.Iterations, SaltKey: a.SaltKey,
		Rand: a.Rand, Now: a.Now,
		limit: &limiter{perMinute: float64(max(perMinute, 0)), slow: slow},
	}
}

// limiter counts failures by leaky buckets. A nil limiter limits nothing.
type limiter struct {
	perMinute float64 // 0: no limit
	slow      time.Duration

	mu       sync.Mutex // guards what follows
	cur, old map[netip.Prefix]bucket
	turned   time.Time // when cur became old last
}

// bucket is how many failures a prefix has had: it leaks perMinute a minute.
type bucket struct {
	level float64
	at    time.Time
}

// pledge names the buckets that one attempt counts in.
type pledge struct {
	prefix [2]netip.Prefix
	n      int // 0: not counted
}

func pledgeOf(remote netip.AddrPort) pledge {
	ip := remote.Addr().Unmap().WithZone("")
	one, many := 64, 48
	switch {
	case !ip.IsValid():
		return pledge{}
	case ip.Is4():
		one, many = 32, 24
	}
	var p pledge
	for i, bits := range [...]int{one, many} {
		p.prefix[i], _ = ip.Prefix(bits)
	}
	p.n = len(p.prefix)
	return p
}

// take counts an attempt as failed before it is checked, or refuses it.
// release settles it by how it went.
func (t *limiter) take(ctx context.Context, now time.Time, remote netip.AddrPort) (release func(context.Context, error) error, err error) {
	if t == nil {
		return func(_ context.Context, err error) error { return err }, nil
	}
	p := pledgeOf(remote)
	if !t.add(p, now, 1) {
		return nil, t.refuse(ctx)
	}
	return func(ctx context.Context, err error) error {
		if errors.Is(err, ErrCredentials) {
			wait(ctx, t.slow)
		} else {
			t.add(p, now, -1)
		}
		return err
	}, nil
}

// peek refuses an attempt that could only be refused later.
func (t *limiter) peek(ctx context.Context, now time.Time, remote netip.AddrPort) error {
	if t == nil || t.add(pledgeOf(remote), now, 0) {
		return nil
	}
	return t.refuse(ctx)
}

func (t *limiter) refuse(ctx context.Context) error {
	wait(ctx, t.slow)
	return ErrThrottled
}

// add counts n in all buckets of p, unless one is full.
func (t *limiter) add(p pledge, now time.Time, n float64) bool {
	if t.perMinute == 0 || p.n == 0 {
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.turn(now)
	for i, limit := range [...]float64{t.perMinute, wide * t.perMinute} {
		// A hair of slack: the leak is not exact to the last bit.
		if n >= 0 && t.level(p.prefix[i], now, limit)+1 > limit+1e-6 {
			return false
		}
	}
	if n == 0 {
		return true
	}
	for i, limit := range [...]float64{t.perMinute, wide * t.perMinute} {
		b := bucket{max(0, t.level(p.prefix[i], now, limit)+n), now}
		// A release that comes late must not leak the same time twice.
		if was := t.find(p.prefix[i]); was.at.After(now) {
			b.at = was.at
		}
		t.cur[p.prefix[i]] = b
	}
	return true
}

// level is what has not leaked yet. A clock that goes back leaks nothing.
func (t *limiter) level(p netip.Prefix, now time.Time, perMinute float64) float64 {
	b := t.find(p)
	return max(0, b.level-perMinute*max(0, now.Sub(b.at).Minutes()))
}

func (t *limiter) find(p netip.Prefix) bucket {
	if b, ok := t.cur[p]; ok {
		return b
	}
	return t.old[p]
}

// turn forgets what is over: every bucket is empty after a minute without a
// failure, so what was last written to two turns ago can go. When there are
// too many the turn comes early, and the longest unseen are forgiven.
func (t *limiter) turn(now time.Time) {
	if t.cur != nil && len(t.cur)+2 <= maxTracked && now.Sub(t.turned).Abs() < time.Minute {
		return
	}
	t.old, t.cur, t.turned = t.cur, make(map[netip.Prefix]bucket), now
}

// wait sleeps, or returns early when ctx ends: the answer is the same.
func wait(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

package spool

import (
	"cmp"
	"crypto/rand"
	"encoding/binary"
	"io"
	"time"

	"github.com/postilion-mail/postilion/smtp"
)

// Retry decides what becomes of a recipient that was not accepted. Its methods
// may be called concurrently.
type Retry interface {
	// Next says when to try again after an attempt that ended with r; the zero
	// time gives up. p is what the claim said of the recipient.
	Next(it *Item, p Progress, r smtp.Result) time.Time
	// Warn reports whether the sender is to be told of the delay now.
	Warn(it *Item, p Progress) bool
	// Until is when the item is given up, for the warning to tell; zero is not
	// known.
	Until(it *Item) time.Time
}

// Schedule is a [Retry] with growing delays. A permanent failure is given up at
// once; all else, a lost reply too, is tried until the item expires, the last
// time at that moment. RFC 5321 §4.5.4.1 asks for a delay of 30 minutes at least
// in general, two tries in the first hour, and four to five days in all.
//
// The zero Schedule is the usual one. Its fields must not change once in use; it
// may be used concurrently if Rand may.
type Schedule struct {
	Steps      []time.Duration  // delay after each attempt; nil means 5, 10, 20, 40, 80 and 160 minutes
	Max        time.Duration    // delay after all Steps; 0 means 4 h
	Jitter     float64          // the delays vary by this part of them, up and down; 0 means 0.2, negative none, 1 at most
	Expire     time.Duration    // age at which an item without Item.Expire is given up; 0 means 5 days
	ExpireNull time.Duration    // the same for items from the null path, which nobody misses; 0 means 1 day
	WarnAfter  time.Duration    // age for the warning of an item without Item.WarnAt; 0 means 4 h, negative never
	Now        func() time.Time // nil means time.Now
	Rand       io.Reader        // eight bytes for a delay; nil means crypto/rand
}

var _ Retry = (*Schedule)(nil)

func (s *Schedule) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

// Next is the time of the next attempt; see [Retry].
func (s *Schedule) Next(it *Item, p Progress, r smtp.Result) time.Time {
	if r.Status == smtp.Accepted || r.Status == smtp.Permanent {
		return time.Time{}
	}
	now, end := s.now(), s.Until(it)
	if !now.Before(end) {
		return time.Time{}
	}
	next := now.Add(s.delay(p.Attempts))
	if next.After(end) {
		return end
	}
	return next
}

// Until is when the item expires; see [Retry].
func (s *Schedule) Until(it *Item) time.Time {
	switch {
	case !it.Expire.IsZero():
		return it.Expire
	case it.Envelope.From.IsNull():
		return begin(it).Add(cmp.Or(s.ExpireNull, 24*time.Hour))
	}
	return begin(it).Add(cmp.Or(s.Expire, 5*24*time.Hour))
}

// begin is when the age of an item begins: waiting as asked is no delay.
func begin(it *Item) time.Time {
	if it.NotBefore.After(it.Created) {
		return it.NotBefore
	}
	return it.Created
}

// Warn reports that the message is late and its sender was not told. A null
// sender is never told (RFC 5321 §4.5.5), nor is one who asked for no such
// report (RFC 3461 §4.1).
func (s *Schedule) Warn(it *Item, p Progress) bool {
	if p.Warned || it.Envelope.From.IsNull() || !it.Envelope.To[p.Rcpt].Notify.Has(smtp.NotifyDelay) {
		return false
	}
	at := it.WarnAt
	if at.IsZero() {
		if s.WarnAfter < 0 {
			return false
		}
		at = begin(it).Add(cmp.Or(s.WarnAfter, 4*time.Hour))
	}
	return !s.now().Before(at)
}

// delay is the one after so many attempts.
func (s *Schedule) delay(attempts int) time.Duration {
	d := cmp.Or(s.Max, 4*time.Hour)
	i := max(attempts, 1) - 1
	switch {
	case s.Steps == nil && i < 6:
		d = min(d, 5*time.Minute<<i)
	case i < len(s.Steps):
		d = s.Steps[i]
	}
	jitter := min(cmp.Or(s.Jitter, 0.2), 1)
	if jitter < 0 {
		return d
	}
	return d + time.Duration(float64(d)*jitter*s.chance())
}

// chance is from -1 to 1; without randomness it is 0, and the delay the plain
// one.
func (s *Schedule) chance() float64 {
	r := s.Rand
	if r == nil {
		r = rand.Reader
	}
	var b [8]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return 0
	}
	return float64(binary.BigEndian.Uint64(b[:]))/(1<<63) - 1
}

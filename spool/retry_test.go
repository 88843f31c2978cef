package spool_test

import (
	"bytes"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/spool"
)

var tryAgain = smtp.Result{Status: smtp.Temporary}

func at(t time.Time) func() time.Time { return func() time.Time { return t } }

func TestScheduleDelays(t *testing.T) {
	it := &spool.Item{Envelope: envelope(t, "ann@example.org", "a@b.example"), Created: day}
	minutes := func(s *spool.Schedule) (out []int) {
		s.Now = at(day)
		for n := range 9 {
			next := s.Next(it, spool.Progress{Attempts: n + 1}, tryAgain)
			out = append(out, int(next.Sub(day)/time.Minute))
		}
		return out
	}
	assert.Equal(t, []int{5, 10, 20, 40, 80, 160, 240, 240, 240}, minutes(&spool.Schedule{Jitter: -1}))
	assert.Equal(t, []int{5, 10, 15, 15, 15, 15, 15, 15, 15}, minutes(&spool.Schedule{Jitter: -1, Max: 15 * time.Minute}))
	assert.Equal(t, []int{1, 2, 240, 240, 240, 240, 240, 240, 240}, minutes(&spool.Schedule{Jitter: -1, Steps: []time.Duration{time.Minute, 2 * time.Minute}}))
	assert.Equal(t, []int{240, 240, 240, 240, 240, 240, 240, 240, 240}, minutes(&spool.Schedule{Jitter: -1, Steps: []time.Duration{}}))
}

func TestScheduleJitter(t *testing.T) {
	it := &spool.Item{Envelope: envelope(t, "ann@example.org", "a@b.example"), Created: day}
	for _, tt := range []struct {
		name   string
		random []byte
		jitter float64
		want   time.Duration
	}{
		{"least", bytes.Repeat([]byte{0}, 8), 0, 4 * time.Minute},
		{"most", bytes.Repeat([]byte{0xff}, 8), 0, 6 * time.Minute},
		{"middle", []byte{0x80, 0, 0, 0, 0, 0, 0, 0}, 0, 5 * time.Minute},
		{"own", bytes.Repeat([]byte{0}, 8), 0.5, 150 * time.Second},
		{"never before now", bytes.Repeat([]byte{0}, 8), 7, 0},
	} {
		s := &spool.Schedule{Now: at(day), Rand: bytes.NewReader(tt.random), Jitter: tt.jitter}
		assert.InDelta(t, tt.want, s.Next(it, spool.Progress{Attempts: 1}, tryAgain).Sub(day), float64(time.Millisecond), tt.name)
	}
	dry := &spool.Schedule{Now: at(day), Rand: iotest.ErrReader(assert.AnError)}
	assert.Equal(t, day.Add(5*time.Minute), dry.Next(it, spool.Progress{Attempts: 1}, tryAgain))
	var zero spool.Schedule
	assert.WithinRange(t, zero.Next(&spool.Item{Envelope: it.Envelope, Created: time.Now()}, spool.Progress{Attempts: 1}, tryAgain),
		time.Now().Add(3*time.Minute), time.Now().Add(7*time.Minute))
}

func TestScheduleGivesUp(t *testing.T) {
	it := &spool.Item{Envelope: envelope(t, "ann@example.org", "a@b.example"), Created: day}
	bounce := &spool.Item{Envelope: envelope(t, "", "a@b.example"), Created: day}
	own := &spool.Item{Envelope: it.Envelope, Created: day, Expire: day.Add(time.Hour)}
	held := &spool.Item{Envelope: it.Envelope, Created: day, NotBefore: day.Add(30 * 24 * time.Hour)}
	const d = 24 * time.Hour
	for _, tt := range []struct {
		name string
		it   *spool.Item
		age  time.Duration
		r    smtp.Result
		want time.Duration // from day; 0 gives up
	}{
		{"permanent", it, 0, smtp.Result{Status: smtp.Permanent}, 0},
		{"accepted", it, 0, smtp.Result{Status: smtp.Accepted}, 0},
		{"reply lost", it, 0, smtp.Result{Status: smtp.Unknown}, 4 * time.Hour},
		{"last attempt at expiry", it, 5*d - time.Hour, tryAgain, 5 * d},
		{"five days", it, 5 * d, tryAgain, 0},
		{"bounces a day", bounce, d, tryAgain, 0},
		{"bounces before", bounce, d - 1, tryAgain, d},
		{"its own", own, time.Hour, tryAgain, 0},
		{"time asked for is no delay", held, 31 * d, tryAgain, 31*d + 4*time.Hour},
	} {
		s := &spool.Schedule{Now: at(day.Add(tt.age)), Jitter: -1}
		next := s.Next(tt.it, spool.Progress{Attempts: 99}, tt.r)
		if tt.want == 0 {
			assert.True(t, next.IsZero(), tt.name)
			continue
		}
		assert.Equal(t, tt.want, next.Sub(day), tt.name)
	}
}

func TestScheduleWarns(t *testing.T) {
	it := &spool.Item{Envelope: envelope(t, "ann@example.org", "a@b.example", "c@b.example"), Created: day}
	it.Envelope.To[1].Notify = smtp.NotifyFailure
	bounce := &spool.Item{Envelope: envelope(t, "", "a@b.example"), Created: day}
	own := &spool.Item{Envelope: it.Envelope, Created: day, WarnAt: day.Add(time.Hour)}
	for _, tt := range []struct {
		name  string
		it    *spool.Item
		p     spool.Progress
		after time.Duration
		age   time.Duration
		want  bool
	}{
		{"too early", it, spool.Progress{}, 0, 4*time.Hour - 1, false},
		{"four hours", it, spool.Progress{}, 0, 4 * time.Hour, true},
		{"not twice", it, spool.Progress{Warned: true}, 0, 9 * time.Hour, false},
		{"not asked for", it, spool.Progress{Rcpt: 1}, 0, 9 * time.Hour, false},
		{"null sender", bounce, spool.Progress{}, 0, 9 * time.Hour, false},
		{"off", it, spool.Progress{}, -1, 9 * time.Hour, false},
		{"its own", own, spool.Progress{}, -1, time.Hour, true},
	} {
		s := &spool.Schedule{Now: at(day.Add(tt.age)), WarnAfter: tt.after}
		assert.Equal(t, tt.want, s.Warn(tt.it, tt.p), tt.name)
	}
}

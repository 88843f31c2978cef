package mime

import (
	"io"
	"time"
)

// Supplement gives the fields a submitted message lacks and must have: Date and
// Message-ID (RFC 6409 §8.2, §8.3), ready to be put in front of it. h is the
// message's header, from [ReadHeader]; domain makes the id this server's own
// ("localhost" takes the place of what is no domain), rand its other part (nil:
// crypto/rand, as where rand fails). It is nil where nothing is missing.
func Supplement(h Header, domain string, now time.Time, rand io.Reader) []byte {
	w := &fieldWriter{}
	if !h.Has("Date") {
		w.date("Date", now)
	}
	if !h.Has("Message-ID") {
		right, ok := idDomain(domain)
		if !ok {
			right = "localhost"
		}
		left, err := randomName(rand)
		if err != nil {
			left, _ = randomName(nil) // which never fails
		}
		w.ids("Message-ID", left+"@"+right)
	}
	return w.b
}

// date writes a date (RFC 5322 §3.3).
func (w *fieldWriter) date(name string, t time.Time) {
	w.begin(name)
	w.token(t.Format("Mon, 2 Jan 2006 15:04:05 -0700"))
	w.end()
}

package smtp

import (
	"context"
	"io"
)

// DeliverFunc is the one shape of "take this message", as http.Handler is of
// "answer this request": relay, local delivery, lists and [Client.Deliver] have
// it; the queue, [Deliver] and [Mux] call it.
//
// Prefix is already part of body, and still in env for those who look. body may
// be read again from its start, by several readers over sections of their own,
// and dies when the func returns. There is one [Result] for each of env.To, in
// its order; a caller takes missing ones as temporary. It may be called
// concurrently, and must return soon after ctx ends.
type DeliverFunc func(ctx context.Context, env Envelope, body *io.SectionReader) Results

// Mux splits the recipients by the first route that matches each, delivers
// group by group and puts the results back in order. A recipient without a
// route gets 550 5.1.2. It is safe for concurrent use.
type Mux []Route

// Route says which recipients go where.
type Route struct {
	Match   func(rcpt Path) bool // nil matches all
	Deliver DeliverFunc
}

var _ DeliverFunc = Mux(nil).Deliver

// Deliver is a [DeliverFunc].
func (m Mux) Deliver(ctx context.Context, env Envelope, body *io.SectionReader) Results {
	out := Failed(len(env.To), Reject(550, "5.1.2", "No route to this address"))
	groups := make([][]int, len(m))
	for i := range env.To {
		if r := m.route(env.To[i].Path); r >= 0 {
			groups[r] = append(groups[r], i)
		}
	}
	for r, group := range groups {
		if len(group) == 0 {
			continue
		}
		to := make([]Recipient, len(group))
		for i, at := range group {
			to[i] = env.To[at]
		}
		section := io.NewSectionReader(body, 0, body.Size())
		results := m[r].Deliver(ctx, env.With(to...), section)
		for i, at := range group {
			out[at] = Result{}
			if i < len(results) {
				out[at] = results[i]
			}
		}
	}
	return out
}

func (m Mux) route(rcpt Path) int {
	for i := range m {
		if m[i].Match == nil || m[i].Match(rcpt) {
			return i
		}
	}
	return -1
}

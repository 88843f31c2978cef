package spool_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/mime"
	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/spool"
	"github.com/postilion-mail/postilion/spool/memspool"
)

// world is a queue, a Runner and everybody it may deliver to. A recipient's
// local-part says what becomes of mail to him: see results. It lives in a bubble
// of synctest, where a goroutine that is left over fails the test, and days pass
// in no time.
type world struct {
	t testing.TB
	memspool.Store
	spool.Runner
	log bytes.Buffer

	mu       sync.Mutex
	tries    map[string]int // by recipient
	got      []delivery
	running  map[string]int // by domain
	most     map[string]int
	sent     []string
	failed   []string
	deferred []string
	stop     context.CancelFunc
	ended    chan error
}

type delivery struct {
	at   time.Duration // since the start of the world
	env  smtp.Envelope
	body string
}

// epoch is when bubbles begin.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// inWorld runs f in a world of its own. set may change the Runner first.
func inWorld(t *testing.T, set func(w *world), f func(w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, tries: map[string]int{}, running: map[string]int{}, most: map[string]int{}, ended: make(chan error, 1)}
		w.Runner = spool.Runner{Store: &w.Store, Deliver: w.deliver, Name: "crepes.fr", Retry: &spool.Schedule{Jitter: -1},
			Log: slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))}
		w.Observe = spool.Observer{Sent: w.observe(&w.sent), Failed: w.observe(&w.failed), Deferred: w.observe(&w.deferred)}
		if set != nil {
			set(w)
		}
		w.start()
		f(w)
		if w.stop != nil {
			require.NoError(t, w.end())
		}
	})
}

func (w *world) start() {
	ctx, stop := context.WithCancel(w.t.Context())
	w.stop = stop
	go func() { w.ended <- w.Run(ctx) }()
	synctest.Wait()
}

// end stops the Runner and gives what Run returned.
func (w *world) end() error {
	w.meet()
	w.stop()
	w.stop = nil
	return <-w.ended
}

func (w *world) observe(list *[]string) func(smtp.Envelope, smtp.Results) {
	return func(env smtp.Envelope, r smtp.Results) {
		w.mu.Lock()
		defer w.mu.Unlock()
		assert.Len(w.t, r, len(env.To))
		assert.NotEmpty(w.t, env.ID)
		for _, to := range env.To {
			*list = append(*list, to.Path.Local())
		}
	}
}

// put queues a message of ann's.
func (w *world) put(to ...string) spool.ID {
	return w.putAs("ann@crepes.fr", func(*smtp.Envelope) {}, to...)
}

func (w *world) putAs(from string, set func(*smtp.Envelope), to ...string) spool.ID {
	env := envelope(w.t, from, to...)
	set(&env)
	id, err := spool.Put(w.t.Context(), &w.Store, strings.NewReader("Subject: crepes\r\nX-Line: 2\r\n\r\nhello\r\n"), env)
	require.NoError(w.t, err)
	return id
}

// pass lets time pass and everything happen that happens meanwhile.
func (w *world) pass(d time.Duration) {
	w.meet() // what the test has read, others may write from now on
	time.Sleep(d)
	synctest.Wait()
	w.meet()
}

// meet tells the race detector what the clock of the bubble has seen to.
func (w *world) meet() {
	w.mu.Lock()
	defer w.mu.Unlock()
}

// Write takes a line of the log.
func (w *world) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(p)
}

var (
	refusal  = smtp.Result{Status: smtp.Permanent, Host: "mx.hamburger.edu:25", Reply: smtp.Reply{Code: 550, Enhanced: "5.1.1", Text: "no such user"}}
	greylist = smtp.Result{Host: "mx.hamburger.edu:25", Reply: smtp.Reply{Code: 451, Enhanced: "4.7.1", Text: "greylisted"}}
	here     = smtp.Result{Status: smtp.Accepted, Reply: smtp.Reply{Code: 250, Enhanced: "2.0.0", Text: "OK"}}
	there    = smtp.Result{Status: smtp.Accepted, Host: "mx.hamburger.edu:25", Reply: smtp.Reply{Code: 250, Enhanced: "2.1.5", Text: "OK"}}
)

// results is what becomes of the n-th try for a recipient.
func results(rcpt string, n int) smtp.Result {
	dsn := there
	dsn.DSN = true
	switch name, _, _ := strings.Cut(rcpt, "-"); name {
	case "no":
		return refusal
	case "later":
		return greylist
	case "lost":
		return smtp.Result{Status: smtp.Unknown, Host: "mx.hamburger.edu", Err: io.ErrUnexpectedEOF}
	case "silent":
		return smtp.Result{}
	case "odd":
		return smtp.Result{Status: 77}
	case "twice": // then it goes
		if n <= 2 {
			return greylist
		}
	case "then": // a temporary failure, then a permanent one
		if n == 1 {
			return greylist
		}
		return refusal
	case "far":
		return there
	case "dsn":
		return dsn
	}
	return here
}

func (w *world) deliver(ctx context.Context, env smtp.Envelope, body *io.SectionReader) smtp.Results {
	b, err := io.ReadAll(body)
	assert.NoError(w.t, err)
	domain := env.To[0].Path.Domain()
	w.mu.Lock()
	w.got = append(w.got, delivery{time.Since(epoch), env, string(b)})
	w.running[domain]++
	w.most[domain] = max(w.most[domain], w.running[domain])
	out := smtp.Results{}
	for _, r := range env.To {
		w.tries[r.Path.Local()]++
		out = append(out, results(r.Path.Local(), w.tries[r.Path.Local()]))
	}
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.running[domain]--
	}()
	switch first := env.To[0].Path.Local(); {
	case strings.HasPrefix(first, "panic"):
		panic("oh no: " + first)
	case strings.HasPrefix(first, "short"):
		return out[:1]
	case strings.HasPrefix(first, "long"):
		return append(out, out...)
	case strings.HasPrefix(first, "slow"):
		select {
		case <-ctx.Done():
			return smtp.Failed(len(env.To), ctx.Err())
		case <-time.After(time.Hour):
		}
	}
	return out
}

// deliveries are those to recipients of a name that begins so.
func (w *world) deliveries(prefix string) (out []delivery) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, d := range w.got {
		if strings.HasPrefix(d.env.To[0].Path.Local(), prefix) {
			out = append(out, d)
		}
	}
	return out
}

// times are when a recipient was tried, in minutes since the start.
func (w *world) times(prefix string) (out []int) {
	for _, d := range w.deliveries(prefix) {
		out = append(out, int(d.at/time.Minute))
	}
	return out
}

// reports are those that ann got, and all of them are well-formed.
func (w *world) reports() (out []*mime.DSN) {
	for _, d := range w.deliveries("ann") {
		out = append(out, readReport(w.t, d))
	}
	return out
}

func readReport(t testing.TB, d delivery) *mime.DSN {
	assert.True(t, d.env.From.IsNull(), "RFC 3461 §6.1")
	dsn, ok := mime.ParseDSN(mime.Parse([]byte(d.body)))
	require.True(t, ok, "%s", d.body)
	return dsn
}

// left are the recipients that are still in the queue.
func (w *world) left() []string {
	set := map[string]bool{}
	for info, err := range w.List(w.t.Context(), spool.Filter{}) {
		require.NoError(w.t, err)
		for _, p := range info.Rcpts {
			set[info.Item.Envelope.To[p.Rcpt].Path.Local()] = true
		}
	}
	return slices.Sorted(maps.Keys(set))
}

// words writes a report in short: "no failed 5.1.1".
func words(d *mime.DSN) (out []string) {
	for _, r := range d.Recipients {
		name, _, _ := strings.Cut(r.Final, "@")
		out = append(out, fmt.Sprint(name, " ", r.Action, " ", r.Status))
	}
	return out
}

// troubled is a store with faults: each func may be nil, and its error is
// returned in place of the call.
type troubled struct {
	spool.Store
	claim, settle, extend, open, wait func() error
}

func (s *troubled) Claim(ctx context.Context, q spool.Query) ([]spool.Claim, error) {
	if s.claim != nil {
		if err := s.claim(); err != nil {
			return nil, err
		}
	}
	return s.Store.Claim(ctx, q)
}

func (s *troubled) Settle(ctx context.Context, l spool.Lease, out []spool.Outcome, next ...spool.Followup) error {
	if s.settle != nil {
		if err := s.settle(); err != nil {
			return err
		}
	}
	return s.Store.Settle(ctx, l, out, next...)
}

func (s *troubled) Extend(ctx context.Context, l spool.Lease, d time.Duration) error {
	if s.extend != nil {
		if err := s.extend(); err != nil {
			return err
		}
	}
	return s.Store.Extend(ctx, l, d)
}

func (s *troubled) Open(ctx context.Context, id spool.ID) (spool.Blob, error) {
	if s.open != nil {
		if err := s.open(); err != nil {
			return nil, err
		}
	}
	return s.Store.Open(ctx, id)
}

func (s *troubled) Wait(ctx context.Context, q spool.Query) error {
	if s.wait != nil {
		if err := s.wait(); err != nil {
			return err
		}
	}
	return s.Store.Wait(ctx, q)
}

var errDisk = errors.New("disk on fire")

// untilThen fails before a point in time of the bubble.
func untilThen(d time.Duration) func() error {
	return func() error {
		if time.Since(epoch) < d {
			return errDisk
		}
		return nil
	}
}

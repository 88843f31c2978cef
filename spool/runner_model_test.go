package spool_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
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

// chaos is a queue whose remote hosts, store and operator are all unreliable, and
// the bookkeeping of what they promised.
type chaos struct {
	mu           sync.Mutex // guards all below
	rand         *rand.Rand
	store        memspool.Store
	put          map[string]smtp.Notify // by recipient; each has a name of its own
	only         map[string]bool        // only to be reported on
	got          map[string]int         // accepted how often
	told         map[string][]string    // actions of reports
	twice        map[string]bool        // may have been delivered again: an outcome was lost
	sent, failed map[string]int         // as observed
}

// TestRunnerModel runs random worlds and asks afterwards: is every recipient who
// was accepted delivered to, or failed and reported, or still in the queue, and
// exactly one of them?
func TestRunnerModel(t *testing.T) {
	worlds := 12
	if os.Getenv("POSTILION_LONG") != "" {
		worlds = 1000
	}
	recipients, reports := 0, 0
	for seed := range uint64(worlds) {
		synctest.Test(t, func(t *testing.T) {
			c := &chaos{rand: rand.New(rand.NewPCG(seed, 5)), put: map[string]smtp.Notify{}, only: map[string]bool{},
				got: map[string]int{}, told: map[string][]string{}, twice: map[string]bool{}, sent: map[string]int{}, failed: map[string]int{}}
			c.live(t)
			c.check(t, seed)
			recipients += len(c.put)
			for _, words := range c.told {
				reports += len(words)
			}
		})
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	t.Logf("%d worlds, %d recipients, %d reported on", worlds, recipients, reports)
	require.Greater(t, reports, worlds)
}

// live puts mail, runs Runners one after the other, and stops them whenever it
// likes.
func (c *chaos) live(t *testing.T) {
	store := &troubled{Store: &c.store, settle: c.sometimes, claim: c.sometimes, open: c.sometimes, extend: c.sometimes}
	for round := range 3 {
		for i := range 1 + c.IntN(6) {
			c.submit(t, fmt.Sprintf("m%d-%d", round, i))
		}
		r := &spool.Runner{Store: store, Deliver: c.deliver, Workers: 1 + c.IntN(5), Lease: time.Minute, Grace: time.Duration(c.IntN(100)) * time.Second, Observe: c.observer(),
			Retry: &spool.Schedule{Rand: c, Expire: 6 * time.Hour, WarnAfter: 2 * time.Hour}}
		ctx, stop := context.WithTimeout(t.Context(), time.Duration(c.IntN(5*3600))*time.Second)
		err := r.Run(ctx)
		stop()
		if err != nil { // what could not be recorded may come again
			for name := range c.put {
				c.twice[name] = true
			}
		}
	}
}

// IntN is the next number of the seed's.
func (c *chaos) IntN(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rand.IntN(n)
}

// Read is randomness for the Schedule.
func (c *chaos) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(c.IntN(256))
	}
	return len(p), nil
}

// observer counts ends. Reports are not counted.
func (c *chaos) observer() spool.Observer {
	count := func(m map[string]int) func(smtp.Envelope, smtp.Results) {
		return func(env smtp.Envelope, _ smtp.Results) {
			c.mu.Lock()
			defer c.mu.Unlock()
			for _, to := range env.To {
				if !env.From.IsNull() {
					m[to.Path.Local()]++
				}
			}
		}
	}
	return spool.Observer{Sent: count(c.sent), Failed: count(c.failed)}
}

func (c *chaos) sometimes() error {
	if c.IntN(20) == 0 {
		return errDisk
	}
	return nil
}

func (c *chaos) submit(t *testing.T, id string) {
	env := smtp.Envelope{From: envelope(t, "ann@crepes.fr").From}
	env.Params.RetFull = c.IntN(2) == 0
	for i := range 1 + c.IntN(5) {
		name := fmt.Sprintf("%s-%d", id, i)
		to := envelope(t, "", fmt.Sprintf("%s@host%d.example", name, c.IntN(3))).To[0]
		to.Notify = []smtp.Notify{0, 0, success, failure, success | failure, never, delay}[c.IntN(7)]
		to.Expanded = c.IntN(12) == 0
		env.To = append(env.To, to)
		c.put[name], c.only[name] = to.Notify, to.Expanded
	}
	_, err := spool.Put(t.Context(), &c.store, strings.NewReader("Subject: x\r\n\r\nhello\r\n"), env)
	require.NoError(t, err)
}

// deliver does anything a DeliverFunc may do, and what it must not do.
func (c *chaos) deliver(ctx context.Context, env smtp.Envelope, body *io.SectionReader) smtp.Results {
	b, _ := io.ReadAll(body)
	if env.From.IsNull() {
		return c.bounce(b)
	}
	select {
	case <-ctx.Done():
	case <-time.After(time.Duration(c.IntN(200)) * time.Second):
	}
	var out smtp.Results
	for range env.To {
		r := []smtp.Result{here, there, refusal, greylist, {}, {Status: smtp.Unknown}, {Status: 9}}[c.IntN(7)]
		if c.IntN(3) > 0 && r.Status != smtp.Accepted {
			r = greylist
		}
		out = append(out, r)
	}
	if c.IntN(10) == 0 {
		panic("chaos")
	}
	if c.IntN(10) == 0 {
		out = out[:c.IntN(len(out))]
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, r := range out {
		name := env.To[i].Path.Local()
		if r.Status == smtp.Accepted {
			c.got[name]++
		}
	}
	return out
}

// bounce takes a report; ann's host greylists too.
func (c *chaos) bounce(b []byte) smtp.Results {
	if c.IntN(3) == 0 {
		return smtp.Results{greylist}
	}
	d, ok := mime.ParseDSN(mime.Parse(b))
	if !ok {
		panic("no report: " + string(b))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range d.Recipients {
		name, _, _ := strings.Cut(r.Final, "@")
		c.told[name] = append(c.told[name], r.Action)
	}
	return smtp.Results{here}
}

// check lets a world that works finish everything, and looks.
func (c *chaos) check(t *testing.T, seed uint64) {
	// Reports that are under way arrive; the others wait on.
	r := &spool.Runner{Store: &c.store, Deliver: func(_ context.Context, env smtp.Envelope, body *io.SectionReader) smtp.Results {
		if !env.From.IsNull() {
			return nil
		}
		b, _ := io.ReadAll(body)
		for c.bounce(b)[0].Status != smtp.Accepted {
		}
		return smtp.Results{here}
	}, Observe: c.observer(), Retry: &spool.Schedule{Expire: 1000 * time.Hour, WarnAfter: -1}}
	ctx, stop := context.WithTimeout(t.Context(), 12*time.Hour)
	defer stop()
	require.NoError(t, r.Run(ctx))
	waiting := map[string]bool{}
	for info, err := range c.store.List(t.Context(), spool.Filter{}) {
		require.NoError(t, err)
		for _, p := range info.Rcpts {
			if to := info.Item.Envelope.To[p.Rcpt].Path; to.Domain() != "crepes.fr" {
				waiting[to.Local()] = true
			}
		}
	}
	for name, notify := range c.put {
		c.law(t, seed, name, notify, waiting[name])
	}
}

// law: one of three, and the report that goes with it.
func (c *chaos) law(t *testing.T, seed uint64, name string, notify smtp.Notify, waiting bool) {
	told := c.told[name]
	context := fmt.Sprintf("seed %d: %s, %q: sent %d, failed %d, waiting %v, told %v", seed, name, notify, c.sent[name], c.failed[name], waiting, told)
	ends := c.sent[name] + c.failed[name]
	if waiting {
		ends++
	}
	assert.Equal(t, 1, ends, "not exactly one end: %s", context)
	if !c.twice[name] && !c.only[name] {
		assert.Equal(t, c.sent[name], c.got[name], "delivered is what was observed: %s", context)
	}
	want := []string{}
	switch {
	case c.only[name] && c.sent[name] == 1 && notify.Has(success):
		want = []string{"expanded"}
	case c.sent[name] == 1 && notify.Has(success):
		want = []string{"delivered", "relayed"}
	case c.failed[name] == 1 && notify.Has(failure):
		want = []string{"failed"}
	}
	told = slices.DeleteFunc(slices.Clone(told), func(w string) bool { return w == "delayed" })
	assert.LessOrEqual(t, len(c.told[name])-len(told), 1, "two warnings: %s", context)
	if len(want) == 0 {
		assert.Empty(t, told, context)
		return
	}
	require.Len(t, told, 1, context)
	assert.Contains(t, want, told[0], context)
}

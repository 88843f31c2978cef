package dirspool

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/postilion-mail/postilion/internal/safeio"
	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/spool"
)

// The marks that a world leaves in the trace of a disk. Each says what the other
// side knows from this moment on: who got a 250, what a next hop has accepted,
// which Settle has returned.
type (
	acked    struct{ id spool.ID }     // Put returned nil
	refused  struct{ id spool.ID }     // Put returned an error, and the store is not broken
	handed   struct{ key delivery }    // a next hop got it
	ended    struct{ key delivery }    // Settle returned nil: it is not to be offered again
	dropping struct{ id spool.ID }     // Delete is called
	dropped  struct{ id spool.ID }     // and returned nil
	bounced  struct{ of, by delivery } // a bounce for one recipient was handed to a next hop
)

// delivery is one recipient of one item.
type delivery struct {
	id   spool.ID
	rcpt int
}

// process is a store on a disk, and what a mail system does with it. What
// becomes of a recipient is in the name: "ok" is accepted, "fail" is bounced,
// "later" is put off the first two times.
type process struct {
	s     *Store
	mark  func(any)
	later time.Duration // how long "later" is
	mu    sync.Mutex    // guards all below
	now   time.Time
	bad   []string // rules that were seen broken
}

var day = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// start opens the store as the process with this number, some days after the
// first one.
func start(disk *safeio.Disk, number uint64, days int) (*process, error) {
	p := &process{mark: disk.Mark, later: time.Hour, now: day.AddDate(0, 0, days)}
	var seed [32]byte
	binary.BigEndian.PutUint64(seed[:], number)
	s, err := open(disk, Options{Now: p.clock, Rand: rand.NewChaCha8(seed), MaxCrashes: -1, perShard: 3})
	p.s = s
	return p, err
}

// clock is the time that the test moves, or the real one.
func (p *process) clock() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.now.IsZero() {
		return time.Now()
	}
	return p.now
}

func (p *process) pass(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now = p.now.Add(d)
}

func (p *process) broke(format string, args ...any) {
	p.bad = append(p.bad, fmt.Sprintf(format, args...))
}

// bodyOf is the body that belongs to a name.
func bodyOf(name string, size int) string {
	s := "Subject: " + name + "\r\n\r\n"
	return (s + strings.Repeat("a line of "+name+"\r\n", size/12+1))[:max(size, len(s))]
}

// message makes an item whose body can be told by its Meta.
func message(name, body string, to ...string) *spool.Item {
	env, err := smtp.NewEnvelope("ann@example.org", to...)
	if err != nil {
		panic(err)
	}
	return &spool.Item{ID: spool.DerivedID(name), Envelope: env, Meta: map[string]string{"body": body}}
}

// put queues items over one body and marks what was said.
func (p *process) put(body string, items ...*spool.Item) error {
	err := spool.PutItems(context.Background(), p.s, strings.NewReader(body), items...)
	for _, it := range items {
		switch {
		case err == nil:
			p.mark(acked{it.ID})
		case !errors.Is(err, ErrBroken):
			p.mark(refused{it.ID})
		}
	}
	return err
}

// work claims and settles up to n claims, and says how many it got.
func (p *process) work(n int) (int, error) {
	ctx := context.Background()
	claims, err := p.s.Claim(ctx, spool.Query{Max: n})
	for i, c := range claims {
		if err := p.deliver(ctx, c); err != nil {
			return i, err
		}
	}
	return len(claims), err
}

func (p *process) deliver(ctx context.Context, c spool.Claim) error {
	blob, err := p.s.Open(ctx, c.Item.ID)
	if err != nil {
		return err
	}
	got, err := io.ReadAll(io.NewSectionReader(blob, 0, blob.Size()))
	blob.Close()
	if err != nil {
		return err
	}
	if want := c.Item.Meta["body"]; string(got) != want {
		p.broke("the body of %s has %d bytes, want %d, or others", c.Item.ID, len(got), len(want))
	}
	var out []spool.Outcome
	var next []spool.Followup
	for _, d := range c.Due {
		key := delivery{c.Item.ID, d.Rcpt}
		to := c.Item.Envelope.To[d.Rcpt].Path.Local()
		o := spool.Outcome{Rcpt: d.Rcpt}
		switch {
		case strings.HasPrefix(to, "later") && d.Attempts <= 2:
			o.Next, o.Result = p.clock().Add(p.later), smtp.Result{Reply: smtp.Reply{Code: 451, Enhanced: "4.7.1", Text: "greylisted"}}
		case strings.HasPrefix(to, "fail"):
			next = append(next, p.bounce(c.Item, d.Rcpt))
		default:
			o.Result.Status = smtp.Accepted
			p.mark(handed{key})
			if of := c.Item.Meta["of"]; of != "" {
				var n int
				fmt.Sscan(c.Item.Meta["rcpt"], &n)
				p.mark(bounced{delivery{spool.ID(of), n}, key})
			}
		}
		out = append(out, o)
	}
	if err := p.s.Settle(ctx, c.Lease, out, next...); err != nil {
		return err
	}
	for _, o := range out {
		if o.Next.IsZero() {
			p.mark(ended{delivery{c.Item.ID, o.Rcpt}})
		}
	}
	return nil
}

// bounce has an ID of its own each time, so that two of them are seen.
func (p *process) bounce(it *spool.Item, rcpt int) spool.Followup {
	b := message("x", "it failed", "ok@example.org")
	b.ID = ""
	b.Envelope.From = smtp.Path{}
	b.Meta = map[string]string{"body": "it failed", "of": string(it.ID), "rcpt": fmt.Sprint(rcpt)}
	return spool.Followup{Items: []*spool.Item{b}, Body: strings.NewReader("it failed")}
}

// drain delivers all there is, what is held too.
func (p *process) drain() error {
	if _, err := p.s.Apply(context.Background(), spool.Filter{State: spool.StateHeld}, spool.Release); err != nil {
		return err
	}
	for idle := 0; idle < 4; {
		n, err := p.work(5)
		if err != nil {
			return err
		}
		if n > 0 {
			idle = 0
			continue
		}
		idle++
		p.pass(2 * time.Hour)
	}
	return nil
}

// workload is an hour of a mail system in some hundred calls of the disk. Errors
// of single calls are left to those who look at the marks.
func (p *process) workload() {
	ctx := context.Background()
	long := bodyOf("long", 40_000)
	p.put(bodyOf("one", 100), message("one", bodyOf("one", 100), "ok@a.example"))
	p.put("changed", message("one", "changed", "ok@z.example")) // no-op: it is there
	list := bodyOf("list", 3000)
	p.put(list, message("l1", list, "ok@a.example"), message("l2", list, "fail@a.example"), message("l3", list, "later@b.example"))
	w, err := p.s.Begin(ctx, int64(len(long)))
	if err == nil {
		io.WriteString(w, long)
		p.mark(refused{spool.DerivedID("aborted")})
		w.Abort()
	}
	p.work(2)
	many := bodyOf("many", 900)
	p.put(many, message("many", many, "ok@a.example", "fail@b.example", "later@c.example", "ok2@b.example"))
	p.put(long, message("long", long, "fail@c.example"))
	p.work(3)
	held := bodyOf("held", 50)
	p.put(held, message("held", held, "ok@d.example"), message("gone", held, "ok@e.example"))
	p.s.Apply(ctx, spool.Filter{ID: spool.DerivedID("held")}, spool.Hold)
	p.mark(dropping{spool.DerivedID("gone")})
	if _, err := p.s.Apply(ctx, spool.Filter{ID: spool.DerivedID("gone")}, spool.Delete); err == nil {
		p.mark(dropped{spool.DerivedID("gone")})
	}
	p.work(4)
	p.pass(90 * time.Minute)
	p.s.Apply(ctx, spool.Filter{State: spool.StateHeld}, spool.Release)
	p.work(3)
	last := bodyOf("last", 10)
	p.put(last, message("last", last, "ok@a.example"))
	p.s.Claim(ctx, spool.Query{Max: 1}) // never settled
	p.pass(2 * time.Hour)
	p.work(2)
}

// tally is what a test of crashes counts.
type tally struct {
	states, acked, lost, again, window int
	broken                             []string
}

func (t *tally) String() string {
	return fmt.Sprintf("%d states tried, %d messages acknowledged, %d lost, %d duplicated outside the window, %d within it", t.states, t.acked, t.lost, t.again, t.window)
}

// kinds is what the workload puts: for each item what becomes of its recipients.
func kinds() map[spool.ID][]string {
	out := map[spool.ID][]string{}
	for name, to := range map[string][]string{"one": {"ok"}, "l1": {"ok"}, "l2": {"fail"}, "l3": {"later"}, "many": {"ok", "fail", "later", "ok"},
		"long": {"fail"}, "held": {"ok"}, "gone": {"ok"}, "last": {"ok"}} {
		out[spool.DerivedID(name)] = to
	}
	return out
}

// judge looks at all that was said and done on a disk that was drained, over all
// its processes. rcpts is what had to be done.
func (t *tally) judge(marks []any, rcpts map[spool.ID][]string, history func() string) {
	broke := func(format string, args ...any) {
		t.broken = append(t.broken, fmt.Sprintf(format, args...)+history())
	}
	promised, no := map[spool.ID]bool{}, map[spool.ID]bool{}
	may, gone := map[spool.ID]bool{}, map[spool.ID]bool{}
	over, got := map[delivery]bool{}, map[delivery]int{}
	bounces := map[delivery]map[delivery]bool{}
	for _, m := range marks {
		switch m := m.(type) {
		case acked:
			promised[m.id] = true
		case refused:
			no[m.id] = true
		case dropping:
			may[m.id] = true
		case dropped:
			gone[m.id] = true
		case handed:
			if over[m.key] || gone[m.key.id] {
				t.again++
				broke("%v was offered after its Settle", m.key)
			}
			got[m.key]++
		case ended:
			over[m.key] = true
		case bounced:
			if bounces[m.of] == nil {
				bounces[m.of] = map[delivery]bool{}
			}
			bounces[m.of][m.by] = true
		}
	}
	for key, n := range got {
		t.window += n - 1
		if no[key.id] && !promised[key.id] {
			broke("%v was refused and delivered", key)
		}
	}
	for id := range promised {
		t.acked++
		for i, kind := range rcpts[id] {
			key := delivery{id, i}
			switch {
			case may[id]:
			case kind == "fail" && len(bounces[key]) == 0:
				t.lost++
				broke("%v failed, and nobody was told", key)
			case kind != "fail" && got[key] == 0:
				t.lost++
				broke("%v was lost", key)
			}
		}
	}
	for key, by := range bounces {
		if len(by) > 1 {
			broke("%v was bounced %d times", key, len(by))
		}
	}
}

package maildir

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/internal/safeio"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// long says whether whole runs were asked for.
func long() bool { return os.Getenv("POSTILION_LONG") != "" }

// content is what one mailbox has: for each UID flags and text.
type content struct {
	name     string
	validity uint32
	next     mailbox.UID
	seq      mailbox.ModSeq
	msgs     map[mailbox.UID]string
}

func (c content) has(text string) bool {
	for _, m := range c.msgs {
		if body(m) == text {
			return true
		}
	}
	return false
}

func body(m string) string { _, b, _ := strings.Cut(m, "|"); return b }

// snapshot is what an account has, by mailbox.
type snapshot map[mailbox.ID]content

func (s snapshot) has(text string) bool {
	for _, c := range s {
		if c.has(text) {
			return true
		}
	}
	return false
}

// dump reads all there is.
func dump(s mailbox.Store) (snapshot, error) {
	all, err := s.Mailboxes(bg)
	if err != nil {
		return nil, err
	}
	out := snapshot{}
	for _, i := range all {
		m, err := s.Open(bg, i.ID)
		if err != nil {
			return nil, err
		}
		c, err := dumpBox(m)
		m.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", i.Name, err)
		}
		c.name = i.Name
		out[i.ID] = c
	}
	return out, nil
}

func dumpBox(m mailbox.Mailbox) (c content, err error) {
	d, err := m.Changes(bg, 0)
	if err != nil {
		return c, err
	}
	c = content{"", d.State.UIDValidity, d.State.UIDNext, d.State.HighestModSeq, map[mailbox.UID]string{}}
	for _, x := range d.Messages {
		b, err := m.Message(bg, x.UID)
		if err != nil {
			return c, fmt.Errorf("message %d: %w", x.UID, err)
		}
		text, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
		b.Close()
		if err != nil {
			return c, err
		}
		c.msgs[x.UID] = x.Flags.String() + "|" + string(text)
	}
	return c, nil
}

// callMark is one call of a workload, as a mark in the trace: at first before holds,
// and after when the call is done.
type callMark struct {
	before, after snapshot
}

// doneMark says that the call has returned.
type doneMark struct{ *callMark }

// workload makes random calls on a store.
type workload struct {
	s   *store
	rnd *rand.Rand
	n   int // of messages so far: their texts differ
	did string
}

func (w *workload) box(name string) (mailbox.Mailbox, error) { return mailbox.OpenName(bg, w.s, name) }

func (w *workload) text() string {
	w.n++
	return fmt.Sprintf("Subject: %d\r\n\r\n%s\r\n", w.n, strings.Repeat("x", w.rnd.IntN(1200)))
}

// call does something.
func (w *workload) call() error {
	names := []string{mailbox.Inbox, "Work"}
	w.rnd.Shuffle(2, func(i, j int) { names[i], names[j] = names[j], names[i] })
	a, err := w.box(names[0])
	if err != nil {
		return err
	}
	defer a.Close()
	b, err := w.box(names[1])
	if err != nil {
		return err
	}
	defer b.Close()
	d, err := a.Changes(bg, 0)
	if err != nil {
		return err
	}
	var some mailbox.Set
	for _, m := range d.Messages {
		if w.rnd.IntN(3) == 0 {
			some.Add(m.UID)
		}
	}
	w.did = []string{"append", "append", "append", "append", "flags", "flags", "expunge", "copy", "move", "list"}[w.rnd.IntN(10)]
	switch w.did {
	case "append":
		var f mailbox.Flags
		if w.rnd.IntN(2) == 0 {
			f = mailbox.Flags{Sys: mailbox.Seen, Keywords: "k"}
		}
		n := 1 + w.rnd.IntN(2)
		_, err = a.Append(bg, func(yield func(*mailbox.Incoming, error) bool) {
			for range n {
				if !yield(&mailbox.Incoming{Body: strings.NewReader(w.text()), Flags: f}, nil) {
					return
				}
			}
		})
	case "flags":
		f := []mailbox.Flags{{Sys: mailbox.Seen}, {Sys: mailbox.Flagged, Keywords: "work"}, {Keywords: "k"}}[w.rnd.IntN(3)]
		_, err = a.SetFlags(bg, some, mailbox.FlagOp(w.rnd.IntN(3)), f, 0)
	case "expunge":
		err = a.Expunge(bg, some)
	case "copy":
		_, _, err = mailbox.Copy(bg, a, some, b)
	case "move":
		_, _, err = mailbox.Move(bg, a, some, b)
	case "list":
		err = w.list()
	}
	return err
}

// list changes the list of mailboxes.
func (w *workload) list() error {
	id, err := w.s.Create(bg, fmt.Sprint("Box ", w.n))
	if err != nil {
		if i, ferr := mailbox.Find(bg, w.s, fmt.Sprint("Box ", w.n)); ferr == nil {
			return w.s.Delete(bg, i.ID)
		}
		return err
	}
	if w.rnd.IntN(2) == 0 {
		w.n++
		return w.s.Rename(bg, id, fmt.Sprint("Box ", w.n, "/sub"))
	}
	return nil
}

// run makes calls on a disk and marks what was promised.
func (w *workload) run(tb testing.TB, d *safeio.Disk, calls int) {
	w.s = diskStore(tb, d)
	_, err := w.s.Create(bg, "Work")
	require.NoError(tb, err)
	last, err := dump(w.s)
	require.NoError(tb, err)
	for range calls {
		m := &callMark{before: last}
		d.Mark(m)
		require.NoError(tb, w.call())
		m.after, err = dump(w.s)
		require.NoError(tb, err)
		d.Mark(doneMark{m})
		last = m.after
	}
}

// judge compares what a crash left with what was promised. done says that no
// call was under way.
func judge(got snapshot, m *callMark, done bool) error {
	before := m.before
	if done {
		before = m.after
	}
	for id, was := range before {
		will, stays := m.after[id]
		if !stays {
			continue // being deleted
		}
		is, ok := got[id]
		if !ok {
			return fmt.Errorf("mailbox %q is lost", was.name)
		}
		if is.validity != was.validity || is.next < was.next || is.seq < was.seq {
			return fmt.Errorf("mailbox %q: state went back: %+v after %+v", was.name, is, was)
		}
		if err := judgeBox(is, was, will); err != nil {
			return fmt.Errorf("mailbox %q: %w", was.name, err)
		}
	}
	for id, is := range got {
		if _, was := before[id]; !was && done {
			return fmt.Errorf("mailbox %q is back", is.name)
		}
	}
	for _, was := range before {
		for uid, text := range was.msgs {
			if m.after.has(body(text)) && !got.has(body(text)) {
				return fmt.Errorf("message %d of %q is nowhere", uid, was.name)
			}
		}
	}
	return nil
}

func judgeBox(is, was, will content) error {
	for uid, text := range was.msgs {
		if is.msgs[uid] != text && is.msgs[uid] != will.msgs[uid] {
			return fmt.Errorf("message %d is %.60q, was %.60q, would be %.60q", uid, is.msgs[uid], text, will.msgs[uid])
		}
	}
	for uid, text := range is.msgs {
		if _, ok := was.msgs[uid]; ok {
			continue
		}
		if uid < was.next {
			return fmt.Errorf("UID %d, which was gone, is %.60q", uid, text)
		}
		if !will.has(body(text)) {
			return fmt.Errorf("message %d came from nowhere: %.60q", uid, text)
		}
	}
	return nil
}

// powerCuts runs a workload and cuts the power at every step. It returns the
// first broken promise.
func powerCuts(t *testing.T, seed uint64, calls int, seeds uint64, lie func(safeio.Call) bool) (cuts int, err error) {
	d := safeio.NewDisk()
	d.Lie = lie
	w := &workload{rnd: rand.New(rand.NewPCG(seed, 1))}
	w.run(t, d, calls)
	d.Replay(func(m *safeio.Moment) bool {
		if len(m.Marks) == 0 {
			return true
		}
		mark, done := lastMark(m.Marks)
		for s := range seeds {
			cuts++
			if err = recovers(t, m.Cut(s), mark, done, cuts); err != nil {
				err = fmt.Errorf("step %d, cut %d: %w", m.Step, s, err)
				return false
			}
		}
		return true
	})
	return cuts, err
}

func lastMark(marks []any) (*callMark, bool) {
	switch m := marks[len(marks)-1].(type) {
	case *callMark:
		return m, false
	case doneMark:
		return m.callMark, true
	}
	return nil, false
}

// recovers opens what is left, some of the time with another cut while it does.
func recovers(t *testing.T, d *safeio.Disk, m *callMark, done bool, n int) error {
	got, err := dump(diskStore(t, d))
	if err != nil {
		return err
	}
	if err := judge(got, m, done); err != nil {
		return err
	}
	if n%7 != 0 {
		return nil
	}
	// Again, and with the power cut while it recovered.
	d.Replay(func(r *safeio.Moment) bool {
		var again snapshot
		if again, err = dump(diskStore(t, r.Cut(uint64(n)+4))); err == nil {
			err = judge(again, m, done)
		}
		return err == nil
	})
	if err != nil {
		return fmt.Errorf("crash while recovering: %w", err)
	}
	s := diskStore(t, d)
	box, err := mailbox.OpenName(bg, s, mailbox.Inbox)
	if err != nil {
		return err
	}
	defer box.Close()
	uids, err := box.Append(bg, mailbox.One(&mailbox.Incoming{Body: strings.NewReader("after")}))
	if err == nil && slices.ContainsFunc(uids, func(u mailbox.UID) bool { return u < next(m.before) }) {
		err = fmt.Errorf("UID %d is used again", uids[0])
	}
	return err
}

// next is the UIDNext of INBOX.
func next(s snapshot) mailbox.UID {
	for _, c := range s {
		if c.name == mailbox.Inbox {
			return c.next
		}
	}
	return 0
}

// TestPowerCut: what was promised is there after a power cut at any step, with
// any part of what was not synced on the disk.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	runs, calls, seeds := 10, 16, uint64(6)
	if long() {
		runs, calls, seeds = 20, 40, 16
	}
	start, total := time.Now(), 0
	for seed := range runs {
		cuts, err := powerCuts(t, uint64(seed), calls, seeds, nil)
		require.NoError(t, err, "run %d", seed)
		total += cuts
	}
	t.Logf("%d power cuts in %v", total, time.Since(start).Round(time.Millisecond))
}

// TestPowerCutNotices shows that TestPowerCut can fail: each of these leaves a
// sync out.
func TestPowerCutNotices(t *testing.T) {
	for name, lie := range map[string]func(c safeio.Call) bool{
		"bodies":    func(c safeio.Call) bool { return c.Op == safeio.OpSync && strings.Contains(c.Name, "tmp/") },
		"cur":       func(c safeio.Call) bool { return c.Op == safeio.OpSyncDir && strings.HasSuffix(c.Name, "cur") },
		"new":       func(c safeio.Call) bool { return c.Op == safeio.OpSyncDir && strings.HasSuffix(c.Name, "new") },
		"index":     func(c safeio.Call) bool { return c.Op == safeio.OpSync && strings.HasSuffix(c.Name, indexFile) },
		"mailboxes": func(c safeio.Call) bool { return c.Op == safeio.OpSyncDir && c.Name == "." },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var err error
			for seed := uint64(0); seed < 8 && err == nil; seed++ {
				_, err = powerCuts(t, seed, 14, 5, lie)
			}
			assert.Error(t, err)
			t.Log(err)
		})
	}
}

package mailboxtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing/iotest"
	"time"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

var appendCases = []testCase{
	{"append/round trip", "Message gives a message as it was appended, byte for byte, and Size says how many bytes.", appendBytes},
	{"append/meta", "Flags, keywords and Received are kept, a zero Received is now, and Saved is when the message came.", appendMeta},
	{"append/several", "Messages of one Append have ascending UIDs in their order and one ModSeq.", appendSeveral},
	{"append/all or none", "An error from the sequence adds nothing, not the messages before it either.", appendAllOrNone},
	{"append/body fails", "An error from a Body adds nothing and is returned.", appendBodyFails},
	{"append/size", "A Body of another length than its Size adds nothing.", appendSize},
	{"append/nothing", "An Append of no messages is no error and changes nothing.", appendNothing},
	{"append/UIDs grow", "Each UID is higher than all before, whatever was expunged meanwhile.", uidsGrow},
	{"append/stalled body", "While a Body waits for its peer no call of anybody else waits, and nothing of the message is visible.", stalledBody},
	{"append/context ended", "A call whose context has ended does nothing.", contextEnded},
	{"append/context ends", "A context that ends while a Body is read adds nothing.", contextEnds},
	{"append/large", "A message of a megabyte is kept whole, and read in pieces from several goroutines.", appendLarge},
}

// bodies are what a store may be tempted to change.
var bodies = []string{
	"Subject: a\r\n\r\nb\r\n", "x", "\r\n", "\n", "no line end", "Subject: a\n\nbare\nLF\n", "mixed\r\nends\nhere\r", "\r\r\n",
	".\r\n..\r\n.", "From me\r\n>From you\r\n", "\x00nul\x00", "ä \xff\xfe\r\n", "\r\n\r\n", "a\r\n \t\r\n", strings.Repeat("l", 10_000),
}

func appendBytes(h *harness) error {
	m, err := h.inbox()
	if err != nil {
		return err
	}
	for i, b := range append(bodies, text(5000)) {
		in := &mailbox.Incoming{Body: strings.NewReader(b)}
		if i%2 == 0 {
			in.Size = int64(len(b))
		}
		uid, err := m.put(in)
		if err != nil {
			return fmt.Errorf("%.20q: %w", b, err)
		}
		meta, err := m.meta(uid)
		if err != nil {
			return err
		}
		blob, err := m.Message(h.ctx, uid)
		if err != nil {
			return err
		}
		err = first(
			want("Size in Changes", meta.Size, int64(len(b))),
			want("Size of the Blob", blob.Size(), int64(len(b))),
			blob.Close(), m.content(uid, b))
		if err != nil {
			return err
		}
	}
	return nil
}

func appendMeta(h *harness) error {
	m, err := h.inbox()
	if err != nil {
		return err
	}
	f, err := mailbox.ParseFlags(`\Seen`, `\Draft`, "$Forwarded", "work")
	if err != nil {
		return err
	}
	then := time.Date(1999, 12, 31, 23, 59, 58, 7, time.UTC)
	a, err := m.put(&mailbox.Incoming{Body: strings.NewReader("x"), Flags: f, Received: then})
	if err != nil {
		return err
	}
	b, err := m.add("y")
	if err != nil {
		return err
	}
	x, err := m.meta(a)
	if err != nil {
		return err
	}
	y, err := m.meta(b)
	if err != nil {
		return err
	}
	if x.Saved != 0 && x.Saved == then.Unix() {
		return errors.New("the message was saved when it was received, long ago")
	}
	if y.Received == 0 || y.Saved != 0 && max(y.Received-y.Saved, y.Saved-y.Received) > 5 {
		return fmt.Errorf("a message without Received has Received %d and Saved %d", y.Received, y.Saved)
	}
	return first(
		want("flags", x.Flags, f),
		want("Received", x.Received, then.Unix()),
		want("flags of a message without", y.Flags, mailbox.Flags{}))
}

// incoming is a sequence of messages, with an error behind them if not nil.
func incoming(err error, bodies ...string) func(func(*mailbox.Incoming, error) bool) {
	return func(yield func(*mailbox.Incoming, error) bool) {
		for _, b := range bodies {
			if !yield(&mailbox.Incoming{Body: strings.NewReader(b)}, nil) {
				return
			}
		}
		if err != nil {
			yield(nil, err)
		}
	}
}

func appendSeveral(h *harness) error {
	m, err := h.filled(1)
	if err != nil {
		return err
	}
	before, err := m.changes(0)
	if err != nil {
		return err
	}
	uids, err := m.Append(h.ctx, incoming(nil, "one", "two", "three"))
	if err != nil {
		return fmt.Errorf("appending three: %w", err)
	}
	d, err := m.changes(before.State.HighestModSeq)
	if err != nil {
		return err
	}
	if err := wantAll("UIDs in Changes", uidsOf(d), uids); err != nil {
		return err
	}
	for i, x := range d.Messages {
		err := first(m.content(x.UID, []string{"one", "two", "three"}[i]), want("ModSeq", x.ModSeq, d.State.HighestModSeq))
		if err != nil {
			return err
		}
	}
	return nil
}

var errBroken = errors.New("the sender broke off")

// unchanged runs fail, which must change nothing.
func unchanged(h *harness, fail func(m *mbox) error) error {
	m, err := h.filled(1)
	if err != nil {
		return err
	}
	before, err := m.changes(0)
	if err != nil {
		return err
	}
	if err := fail(m); err != nil {
		return err
	}
	other, err := h.inbox()
	if err != nil {
		return err
	}
	after, err := other.changes(0)
	return first(err,
		want("HighestModSeq", after.State.HighestModSeq, before.State.HighestModSeq),
		wantAll("messages", after.Messages, before.Messages))
}

func appendAllOrNone(h *harness) error {
	return unchanged(h, func(m *mbox) error {
		_, err := m.Append(h.ctx, incoming(errBroken, "one", "two"))
		return wantErr("Append with an error behind two messages", err, errBroken)
	})
}

func appendBodyFails(h *harness) error {
	return unchanged(h, func(m *mbox) error {
		for _, n := range []int{0, 1, 100_000} {
			body := io.MultiReader(strings.NewReader(text(n)), iotest.ErrReader(errBroken))
			_, err := m.Append(h.ctx, mailbox.One(&mailbox.Incoming{Body: body}))
			if err := wantErr(fmt.Sprintf("Append of a body that fails after %d bytes", n), err, errBroken); err != nil {
				return err
			}
		}
		return nil
	})
}

func appendSize(h *harness) error {
	return unchanged(h, func(m *mbox) error {
		for _, size := range []int64{99, 101} {
			_, err := m.Append(h.ctx, mailbox.One(&mailbox.Incoming{Body: strings.NewReader(text(100)), Size: size}))
			if err == nil {
				return fmt.Errorf("a body of 100 bytes was taken as one of %d", size)
			}
		}
		return nil
	})
}

func appendNothing(h *harness) error {
	return unchanged(h, func(m *mbox) error {
		uids, err := m.Append(h.ctx, incoming(nil))
		return first(err, want("number of UIDs", len(uids), 0))
	})
}

func uidsGrow(h *harness) error {
	m, err := h.inbox()
	if err != nil {
		return err
	}
	var last mailbox.UID
	for i := range 10 {
		uid, err := m.add("x")
		if err != nil {
			return err
		}
		if uid <= last {
			return fmt.Errorf("UID %d comes after %d", uid, last)
		}
		last = uid
		if i%3 != 0 {
			if err := m.Expunge(h.ctx, mailbox.SetOf(uid)); err != nil {
				return fmt.Errorf("calling Expunge: %w", err)
			}
		}
		// Another session sees what was the last UID even if it is gone.
		other, err := h.inbox()
		if err != nil {
			return err
		}
		d, err := other.changes(0)
		if err != nil {
			return err
		}
		if d.State.UIDNext <= last {
			return fmt.Errorf("UIDNext is %d after UID %d was used", d.State.UIDNext, last)
		}
	}
	return nil
}

func stalledBody(h *harness) error {
	m, err := h.filled(2)
	if err != nil {
		return err
	}
	other, err := h.inbox()
	if err != nil {
		return err
	}
	r, w := io.Pipe()
	stalled := make(chan error, 1)
	go func() {
		_, err := m.Append(h.ctx, mailbox.One(&mailbox.Incoming{Body: r}))
		stalled <- err
	}()
	if _, err := io.WriteString(w, text(1000)); err != nil {
		return fmt.Errorf("writing to the body: %w", err)
	}
	rest := make(chan error, 1)
	go func() { rest <- busy(h, m, other) }()
	err = h.within("what others do while a body stalls", rest, patience/4)
	w.Close()
	if err != nil {
		return err
	}
	if err := h.within("the Append when its body has ended", stalled, patience/4); err != nil {
		return err
	}
	uids, err := m.all()
	if err != nil {
		return err
	}
	return first(want("number of messages", len(uids), 3), m.content(uids[len(uids)-1], text(1000)))
}

// busy is what must work while a body stalls in the mailbox.
func busy(h *harness, m, other *mbox) error {
	for _, x := range []*mbox{m, other} {
		if _, err := x.add("quick"); err != nil {
			return err
		}
		if err := x.flag(mailbox.SetOf(1), mailbox.AddFlags, `\Seen`); err != nil {
			return err
		}
	}
	if err := other.Expunge(h.ctx, mailbox.SetOf(2, 3)); err != nil {
		return err
	}
	d, err := other.changes(0)
	if err != nil {
		return err
	}
	if _, _, err := h.create("Meanwhile"); err != nil {
		return err
	}
	if _, err := h.list(); err != nil {
		return err
	}
	return want("number of messages while one is on its way", len(d.Messages), 2)
}

func contextEnded(h *harness) error {
	ctx, cancel := context.WithCancel(h.ctx)
	cancel()
	return unchanged(h, func(m *mbox) error {
		_, appended := m.Append(ctx, incoming(nil, "x"))
		_, flagged := m.SetFlags(ctx, everything(), mailbox.AddFlags, mailbox.Flags{Sys: mailbox.Seen}, 0)
		_, changes := m.Changes(ctx, 0)
		_, message := m.Message(ctx, 1)
		_, created := h.store.Create(ctx, "x")
		_, listed := h.store.Mailboxes(ctx)
		return first(
			wantErr("Append", appended, context.Canceled),
			wantErr("SetFlags", flagged, context.Canceled),
			wantErr("Expunge", m.Expunge(ctx, everything()), context.Canceled),
			wantErr("Changes", changes, context.Canceled),
			wantErr("Message", message, context.Canceled),
			wantErr("Create", created, context.Canceled),
			wantErr("Mailboxes", listed, context.Canceled))
	})
}

func contextEnds(h *harness) error {
	return unchanged(h, func(m *mbox) error {
		ctx, cancel := context.WithCancel(h.ctx)
		body := io.MultiReader(strings.NewReader("x"), ender{cancel}, strings.NewReader("y"))
		_, err := m.Append(ctx, mailbox.One(&mailbox.Incoming{Body: body}))
		return wantErr("Append", err, context.Canceled)
	})
}

// ender is a reader of nothing that ends a context.
type ender struct{ cancel func() }

func (e ender) Read([]byte) (int, error) { e.cancel(); return 0, io.EOF }

func appendLarge(h *harness) error {
	m, err := h.inbox()
	if err != nil {
		return err
	}
	body := text(1 << 20)
	uid, err := m.add(body)
	if err != nil {
		return err
	}
	if err := m.content(uid, body); err != nil {
		return err
	}
	b, err := m.Message(h.ctx, uid)
	if err != nil {
		return err
	}
	defer b.Close()
	done := make(chan error, 4)
	for part := range cap(done) {
		go func() { done <- readPart(b, body, part*len(body)/cap(done), len(body)/cap(done)) }()
	}
	for range cap(done) {
		if err := h.within("reading a part", done, patience/4); err != nil {
			return err
		}
	}
	_, err = b.ReadAt(make([]byte, 1), b.Size())
	return wantErr("ReadAt at the end", err, io.EOF)
}

// readPart reads from off in small steps.
func readPart(b mailbox.Blob, body string, off, n int) error {
	buf := make([]byte, 1000)
	for i := off; i < off+n; i += len(buf) {
		got, err := b.ReadAt(buf, int64(i))
		if err != nil && err != io.EOF {
			return err
		}
		if want := body[i:min(i+len(buf), len(body))]; string(buf[:got]) != want {
			return fmt.Errorf("ReadAt(%d): %s", i, difference(string(buf[:got]), want))
		}
	}
	return nil
}

package mailboxtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

// RunReopen checks what is left when a process dies. open prepares an empty
// account and returns a func that opens it; called again, without a Close of what
// it gave before, it opens the account as the next process would.
//
// A process that dies is less than a power cut: what the store's own tests play
// is not checked here.
func RunReopen(t *testing.T, open func(testing.TB) (again func() mailbox.Store)) {
	t.Helper()
	for _, c := range reopenCases {
		t.Run(c.name, func(t *testing.T) {
			if err := c.run(t, open); err != nil {
				t.Errorf("%v\nrule: %s", err, c.rule)
			}
		})
	}
}

// reopenCase is a rule for a store that is opened again after each step.
type reopenCase struct {
	name  string
	rule  string
	check func(r *reopener) error
}

var reopenCases = []reopenCase{
	{"reopen/messages", "When Append has returned, its messages are there for the next process: UIDs, bytes, flags.", reopenMessages},
	{"reopen/flags", "So are changes of flags, with their ModSeq.", reopenFlags},
	{"reopen/expunge", "An expunged message stays gone, and its UID is not given out again.", reopenExpunge},
	{"reopen/half a message", "A message whose body had not ended is nowhere.", reopenHalf},
	{"reopen/move", "A moved message is where it was moved to, and nowhere else.", reopenMove},
	{"reopen/mailboxes", "Mailboxes keep their IDs, names, uses, UIDVALIDITY and subscriptions; those deleted stay away.", reopenMailboxes},
	{"reopen/changes", "The next process can tell what changed since a ModSeq of the one before, or says Full.", reopenChanges},
}

// reopener opens the account again and again.
type reopener struct {
	*harness
	again func() mailbox.Store
}

func (c reopenCase) run(tb testing.TB, open func(testing.TB) func() mailbox.Store) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r := &reopener{&harness{ctx: ctx}, open(tb)}
	r.die()
	defer r.close()
	return c.check(r)
}

// die leaves the store as it is, and opens the account anew.
func (r *reopener) die() { r.store = r.again() }

// sees opens INBOX in the next process and wants it to be as in the last.
func (r *reopener) sees(before *mbox) (*mbox, error) {
	was, err := before.changes(0)
	if err != nil {
		return nil, err
	}
	r.die()
	m, err := r.inbox()
	if err != nil {
		return nil, err
	}
	is, err := m.changes(0)
	return m, first(err, want("State", is.State, was.State), wantAll("messages", is.Messages, was.Messages))
}

func reopenMessages(r *reopener) error {
	m, err := r.inbox()
	if err != nil {
		return err
	}
	f := mailbox.Flags{Sys: mailbox.Seen | mailbox.Draft, Keywords: "$Forwarded work"}
	for i := range 3 {
		if _, err := m.put(&mailbox.Incoming{Body: strings.NewReader(number(i)), Flags: f}); err != nil {
			return err
		}
		if m, err = r.sees(m); err != nil {
			return err
		}
		if err := m.content(mailbox.UID(i+1), number(i)); err != nil {
			return err
		}
	}
	return nil
}

func reopenFlags(r *reopener) error {
	m, err := r.filled(3)
	if err != nil {
		return err
	}
	for _, s := range []string{`\Seen`, "k", `\Deleted`, "K other"} {
		if err := m.flag(mailbox.SetOf(1, 3), mailbox.AddFlags, strings.Fields(s)...); err != nil {
			return err
		}
		if m, err = r.sees(m); err != nil {
			return fmt.Errorf("after adding %s: %w", s, err)
		}
	}
	x, err := m.meta(3)
	return first(err, want("flags", x.Flags.String(), `\Seen \Deleted k other`))
}

func reopenExpunge(r *reopener) error {
	m, err := r.filled(3)
	if err != nil {
		return err
	}
	if err := m.Expunge(r.ctx, mailbox.SetOf(2, 3)); err != nil {
		return fmt.Errorf("calling Expunge: %w", err)
	}
	if m, err = r.sees(m); err != nil {
		return err
	}
	uid, err := m.add("new")
	if err != nil {
		return err
	}
	if uid <= 3 {
		return fmt.Errorf("UID %d is given out again", uid)
	}
	_, err = r.sees(m)
	return err
}

func reopenHalf(r *reopener) error {
	m, err := r.filled(1)
	if err != nil {
		return err
	}
	body, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		_, err := m.Append(r.ctx, mailbox.One(&mailbox.Incoming{Body: body}))
		done <- err
	}()
	if _, err := io.WriteString(w, text(100_000)); err != nil {
		return fmt.Errorf("writing to the body: %w", err)
	}
	next, err := r.sees(m)
	w.CloseWithError(errBroken)
	if err := r.within("the Append", done, patience/4); !errors.Is(err, errBroken) {
		return fmt.Errorf("an Append whose body broke off: %v", err)
	}
	if err != nil {
		return err
	}
	_, err = r.sees(next)
	return err
}

func reopenMove(r *reopener) error {
	src, dst, err := pair(r.harness)
	if err != nil {
		return err
	}
	if _, _, err := mailbox.Move(r.ctx, src.Mailbox, mailbox.SetOf(2, 3), dst.Mailbox); err != nil {
		return fmt.Errorf("calling Move: %w", err)
	}
	src, err = r.sees(src)
	if err != nil {
		return err
	}
	if dst, err = r.mailbox("Other"); err != nil {
		return err
	}
	left, err := src.all()
	return first(err,
		wantAll("what is left", left, []mailbox.UID{1, 4}),
		dst.content(2, number(2)), dst.content(3, number(3)))
}

func reopenMailboxes(r *reopener) error {
	ids := map[string]mailbox.ID{}
	for _, n := range []string{"A", "B/ü", "Gone", "Old"} {
		id, err := r.store.Create(r.ctx, n, `\Archive`)
		if err != nil {
			return fmt.Errorf("creating %q: %w", n, err)
		}
		ids[n] = id
	}
	err := first(r.store.Rename(r.ctx, ids["Old"], "New"), r.store.Delete(r.ctx, ids["Gone"]), r.store.Subscribe(r.ctx, "Nowhere", true))
	if err != nil {
		return err
	}
	before, err := r.list()
	if err != nil {
		return err
	}
	key := r.store.Key()
	r.die()
	after, err := r.list()
	if err != nil {
		return err
	}
	err = first(want("Key", r.store.Key(), key), want("number of mailboxes", len(after), len(before)), want("ID after a rename", after["New"].ID, ids["Old"]))
	for n, i := range before {
		j := after[n]
		err = first(err, want("ID of "+n, j.ID, i.ID), want("Subscribed of "+n, j.Subscribed, i.Subscribed), wantAll("Use of "+n, j.Use, i.Use))
	}
	return err
}

func reopenChanges(r *reopener) error {
	m, err := r.filled(3)
	if err != nil {
		return err
	}
	d, err := m.changes(0)
	if err != nil {
		return err
	}
	err = first(m.flag(mailbox.SetOf(1), mailbox.AddFlags, `\Seen`), m.Expunge(r.ctx, mailbox.SetOf(2)))
	if err != nil {
		return err
	}
	if m, err = r.sees(m); err != nil {
		return err
	}
	next, err := m.changes(d.State.HighestModSeq)
	if err != nil || next.Full {
		return err
	}
	return first(
		wantAll("what changed", uidsOf(next), []mailbox.UID{1}),
		want("what vanished", next.Vanished.Intersect(mailbox.Set{{From: 1, To: 3}}).String(), "2"))
}

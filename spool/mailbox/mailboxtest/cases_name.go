package mailboxtest

import (
	"errors"
	"fmt"
	"strings"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

var nameCases = []testCase{
	{"names/INBOX", "INBOX is always there, and is open to all that is done with mailboxes but Delete and Rename.", inboxThere},
	{"names/create", "Create makes an empty mailbox with an ID of its own; a name that is taken is ErrExists.", createMakes},
	{"names/odd", "A name may have any character but those that CheckName refuses, and comes back as it was given.", oddNames},
	{"names/bad", "Names that no mailbox may have are ErrCannot, and nothing is made.", badNames},
	{"names/flat", "A mailbox needs no parent, and outlives it.", flatNames},
	{"names/delete", "Delete removes a mailbox and its messages; sessions that have it open get ErrNotExist.", deleteRemoves},
	{"names/delete and create", "A mailbox created under an old name has another ID and another UIDVALIDITY (RFC 9051 §6.3.5).", createAnew},
	{"names/rename", "Rename keeps ID, messages, UIDs and UIDVALIDITY; the new name must be free.", renameKeeps},
	{"names/rename while open", "A session that has the mailbox open goes on after a rename.", renameOpen},
	{"names/subscribe", "Subscriptions are by name: they need no mailbox and outlive it.", subscribes},
	{"names/use", "Special-use attributes given to Create are listed (RFC 6154 §2).", specialUse},
	{"names/unknown", "An ID that no mailbox has is ErrNotExist to every call.", unknownID},
}

func (h *harness) list() (map[string]mailbox.Info, error) {
	all, err := h.store.Mailboxes(h.ctx)
	if err != nil {
		return nil, fmt.Errorf("calling Mailboxes: %w", err)
	}
	out := map[string]mailbox.Info{}
	ids := map[mailbox.ID]bool{}
	for _, i := range all {
		if _, twice := out[i.Name]; twice {
			return nil, fmt.Errorf("%q is listed twice", i.Name)
		}
		if i.ID == "" && !i.Subscribed {
			return nil, fmt.Errorf("%q has no ID and is not subscribed", i.Name)
		}
		if i.ID != "" && (ids[i.ID] || !validID(string(i.ID))) {
			return nil, fmt.Errorf("ID %q of %q is malformed or used twice", i.ID, i.Name)
		}
		out[i.Name], ids[i.ID] = i, true
	}
	return out, nil
}

// validID is objectid of RFC 8474 §7.
func validID(id string) bool {
	return id != "" && len(id) <= 255 && !strings.ContainsFunc(id, func(r rune) bool {
		return !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", r)
	})
}

func inboxThere(h *harness) error {
	all, err := h.list()
	if err != nil {
		return err
	}
	i, ok := all[mailbox.Inbox]
	if !ok || len(all) != 1 {
		return fmt.Errorf("a new account has %v, want INBOX alone", all)
	}
	_, err = h.store.Create(h.ctx, mailbox.Inbox)
	return first(
		wantErr("creating INBOX", err, mailbox.ErrExists),
		wantErr("deleting INBOX", h.store.Delete(h.ctx, i.ID), mailbox.ErrCannot),
		wantErr("renaming INBOX", h.store.Rename(h.ctx, i.ID, "x"), mailbox.ErrCannot),
		want("Key the second time", h.store.Key(), h.store.Key()),
	)
}

func createMakes(h *harness) error {
	m, id, err := h.create("Work")
	if err != nil {
		return err
	}
	d, err := m.changes(0)
	if err != nil {
		return err
	}
	all, err := h.list()
	if err != nil {
		return err
	}
	_, again := h.store.Create(h.ctx, "Work")
	return first(
		want("number of messages", len(d.Messages), 0),
		want("ID in the list", all["Work"].ID, id),
		want("number of mailboxes", len(all), 2),
		wantErr("creating it again", again, mailbox.ErrExists),
	)
}

// odd are names that file systems, mail directories and SQL have ideas about.
var odd = []string{
	"a.b", ".hidden", "trailing.", "a..b/c", "~", "%2F", "a b", " ", "a\\b", "q\"uote", "o'brien", "&-", "&AOQ-", "{5}",
	"*", "a?b", "new", "cur", "tmp", "INBOX.x", "Inbox2", "Entwürfe/Käse", "日本語", "👋", "con", "aux.txt", "a:2,S", "-n",
	strings.Repeat("n", 200), strings.Repeat("ü", 60), "CaSe", "case", "INBOX/child", "^", "=", "#", "|", "<x>", "a;b", "$x",
}

func oddNames(h *harness) error {
	for _, n := range odd {
		m, _, err := h.create(n)
		if err != nil {
			return err
		}
		if _, err := m.add(n); err != nil {
			return fmt.Errorf("%q: %w", n, err)
		}
	}
	all, err := h.list()
	if err != nil {
		return err
	}
	for _, n := range odd {
		if _, ok := all[n]; !ok {
			return fmt.Errorf("%q was created and is not listed", n)
		}
		m, err := h.mailbox(n)
		if err != nil {
			return err
		}
		if err := m.content(1, n); err != nil {
			return fmt.Errorf("%q: %w", n, err)
		}
	}
	return want("number of mailboxes", len(all), len(odd)+1)
}

func badNames(h *harness) error {
	for _, n := range []string{
		"", "/", "/a", "a/", "a//b", "..", "../x", "a/../b", ".", "a/./b", "a\x00b", "a\r\nb", "\x7f", "\u2028", "a\xffb",
		strings.Repeat("n", mailbox.MaxName+1), strings.Repeat("n/", mailbox.MaxDepth) + "n",
	} {
		_, err := h.store.Create(h.ctx, n)
		if err := wantErr(fmt.Sprintf("creating %.40q", n), err, mailbox.ErrCannot); err != nil {
			return err
		}
	}
	_, id, err := h.create("Good")
	if err != nil {
		return err
	}
	if err := wantErr("renaming to ../x", h.store.Rename(h.ctx, id, "../x"), mailbox.ErrCannot); err != nil {
		return err
	}
	all, err := h.list()
	if err != nil {
		return err
	}
	return want("number of mailboxes", len(all), 2)
}

func flatNames(h *harness) error {
	child, _, err := h.create("a/b/c")
	if err != nil {
		return err
	}
	if _, err := child.add("x"); err != nil {
		return err
	}
	_, id, err := h.create("a")
	if err != nil {
		return err
	}
	if err := h.store.Rename(h.ctx, id, "z"); err != nil {
		return fmt.Errorf("renaming the parent: %w", err)
	}
	if err := h.store.Delete(h.ctx, id); err != nil {
		return fmt.Errorf("deleting the parent: %w", err)
	}
	all, err := h.list()
	if err != nil {
		return err
	}
	if _, ok := all["a/b/c"]; !ok || len(all) != 2 {
		return fmt.Errorf("INBOX and a/b/c should be left, there are %v", all)
	}
	return child.content(1, "x")
}

func deleteRemoves(h *harness) error {
	m, id, err := h.create("Work")
	if err != nil {
		return err
	}
	if _, err := m.add("x"); err != nil {
		return err
	}
	if err := h.store.Delete(h.ctx, id); err != nil {
		return fmt.Errorf("calling Delete: %w", err)
	}
	_, changes := m.Changes(h.ctx, 0)
	_, message := m.Message(h.ctx, 1)
	_, add := m.Append(h.ctx, mailbox.One(&mailbox.Incoming{Body: strings.NewReader("x")}))
	_, flags := m.SetFlags(h.ctx, everything(), mailbox.AddFlags, mailbox.Flags{Sys: mailbox.Seen}, 0)
	all, err := h.list()
	return first(err,
		want("number of mailboxes", len(all), 1),
		wantErr("deleting it again", h.store.Delete(h.ctx, id), mailbox.ErrNotExist),
		wantErr("Changes of a deleted mailbox", changes, mailbox.ErrNotExist),
		wantErr("Message of a deleted mailbox", message, mailbox.ErrNotExist),
		wantErr("Append to a deleted mailbox", add, mailbox.ErrNotExist),
		wantErr("SetFlags in a deleted mailbox", flags, mailbox.ErrNotExist),
		wantErr("Expunge in a deleted mailbox", m.Expunge(h.ctx, everything()), mailbox.ErrNotExist),
	)
}

func createAnew(h *harness) error {
	validity := map[uint32]bool{}
	ids := map[mailbox.ID]bool{}
	for range 3 {
		m, id, err := h.create("Work")
		if err != nil {
			return err
		}
		d, err := m.changes(0)
		if err != nil {
			return err
		}
		if validity[d.State.UIDValidity] || ids[id] {
			return fmt.Errorf("UIDVALIDITY %d or ID %q is used again", d.State.UIDValidity, id)
		}
		validity[d.State.UIDValidity], ids[id] = true, true
		if _, err := m.add("x"); err != nil {
			return err
		}
		if err := h.store.Delete(h.ctx, id); err != nil {
			return err
		}
	}
	return nil
}

func renameKeeps(h *harness) error {
	m, id, err := h.create("Work")
	if err != nil {
		return err
	}
	if _, err := m.add("x"); err != nil {
		return err
	}
	if _, _, err := h.create("Taken"); err != nil {
		return err
	}
	before, err := m.changes(0)
	if err != nil {
		return err
	}
	if err := wantErr("renaming to a name that is taken", h.store.Rename(h.ctx, id, "Taken"), mailbox.ErrExists); err != nil {
		return err
	}
	if err := h.store.Rename(h.ctx, id, "Archive/Work"); err != nil {
		return fmt.Errorf("calling Rename: %w", err)
	}
	all, err := h.list()
	if err != nil {
		return err
	}
	if _, old := all["Work"]; old {
		return errors.New("the old name is still there")
	}
	again, err := h.mailbox("Archive/Work")
	if err != nil {
		return err
	}
	after, err := again.changes(0)
	return first(err,
		want("ID", all["Archive/Work"].ID, id),
		want("UIDVALIDITY", after.State.UIDValidity, before.State.UIDValidity),
		wantAll("messages", after.Messages, before.Messages),
		again.content(1, "x"),
	)
}

func renameOpen(h *harness) error {
	m, id, err := h.create("Work")
	if err != nil {
		return err
	}
	if _, err := m.add("x"); err != nil {
		return err
	}
	if err := h.store.Rename(h.ctx, id, "Other"); err != nil {
		return err
	}
	if _, err := m.add("y"); err != nil {
		return fmt.Errorf("after the rename: %w", err)
	}
	return first(m.content(1, "x"), m.content(2, "y"), m.flag(mailbox.SetOf(1), mailbox.AddFlags, `\Seen`))
}

func subscribes(h *harness) error {
	_, id, err := h.create("Work")
	if err != nil {
		return err
	}
	for _, n := range []string{"Work", "Nowhere/ä", "Work"} {
		if err := h.store.Subscribe(h.ctx, n, true); err != nil {
			return fmt.Errorf("subscribing %q: %w", n, err)
		}
	}
	all, err := h.list()
	if err != nil {
		return err
	}
	if !all["Work"].Subscribed || !all["Nowhere/ä"].Subscribed || all["Nowhere/ä"].ID != "" || all[mailbox.Inbox].Subscribed {
		return fmt.Errorf("subscribed were Work and Nowhere/ä, the list says %v", all)
	}
	if err := h.store.Delete(h.ctx, id); err != nil {
		return err
	}
	if all, err = h.list(); err != nil {
		return err
	}
	if i := all["Work"]; !i.Subscribed || i.ID != "" {
		return fmt.Errorf("after Delete the subscription is %v", i)
	}
	for _, n := range []string{"Work", "Nowhere/ä", "never"} {
		if err := h.store.Subscribe(h.ctx, n, false); err != nil {
			return fmt.Errorf("unsubscribing %q: %w", n, err)
		}
	}
	all, err = h.list()
	return first(err, want("number of names", len(all), 1))
}

func specialUse(h *harness) error {
	if _, err := h.store.Create(h.ctx, "Sent", `\Sent`); err != nil {
		return fmt.Errorf("creating with a use: %w", err)
	}
	if _, err := h.store.Create(h.ctx, "Plain"); err != nil {
		return err
	}
	all, err := h.list()
	return first(err,
		wantAll("use of Sent", all["Sent"].Use, []string{`\Sent`}),
		want("number of uses of Plain", len(all["Plain"].Use), 0))
}

func unknownID(h *harness) error {
	for _, id := range []mailbox.ID{"", "nobody", "../x", mailbox.ID(strings.Repeat("x", 300))} {
		_, err := h.store.Open(h.ctx, id)
		err = first(
			wantErr("Open", err, mailbox.ErrNotExist),
			wantErr("Delete", h.store.Delete(h.ctx, id), mailbox.ErrNotExist),
			wantErr("Rename", h.store.Rename(h.ctx, id, "y"), mailbox.ErrNotExist))
		if err != nil {
			return fmt.Errorf("ID %.20q: %w", id, err)
		}
	}
	for _, n := range []string{"nobody", "", "../x", "a//b", strings.Repeat("x", 2000)} {
		_, err := mailbox.Find(h.ctx, h.store, n)
		if err := wantErr(fmt.Sprintf("Find of %.20q", n), err, mailbox.ErrNotExist); err != nil {
			return err
		}
	}
	_, id, err := h.create("Sub/Work")
	if err != nil {
		return err
	}
	i, err := mailbox.Find(h.ctx, h.store, "Sub/Work")
	return first(err, want("ID that Find gives", i.ID, id))
}

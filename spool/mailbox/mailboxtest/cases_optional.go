package mailboxtest

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

var optionalCases = []testCase{
	{"optional/header", "Headers gives the header section with the empty line, as it stands in the message.", headers},
	{"optional/cache", "Cacher gives back what was put, whole or not at all, and nothing for a message that is gone.", caches},
	{"optional/recent", "Each message is recent for one session: what was claimed is not handed out again.", recents},
	{"optional/lock", "A second Lock is ErrInUse until the first is released; others are not disturbed.", locks},
	{"optional/email IDs", "Messages of one EmailID are the same; a move keeps it (RFC 8474 §5.1).", emailIDs},
	{"optional/watch all", "WatchAll names the mailbox that changed, and \"\" when the list did.", watchesAll},
	{"optional/quota", "Used grows and shrinks with what is there.", quotas},
	{"optional/quota limit", "Over a limit that SetQuota set, Append is ErrOverQuota and adds nothing.", quotaLimits},
	{"optional/metadata", "Annotations are kept by mailbox, in any case of their names, and go with a nil Value.", annotates},
}

// inboxAs is INBOX with messages, if it has an optional interface.
func inboxAs[T any](h *harness, n int) (m *mbox, x T, ok bool, err error) {
	if m, err = h.filled(n); err != nil {
		return nil, x, false, err
	}
	if x, ok = m.Mailbox.(T); !ok {
		h.skip = fmt.Sprintf("the mailbox is no %T", *new(T))
	}
	return m, x, ok, nil
}

// storeAs asks the store for an optional interface.
func storeAs[T any](h *harness, what string) (x T, ok bool) {
	if x, ok = h.store.(T); !ok {
		h.skip = "the store has no " + what
	}
	return x, ok
}

func headers(h *harness) error {
	m, err := h.inbox()
	if err != nil {
		return err
	}
	long := "Subject: a\r\n" + strings.Repeat("X-Long: "+strings.Repeat("y", 900)+"\r\n", 20) + "\r\n"
	for body, header := range map[string]string{
		"Subject: a\r\n\r\nb\r\n\r\nc": "Subject: a\r\n\r\n", "\r\nbody": "\r\n", "A: b\r\n": "A: b\r\n", long + "body": long, "x": "x",
	} {
		uid, err := m.add(body)
		if err != nil {
			return err
		}
		got, err := mailbox.Header(h.ctx, m.Mailbox, uid)
		if err != nil {
			return fmt.Errorf("calling Header: %w", err)
		}
		if err := want("header", string(got), header); err != nil {
			return err
		}
	}
	_, err = mailbox.Header(h.ctx, m.Mailbox, 99)
	return wantErr("Header of a message that is not there", err, mailbox.ErrNotExist)
}

func caches(h *harness) error {
	m, c, ok, err := inboxAs[mailbox.Cacher](h, 2)
	if !ok || err != nil {
		return err
	}
	put := map[mailbox.UID][]byte{1: []byte("one"), 2: []byte(strings.Repeat("two\x00\n", 1000))}
	for uid, b := range put {
		c.PutCached(uid, slices.Clone(b))
	}
	for uid, b := range put {
		if got, ok := c.Cached(uid); ok && string(got) != string(b) {
			return fmt.Errorf("the cache of %d: %s", uid, difference(string(got), string(b)))
		}
	}
	if err := m.Expunge(h.ctx, mailbox.SetOf(1)); err != nil {
		return err
	}
	c.PutCached(1, []byte("late"))
	c.PutCached(77, []byte("nobody"))
	c.PutCached(2, []byte("other"))
	if got, ok := c.Cached(1); ok {
		return fmt.Errorf("an expunged message has the cache %q", got)
	}
	if got, ok := c.Cached(77); ok {
		return fmt.Errorf("a message that never was has the cache %q", got)
	}
	if got, ok := c.Cached(2); ok && string(got) != "other" {
		return errors.New("the cache still has what was replaced")
	}
	return nil
}

func recents(h *harness) error {
	m, r, ok, err := inboxAs[mailbox.Recent](h, 3)
	if !ok || err != nil {
		return err
	}
	other, err := h.inbox()
	if err != nil {
		return err
	}
	claims := []struct {
		by          mailbox.Recent
		claim       bool
		first, next mailbox.UID
	}{
		{r, false, 1, 4},
		{other.Mailbox.(mailbox.Recent), true, 1, 4},
		{r, true, 4, 4},
		{r, false, 4, 4},
	}
	for i, c := range claims {
		a, b, err := c.by.Recent(h.ctx, c.claim)
		if err != nil {
			return fmt.Errorf("calling Recent: %w", err)
		}
		if a != c.first || b != c.next {
			return fmt.Errorf("claim %d: from %d up to %d, want %d and %d", i+1, a, b, c.first, c.next)
		}
	}
	if _, err := m.add("new"); err != nil {
		return err
	}
	a, b, err := other.Mailbox.(mailbox.Recent).Recent(h.ctx, true)
	return first(err, want("first", a, 4), want("next", b, 5))
}

func locks(h *harness) error {
	m, l, ok, err := inboxAs[mailbox.Locker](h, 1)
	if !ok || err != nil {
		return err
	}
	other, err := h.inbox()
	if err != nil {
		return err
	}
	release, err := l.Lock(h.ctx)
	if err != nil {
		return fmt.Errorf("calling Lock: %w", err)
	}
	_, same := l.Lock(h.ctx)
	_, second := other.Mailbox.(mailbox.Locker).Lock(h.ctx)
	_, adding := other.add("delivered meanwhile")
	release()
	release()
	again, err := other.Mailbox.(mailbox.Locker).Lock(h.ctx)
	if err != nil {
		return fmt.Errorf("calling Lock after release: %w", err)
	}
	release() // the first one: it must not end the lock of somebody else
	_, third := l.Lock(h.ctx)
	again()
	return first(adding,
		wantErr("a second Lock", same, mailbox.ErrInUse),
		wantErr("a Lock by another session", second, mailbox.ErrInUse),
		wantErr("a Lock after a stale release", third, mailbox.ErrInUse),
		m.content(1, number(1)))
}

func emailIDs(h *harness) error {
	m, e, ok, err := inboxAs[mailbox.EmailIDs](h, 3)
	if !ok || err != nil {
		return err
	}
	other, _, err := h.create("Other")
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	var moved string
	for uid := range mailbox.UID(3) {
		id, err := e.EmailID(h.ctx, uid+1)
		if err != nil {
			return fmt.Errorf("calling EmailID: %w", err)
		}
		if !validID(id) || seen[id] {
			return fmt.Errorf("EmailID %q is malformed or that of another message", id)
		}
		seen[id], moved = true, id
	}
	if _, _, err := mailbox.Move(h.ctx, m.Mailbox, mailbox.SetOf(3), other.Mailbox); err != nil {
		return err
	}
	id, ok, err := mailbox.EmailID(h.ctx, other.Mailbox, 1)
	if err != nil || !ok {
		return fmt.Errorf("calling EmailID of a moved message: %v, %w", ok, err)
	}
	_, gone := e.EmailID(h.ctx, 3)
	return first(want("EmailID after a move", id, moved), wantErr("EmailID of a message that is gone", gone, mailbox.ErrNotExist))
}

func watchesAll(h *harness) error {
	w, ok := storeAs[mailbox.StoreWatcher](h, "StoreWatcher")
	if !ok {
		return nil
	}
	m, id, err := h.create("Work")
	if err != nil {
		return err
	}
	bell := make(chan mailbox.ID, 1000)
	stop := w.WatchAll(func(id mailbox.ID) { bell <- id })
	if stop == nil {
		h.skip = "the store cannot watch"
		return nil
	}
	defer stop()
	heard := func(want mailbox.ID) error {
		done := make(chan error, 1)
		go func() {
			for got := range bell {
				if got == want {
					done <- nil
					return
				}
			}
		}()
		return h.within(fmt.Sprintf("the call of WatchAll with %q", want), done, patience/6)
	}
	if _, err := m.add("x"); err != nil {
		return err
	}
	if err := heard(id); err != nil {
		return err
	}
	if err := h.store.Rename(h.ctx, id, "Renamed"); err != nil {
		return err
	}
	return heard("")
}

// used is how much of a resource is used in the first root that has it.
func (h *harness) used(q mailbox.Quota, id mailbox.ID, name mailbox.ResourceName) (int64, bool, error) {
	roots, err := q.Quotas(h.ctx, id)
	if err != nil {
		return 0, false, fmt.Errorf("calling Quotas: %w", err)
	}
	for _, root := range roots {
		for _, r := range root.Resources {
			if r.Name == name {
				return r.Used, true, nil
			}
		}
	}
	return 0, false, nil
}

func quotas(h *harness) error {
	q, ok := storeAs[mailbox.Quota](h, "Quota")
	if !ok {
		return nil
	}
	m, id, err := h.create("Work")
	if err != nil {
		return err
	}
	before, limited, err := h.used(q, id, mailbox.Storage)
	if err != nil || !limited {
		h.skip = "nothing is limited"
		return err
	}
	uid, err := m.add(text(5000))
	if err != nil {
		return err
	}
	full, _, err := h.used(q, id, mailbox.Storage)
	if err != nil {
		return err
	}
	if err := m.Expunge(h.ctx, mailbox.SetOf(uid)); err != nil {
		return err
	}
	after, _, err := h.used(q, "", mailbox.Storage)
	return first(err, want("bytes used by a message", full-before, 5000), want("bytes used when it is gone", after, before))
}

func quotaLimits(h *harness) error {
	q, ok := storeAs[mailbox.QuotaSetter](h, "QuotaSetter")
	if !ok {
		return nil
	}
	m, err := h.filled(1)
	if err != nil {
		return err
	}
	roots, err := q.Quotas(h.ctx, "")
	if err != nil || len(roots) == 0 {
		return errors.Join(err, errors.New("a QuotaSetter without roots"))
	}
	err = q.SetQuota(h.ctx, roots[0].Name, []mailbox.Resource{{Name: mailbox.Storage, Limit: 10_000}})
	if errors.Is(err, mailbox.ErrReadOnly) {
		h.skip = "this user may not set limits"
		return nil
	}
	if err != nil {
		return fmt.Errorf("calling SetQuota: %w", err)
	}
	_, over := m.add(text(10_000))
	_, several := m.Append(h.ctx, incoming(nil, text(4000), text(4000), text(4000)))
	_, fits := m.add(text(5000))
	all, err := m.all()
	return first(err, fits,
		wantErr("a message over the limit", over, mailbox.ErrOverQuota),
		wantErr("messages over the limit together", several, mailbox.ErrOverQuota),
		want("number of messages", len(all), 2))
}

func annotates(h *harness) error {
	d, ok := storeAs[mailbox.Metadata](h, "Metadata")
	if !ok {
		return nil
	}
	_, id, err := h.create("Work")
	if err != nil {
		return err
	}
	set := func(id mailbox.ID, name, value string) error {
		return d.SetMetadata(h.ctx, id, []mailbox.Entry{{Name: name, Value: []byte(value)}})
	}
	get := func(id mailbox.ID) string {
		all, err := d.Metadata(h.ctx, id)
		if err != nil {
			return err.Error()
		}
		var out []string
		for _, e := range all {
			out = append(out, strings.ToLower(e.Name)+"="+string(e.Value))
		}
		slices.Sort(out)
		return strings.Join(out, " ")
	}
	err = first(
		set(id, "/private/comment", "mine"), set(id, "/shared/comment", ""), set("", "/private/x", "\x00\r\n"),
		set(id, "/PRIVATE/Comment", "ours"))
	if err != nil {
		return fmt.Errorf("calling SetMetadata: %w", err)
	}
	err = first(
		want("annotations of the mailbox", get(id), "/private/comment=ours /shared/comment="),
		want("annotations of the account", get(""), "/private/x=\x00\r\n"),
		d.SetMetadata(h.ctx, id, []mailbox.Entry{{Name: "/private/comment"}, {Name: "/never"}}),
		want("annotations then", get(id), "/shared/comment="))
	return err
}

package imap

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"strings"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

// ListOptions choose what [Conn.List] lists and tells (RFC 5258). The zero
// value lists mailboxes and nothing more.
type ListOptions struct {
	Subscribed bool // names that are subscribed, whether they exist or not
	Remote     bool // mailboxes on other servers too
	Children   bool // tell whether there are children
	Subs       bool // tell whether each is subscribed
	SpecialUse bool // tell what each is for (RFC 6154)
	Status     bool // counts of each, in the same round trip (RFC 5819)
}

// List tells of the mailboxes that match a pattern, as the server sends them:
// "*" stands for anything, "%" for anything without a separator, names and
// patterns are in UTF-8. What the server cannot do of opts is done without, or in
// more round trips. With Status a mailbox is told once its counts have come, in
// the order of the list, and without them if the server tells none; those that
// wait are bounded by Client.MaxResponse together. An error comes last, behind
// all that is known. The loop may be left at any time; what the server still
// sends is then read and dropped. No other method may be called within it but
// Close. [Collect] makes a slice of it.
//
//	for m, err := range conn.List(ctx, "*", imap.ListOptions{}) {
//		if err != nil { … }
//		fmt.Println(m.Name)
//	}
func (c *Conn) List(ctx context.Context, pattern string, opts ListOptions) iter.Seq2[*MailboxInfo, error] {
	return func(yield func(*MailboxInfo, error) bool) {
		l := &listLoop{c: c, opts: opts, yield: yield, wanted: true, waits: make(map[string]*MailboxInfo)}
		if err := l.run(ctx, pattern); err != nil && l.wanted {
			yield(nil, err)
		}
	}
}

// Collect makes a slice of what [Conn.List] or [Conn.Fetch] tells. With an error
// it gives what came before it.
func Collect[T any](seq iter.Seq2[T, error]) ([]T, error) {
	var all []T
	for v, err := range seq {
		if err != nil {
			return all, err
		}
		all = append(all, v)
	}
	return all, nil
}

// listLoop is one run of [Conn.List].
type listLoop struct {
	c          *Conn
	opts       ListOptions
	yield      func(*MailboxInfo, error) bool
	wanted     bool
	verb       string
	withStatus bool // in the same round trip

	held  []*MailboxInfo          // not told yet, in the server's order
	waits map[string]*MailboxInfo // of held, those whose counts may still come
}

func (l *listLoop) run(ctx context.Context, pattern string) error {
	if err := l.c.known(ctx); err != nil {
		return err
	}
	err := l.c.do(ctx, l.call(pattern))
	if err == nil && l.opts.Status && !l.withStatus {
		err = l.ask(ctx)
	}
	clear(l.waits) // nothing more comes
	l.tell()
	if err == nil {
		err = l.c.ready() // the loop may have closed the connection
	}
	return err
}

// call is the command that asks as much as the server understands.
func (l *listLoop) call(pattern string) *call {
	c, opts := l.c, l.opts
	extended := c.caps.Has("LIST-EXTENDED") || c.caps.Has("IMAP4REV2")
	l.verb = "LIST"
	if opts.Subscribed && !extended {
		l.verb = "LSUB"
	}
	x := &call{verb: l.verb, data: l.data}
	if opts.Subscribed && extended {
		x.word("(SUBSCRIBED)")
	}
	x.word(`""`).mailbox(c, pattern)
	l.withStatus = opts.Status && (c.caps.Has("LIST-STATUS") || c.caps.Has("IMAP4REV2"))
	if ret := c.listReturn(opts, l.withStatus); extended && ret != "" {
		x.word("RETURN", "("+ret+")")
	}
	return x
}

func (l *listLoop) data(r *response) (mine bool, err error) {
	switch {
	case r.word == l.verb:
		return true, l.listed(r)
	case r.word == "STATUS" && l.withStatus:
		if s := l.c.parseStatus(r.args, nil); s != nil {
			l.counted(s)
		}
		return true, nil
	}
	return false, nil
}

// listed takes one line, which is told at once or waits for its counts.
func (l *listLoop) listed(r *response) error {
	m := l.c.parseList(r.args)
	if m == nil {
		return l.c.malformed(l.verb)
	}
	if !l.wanted {
		return nil
	}
	l.held = append(l.held, m)
	if l.opts.Status && m.selectable() {
		l.waits[infoKey(m.Name)] = m
	}
	if l.tell(); len(l.held) == 0 {
		return nil
	}
	return l.c.gather(r)
}

// counted takes in the counts of a mailbox that waits for them.
func (l *listLoop) counted(s *MailboxStatus) {
	key := infoKey(s.Name)
	if m := l.waits[key]; m != nil {
		m.Status = s
		delete(l.waits, key)
		l.tell()
	}
}

// tell gives the loop what is held, up to the first that waits.
func (l *listLoop) tell() {
	for len(l.held) > 0 && l.wanted {
		m := l.held[0]
		if l.waits[infoKey(m.Name)] == m {
			return
		}
		l.held = l.held[1:]
		busy := l.c.busy
		l.c.busy = true
		l.wanted = l.yield(m, nil)
		l.c.busy = busy
	}
}

// ask asks for the counts of each mailbox by itself, many in one round trip,
// while the loop wants them. One that cannot be counted does not keep the others
// from it: the first refusal is the error, behind them.
func (l *listLoop) ask(ctx context.Context) (refusal error) {
	var names []string
	for _, m := range l.held {
		if m.selectable() {
			names = append(names, m.Name)
		}
	}
	for batch := range slices.Chunk(names, maxAhead) {
		if !l.wanted {
			break
		}
		calls := make([]*call, len(batch))
		for i, name := range batch {
			calls[i] = l.c.statusCall(name, l.counted)
		}
		if err := l.c.do(ctx, calls...); err != nil {
			if _, refused := errors.AsType[*Error](err); !refused || l.c.botched {
				return err
			}
			refusal = cmp.Or(refusal, err)
		}
		for _, name := range batch { // who has no counts now gets none
			delete(l.waits, infoKey(name))
		}
		l.tell()
	}
	return refusal
}

// selectable reports whether there are counts of a mailbox.
func (m *MailboxInfo) selectable() bool { return !m.Has(`\Noselect`) && !m.Has(`\NonExistent`) }

// infoKey is a name as STATUS may spell it too: INBOX has no case (RFC 9051
// §5.1).
func infoKey(name string) string {
	if strings.EqualFold(name, mailbox.Inbox) {
		return mailbox.Inbox
	}
	return name
}

// listReturn is what the server is to tell of each mailbox (RFC 5258 §3.2).
func (c *Conn) listReturn(opts ListOptions, withStatus bool) string {
	var ret []string
	add := func(on bool, word string) {
		if on {
			ret = append(ret, word)
		}
	}
	add(opts.Subs, "SUBSCRIBED")
	add(opts.Children, "CHILDREN")
	add(opts.SpecialUse && c.caps.Has("SPECIAL-USE"), "SPECIAL-USE")
	add(withStatus, "STATUS ("+c.statusItems()+")")
	return strings.Join(ret, " ")
}

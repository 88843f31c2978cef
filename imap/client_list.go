package imap

import (
	"context"
	"iter"
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
// more round trips. With Status none is told before all are known, since the
// counts come when the server likes. The loop may be left at any time; what the
// server still sends is then read and dropped. No other method may be called
// within it but Close. [Collect] makes a slice of it.
//
//	for m, err := range conn.List(ctx, "*", imap.ListOptions{}) {
//		if err != nil { … }
//		fmt.Println(m.Name)
//	}
func (c *Conn) List(ctx context.Context, pattern string, opts ListOptions) iter.Seq2[*MailboxInfo, error] {
	return func(yield func(*MailboxInfo, error) bool) {
		l := &listLoop{c: c, opts: opts, yield: yield, wanted: true}
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

	held   []*MailboxInfo // until their counts are known
	byName map[string]*MailboxInfo
}

func (l *listLoop) run(ctx context.Context, pattern string) error {
	c := l.c
	if err := c.known(ctx); err != nil {
		return err
	}
	if err := c.do(ctx, l.call(pattern)); err != nil {
		return err
	}
	if l.opts.Status && !l.withStatus {
		if err := c.statusOf(ctx, l.held); err != nil {
			return err
		}
	}
	for _, m := range l.held {
		if !l.tell(m) {
			break
		}
	}
	return c.ready()
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
		if s := l.c.parseStatus(r.args); s != nil && l.byName[infoKey(s.Name)] != nil {
			l.byName[infoKey(s.Name)].Status = s
		}
		return true, nil
	}
	return false, nil
}

// listed tells one line, or holds it.
func (l *listLoop) listed(r *response) error {
	if !l.wanted {
		return nil
	}
	m := l.c.parseList(r.args)
	if m == nil {
		return l.c.malformed(l.verb)
	}
	if !l.opts.Status {
		l.tell(m)
		return nil
	}
	if l.byName == nil {
		l.byName = make(map[string]*MailboxInfo)
	}
	l.held, l.byName[infoKey(m.Name)] = append(l.held, m), m
	return l.c.gather(r)
}

// tell gives the loop one mailbox and reports whether it wants more.
func (l *listLoop) tell(m *MailboxInfo) bool {
	l.c.busy = true
	l.wanted = l.yield(m, nil)
	l.c.busy = false
	return l.wanted
}

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

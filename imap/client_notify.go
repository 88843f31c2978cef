package imap

import (
	"context"
	"errors"
	"strings"
)

// NotifyEvents are kinds of news that [Conn.Notify] asks for (RFC 5465 §5); | joins
// them.
type NotifyEvents uint8

const (
	// NotifyMessages is of messages that come and go. Those of the selected
	// mailbox come to Events.Exists, Message, Expunge and Vanished, those of others
	// to Events.Status.
	NotifyMessages NotifyEvents = 1 << iota
	// NotifyFlags is of flags too, and has NotifyMessages with it, as the protocol
	// wants. They come to Events.Message, or those of other mailboxes to
	// Events.Status.
	NotifyFlags
	// NotifyNames is of mailboxes that are created, renamed and deleted; they come
	// to Events.List. One that is gone is `\NonExistent`, a new name has OldName.
	NotifyNames
	// NotifySubscriptions is of names that are subscribed or no longer so; they
	// come to Events.List, and `\Subscribed` says which.
	NotifySubscriptions
	// NotifyMetadata is of annotations; they come to Events.Metadata.
	NotifyMetadata
	// NotifyServerMetadata is of the server's own annotations, whatever the
	// filter; they come to Events.Metadata under the name "".
	NotifyServerMetadata
)

// notifyWords are the events as they are asked for (RFC 5465 §8).
var notifyWords = [...]struct {
	event NotifyEvents
	words string
}{
	{NotifyFlags, "FlagChange"},
	{NotifyNames, "MailboxName"},
	{NotifySubscriptions, "SubscriptionChange"},
	{NotifyMetadata, "MailboxMetadataChange"},
	{NotifyServerMetadata, "ServerMetadataChange"},
}

// NotifyFilter chooses the mailboxes of a [NotifyGroup] (RFC 5465 §6).
type NotifyFilter uint8

const (
	// FilterSelected is the mailbox that is selected at the time. It alone tells of
	// messages there, whatever other groups say, and of nothing else.
	FilterSelected NotifyFilter = iota
	// FilterSelectedDelayed is FilterSelected, but that messages which are gone are
	// told only where a command lets the server, as without Notify.
	FilterSelectedDelayed
	FilterPersonal   // all mailboxes of the user
	FilterInboxes    // those that mail is delivered to
	FilterSubscribed // those that are subscribed at the time
	FilterSubtree    // Names and all below them
	FilterMailboxes  // Names
)

var filterWords = [...]string{"SELECTED", "SELECTED-DELAYED", "PERSONAL", "INBOXES", "SUBSCRIBED", "SUBTREE", "MAILBOXES"}

// NotifyGroup is what [Conn.Notify] asks to be told of some mailboxes.
type NotifyGroup struct {
	Filter NotifyFilter
	Names  []string     // of FilterSubtree and FilterMailboxes; without wildcards
	Events NotifyEvents // 0 none: what other groups say of these mailboxes stands
	// New is what Events.Message is told of each new message, its UID included,
	// with FilterSelected and FilterSelectedDelayed. The zero value is nothing:
	// Events.Exists says that there is one.
	New Items
}

// NotifyOptions say how [Conn.Notify] begins.
type NotifyOptions struct {
	// Status has Events.Status told how each mailbox that is watched for messages
	// stands, before Notify returns (RFC 5465 §3.1).
	Status bool
}

// errNotify is about a NotifyGroup that the grammar of RFC 5465 §8 has no words for.
var errNotify = errors.New("imap: NotifyGroup whose fields do not go together")

// Notify chooses what the server says by itself, in place of what was chosen
// before (RFC 5465). Without groups it says nothing from then on (NOTIFY NONE); so
// it is with the selected mailbox if no group is of it, and [Conn.Selected] grows
// old. News come to Events within any method; who has nothing else to do waits
// for them in [Conn.Idle]. Of what this connection does itself the server need not
// tell.
//
// A server that does not know one of the events refuses all with an *[Error] of
// Code BADEVENT, whose Args are those it knows. One that will not watch so much
// refuses with NOTIFICATIONOVERFLOW, or gives up later: see Events.Overflow.
func (c *Conn) Notify(ctx context.Context, opts NotifyOptions, groups ...NotifyGroup) error {
	if err := c.known(ctx); err != nil {
		return err
	}
	x := &call{verb: "NOTIFY"}
	if len(groups) == 0 {
		return c.do(ctx, x.word("NONE"))
	}
	x.word("SET")
	if opts.Status {
		x.word("STATUS")
	}
	selected := 0
	for i := range groups {
		if err := groups[i].append(c, x); err != nil {
			return err
		}
		if groups[i].ofSelected() {
			selected++
		}
	}
	if selected > 1 { // RFC 5465 §6.1
		return errNotify
	}
	return c.do(ctx, x)
}

func (g *NotifyGroup) ofSelected() bool {
	return g.Filter == FilterSelected || g.Filter == FilterSelectedDelayed
}

// valid reports whether there are words for a group.
func (g *NotifyGroup) valid() bool {
	all := NotifyMessages
	for _, w := range notifyWords {
		all |= w.event
	}
	named := g.Filter == FilterSubtree || g.Filter == FilterMailboxes
	switch {
	case int(g.Filter) >= len(filterWords) || g.Events&^all != 0:
		return false
	case named != (len(g.Names) > 0):
		return false
	case g.ofSelected() && g.Events&^(NotifyMessages|NotifyFlags) != 0: // RFC 5465 §6.1
		return false
	}
	// RFC 5465 §8: fetch-att belong to MessageNew of the selected mailbox.
	return !g.New.any() && g.New.ChangedSince == 0 || g.ofSelected() && g.Events != 0 && g.New.ChangedSince == 0
}

// append writes " (filter (events))".
func (g *NotifyGroup) append(c *Conn, x *call) error {
	if !g.valid() {
		return errNotify
	}
	x.word("(" + filterWords[g.Filter])
	for i, name := range g.Names {
		switch {
		case i > 0:
			x.raw(" ")
		case len(g.Names) > 1:
			x.raw(" (")
		default:
			x.raw(" ")
		}
		x.name(c, name)
	}
	if len(g.Names) > 1 {
		x.raw(")")
	}
	words, err := g.words(c)
	if err != nil {
		return err
	}
	x.raw(" " + words + ")")
	return nil
}

// words are the events of a group.
func (g *NotifyGroup) words(c *Conn) (string, error) {
	var words []string
	if g.Events&(NotifyMessages|NotifyFlags) != 0 { // RFC 5465 §5: one brings the other
		words = append(words, "MessageNew")
		if g.New.any() {
			items, err := c.items(g.New)
			if err != nil {
				return "", err
			}
			words = append(words, items)
		}
		words = append(words, "MessageExpunge")
	}
	for _, w := range notifyWords {
		if g.Events&w.event != 0 {
			words = append(words, w.words)
		}
	}
	if len(words) == 0 {
		return "NONE", nil
	}
	return "(" + strings.Join(words, " ") + ")", nil
}

// noteMetadata tells of "name entry …" (RFC 5464 §4.4.2). Servers that send values
// as well, in parentheses, mean the same.
func (c *Conn) noteMetadata(r *response) error {
	v := c.values(r.args)
	name := v.next()
	var entries []string
	for v.more() {
		switch e := v.next(); e.kind {
		case isList:
			for i := 0; i < len(e.list); i += 2 {
				entries = append(entries, e.list[i].text())
			}
		default:
			entries = append(entries, e.text())
		}
	}
	if v.bad || name.kind == isList || len(entries) == 0 {
		return c.malformed("METADATA")
	}
	if f := c.Events.Metadata; f != nil {
		f(c.mailboxName(name.text()), entries)
	}
	return nil
}

package imap

import (
	"crypto/sha256"
	"maps"
	"slices"
	"strings"

	"github.com/postilion-mail/postilion/imap/internal/wire"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// digests are what the annotations of one mailbox, or of the server, were when
// the client was last told of them. Values may be large, so they are not kept.
type digests map[string]digest

type digest struct {
	name string // as it is spelled
	sum  [sha256.Size]byte
}

// digestsOf reads the annotations of a mailbox, or of the server for the ID "".
func (c *conn) digestsOf(id mailbox.ID) (digests, error) {
	all, err := mailbox.MetadataOf(c.ctx, c.store, id)
	if err != nil {
		return nil, err
	}
	d := make(digests, len(all))
	for _, e := range all {
		d[strings.ToLower(e.Name)] = digest{e.Name, sha256.Sum256(e.Value)}
	}
	return d, nil
}

// changes are the entries that differ, those that are gone among them, in order.
func (d digests) changes(now digests) (names []string) {
	for key, e := range now {
		if old, had := d[key]; !had || old.sum != e.sum {
			names = append(names, e.name)
		}
	}
	for key, e := range d {
		if _, has := now[key]; !has {
			names = append(names, e.name) // RFC 5465 §5.6: one that is deleted is always told
		}
	}
	slices.Sort(names)
	return names
}

// tellsMetadata reports whether annotations of a mailbox are told, or for the
// ID "" those of the server, whatever the filter.
func (n *notify) tellsMetadata(info mailbox.Info) bool {
	if info.ID != "" {
		return n.eventsOf(info)&mailboxMetadata != 0
	}
	return slices.ContainsFunc(n.others, func(w watched) bool { return w.events&serverMetadata != 0 })
}

// firstMetadata notes how all annotations are that will be told.
func (n *notify) firstMetadata(c *conn) error {
	n.metadata = make(map[mailbox.ID]digests)
	return n.eachMetadata(c, func(info mailbox.Info, now digests) { n.metadata[info.ID] = now })
}

// tellMetadata tells the names of entries that have changed (RFC 5465 §5.6 and
// §5.7), without values, as RFC 5464 §4.4.2 has it. A mailbox that is new to the
// client has changed from none.
func (n *notify) tellMetadata(c *conn) error {
	before := n.metadata
	n.metadata = make(map[mailbox.ID]digests, len(before))
	err := n.eachMetadata(c, func(info mailbox.Info, now digests) {
		n.metadata[info.ID] = now
		if names := before[info.ID].changes(now); len(names) > 0 {
			c.putChangedEntries(info, names)
		}
	})
	if err != nil {
		n.metadata = before // told again rather than never
	}
	return err
}

// eachMetadata gives all annotations that are told to f. Mailboxes that went away
// meanwhile have none.
func (n *notify) eachMetadata(c *conn, f func(mailbox.Info, digests)) error {
	all := append([]mailbox.Info{{}}, slices.SortedFunc(maps.Values(n.known), func(a, b mailbox.Info) int { return strings.Compare(a.Name, b.Name) })...)
	for i, info := range all {
		if i > 0 && info.ID == "" || !n.tellsMetadata(info) {
			continue
		}
		now, err := c.digestsOf(info.ID)
		if codeOf(err) == "NONEXISTENT" {
			continue
		}
		if err != nil {
			return err
		}
		f(info, now)
	}
	return nil
}

// putChangedEntries tells the names of entries, "" being the server.
func (c *conn) putChangedEntries(info mailbox.Info, names []string) {
	c.begin()
	c.out = append(c.out, "* METADATA "...)
	if info.ID == "" {
		c.out = append(c.out, `""`...)
	} else {
		c.out = c.appendMailbox(c.out, info.Name)
	}
	for _, name := range names {
		c.out = append(c.out, ' ')
		c.out = wire.AppendAString(c.out, name, c.utf8())
	}
	c.end()
}

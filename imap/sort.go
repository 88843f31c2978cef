package imap

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/postilion-mail/postilion/imap/internal/wire"
	"github.com/postilion-mail/postilion/mime"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// sortKey is one criterion of SORT (RFC 5256 §3, RFC 5957 §3).
type sortKey struct {
	by      string
	reverse bool
}

// sortKeys are those there are: whether the header must be read for them.
var sortKeys = map[string]bool{
	"ARRIVAL": false, "SIZE": false,
	"CC": true, "DATE": true, "FROM": true, "SUBJECT": true, "TO": true, "DISPLAYFROM": true, "DISPLAYTO": true,
}

// SORT finds messages and puts them in order.
func (c *conn) SORT(p *parser) reply {
	s := &searching{uid: p.uid}
	p.SP()
	p.returns(&s.returns)
	p.List(func() { s.sort = append(s.sort, p.sortKey()) })
	if len(s.sort) == 0 {
		p.Fail("sort criterion")
	}
	p.SP()
	p.charset()
	p.SP()
	s.key = p.keys()
	if r := p.done(); r.status != "" {
		return r
	}
	if s.update {
		return no("CANNOT", "Only SEARCH can be kept up to date") // CONTEXT=SORT is not offered
	}
	found, modseq, err := c.evaluate(s.key, c.sel.base, c.sel.mb, c.sel.sh.key)
	if err != nil {
		return c.failure(err)
	}
	if err := c.sort(found, s.sort); err != nil {
		return c.failure(err)
	}
	if s.save {
		c.saved = c.toSave(s, found)
	}
	res := c.results(s, found)
	res.modseq = modseq
	if s.given {
		c.putESearch(s, res, "") // RFC 5267 §3
	} else {
		c.putSearch("SORT", res)
	}
	return ok(c.verb + " completed")
}

func (p *parser) sortKey() sortKey {
	k := sortKey{by: p.Word()}
	if k.by == "REVERSE" {
		k.reverse = true
		p.SP()
		k.by = p.Word()
	}
	if _, known := sortKeys[k.by]; !known {
		p.Fail("known sort criterion")
	}
	return k
}

// sorted is what is compared of one message.
type sorted struct {
	seq   uint32
	meta  *mailbox.Meta
	texts []string // of the criteria that are texts, in their order
	sent  int64
}

// sort puts sequence numbers in order. Messages that are alike stay in the order
// of the mailbox (RFC 5256 §3).
func (c *conn) sort(found []uint32, keys []sortKey) error {
	list := make([]sorted, 0, len(found))
	err := c.readEach(found, slices.ContainsFunc(keys, func(k sortKey) bool { return sortKeys[k.by] }), func(seq uint32, m *message, h mime.Header) {
		list = append(list, makeSorted(seq, m.meta, h, keys))
	})
	if err != nil {
		return err
	}
	slices.SortStableFunc(list, func(a, b sorted) int { return a.compare(&b, keys) })
	for i := range list {
		found[i] = list[i].seq
	}
	return nil
}

// readEach calls f for messages, with the header if it is wanted. One that is
// gone has an empty header: it was found and keeps its place.
func (c *conn) readEach(seqs []uint32, header bool, f func(seq uint32, m *message, h mime.Header)) error {
	v := c.sel
	m := &message{c: c, mb: v.mb, box: v.sh.key, st: &v.base.state}
	defer m.close()
	for i, seq := range seqs {
		m.reset(v.base.at(seq))
		var h mime.Header
		if header {
			var err error
			if h, err = m.fields(keptFields...); err != nil && codeOf(err) != "NONEXISTENT" {
				return err
			}
		}
		f(seq, m, h)
		c.progress(uint32(i), uint32(len(seqs)))
		if c.unsent != nil {
			return c.unsent
		}
	}
	return nil
}

func makeSorted(seq uint32, meta *mailbox.Meta, h mime.Header, keys []sortKey) sorted {
	s := sorted{seq: seq, meta: meta}
	for _, k := range keys {
		text := ""
		switch k.by {
		case "DATE":
			s.sent = sentDate(h, meta)
		case "SUBJECT":
			text, _ = baseSubject(h.Subject())
		case "FROM", "TO", "CC":
			text = firstAddress(h, k.by, false)
		case "DISPLAYFROM", "DISPLAYTO":
			text = firstAddress(h, strings.TrimPrefix(k.by, "DISPLAY"), true)
		}
		s.texts = append(s.texts, collated(text))
	}
	return s
}

// collated brings a text into the form whose octets sort as i;unicode-casemap
// does, which RFC 5256 §5 asks for: letters as in titles, taken apart from their
// accents.
func collated(s string) string {
	if isASCII(s) {
		return strings.ToUpper(s)
	}
	return norm.NFKD.String(strings.Map(unicode.ToTitle, s))
}

// sentDate is when a message was sent, or came if that cannot be read (RFC 5256
// §2.2).
func sentDate(h mime.Header, meta *mailbox.Meta) int64 {
	if t, has := h.Date(); has {
		return t.Unix()
	}
	return meta.Received
}

// firstAddress is the mailbox of the first address (RFC 5256 §3), or the name it
// is shown by (RFC 5957 §3).
func firstAddress(h mime.Header, field string, display bool) string {
	groups := h.Groups(field)
	if len(groups) == 0 {
		return ""
	}
	if groups[0].Named {
		return groups[0].Name
	}
	if len(groups[0].Members) == 0 {
		return ""
	}
	a := groups[0].Members[0]
	local := unquote(a.Local())
	switch {
	case !display:
		return local
	case a.Name != "":
		return a.Name
	case a.Domain() == "":
		return local
	}
	return local + "@" + a.Domain()
}

// unquote removes the quotes of a local part, which ENVELOPE has not either.
func unquote(s string) string {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return s
	}
	var b strings.Builder
	for i := 1; i < len(s)-1; i++ {
		if s[i] == '\\' && i+1 < len(s)-1 {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func (a *sorted) compare(b *sorted, keys []sortKey) int {
	for i, k := range keys {
		n := 0
		switch k.by {
		case "ARRIVAL":
			n = cmp.Compare(a.meta.Received, b.meta.Received)
		case "SIZE":
			n = cmp.Compare(a.meta.Size, b.meta.Size)
		case "DATE":
			n = cmp.Compare(a.sent, b.sent)
		default:
			n = strings.Compare(a.texts[i], b.texts[i])
		}
		if k.reverse {
			n = -n
		}
		if n != 0 {
			return n
		}
	}
	return 0
}

// ESEARCH searches several mailboxes (RFC 7377 §2).
func (c *conn) ESEARCH(p *parser) reply {
	s := &searching{uid: true}
	s.given = true
	p.SP()
	var filters []filter
	if p.TakeWord("IN") {
		p.SP()
		filters = p.sources()
		p.SP()
	}
	p.returns(&s.returns)
	if p.TakeWord("CHARSET") {
		p.SP()
		p.charset()
		p.SP()
	}
	s.key = p.keys()
	if p.OK() && (s.save || s.update) && len(filters) > 0 {
		p.Fail("neither SAVE nor UPDATE") // RFC 7377 §2.2
	}
	if r := p.done(); r.status != "" {
		return r
	}
	if filters == nil {
		filters = []filter{{kind: "SELECTED"}}
	}
	infos, err := c.filtered(filters)
	if err != nil {
		return c.failure(err)
	}
	for _, info := range infos {
		if err := c.searchIn(s, info); err != nil && codeOf(err) == "" {
			return c.failure(err)
		}
		if c.unsent != nil {
			break
		}
	}
	return ok("ESEARCH completed")
}

// sources takes what stands in IN (...).
func (p *parser) sources() (out []filter) {
	p.Want('(')
	for p.OK() {
		f := p.filter()
		if f.kind == "SELECTED-DELAYED" {
			p.Fail("selected") // RFC 7377 §4
		}
		out = append(out, f)
		if p.Take(')') {
			break
		}
		p.SP()
		if p.Peek() == '(' { // scope options, of which there are none
			p.List(func() { p.Fail("no scope option") })
			p.Want(')')
			break
		}
	}
	return out
}

// searchIn searches one mailbox, and says nothing where nothing was found.
func (c *conn) searchIn(s *searching, info mailbox.Info) error {
	x, mb := (*index)(nil), mailbox.Mailbox(nil)
	if c.sel != nil && c.sel.id == info.ID {
		x, mb = c.sel.base, c.sel.mb
	} else {
		m, err := c.store.Open(c.ctx, info.ID)
		if err != nil {
			return err
		}
		defer m.Close()
		d, err := m.Changes(c.ctx, 0)
		if err != nil {
			return err
		}
		x, mb = emptyIndex.apply(d), m
	}
	found, modseq, err := c.evaluate(s.key, x, mb, viewKey{c.store.Key(), info.ID})
	if err != nil || len(found) == 0 {
		return err
	}
	for i, seq := range found {
		found[i] = uint32(x.at(seq).UID)
	}
	where := wire.AppendMailbox([]byte(" MAILBOX "), info.Name, c.utf8())
	where = append(where, " UIDVALIDITY "...)
	where = strconv.AppendUint(where, uint64(x.state.UIDValidity), 10)
	c.putESearch(s, results{found, modseq}, string(where))
	return nil
}

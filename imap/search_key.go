package imap

import (
	"slices"
	"strings"
	"time"

	"github.com/postilion-mail/postilion/imap/internal/wire"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// keyKind is what a search key looks at, the cheap ones first: those of an AND
// are tried in this order.
type keyKind uint8

const (
	keyAll keyKind = iota
	keyNone
	keyNumbers
	keyUIDs
	keySaved
	keyFlag
	keyKeyword
	keyRecent
	keyLarger
	keySmaller
	keyReceived
	keySavedDate
	keyModSeq
	keyEmailID
	keyThreadID
	keySent
	keyHeader
	keyBody
	keyText

	// These cost what the keys inside cost.
	keyNot
	keyOr
	keyAnd
)

// when is how a date is compared.
type when uint8

const (
	before when = iota // the day
	on
	since // the day or later
	older // seconds ago (RFC 5032)
	younger
)

// key is one search key with those inside it.
type key struct {
	kind    keyKind
	kids    []*key
	numbers wire.Set
	uids    wire.Set
	flag    mailbox.SysFlags
	field   string // of keyHeader
	text    string // as it came, or a keyword or ID
	needle  needle
	when    when
	date    time.Time
	n       uint64
	fuzzy   bool
	done    bool // an index has answered it: it matches
}

// cost is how much a key costs at worst.
func (k *key) cost() keyKind {
	if k.kind < keyNot {
		return k.kind
	}
	worst := keyAll
	for _, kid := range k.kids {
		worst = max(worst, kid.cost())
	}
	return worst
}

// order puts the cheap keys of each AND and OR first.
func (k *key) order() {
	for _, kid := range k.kids {
		kid.order()
	}
	slices.SortStableFunc(k.kids, func(a, b *key) int { return int(a.cost()) - int(b.cost()) })
}

// has reports whether a key of a kind is in it.
func (k *key) has(kind keyKind) bool {
	return k.kind == kind || slices.ContainsFunc(k.kids, func(kid *key) bool { return kid.has(kind) })
}

// terms are the texts that every message found must have, for an index.
func (k *key) terms() (out []mailbox.Term) {
	if k.kind == keyAnd {
		for _, kid := range k.kids {
			out = append(out, kid.terms()...)
		}
		return out
	}
	t := mailbox.Term{Text: k.text, Field: k.field, Fuzzy: k.fuzzy}
	switch k.kind {
	case keyHeader:
		t.Where = mailbox.InField
	case keyBody:
		t.Where = mailbox.InBody
	case keyText:
		t.Where = mailbox.InText
	default:
		return nil
	}
	return []mailbox.Term{t}
}

// settle notes that an index has answered those keys exactly, or forgets it.
func (k *key) settle(done bool) {
	switch k.kind {
	case keyAnd:
		for _, kid := range k.kids {
			kid.settle(done)
		}
	case keyHeader, keyBody, keyText:
		k.done = done
	}
}

// evaluation is a search at one message.
type evaluation struct {
	c   *conn
	x   *index
	m   *message
	seq uint32
}

// match reports whether the message at hand matches. Keys nest no deeper than
// Limits.SearchDepth.
func (e *evaluation) match(k *key) (bool, error) {
	meta := e.m.meta
	switch k.kind {
	case keyAll:
		return true, nil
	case keyNone:
		return false, nil
	case keyNumbers:
		return k.numbers.Contains(e.seq), nil
	case keyUIDs:
		return k.uids.Contains(uint32(meta.UID)), nil
	case keySaved:
		return e.c.saved.Contains(meta.UID), nil
	case keyFlag:
		return meta.Flags.Sys&k.flag != 0, nil
	case keyKeyword:
		return meta.Flags.HasKeyword(k.text), nil
	case keyRecent:
		return e.c.sel != nil && e.c.sel.recent.Contains(meta.UID), nil
	case keyLarger:
		return uint64(meta.Size) > k.n, nil
	case keySmaller:
		return uint64(meta.Size) < k.n, nil
	case keyModSeq:
		return uint64(meta.ModSeq) >= k.n, nil
	case keyReceived:
		return e.received(k, meta.Received), nil
	case keySavedDate: // RFC 8514 §4.3: an unknown one is that of arrival
		if meta.Saved == 0 {
			return e.received(k, meta.Received), nil
		}
		return e.received(k, meta.Saved), nil
	case keyNot:
		matches, err := e.match(k.kids[0])
		return !matches, err
	case keyOr, keyAnd:
		for _, kid := range k.kids {
			matches, err := e.match(kid)
			if err != nil || matches == (k.kind == keyOr) {
				return matches, err
			}
		}
		return k.kind == keyAnd, nil
	}
	if k.done {
		return true, nil
	}
	return e.read(k)
}

// received compares the date when a message came, as this server tells it, or
// how long ago that is.
func (e *evaluation) received(k *key, unix int64) bool {
	switch k.when {
	case older: // RFC 5032 §3
		return unix <= e.c.srv.now().Unix()-int64(k.n)
	case younger:
		return unix > e.c.srv.now().Unix()-int64(k.n)
	}
	return k.compare(e.c.local(unix))
}

// compare looks at the day alone, in whatever zone it was (RFC 9051 §6.4.4).
func (k *key) compare(t time.Time) bool {
	y, m, d := t.Date()
	day := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	switch k.when {
	case before:
		return day.Before(k.date)
	case on:
		return day.Equal(k.date)
	}
	return !day.Before(k.date)
}

// scan looks for a text in the octets of a small message. It is sure that the
// message does not match if the text is not in it and nothing is encoded. A
// text with a space may be divided by the folding of a field.
func (e *evaluation) scan(k *key) (sure bool, err error) {
	if !k.needle.ascii || e.m.meta.Size > maxWhole || strings.ContainsAny(k.needle.fold, " \t") && k.kind == keyText {
		return false, nil
	}
	if err := e.m.open(); err != nil {
		return false, err
	}
	raw, err := e.m.whole()
	return err == nil && !k.needle.inBytes(raw) && isPlain(raw), err
}

// read looks at keys for which the message must be read.
func (e *evaluation) read(k *key) (bool, error) {
	switch k.kind {
	case keyEmailID:
		return e.c.emailID(e.m) == k.text, nil
	case keyThreadID:
		id, err := mailbox.ThreadID(e.c.ctx, e.m.mb, e.m.meta.UID)
		return id == k.text && id != "", err
	case keySent:
		h, err := e.m.fields("Date")
		if err != nil {
			return false, err
		}
		t, has := h.Date()
		return has && k.compare(t), nil
	case keyHeader:
		b, err := e.m.keptFields(k.field)
		if err != nil {
			return false, err
		}
		if matches, sure := k.inKept(b); sure {
			return matches, nil
		}
		h, err := e.m.fields(k.field)
		return err == nil && k.inField(h), err
	}
	if sure, err := e.scan(k); sure || err != nil {
		return false, err
	}
	m, err := e.m.mime()
	if k.kind == keyBody {
		return err == nil && k.needle.inBody(m), err
	}
	return err == nil && (k.needle.inHeader(m.Header()) || k.needle.inParts(m)), err
}

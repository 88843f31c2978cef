package imap

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/postilion-mail/postilion/imap/internal/wire"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// Key is a condition of [Conn.Search]: a message has to meet all that are
// given. Make keys with the funcs of this package; the zero Key is met by all.
type Key struct {
	words []any // string: as it is; text: an argument of any kind
}

// text is an argument that comes from a user.
type text string

func newKey(words ...any) Key { return Key{words} }

// Text finds words anywhere in a message.
func Text(s string) Key { return newKey("TEXT", text(s)) }

// BodyText finds words in the body of a message.
func BodyText(s string) Key { return newKey("BODY", text(s)) }

// Subject finds words in the subject.
func Subject(s string) Key { return newKey("SUBJECT", text(s)) }

// From finds a part of a sender's name or address.
func From(s string) Key { return newKey("FROM", text(s)) }

// To finds a part of a recipient's name or address.
func To(s string) Key { return newKey("TO", text(s)) }

// Cc finds a part of a name or address in Cc.
func Cc(s string) Key { return newKey("CC", text(s)) }

// Field finds words in a field of the header; "" finds those that have it.
func Field(name, s string) Key { return newKey("HEADER", text(name), text(s)) }

// Since finds messages that arrived on that day or later, whatever the time.
func Since(day time.Time) Key { return newKey("SINCE", date(day)) }

// Before finds messages that arrived before that day.
func Before(day time.Time) Key { return newKey("BEFORE", date(day)) }

// SentSince is [Since] by the Date field.
func SentSince(day time.Time) Key { return newKey("SENTSINCE", date(day)) }

// SentBefore is [Before] by the Date field.
func SentBefore(day time.Time) Key { return newKey("SENTBEFORE", date(day)) }

func date(t time.Time) string { return string(wire.AppendDate(nil, t)) }

// Larger finds messages of more octets.
func Larger(octets int64) Key { return newKey("LARGER", itoa(octets)) }

// Smaller finds messages of fewer octets.
func Smaller(octets int64) Key { return newKey("SMALLER", itoa(octets)) }

// WithFlags finds messages that have all these flags.
func WithFlags(f mailbox.Flags) Key { return flagKeys(f, "", "KEYWORD") }

// WithoutFlags finds messages that have none of these flags.
func WithoutFlags(f mailbox.Flags) Key { return flagKeys(f, "UN", "UNKEYWORD") }

func flagKeys(f mailbox.Flags, prefix, keyword string) Key {
	var k Key
	for _, name := range f.Names() {
		if sys, ok := strings.CutPrefix(name, `\`); ok {
			k.words = append(k.words, prefix+strings.ToUpper(sys))
		} else {
			k.words = append(k.words, keyword, name)
		}
	}
	return k
}

// UIDs finds these messages, if they are there.
func UIDs(uids mailbox.Set) Key {
	if len(uids) == 0 {
		return Not(Key{})
	}
	return newKey("UID", uidArg(uids))
}

// ChangedSince finds messages that changed later than that, or with it (RFC 7162
// §3.1.5).
func ChangedSince(m mailbox.ModSeq) Key { return newKey("MODSEQ", itoa(int64(m))) }

// Not finds what k does not.
func Not(k Key) Key { return Key{append([]any{"NOT"}, k.group()...)} }

// Or finds what either finds.
func Or(a, b Key) Key {
	return Key{append(append([]any{"OR"}, a.group()...), b.group()...)}
}

// And finds what all find.
func And(keys ...Key) Key {
	var k Key
	for _, one := range keys {
		k.words = append(k.words, one.words...)
	}
	return k
}

// group makes one key of any number.
func (k Key) group() []any {
	if len(k.words) == 0 {
		return []any{"ALL"}
	}
	return append(append([]any{open}, k.words...), shut)
}

// paren stands for a parenthesis, beside which there is no space.
type paren string

const (
	open paren = "("
	shut paren = ")"
)

// keys appends search keys, each behind a space.
func (x *call) keys(c *Conn, keys []Key) {
	words := And(keys...).words
	if len(words) == 0 {
		words = []any{"ALL"}
	}
	var last any
	for _, w := range words {
		if last != any(open) && w != any(shut) {
			x.raw(" ")
		}
		switch w := w.(type) {
		case string:
			x.raw(w)
		case paren:
			x.raw(string(w))
		case text:
			x.quote(c, string(w))
		}
		last = w
	}
}

// ascii reports whether keys can be sent without a charset.
func ascii(keys []Key) bool {
	for _, w := range And(keys...).words {
		if t, ok := w.(text); ok && strings.ContainsFunc(string(t), func(r rune) bool { return r >= 0x80 }) {
			return false
		}
	}
	return true
}

// Search finds the messages of the open mailbox that meet all keys; none given
// are met by all. Words are in UTF-8.
func (c *Conn) Search(ctx context.Context, keys ...Key) (mailbox.Set, error) {
	if err := c.known(ctx); err != nil {
		return nil, err
	}
	x := &call{verb: "UID SEARCH"}
	if c.caps.Has("ESEARCH") || c.caps.Has("IMAP4REV2") {
		x.word("RETURN (ALL)") // a set, and not each number by itself
	}
	if !ascii(keys) && !c.utf8 {
		x.word("CHARSET UTF-8")
	}
	x.keys(c, keys)
	var found mailbox.Set
	var numbers []mailbox.UID
	x.data = func(r *response) (bool, error) {
		switch r.word {
		case "SEARCH":
			numbers = append(numbers, parseNumbers(r.args)...)
			return true, c.gather(r)
		case "ESEARCH":
			set, mine, ok := c.parseESearch(r.args, x.tag)
			if !ok {
				return true, c.broken("malformed ESEARCH")
			}
			if !mine {
				return false, nil
			}
			found = found.Union(set)
			return true, c.gather(r)
		}
		return false, nil
	}
	err := c.do(ctx, x)
	slices.Sort(numbers) // servers need not send them so, and Add is slow for others
	for _, n := range numbers {
		found.Add(n)
	}
	return found, err
}

// parseNumbers reads numbers to the end, or to what is none: a MODSEQ in
// parentheses (RFC 7162 §3.1.5).
func parseNumbers(b []byte) (list []mailbox.UID) {
	for len(b) > 0 {
		var word []byte
		word, b = cutWord(b)
		n, ok := number(word)
		if !ok {
			break
		}
		if n != 0 {
			list = append(list, mailbox.UID(n))
		}
	}
	return list
}

// parseESearch reads the ALL of ESEARCH (RFC 4731 §3.1); mine is false if it
// answers another command than that with tag.
func (c *Conn) parseESearch(b []byte, tag string) (set mailbox.Set, mine, ok bool) {
	r := c.values(b)
	for r.more() {
		v := r.next()
		if v.kind == isList && wire.EqualFold(v.at(0).text(), "TAG") && v.at(1).text() != tag {
			return nil, false, !r.bad
		}
		if v.kind != isAtom || !wire.EqualFold(v.s, "ALL") {
			continue
		}
		set, ok = parseUIDs(r.next().text())
		return set, true, ok
	}
	return nil, true, !r.bad
}

// Sort is [Conn.Search] in an order, such as "REVERSE DATE" or "SUBJECT" (RFC
// 5256 §3).
func (c *Conn) Sort(ctx context.Context, order string, keys ...Key) ([]mailbox.UID, error) {
	if strings.ContainsAny(order, "()\r\n") {
		return nil, ProtocolError("malformed order")
	}
	x := (&call{verb: "UID SORT"}).word("("+order+")", "UTF-8")
	x.keys(c, keys)
	var sorted []mailbox.UID
	x.data = func(r *response) (bool, error) {
		if r.word != "SORT" {
			return false, nil
		}
		sorted = append(sorted, parseNumbers(r.args)...)
		return true, c.gather(r)
	}
	return sorted, c.do(ctx, x)
}

// Thread is a message, 0 if it is not there, and the answers to it.
type Thread struct {
	UID     mailbox.UID
	Answers []*Thread
}

// Thread arranges messages into conversations by an algorithm, "REFERENCES" or
// "ORDEREDSUBJECT" (RFC 5256 §4).
func (c *Conn) Thread(ctx context.Context, algorithm string, keys ...Key) ([]*Thread, error) {
	if !wire.IsAtom(algorithm) {
		return nil, ProtocolError("malformed algorithm")
	}
	x := (&call{verb: "UID THREAD"}).word(algorithm, "UTF-8")
	x.keys(c, keys)
	var threads []*Thread
	x.data = func(r *response) (bool, error) {
		if r.word != "THREAD" {
			return false, nil
		}
		v := c.values(r.args)
		for v.more() {
			threads = append(threads, parseThread(v.next().list)...)
		}
		if v.bad {
			return true, c.broken("malformed THREAD")
		}
		return true, c.gather(r)
	}
	return threads, c.do(ctx, x)
}

// parseThread reads "1 2 (3 4)(5)": each number answers the one before, each
// list the last number before it.
func parseThread(list []value) []*Thread {
	var roots []*Thread
	at := &roots
	for _, v := range list {
		if v.kind == isList {
			*at = append(*at, parseThread(v.list)...)
			continue
		}
		t := &Thread{UID: mailbox.UID(v.num())}
		*at = append(*at, t)
		at = &t.Answers
	}
	if len(list) > 0 && list[0].kind == isList && len(roots) > 1 {
		return []*Thread{{Answers: roots}} // their parent is not there
	}
	return roots
}

package imap

import (
	"math"
	"unicode/utf8"

	"github.com/postilion-mail/postilion/imap/internal/wire"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// searching takes the arguments of SEARCH (RFC 9051 §9: search).
func (p *parser) searching() *searching {
	s := &searching{uid: p.uid}
	p.SP()
	p.returns(&s.returns)
	if p.TakeWord("CHARSET") {
		p.SP()
		p.charset()
		p.SP()
	}
	s.key = p.keys()
	return s
}

// returns takes RETURN (...) and the space behind it.
func (p *parser) returns(r *returns) {
	if !p.TakeWord("RETURN") {
		return
	}
	p.SP()
	r.given = true
	p.List(func() {
		switch p.Word() {
		case "MIN":
			r.min = true
		case "MAX":
			r.max = true
		case "ALL":
			r.all = true
		case "COUNT":
			r.count = true
		case "SAVE": // RFC 5182 §2
			r.save = true
		case "PARTIAL": // RFC 9394 §3.1, RFC 5267 §4.4
			p.SP()
			if r.partial != nil {
				p.Fail("one PARTIAL")
			}
			r.partial = p.partialRange()
		case "UPDATE": // RFC 5267 §4.3
			r.update = true
		case "CONTEXT": // a hint alone (RFC 5267 §4.2)
		default:
			p.Fail("known return option")
		}
	})
	if r.partial != nil && r.all {
		p.Fail("PARTIAL without ALL") // RFC 9394 §3.1
	}
	p.SP()
}

// charset takes the name of a charset. UTF-8 and what is part of it are known.
func (p *parser) charset() {
	switch name := wire.Upper(p.AString()); name {
	case "UTF-8", "US-ASCII":
		p.UTF8 = true
	default:
		if p.OK() {
			p.refuse("BADCHARSET (US-ASCII UTF-8)", "Charset is not known") // RFC 9051 §6.4.4
		}
	}
}

// keys takes one or more search keys, all of which must match.
func (p *parser) keys() *key {
	k := &keyParser{parser: p}
	all := &key{kind: keyAnd}
	for p.OK() {
		all.kids = append(all.kids, k.one(1))
		if !p.Take(' ') {
			break
		}
	}
	return all
}

// keyParser counts the keys.
type keyParser struct {
	*parser
	n int
}

// simpleKeys are those without arguments.
var simpleKeys = map[string]key{
	"ALL":               {kind: keyAll},
	"ANSWERED":          {kind: keyFlag, flag: mailbox.Answered},
	"DELETED":           {kind: keyFlag, flag: mailbox.Deleted},
	"DRAFT":             {kind: keyFlag, flag: mailbox.Draft},
	"FLAGGED":           {kind: keyFlag, flag: mailbox.Flagged},
	"SEEN":              {kind: keyFlag, flag: mailbox.Seen},
	"RECENT":            {kind: keyRecent}, // RFC 3501 §6.4.4
	"SAVEDATESUPPORTED": {kind: keyAll},    // RFC 8514 §4.3
}

// negations are keys that say the opposite of others.
var negations = map[string]string{
	"UNANSWERED": "ANSWERED", "UNDELETED": "DELETED", "UNDRAFT": "DRAFT", "UNFLAGGED": "FLAGGED", "UNSEEN": "SEEN", "OLD": "RECENT",
}

// dateKeys compare dates.
var dateKeys = map[string]key{
	"BEFORE":      {kind: keyReceived, when: before},
	"ON":          {kind: keyReceived, when: on},
	"SINCE":       {kind: keyReceived, when: since},
	"SENTBEFORE":  {kind: keySent, when: before},
	"SENTON":      {kind: keySent, when: on},
	"SENTSINCE":   {kind: keySent, when: since},
	"SAVEDBEFORE": {kind: keySavedDate, when: before}, // RFC 8514 §4.3
	"SAVEDON":     {kind: keySavedDate, when: on},
	"SAVEDSINCE":  {kind: keySavedDate, when: since},
}

// textKeys look for a text.
var textKeys = map[string]key{
	"BCC":     {kind: keyHeader, field: "Bcc"},
	"CC":      {kind: keyHeader, field: "Cc"},
	"FROM":    {kind: keyHeader, field: "From"},
	"SUBJECT": {kind: keyHeader, field: "Subject"},
	"TO":      {kind: keyHeader, field: "To"},
	"BODY":    {kind: keyBody},
	"TEXT":    {kind: keyText},
}

// one takes a key.
func (k *keyParser) one(depth int) *key {
	p := k.parser
	if k.n++; k.n > p.c.srv.limits.SearchKeys {
		p.Fail("fewer search keys")
	}
	if depth > p.c.srv.limits.SearchDepth {
		p.Fail("search keys less deep")
	}
	if !p.OK() {
		return &key{}
	}
	switch c := p.Peek(); {
	case c == '(':
		return k.group(depth)
	case c == '$':
		p.Take('$')
		return &key{kind: keySaved}
	case c == '*' || '0' <= c && c <= '9':
		if p.c.on&uidonly != 0 && p.refused.status == "" {
			p.refused = uidRequired
		}
		return &key{kind: keyNumbers, numbers: p.Set().Resolve(p.lastNumber())}
	}
	word := p.Word()
	if s, known := simpleKeys[word]; known {
		return &s
	}
	if of, known := negations[word]; known {
		s := simpleKeys[of]
		return &key{kind: keyNot, kids: []*key{&s}}
	}
	if s, known := dateKeys[word]; known {
		p.SP()
		s.date = p.Date()
		return &s
	}
	if s, known := textKeys[word]; known {
		p.SP()
		return k.text(s)
	}
	return k.other(word, depth)
}

// group takes keys in parentheses.
func (k *keyParser) group(depth int) *key {
	and := &key{kind: keyAnd}
	k.Want('(')
	for k.OK() {
		and.kids = append(and.kids, k.one(depth+1))
		if k.Take(')') {
			break
		}
		k.SP()
	}
	return and
}

// text takes the text of a key.
func (k *keyParser) text(s key) *key {
	s.text = k.AString()
	if k.OK() && !utf8.ValidString(s.text) {
		k.Fail("UTF-8")
	}
	s.needle = newNeedle(s.text)
	return &s
}

// other takes the keys that are alone in what they take.
func (k *keyParser) other(word string, depth int) *key {
	p := k.parser
	switch word {
	case "NEW": // RFC 3501 §6.4.4
		seen := simpleKeys["SEEN"]
		return &key{kind: keyAnd, kids: []*key{{kind: keyRecent}, {kind: keyNot, kids: []*key{&seen}}}}
	case "NOT":
		p.SP()
		return &key{kind: keyNot, kids: []*key{k.one(depth + 1)}}
	case "OR":
		p.SP()
		a := k.one(depth + 1)
		p.SP()
		return &key{kind: keyOr, kids: []*key{a, k.one(depth + 1)}}
	case "UID":
		p.SP()
		if p.Take('$') {
			return &key{kind: keySaved}
		}
		return &key{kind: keyUIDs, uids: p.Set().Resolve(p.lastUID())}
	case "KEYWORD", "UNKEYWORD":
		p.SP()
		s := &key{kind: keyKeyword, text: p.Atom()}
		if word == "UNKEYWORD" {
			return &key{kind: keyNot, kids: []*key{s}}
		}
		return s
	case "LARGER", "SMALLER":
		p.SP()
		s := &key{kind: keyLarger, n: p.Number64()}
		if word == "SMALLER" {
			s.kind = keySmaller
		}
		return s
	case "HEADER":
		p.SP()
		s := key{kind: keyHeader, field: p.AString()}
		p.SP()
		return k.text(s)
	case "FUZZY": // RFC 6203 §3; what matches exactly is similar
		p.SP()
		s := k.one(depth + 1)
		s.fuzzy = true
		return s
	}
	return k.extension(word)
}

// extension takes keys of extensions.
func (k *keyParser) extension(word string) *key {
	p := k.parser
	switch word {
	case "OLDER", "YOUNGER": // RFC 5032 §3
		p.SP()
		s := &key{kind: keyReceived, when: older, n: uint64(p.NZNumber())}
		if word == "YOUNGER" {
			s.when = younger
		}
		return s
	case "MODSEQ": // RFC 7162 §3.1.5
		p.SP()
		if p.Peek() == '"' { // the entry and its type: flags have no numbers of their own here
			_ = p.String()
			p.SP()
			p.Atom()
			p.SP()
		}
		p.c.condstoreAware(p)
		return &key{kind: keyModSeq, n: p.Number64()}
	case "UIDAFTER", "UIDBEFORE": // RFC 9738: how to go on behind a limit
		p.SP()
		return uidKey(word == "UIDAFTER", p.NZNumber())
	case "EMAILID", "THREADID": // RFC 8474 §5.3
		p.SP()
		s := &key{kind: keyEmailID, text: p.AString()}
		if word == "THREADID" {
			s.kind = keyThreadID
		}
		return s
	}
	p.Fail("known search key")
	return &key{}
}

// uidKey is the key for the UIDs behind or before one. Unlike UID n:* it does
// not take in the last message where none follows.
func uidKey(after bool, uid uint32) *key {
	switch {
	case after && uid < math.MaxUint32:
		return &key{kind: keyUIDs, uids: wire.Set{{From: uid + 1, To: math.MaxUint32}}}
	case !after && uid > 1:
		return &key{kind: keyUIDs, uids: wire.Set{{From: 1, To: uid - 1}}}
	}
	return &key{kind: keyNone}
}

// lastNumber and lastUID are what "*" is, 0 where no mailbox is selected.
func (p *parser) lastNumber() uint32 {
	if p.c.sel == nil {
		return 0
	}
	return p.c.sel.base.n
}

func (p *parser) lastUID() uint32 {
	if p.c.sel == nil {
		return 0
	}
	return uint32(p.c.sel.base.last())
}

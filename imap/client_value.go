package imap

import (
	"strconv"
	"strings"

	"github.com/postilion-mail/postilion/imap/internal/wire"
)

// value is one value of a response: an atom, a string, NIL, or a list of
// values. Servers differ in what they send where the grammar wants one kind, so
// all are read alike and looked at later.
type value struct {
	kind valueKind
	s    string
	list []value
}

type valueKind uint8

const (
	isNil valueKind = iota
	isAtom
	isString
	isList
)

// maxValueDepth bounds the parentheses of a response.
const maxValueDepth = 200

// maxValues bounds the values of one list: each takes more memory than the
// octets that it may come in.
const maxValues = 1 << 18

// reader takes values out of a response, one after the other. The first mistake
// is final.
type reader struct {
	b      []byte
	depth  int
	bad    bool
	strict bool
	count  int // values in the list that is being read
}

func (c *Conn) values(b []byte) reader { return reader{b: b, strict: c.client.Strict} }

// more reports whether there is another value.
func (r *reader) more() bool {
	for len(r.b) > 0 && r.b[0] == ' ' {
		r.b = r.b[1:]
	}
	return len(r.b) > 0 && !r.bad
}

// next takes a value; the zero value, NIL, stands for one that is not there.
func (r *reader) next() value {
	if !r.more() {
		r.bad = true
		return value{}
	}
	if r.depth == 0 {
		r.count = 0
	}
	if r.count++; r.count > maxValues {
		r.bad = true
		return value{}
	}
	switch r.b[0] {
	case '(':
		return r.parenthesized()
	case '"':
		return r.quoted()
	case '{', '~':
		if v, ok := r.literal(); ok {
			return v
		}
	}
	return r.atom()
}

func (r *reader) parenthesized() value {
	v := value{kind: isList}
	if r.depth++; r.depth > maxValueDepth {
		r.bad = true
		return v
	}
	r.b = r.b[1:]
	for {
		if !r.more() {
			r.bad = true // it never ends
			return v
		}
		if r.b[0] == ')' {
			r.b = r.b[1:]
			r.depth--
			return v
		}
		v.list = append(v.list, r.next())
	}
}

func (r *reader) quoted() value {
	var out []byte
	for i := 1; i < len(r.b); i++ {
		switch ch := r.b[i]; ch {
		case '"':
			r.b = r.b[i+1:]
			return value{kind: isString, s: string(out)}
		case '\\':
			if i++; i < len(r.b) {
				out = append(out, r.b[i])
			}
		case '\r', '\n':
			r.bad = true
			return value{}
		default:
			out = append(out, ch)
		}
	}
	r.bad = true
	return value{}
}

// literal takes a literal, whose octets stand behind its announcement.
func (r *reader) literal() (value, bool) {
	for i, ch := range r.b {
		if ch != '\n' {
			if i > 32 {
				break
			}
			continue
		}
		lit, at, ok := wire.LiteralAt(r.b[:max(i-1, 0)])
		if !ok || at != 0 || lit.Size > int64(len(r.b)-i-1) {
			break
		}
		s := string(r.b[i+1 : i+1+int(lit.Size)])
		r.b = r.b[i+1+int(lit.Size):]
		return value{kind: isString, s: s}, true
	}
	return value{}, false
}

// atom takes what stands before the next space or parenthesis: more than the
// grammar allows in one, but for the brackets of a section, which may hold both.
func (r *reader) atom() value {
	n := atomLen(r.b)
	if n == 0 {
		r.bad = true
		return value{}
	}
	s := string(r.b[:n])
	r.b = r.b[n:]
	if wire.EqualFold(s, "NIL") {
		return value{}
	}
	return value{kind: isAtom, s: s}
}

// isSection reports whether a bracket behind b begins a section: in any other
// atom, the name of a mailbox perhaps, it is a character like others.
func isSection(b []byte) bool {
	if len(b) > len("BINARY.SIZE")+4 {
		return false
	}
	name := wire.Upper(string(b))
	return strings.HasPrefix(name, "BODY") || strings.HasPrefix(name, "BINARY")
}

func atomLen(b []byte) int {
	depth := 0
	for i, ch := range b {
		switch {
		case ch == '\r' || ch == '\n':
			return i
		case ch == '[' && (depth > 0 || isSection(b[:i])):
			depth++
		case ch == ']' && depth > 0:
			depth--
		case depth == 0 && (ch == ' ' || ch == ')' || ch == '('):
			return i
		}
	}
	return len(b)
}

// text is the string of a value, "" of NIL and of a list.
func (v value) text() string { return v.s }

// num is the number that a value spells, quoted or not; 0 if it is none.
func (v value) num() uint64 {
	n, err := strconv.ParseUint(v.s, 10, 63)
	if err != nil {
		return 0
	}
	return n
}

// at is the i-th value of a list, NIL where there is none.
func (v value) at(i int) value {
	if i >= len(v.list) {
		return value{}
	}
	return v.list[i]
}

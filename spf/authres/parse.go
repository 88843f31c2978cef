package authres

import (
	"errors"
	"strings"
)

// Limits of Parse.
const (
	maxField   = 64 << 10
	maxResults = 100
)

// What Parse finds wrong.
var (
	ErrSyntax  = errors.New("authres: not an Authentication-Results field")
	ErrVersion = errors.New("authres: unknown version of the field")
	ErrTooLong = errors.New("authres: field too long")
)

// Parse reads the value of an Authentication-Results field, folded or not.
// Comments are skipped. With ErrVersion the ID is still returned, since a field of
// any version may claim it.
func Parse(value string) (Field, error) {
	if len(value) > maxField {
		return Field{}, ErrTooLong
	}
	s := scanner{rest: value}
	id, err := s.head()
	if err != nil {
		return Field{ID: id}, err
	}
	f := Field{ID: id}
	for s.skip(); s.rest != ""; s.skip() {
		if !s.take(';') {
			return Field{}, ErrSyntax
		}
		s.skip()
		if s.rest == "" && len(f.Results) > 0 {
			break // a semicolon at the end: wrong, common and harmless
		}
		r, none, err := s.result()
		switch {
		case err != nil:
			return Field{}, err
		case none:
			continue
		case len(f.Results) == maxResults:
			return Field{}, ErrTooLong
		}
		f.Results = append(f.Results, r)
	}
	return f, nil
}

// Claims says whether the value of a field has the given authserv-id, or something
// that a careless reader takes for it: in other case, with a final dot, or with
// what is no part of a token behind it. A field whose id cannot be read is taken to
// claim it: nobody else can tell either.
func Claims(value, id string) bool {
	s := scanner{rest: value}
	got, err := s.head()
	if err != nil && got == "" {
		return true
	}
	return same(got, id) || same(leading(got), id)
}

// same compares two ids as names of hosts.
func same(a, b string) bool {
	return strings.EqualFold(strings.TrimSuffix(a, "."), strings.TrimSuffix(b, "."))
}

// leading is the token that s begins with.
func leading(s string) string {
	i := 0
	for i < len(s) && isToken(s[i]) {
		i++
	}
	return s[:i]
}

// scanner reads from the front of rest.
type scanner struct{ rest string }

// head reads authserv-id [ CFWS authres-version ].
func (s *scanner) head() (id string, err error) {
	s.skip()
	id, ok := s.value(isID)
	if !ok {
		return "", ErrSyntax
	}
	s.skip()
	if v := s.run(isToken); v != "" && v != "1" {
		return id, ErrVersion
	}
	return id, nil
}

// isID takes more than a token: ids with slashes and colons occur.
func isID(c byte) bool { return c > ' ' && c != ';' && c != '(' && c != '"' && c != 0x7f }

// result reads methodspec [ reasonspec ] *propspec, or "none".
func (s *scanner) result() (r Result, none bool, err error) {
	r.Method = s.run(isKeyword)
	s.skip()
	if s.take('/') { // method-version; there is only one
		s.skip()
		s.run(isKeyword)
		s.skip()
	}
	if strings.EqualFold(r.Method, "none") && (s.rest == "" || s.rest[0] == ';') {
		return r, true, nil
	}
	if r.Method == "" || !s.take('=') {
		return r, false, ErrSyntax
	}
	s.skip()
	if r.Value = s.run(isKeyword); r.Value == "" {
		return r, false, ErrSyntax
	}
	for s.skip(); s.rest != "" && s.rest[0] != ';'; s.skip() {
		if err := s.pair(&r); err != nil {
			return r, false, err
		}
	}
	return r, false, nil
}

// pair reads reason=value or ptype.property=pvalue.
func (s *scanner) pair(r *Result) error {
	name := s.run(isKeyword)
	s.skip()
	dotted := s.take('.')
	if dotted {
		s.skip()
		name += "." + s.run(isKeyword)
		s.skip()
	}
	if !s.take('=') || strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".") {
		return ErrSyntax
	}
	s.skip()
	v, ok := s.value(isValue)
	switch {
	case !ok:
		return ErrSyntax
	case dotted:
		r.Props = append(r.Props, [2]string{name, v})
	case strings.EqualFold(name, "reason"):
		r.Reason = v
	case name == "":
		return ErrSyntax
	}
	return nil
}

// isKeyword is a character of method, result, ptype and property.
func isKeyword(c byte) bool { return isAlnum(c) || c == '-' || c == '_' }

// isValue takes what stands unquoted in fields that are seen in the wild: base64,
// addresses, times.
func isValue(c byte) bool { return c > ' ' && c != ';' && c != '(' && c != '"' && c != 0x7f }

// value reads a quoted-string or a run of in; a quoted local-part may go on after
// its quotes.
func (s *scanner) value(in func(byte) bool) (string, bool) {
	if s.rest == "" || s.rest[0] != '"' {
		v := s.run(in)
		return v, v != ""
	}
	var b strings.Builder
	for i := 1; i < len(s.rest); i++ {
		switch c := s.rest[i]; {
		case c == '"':
			s.rest = s.rest[i+1:]
			if strings.HasPrefix(s.rest, "@") {
				b.WriteString(s.run(in))
			}
			return b.String(), true
		case c == '\\' && i+1 < len(s.rest):
			i++
			b.WriteByte(s.rest[i])
		case c != '\r' && c != '\n': // folding: RFC 5322 §3.2.4
			b.WriteByte(c)
		}
	}
	return "", false
}

// run reads as long as in holds.
func (s *scanner) run(in func(byte) bool) string {
	i := 0
	for i < len(s.rest) && in(s.rest[i]) {
		i++
	}
	v := s.rest[:i]
	s.rest = s.rest[i:]
	return v
}

// take reads c if it comes next.
func (s *scanner) take(c byte) bool {
	if s.rest == "" || s.rest[0] != c {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

// skip skips CFWS: white space, and comments, which nest (RFC 5322 §3.2.2).
func (s *scanner) skip() {
	depth := 0
	for i := 0; i < len(s.rest); i++ {
		switch c := s.rest[i]; {
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
		case c == '\\' && depth > 0:
			i++
		case depth == 0 && c != ' ' && c != '\t' && c != '\r' && c != '\n':
			s.rest = s.rest[i:]
			return
		}
	}
	s.rest = ""
}

package mime

import (
	"bytes"
	"slices"
	"strings"
)

// A Param is one parameter of a Content-Type or Content-Disposition field.
type Param struct {
	Name     string // in lower case, without the "*" of RFC 2231
	Value    string // decoded; valid UTF-8 without control characters
	Language string // of RFC 2231 §5, or ""
}

// maxParams bounds the parameters, and the pieces of parameters, that are read
// from one field; the rest is ignored.
const maxParams = 256

// valueFlaws is a set of the value codes from BadMediaType on.
type valueFlaws uint32

// add and has treat the codes from BadMediaType on as members of the set.
func (v *valueFlaws) add(c Code)     { *v |= 1 << (c - BadMediaType) }
func (v valueFlaws) has(c Code) bool { return v&(1<<(c-BadMediaType)) != 0 }

// addWords adds what the decoding of encoded-words found.
func (v *valueFlaws) addWords(w wordFlaws) {
	if w&(flawWord|flawCharset) != 0 {
		v.add(BadEncodedWord)
	}
	if w&flawControl != 0 {
		v.add(ControlInDecoded)
	}
	if w&flawSplit != 0 {
		v.add(SplitMultibyte)
	}
}

// A rawParam is a parameter as it is written.
type rawParam struct {
	name   []byte
	value  []byte // without quotes, with backslashes and folds
	quoted bool
}

// A paramScanner splits the value of a Content-Type or Content-Disposition.
// It reads what RFC 2045 §5.1 allows and what is sent instead: no semicolon,
// several of them, values with spaces and no quotes, quotes never closed.
type paramScanner struct {
	lexer
	count int
	flaws valueFlaws
}

// head reads what stands before the parameters, such as "text/plain", without
// comments and white space.
func (s *paramScanner) head() []byte {
	// "text / plain" has white space and perhaps comments within, which RFC
	// 822 times allowed; a word after the subtype is junk, unless it begins a
	// parameter whose semicolon was forgotten.
	var head []byte
	for {
		s.skipCFWS()
		if s.done() || s.peek() == ';' {
			return head
		}
		if head != nil && s.atParam() {
			return head
		}
		start := s.i
		for s.i < len(s.b) && !isSpace(s.b[s.i]) && s.b[s.i] != ';' && (s.b[s.i] != '(' || s.i == start) {
			s.i++
		}
		word := s.b[start:s.i]
		switch {
		case head == nil:
			head = word[:len(word):len(word)]
		case head[len(head)-1] == '/' || word[0] == '/': // "text / plain"
			head = append(head, word...)
		default: // a word that belongs nowhere
			s.flaws.add(BadMediaType)
		}
	}
}

// atParam reports whether a parameter name and "=" follow, where a semicolon
// should have been.
func (s *paramScanner) atParam() bool {
	i := s.i
	for i < len(s.b) && isParamName(s.b[i]) {
		i++
	}
	if i == s.i {
		return false
	}
	for i < len(s.b) && isSpace(s.b[i]) {
		i++
	}
	return i < len(s.b) && s.b[i] == '='
}

// isParamName reports whether c is a token character (RFC 2045 §5.1).
func isParamName(c byte) bool { return octetClass[c]&classToken != 0 }

// next reads the next parameter.
func (s *paramScanner) next() (p rawParam, ok bool) {
	for s.count < maxParams {
		s.skipCFWS()
		if s.done() {
			return p, false
		}
		if s.peek() == ';' {
			s.i++
			continue
		}
		p.name = s.paramName()
		if s.peek() != '=' {
			s.flaws.add(BadParam) // no "=": junk
			continue
		}
		s.i++
		p.value, p.quoted = s.paramValue()
		if len(bytes.TrimLeft(p.name, "*")) == 0 || len(p.value) == 0 && !p.quoted {
			s.flaws.add(BadParam)
			continue
		}
		s.count++
		return p, true
	}
	return p, false
}

// paramName reads up to the "=". Nearly all names are one token.
func (s *paramScanner) paramName() []byte {
	start := s.i
	for s.i < len(s.b) && octetClass[s.b[s.i]]&classToken != 0 {
		s.i++
	}
	if s.peek() == '=' {
		return s.b[start:s.i]
	}
	s.atomUntil("=;")
	return lastWord(s.b[start:s.i])
}

// lastWord returns the last word of a name, before white space and comments at
// its end: what stands before it belongs to something else.
func lastWord(b []byte) []byte {
	b = trimSpace(b)
	if i := bytes.IndexByte(b, '('); i > 0 {
		b = trimSpace(b[:i])
	}
	if i := bytes.LastIndexAny(b, " \t\r\n"); i >= 0 {
		b = b[i+1:]
	}
	return b
}

// paramValue reads what follows the "=".
func (s *paramScanner) paramValue() (value []byte, quoted bool) {
	s.skipCFWS()
	if s.peek() == '"' {
		if text, ok := s.quoted(); ok {
			return text, true
		}
		s.flaws.add(BadParam) // never closed: the rest is the value
		value = trimCR(bytes.TrimSuffix(s.b[s.i+1:], []byte("\n")))
		s.i = len(s.b)
		return value, true
	}
	// Without quotes a value ends at white space (RFC 2045 §5.1), but file
	// names with spaces are sent so all the time. It ends where a parameter or
	// a comment begins.
	start, end := s.i, s.i
	for !s.done() && s.peek() != ';' {
		if s.peek() == '(' && s.i > start {
			break
		}
		if !isSpace(s.peek()) {
			s.i++
			end = s.i
			continue
		}
		s.skipSpace()
		if s.done() || s.peek() == ';' || s.peek() == '(' || s.atParam() {
			break
		}
		if s.i < len(s.b) && s.peek() != '=' {
			s.flaws.add(BadParam) // a space that needed quotes
		}
	}
	return s.b[start:end], false
}

// paramText decodes a parameter that is not in the form of RFC 2231. An
// encoded-word has no place here (RFC 2047 §5), but is what many senders use.
func (s *paramScanner) paramText(p rawParam) string {
	v := p.value
	if p.quoted {
		v = unescapeParam(v)
	}
	// Most values are what they are.
	if plainText(v) {
		return string(v)
	}
	d := wordDecoder{dst: make([]byte, 0, len(v)), glue: true, keepGaps: p.quoted}
	if bytes.Contains(v, wordStart) {
		s.flaws.add(Param2047)
	}
	d.decode(v)
	s.flaws.addWords(d.flaws)
	return ownedString(d.dst)
}

// unescapeParam removes backslashes where they quote. A backslash before an
// ordinary character is one of a Windows path that nobody quoted.
func unescapeParam(b []byte) []byte {
	if bytes.IndexByte(b, '\\') < 0 {
		return b
	}
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] == '\\' && i+1 < len(b) && strings.IndexByte(`"\'()`, b[i+1]) >= 0 {
			i++
		}
		out = append(out, b[i])
	}
	return out
}

// params reads all parameters that follow.
func (s *paramScanner) params() []Param {
	// Pieces may come in any order and between other parameters, so they wait
	// until all are there.
	var out []Param
	var pieces []paramPiece
	for {
		p, ok := s.next()
		if !ok {
			break
		}
		if piece, ok := splitPiece(p); ok {
			pieces = append(pieces, piece)
			continue
		}
		out = s.addParam(out, Param{Name: paramName(p.name), Value: s.paramText(p)})
	}
	if len(pieces) > 0 {
		out = s.joinPieces(out, pieces)
	}
	return out
}

// addParam adds a parameter unless it is there: the first one counts.
func (s *paramScanner) addParam(out []Param, p Param) []Param {
	for _, have := range out {
		if have.Name != p.Name {
			continue
		}
		if have.Value == p.Value || p.Name == "charset" && strings.EqualFold(have.Value, p.Value) {
			s.flaws.add(EqualParam)
		} else {
			s.flaws.add(DupParam)
		}
		return out
	}
	return append(out, p)
}

// paramName returns a name in lower case; the frequent ones cost nothing.
func paramName(b []byte) string {
	for _, name := range [...]string{"charset", "boundary", "name", "filename", "format", "type", "protocol"} {
		if equalFold(b, name) {
			return name
		}
	}
	d := wordDecoder{}
	d.literal(b)
	return strings.ToLower(string(d.dst))
}

// find reads the first parameter of a name, in lower case, and nothing else.
func (s *paramScanner) find(name string) (string, bool) {
	start, count := s.i, s.count
	for {
		p, ok := s.next()
		if !ok {
			return "", false
		}
		switch {
		case equalFold(p.name, name):
			return s.paramText(p), true
		case len(p.name) > len(name) && p.name[len(name)] == '*' && hasPrefixFold(p.name, name):
			s.i, s.count = start, count // in pieces: only all together tell
			all := s.params()
			i := slices.IndexFunc(all, func(p Param) bool { return p.Name == name })
			if i < 0 {
				return "", false
			}
			return all[i].Value, true
		}
	}
}

package mime

import (
	"bytes"
	"cmp"
	"slices"
)

// A paramPiece is a parameter in the form of RFC 2231: name*, name*0, name*0*.
type paramPiece struct {
	name    []byte
	value   rawParam
	index   int  // of a continuation (§3), 0 for a whole parameter
	whole   bool // no continuation
	encoded bool // percent-encoded with charset and language (§4)
}

// maxPieceIndex bounds the index of a continuation, and the octets they join
// to are bounded by the header.
const maxPieceIndex = 999

// splitPiece reads the "*" forms of a parameter name; ok is false for a name
// without one.
func splitPiece(p rawParam) (piece paramPiece, ok bool) {
	name := bytes.TrimLeft(p.name, "*")
	base, rest, found := bytes.Cut(name, []byte("*"))
	if !found || len(base) == 0 {
		return piece, false
	}
	piece = paramPiece{name: base, value: p}
	digits := bytes.TrimRight(rest, "*")
	piece.encoded = len(digits) < len(rest) || len(rest) == 0
	if len(digits) == 0 {
		piece.whole = true
		return piece, true
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			break
		}
		piece.index = min(piece.index*10+int(c-'0'), maxPieceIndex+1)
	}
	return piece, true
}

// joinPieces adds the parameters that came in pieces. They replace one of the
// same name in the plain form, which is there for readers without RFC 2231.
func (s *paramScanner) joinPieces(out []Param, pieces []paramPiece) []Param {
	// Sorted by name, then whole before continued, then by index: what belongs
	// together stands together, and the cost does not depend on how large an
	// index someone writes.
	slices.SortStableFunc(pieces, func(a, b paramPiece) int {
		return cmp.Or(compareFold(a.name, b.name), cmp.Compare(b2i(!a.whole), b2i(!b.whole)), cmp.Compare(a.index, b.index))
	})
	for len(pieces) > 0 {
		n := 1
		for n < len(pieces) && compareFold(pieces[n].name, pieces[0].name) == 0 {
			n++
		}
		p := Param{Name: paramName(pieces[0].name)}
		p.Value, p.Language = s.joinValue(pieces[:n])
		pieces = pieces[n:]
		if i := slices.IndexFunc(out, func(have Param) bool { return have.Name == p.Name }); i >= 0 {
			if out[i].Value != p.Value {
				s.flaws.add(Param2231Mixed)
			}
			out[i] = p
			continue
		}
		out = append(out, p)
	}
	return out
}

// joinValue decodes the pieces of one parameter, in order. The octets are
// joined before the charset is applied, since a character may be cut.
func (s *paramScanner) joinValue(pieces []paramPiece) (value, language string) {
	if pieces[0].whole { // name*=: continuations beside it are a second value
		if len(pieces) > 1 {
			s.flaws.add(Param2231Mixed)
		}
		pieces = pieces[:1]
	}
	// Only the first piece names charset and language (RFC 2231 §4.1).
	var label []byte
	joined := make([]byte, 0, 64)
	for i, piece := range pieces {
		if i > 0 && piece.index == pieces[i-1].index {
			s.flaws.add(DupParam)
			continue
		}
		if piece.index > maxPieceIndex || !piece.whole && piece.index != expected(pieces, i) {
			s.flaws.add(Param2231Gap) // RFC 2231 §3: numbered from 0 without gaps
			break
		}
		v := piece.value.value
		if piece.value.quoted {
			v = unescapeParam(v)
		}
		if !piece.encoded {
			joined = append(joined, v...)
			continue
		}
		if i == 0 {
			var lang []byte
			label, lang, v = splitCharset(v)
			language = string(lang)
		} else if rest, again := bytes.CutPrefix(v, label); again && len(label) > 0 && len(rest) > 0 && rest[0] == '\'' {
			v = rest[1:] // a sender that repeats the charset in each piece
		}
		joined = appendPercent(joined, v)
	}
	return s.pieceText(label, joined), language
}

// expected returns the index that piece i must have: one more than the piece
// before, whose duplicates count once.
func expected(pieces []paramPiece, i int) int {
	if i == 0 {
		return 0
	}
	return pieces[i-1].index + 1
}

// pieceText decodes joined octets; without a charset they are taken as any
// other text of a header, with the encoded-words that senders put here as well.
func (s *paramScanner) pieceText(label, joined []byte) string {
	d := wordDecoder{glue: true}
	if label == nil {
		d.decode(joined)
	} else {
		d.label, d.charset = label, lookupCharset(label)
		if d.charset.kind == charsetUTF8 {
			d.dst = joined
		} else {
			d.pending = joined
		}
		d.flush()
	}
	s.flaws.addWords(d.flaws)
	return ownedString(d.dst)
}

// splitCharset splits charset'language'value (RFC 2231 §4).
func splitCharset(v []byte) (label, lang, rest []byte) {
	i := bytes.IndexByte(v, '\'')
	if i < 0 || i > maxCharsetLabel {
		return nil, nil, v
	}
	j := bytes.IndexByte(v[i+1:], '\'')
	if j < 0 {
		return nil, nil, v
	}
	return v[:i:i], v[i+1 : i+1+j], v[i+j+2:]
}

// appendPercent decodes %XX; a "%" that starts no escape stays.
func appendPercent(dst, v []byte) []byte {
	for i := 0; i < len(v); i++ {
		c := v[i]
		if c == '%' {
			if x, ok := unhex2(v, i+1); ok {
				c = x
				i += 2
			}
		}
		dst = append(dst, c)
	}
	return dst
}

// compareFold orders ASCII text without regard to case.
func compareFold(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if c := cmp.Compare(toLower(a[i]), toLower(b[i])); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b))
}

// b2i is 1 for true.
func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

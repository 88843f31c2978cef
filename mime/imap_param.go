package mime

import "bytes"

// A paramList writes the body-fld-param of RFC 9051 §9: names and values in
// one list, or NIL.
type paramList struct {
	dst     []byte
	start   int
	of      string // what the parameters are of: see appendParams
	charset bool   // there is one
}

// appendParams appends the parameters of a field as they are written, or NIL.
// Those of a "text" name a charset: one without is us-ascii (RFC 2045 §5.2).
// What was a "multipart" and is told as a text keeps nothing but its charset,
// as the rest is about the parts that it does not have.
func (p Part) appendParams(dst []byte, id fieldID, of string) []byte {
	l := paramList{dst: append(dst, '('), start: len(dst), of: of}
	if f, ok := p.Header().last(id); ok {
		l.field(f.value())
	}
	if of != "" && !l.charset {
		l.add(rawParam{name: []byte("charset"), value: []byte("us-ascii")})
	}
	if len(l.dst) == l.start+1 {
		return append(l.dst[:l.start], "NIL"...)
	}
	return append(l.dst, ')')
}

// field adds the parameters of a field. Only those with a "*" in the name may be
// pieces, which have to be read all before one is written.
func (l *paramList) field(value []byte) {
	ps := paramScanner{lexer: lexer{b: value}}
	ps.head()
	var all []rawParam
	pieces := bytes.IndexByte(value, '*') >= 0
	for {
		raw, ok := ps.next()
		if !ok {
			break
		}
		if !pieces {
			l.add(raw)
			continue
		}
		all = append(all, raw)
	}
	for i, raw := range all {
		if !l.addContinued(all, i) {
			l.add(raw)
		}
	}
}

// add appends one pair.
func (l *paramList) add(raw rawParam) {
	base, _, _ := bytes.Cut(raw.name, []byte("*")) // RFC 2231 §4: charset*
	isCharset := equalFold(base, "charset")
	if l.of == "multipart" && !isCharset {
		return
	}
	l.charset = l.charset || isCharset
	if len(l.dst) > l.start+1 {
		l.dst = append(l.dst, ' ')
	}
	l.dst = appendString(l.dst, raw.name)
	l.dst = append(l.dst, ' ')
	l.dst = appendString(l.dst, raw.text())
}

// text is the value without backslashes and folds.
func (raw rawParam) text() []byte {
	value := raw.value
	if raw.quoted {
		value = unescape(value)
	}
	return appendUnfolded(nil, value)
}

// addContinued handles a parameter that is a piece of a longer one: it appends
// the whole in the place of the piece numbered 0, and nothing for the others,
// nor for those behind a gap, which are no part of the value (RFC 2231 §3). It
// reports false for what stays as it is written: a parameter that is no piece,
// and pieces without a beginning.
func (l *paramList) addContinued(params []rawParam, i int) bool {
	piece, ok := splitPiece(params[i])
	if !ok || piece.whole {
		return false
	}
	run := continued(params, piece.name)
	if len(run) == 0 {
		return false
	}
	if run[0] == i {
		l.add(joinContinued(params, run))
	}
	return true
}

// continued finds the pieces of a name, in their order, as places in params. Of
// two with one number the first counts.
func continued(params []rawParam, name []byte) (run []int) {
	var at [maxParams]int // place of a number, and 1 more
	for i, raw := range params {
		piece, ok := splitPiece(raw)
		if ok && !piece.whole && piece.index < len(at) && at[piece.index] == 0 && compareFold(piece.name, name) == 0 {
			at[piece.index] = i + 1
		}
	}
	for _, i := range at {
		if i == 0 {
			break
		}
		run = append(run, i-1)
	}
	return run
}

// joinContinued makes one parameter of pieces (RFC 2231 §6). If any of them is
// percent-encoded the whole is, and the other pieces become so (§4.1).
func joinContinued(params []rawParam, run []int) rawParam {
	first, _ := splitPiece(params[run[0]])
	out := rawParam{name: bytes.Clone(first.name)}
	encoded := false
	for _, i := range run {
		piece, _ := splitPiece(params[i])
		encoded = encoded || piece.encoded
	}
	if encoded {
		out.name = append(out.name, '*')
		if !first.encoded { // charset and language are not named
			out.value = append(out.value, "''"...)
		}
	}
	for _, i := range run {
		piece, _ := splitPiece(params[i])
		if encoded && !piece.encoded {
			out.value = append(out.value, percent(string(params[i].text()))...)
			continue
		}
		out.value = append(out.value, params[i].text()...)
	}
	return out
}

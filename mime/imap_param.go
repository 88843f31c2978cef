package mime

import (
	"bytes"
	"cmp"
	"slices"
)

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
	runs, inRun := continuations(all)
	for i, raw := range all {
		switch {
		case runs[i] != nil:
			l.add(joinContinued(runs[i]))
		case !inRun[i]:
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

// continuations finds the parameters in pieces. runs has the pieces of one, in
// their order, at the place of the piece numbered 0, where the whole is to stand;
// inRun says of the others that they are not told by themselves, nor are those
// behind a gap, which are no part of the value (RFC 2231 §3). Neither has
// what stays as it is written: a parameter that is no piece, and pieces without a
// beginning. The pieces are sorted once, whatever their names and numbers.
func continuations(params []rawParam) (runs map[int][]paramPiece, inRun []bool) {
	pieces := make([]paramPiece, len(params))
	order := make([]int, 0, len(params))
	for i, raw := range params {
		piece, ok := splitPiece(raw)
		if pieces[i] = piece; ok && !piece.whole {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(compareFold(pieces[a].name, pieces[b].name), cmp.Compare(pieces[a].index, pieces[b].index))
	})
	runs, inRun = make(map[int][]paramPiece), make([]bool, len(params))
	for len(order) > 0 {
		first, n := order[0], 1
		for n < len(order) && compareFold(pieces[order[n]].name, pieces[first].name) == 0 {
			n++
		}
		if pieces[first].index == 0 {
			runs[first] = run(pieces, order[:n])
			for _, i := range order[:n] {
				inRun[i] = true
			}
		}
		order = order[n:]
	}
	return runs, inRun
}

// run are the pieces of one name from 0 up to the first gap. Of two with one
// number the first counts.
func run(pieces []paramPiece, order []int) (out []paramPiece) {
	for _, i := range order {
		if pieces[i].index == len(out) {
			out = append(out, pieces[i])
		}
	}
	return out
}

// joinContinued makes one parameter of pieces (RFC 2231 §6). If any of them is
// percent-encoded the whole is, and the other pieces become so (§4.1).
func joinContinued(run []paramPiece) rawParam {
	out := rawParam{name: bytes.Clone(run[0].name)}
	encoded := slices.ContainsFunc(run, func(p paramPiece) bool { return p.encoded })
	if encoded {
		out.name = append(out.name, '*')
		if !run[0].encoded { // charset and language are not named
			out.value = append(out.value, "''"...)
		}
	}
	for _, piece := range run {
		text := piece.value.text()
		if encoded && !piece.encoded {
			text = []byte(percent(string(text)))
		}
		out.value = append(out.value, text...)
	}
	return out
}

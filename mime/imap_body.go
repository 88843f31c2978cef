package mime

import (
	"bytes"
	"strconv"
)

// AppendBodyStructure appends the IMAP BODY of the message to dst or, with
// extensions, its BODYSTRUCTURE (RFC 9051 §7.5.2): what a server prints after
// that word. Sizes and lines are those of the encoded text with CRLF line
// breaks. Parameters are given as they are written, not decoded, which
// clients do themselves.
//
// What IMAP has no words for is told in those it has: a multipart without
// parts has one empty text, a multipart that was not divided is a text, and an
// encoded message/rfc822 is a part like any other.
func (m *Message) AppendBodyStructure(dst []byte, extensions bool) []byte {
	return m.Root().AppendBodyStructure(dst, extensions)
}

// AppendBodyStructure appends the structure of one part. Its calls nest no
// deeper than Limits.Depth.
func (p Part) AppendBodyStructure(dst []byte, extensions bool) []byte {
	if !p.Valid() {
		return append(dst, emptyBody...)
	}
	if p.IsMultipart() {
		return p.appendMultipart(dst, extensions)
	}
	return p.appendLeaf(dst, extensions)
}

const emptyBody = `("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0)`

// appendMultipart appends body-type-mpart of the grammar in RFC 9051 §9.
func (p Part) appendMultipart(dst []byte, extensions bool) []byte {
	dst = append(dst, '(')
	for child := range p.Children() {
		dst = child.AppendBodyStructure(dst, extensions)
	}
	if !p.Child().Valid() { // the grammar asks for one
		dst = append(dst, emptyBody...)
	}
	_, sub := p.typeBytes()
	dst = append(dst, ' ')
	dst = appendString(dst, sub)
	if extensions {
		dst = append(dst, ' ')
		dst = p.appendParams(dst, fieldContentType, false)
		dst = p.appendExtensions(dst)
	}
	return append(dst, ')')
}

// appendLeaf appends body-type-1part of the grammar in RFC 9051 §9: a text has
// its lines, a message its envelope, structure and lines besides.
func (p Part) appendLeaf(dst []byte, extensions bool) []byte {
	// Type and subtype keep the case they were sent in: clients compare them
	// without regard to it (RFC 2045 §5.1).
	typ, sub := p.typeBytes()
	if equalFold(typ, "multipart") { // one that was not divided
		typ, sub = []byte("text"), []byte("plain")
	}
	text := equalFold(typ, "text")
	dst = append(dst, '(')
	dst = appendString(dst, typ)
	dst = append(dst, ' ')
	dst = appendString(dst, sub)
	dst = append(dst, ' ')
	dst = p.appendParams(dst, fieldContentType, text)
	h := p.Header()
	for _, id := range [...]fieldID{fieldContentID, fieldContentDescription} {
		dst = append(dst, ' ')
		dst = h.appendRaw(dst, id)
	}
	dst = append(dst, ' ')
	dst = p.appendEncoding(dst)
	// RFC 9051 §7.5.2: octets and lines are those of the transfer encoding.
	span := p.Span()
	dst = append(dst, ' ')
	dst = strconv.AppendInt(dst, span.CRLFOctets, 10)
	if p.IsMessage() {
		dst = append(dst, ' ')
		dst = p.Child().appendEnvelope(dst)
		dst = append(dst, ' ')
		dst = p.Child().AppendBodyStructure(dst, extensions)
	}
	if p.IsMessage() || text {
		dst = append(dst, ' ')
		dst = strconv.AppendInt(dst, span.Lines, 10)
	}
	if extensions {
		dst = append(dst, ' ')
		dst = h.appendRaw(dst, fieldContentMD5)
		dst = p.appendExtensions(dst)
	}
	return append(dst, ')')
}

// appendEncoding appends the Content-Transfer-Encoding as it is written.
func (p Part) appendEncoding(dst []byte) []byte {
	f, ok := p.Header().last(fieldTransferEncoding)
	if !ok {
		return append(dst, `"7bit"`...) // RFC 2045 §6.1
	}
	lex := lexer{b: f.value()}
	lex.skipCFWS()
	word := trimQuotes(lex.atomUntil(" \t\r\n;,("))
	if len(word) == 0 {
		return append(dst, `"7bit"`...)
	}
	return appendString(dst, word)
}

// appendParams appends the parameters of a field as they are written, or NIL.
// A text without a charset is us-ascii (RFC 2045 §5.2).
func (p Part) appendParams(dst []byte, id fieldID, text bool) []byte {
	start := len(dst)
	dst = append(dst, '(')
	charset := false
	if f, ok := p.Header().last(id); ok {
		ps := paramScanner{lexer: lexer{b: f.value()}}
		ps.head()
		for {
			raw, ok := ps.next()
			if !ok {
				break
			}
			charset = charset || hasPrefixFold(raw.name, "charset")
			dst = appendParam(dst, start, raw)
		}
	}
	if text && !charset {
		dst = appendParam(dst, start, rawParam{name: []byte("charset"), value: []byte("us-ascii")})
	}
	if len(dst) == start+1 {
		return append(dst[:start], "NIL"...)
	}
	return append(dst, ')')
}

// appendParam appends one pair to the list that begins at start.
func appendParam(dst []byte, start int, raw rawParam) []byte {
	if len(dst) > start+1 {
		dst = append(dst, ' ')
	}
	value := raw.value
	if raw.quoted {
		value = unescape(value)
	}
	dst = appendString(dst, raw.name)
	dst = append(dst, ' ')
	return appendString(dst, appendUnfolded(nil, value))
}

// appendExtensions appends disposition, language and location, each with a
// space before it.
func (p Part) appendExtensions(dst []byte) []byte {
	// All three always stand there, NIL or not: some clients count.
	h := p.Header()
	dst = append(dst, ' ')
	f, ok := h.last(fieldContentDisposition)
	ps := paramScanner{lexer: lexer{b: f.disposition(ok)}}
	if typ := trimQuotes(ps.head()); len(typ) > 0 {
		dst = append(dst, '(')
		dst = appendString(dst, typ)
		dst = append(dst, ' ')
		dst = p.appendParams(dst, fieldContentDisposition, false)
		dst = append(dst, ')')
	} else {
		dst = append(dst, "NIL"...)
	}
	dst = append(dst, ' ')
	dst = h.appendLanguages(dst)
	dst = append(dst, ' ')
	return h.appendRaw(dst, fieldContentLocation)
}

// disposition returns the value of a field that is there.
func (f Field) disposition(ok bool) []byte {
	if !ok {
		return nil
	}
	return f.value()
}

// appendLanguages appends the tags of Content-Language (RFC 3282 §2): NIL, a
// string, or a list of several.
func (h Header) appendLanguages(dst []byte) []byte {
	f, ok := h.first(fieldContentLanguage)
	if !ok {
		return append(dst, "NIL"...)
	}
	start, n := len(dst), 0
	for tag := range bytes.SplitSeq(f.value(), []byte{','}) {
		lex := lexer{b: tag}
		lex.skipCFWS()
		word := lex.atomUntil(" \t\r\n(")
		if len(word) == 0 {
			continue
		}
		if n++; n > 1 {
			dst = append(dst, ' ')
		}
		dst = appendString(dst, word)
	}
	switch n {
	case 0:
		return append(dst, "NIL"...)
	case 1:
		return dst
	}
	list := append([]byte{'('}, dst[start:]...)
	dst = append(dst[:start], list...)
	return append(dst, ')')
}

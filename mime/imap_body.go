package mime

import (
	"bytes"
	"strconv"
)

// AppendBodyStructure appends the IMAP BODY of the message to dst or, with
// extensions, its BODYSTRUCTURE (RFC 9051 §7.5.2): what a server prints after
// that word. Sizes and lines are those of the encoded text with CRLF line
// breaks. Parameters are given as they are written, not decoded, which
// clients do themselves; those in pieces are joined (RFC 2231 §6).
//
// What IMAP has no words for is told in those it has: a multipart without
// parts has one empty text, a multipart that was not divided is a text, and an
// encoded message/rfc822, which is not looked into, has an envelope without
// values and an empty text.
func (m *Message) AppendBodyStructure(dst []byte, extensions bool) []byte {
	return m.Root().AppendBodyStructure(dst, extensions)
}

// AppendBodyStructure appends the structure of one part. Its calls nest no
// deeper than Limits.Depth.
func (p Part) AppendBodyStructure(dst []byte, extensions bool) []byte {
	if !p.Valid() {
		return appendEmptyBody(dst, extensions)
	}
	if p.IsMultipart() {
		return p.appendMultipart(dst, extensions)
	}
	return p.appendLeaf(dst, extensions)
}

// What is said of a part that is not there, and of the message in a part that
// is not looked into.
const (
	emptyBody     = `("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0)`
	emptyEnvelope = `(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)`
)

// appendEmptyBody appends a text of nothing.
func appendEmptyBody(dst []byte, extensions bool) []byte {
	dst = append(dst, emptyBody...)
	if extensions {
		dst = append(dst[:len(dst)-1], " NIL NIL NIL NIL)"...)
	}
	return dst
}

// appendMultipart appends body-type-mpart of the grammar in RFC 9051 §9.
func (p Part) appendMultipart(dst []byte, extensions bool) []byte {
	dst = append(dst, '(')
	for child := range p.Children() {
		dst = child.AppendBodyStructure(dst, extensions)
	}
	if !p.Child().Valid() { // the grammar asks for one
		dst = appendEmptyBody(dst, extensions)
	}
	_, sub := p.typeBytes()
	dst = append(dst, ' ')
	dst = appendString(dst, sub)
	if extensions {
		dst = append(dst, ' ')
		dst = p.appendParams(dst, fieldContentType, "")
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
	words := ""
	if equalFold(typ, "multipart") { // one that was not divided
		typ, sub, words = []byte("text"), []byte("plain"), "multipart"
	}
	text := equalFold(typ, "text")
	if text && words == "" {
		words = "text"
	}
	message := equalFold(typ, "message") && (equalFold(sub, "rfc822") || equalFold(sub, "global"))
	dst = append(dst, '(')
	dst = appendString(dst, typ)
	dst = append(dst, ' ')
	dst = appendString(dst, sub)
	dst = append(dst, ' ')
	dst = p.appendParams(dst, fieldContentType, words)
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
	if message {
		dst = p.appendInner(dst, extensions)
	}
	if message || text {
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

// appendInner appends envelope and structure of the message that the part
// carries. RFC 9051 §7.5.2: they stand there for every message/rfc822, and a
// client that reads the type waits for them, so an encoded one has them too.
func (p Part) appendInner(dst []byte, extensions bool) []byte {
	dst = append(dst, ' ')
	if !p.IsMessage() {
		dst = append(dst, emptyEnvelope...)
		dst = append(dst, ' ')
		return appendEmptyBody(dst, extensions)
	}
	dst = p.Child().appendEnvelope(dst)
	dst = append(dst, ' ')
	return p.Child().AppendBodyStructure(dst, extensions)
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
		dst = p.appendParams(dst, fieldContentDisposition, "")
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

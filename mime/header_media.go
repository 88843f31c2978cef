package mime

import (
	"bytes"
	"strings"
)

// A MediaType is the value of a Content-Type field (RFC 2045 §5).
type MediaType struct {
	Type    string // such as "text", in lower case
	Subtype string // such as "plain", in lower case; empty if there was none
	Params  []Param
}

// String returns "type/subtype" without the parameters, or "" for the zero value.
func (m MediaType) String() string {
	if m.Subtype == "" {
		return m.Type
	}
	return m.Type + "/" + m.Subtype
}

// Is reports whether m has the type and subtype, given in lower case. An empty
// subtype stands for any.
func (m MediaType) Is(typ, subtype string) bool {
	return m.Type == typ && (subtype == "" || m.Subtype == subtype)
}

// Param returns the value of a parameter, named in lower case, or "".
func (m MediaType) Param(name string) string { return findParam(m.Params, name) }

// A Disposition is the value of a Content-Disposition field (RFC 2183).
type Disposition struct {
	Type   string // "inline", "attachment" or another, in lower case; empty if there was none
	Params []Param
}

// Param returns the value of a parameter, named in lower case, or "".
func (d Disposition) Param(name string) string { return findParam(d.Params, name) }

// findParam returns the value of a parameter, or "".
func findParam(params []Param, name string) string {
	for _, p := range params {
		if p.Name == name {
			return p.Value
		}
	}
	return ""
}

// ContentType returns the Content-Type as it was sent. The zero MediaType
// says that there is none or none that can be read; Part.Type says what holds
// then.
func (h Header) ContentType() MediaType {
	f, ok := h.last(fieldContentType)
	if !ok {
		return MediaType{}
	}
	m, _ := parseMediaType(f.value())
	return m
}

// Disposition returns the Content-Disposition, or the zero value.
func (h Header) Disposition() Disposition {
	f, ok := h.last(fieldContentDisposition)
	if !ok {
		return Disposition{}
	}
	d, _ := parseDisposition(f.value())
	return d
}

// parseMediaType reads a Content-Type value. Without a type there is nothing
// that its parameters could belong to.
func parseMediaType(value []byte) (MediaType, valueFlaws) {
	s := paramScanner{lexer: lexer{b: value}}
	typ, sub, ok := splitMediaType(s.head())
	if len(typ) == 0 {
		s.flaws.add(BadMediaType)
		return MediaType{}, s.flaws
	}
	if !ok {
		s.flaws.add(BadMediaType)
	}
	m := MediaType{Type: mediaWord(typ), Subtype: mediaWord(sub)}
	m.Params = s.params()
	return m, s.flaws
}

// splitMediaType cuts "type/subtype"; ok is false if one of them is missing or
// is no token (RFC 2045 §5.1).
func splitMediaType(head []byte) (typ, sub []byte, ok bool) {
	typ, sub, _ = bytes.Cut(head, []byte("/"))
	ok = len(typ) > 0 && len(sub) > 0
	for _, part := range [...][]byte{typ, sub} {
		for _, c := range part {
			ok = ok && isParamName(c)
		}
	}
	return typ, sub, ok
}

// parseDisposition reads a Content-Disposition value.
func parseDisposition(value []byte) (Disposition, valueFlaws) {
	s := paramScanner{lexer: lexer{b: value}}
	d := Disposition{Type: mediaWord(trimQuotes(s.head()))}
	d.Params = s.params()
	return d, s.flaws
}

// mediaWord returns a word in lower case; the frequent ones cost nothing.
func mediaWord(b []byte) string {
	for _, word := range commonWords {
		if equalFold(b, word) {
			return word
		}
	}
	d := wordDecoder{}
	d.literal(b)
	return strings.ToLower(string(d.dst))
}

var commonWords = [...]string{
	"", "text", "plain", "html", "multipart", "mixed", "alternative", "related",
	"application", "octet-stream", "pdf", "image", "png", "jpeg", "gif",
	"message", "rfc822", "attachment", "inline", "delivery-status", "report", "signed",
}

package mime

import (
	"bytes"
	"iter"
	"slices"
)

// MessageID returns the Message-ID without its angle brackets, or "".
func (h Header) MessageID() string { return h.firstID(fieldMessageID) }

// ContentID returns the Content-ID without its angle brackets (RFC 2045 §7),
// or "".
func (h Header) ContentID() string { return h.firstID(fieldContentID) }

// References yields the message ids of the References fields, oldest first
// (RFC 5322 §3.6.4).
func (h Header) References() iter.Seq[string] { return h.MessageIDs("References") }

// InReplyTo yields the message ids of the In-Reply-To fields.
func (h Header) InReplyTo() iter.Seq[string] { return h.MessageIDs("In-Reply-To") }

// MessageIDs yields the message ids of all fields of a name, without their
// angle brackets. Where there are no brackets, each word counts as an id. An
// id is not decoded; it is valid UTF-8 without control characters.
func (h Header) MessageIDs(name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := h.next(name, 0); i >= 0; i = h.next(name, i+1) {
			s := idScanner{lexer: lexer{b: Field{h.raw, h.fields[i]}.value()}}
			for id := s.next(); id != nil; id = s.next() {
				if !yield(idText(id)) {
					return
				}
			}
		}
	}
}

// firstID returns the first id of the first field, which is all there should
// be in a Message-ID or Content-ID.
func (h Header) firstID(id fieldID) string {
	f, ok := h.first(id)
	if !ok {
		return ""
	}
	s := idScanner{lexer: lexer{b: f.value()}}
	return idText(s.next())
}

// An idScanner finds message ids (RFC 5322 §3.6.4) and what stands for them.
type idScanner struct {
	lexer
	started  bool
	bare     bool // no angle brackets: words are ids
	unclosed bool
}

// next returns the next id, or nil.
func (s *idScanner) next() []byte {
	if !s.started {
		s.started = true
		s.bare = bytes.IndexByte(s.b, '<') < 0
	}
	for !s.done() {
		if s.bare {
			s.skipCFWS()
			if id := s.atomUntil(" \t\r\n"); len(id) > 0 {
				return id
			}
			continue
		}
		i := bytes.IndexByte(s.b[s.i:], '<')
		if i < 0 {
			break
		}
		s.i += i + 1
		end := bytes.IndexAny(s.b[s.i:], "<>")
		if end < 0 { // never closed
			end = len(s.b) - s.i
		}
		id := trimSpace(s.b[s.i : s.i+end])
		s.i += end
		s.unclosed = s.unclosed || s.peek() != '>'
		if len(id) > 0 {
			return id
		}
	}
	s.i = len(s.b)
	return nil
}

// idText makes an id a string, without the line breaks of folding.
func idText(id []byte) string {
	if plainText(id) {
		return string(id)
	}
	var d wordDecoder
	d.literal(id)
	return string(d.dst)
}

// ListURLs returns the URLs of a List-* field (RFC 2369 §2), such as
// "List-Unsubscribe", in the order the sender prefers.
func (h Header) ListURLs(name string) []string {
	var urls []string
	f, ok := h.Lookup(name)
	if !ok {
		return nil
	}
	s := idScanner{lexer: lexer{b: f.value()}, started: true}
	for id := s.next(); id != nil; id = s.next() {
		// RFC 2369 §2: white space inside the brackets is ignored.
		url := slices.DeleteFunc(slices.Clone(id), isSpace)
		urls = append(urls, idText(url))
	}
	return urls
}

// OneClick returns the HTTPS address to which one POST of the text
// "List-Unsubscribe=One-Click" ends a subscription, if the sender offers it
// (RFC 8058 §3.1), else "".
func (h Header) OneClick() string {
	f, ok := h.Lookup("List-Unsubscribe-Post")
	if !ok || !equalFold(trimSpace(f.value()), "list-unsubscribe=one-click") {
		return ""
	}
	for _, url := range h.ListURLs("List-Unsubscribe") {
		if hasPrefixFold([]byte(url), "https://") {
			return url
		}
	}
	return ""
}

// ListID returns the identifier of a mailing list and its description (RFC
// 2919 §3), or two empty strings.
func (h Header) ListID() (id, description string) {
	f, ok := h.Lookup("List-ID")
	if !ok {
		return "", ""
	}
	v := f.value()
	open := bytes.LastIndexByte(v, '<')
	if open < 0 {
		return idText(trimSpace(v)), ""
	}
	s := idScanner{lexer: lexer{b: v, i: open}, started: true}
	id = idText(s.next())
	var p addressParser
	p.parse(v[:open])
	for _, a := range p.list {
		if description != "" {
			description += " "
		}
		description += a.String()
	}
	return id, description
}

// TextList returns the decoded, comma-separated words of all fields of a name,
// such as "Keywords" (RFC 5322 §3.6.5).
func (h Header) TextList(name string) []string {
	var words []string
	for f := range h.All(name) {
		for item := range bytes.SplitSeq(f.value(), []byte{','}) {
			if text, _ := decodeText(item); text != "" {
				words = append(words, text)
			}
		}
	}
	return words
}

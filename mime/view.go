package mime

import "strings"

// TextBody returns the parts that make up the text to show where plain text is
// wanted, in order (RFC 8621 §4.1.4). Where a message has HTML only, these are
// its HTML parts; images between texts are among them.
func (m *Message) TextBody() []Part { return m.views().text }

// HTMLBody returns the parts that make up the text to show where HTML is
// wanted, in order (RFC 8621 §4.1.4). Where a message has plain text only,
// these are its text parts.
func (m *Message) HTMLBody() []Part { return m.views().html }

// Attachments returns the parts to list beside the text: what neither of the
// two bodies shows in full (RFC 8621 §4.1.4).
func (m *Message) Attachments() []Part { return m.views().attachments }

// views are the three lists of RFC 8621 §4.1.4.
type views struct {
	text, html, attachments []Part
}

// views sorts the parts into the three lists.
func (m *Message) views() *views {
	v := new(views)
	if len(m.parts) > 0 {
		v.part(m.Root(), viewPlace{multipart: "mixed"}, true, true)
	}
	return v
}

// A viewPlace says where in the tree a part stands.
type viewPlace struct {
	multipart     string // subtype of the multipart around it
	inAlternative bool   // some multipart/alternative is around it
	first         bool   // it is the first in its multipart
}

// multipart adds the parts of p. Its calls nest no deeper than Limits.Depth.
// inText and inHTML say which of the two bodies still take parts from here.
func (v *views) multipart(p Part, place viewPlace, inText, inHTML bool) {
	texts, htmls := len(v.text), len(v.html)
	place.first = true
	for child := range p.Children() {
		inText, inHTML = v.part(child, place, inText, inHTML)
		place.first = false
	}
	if place.multipart != "alternative" || !inText || !inHTML {
		return
	}
	// One kind only was found: it is what there is to show for the other.
	switch {
	case texts == len(v.text):
		v.text = append(v.text, v.html[htmls:]...)
	case htmls == len(v.html):
		v.html = append(v.html, v.text[texts:]...)
	}
}

// part adds one part, and returns which bodies take those that follow it.
func (v *views) part(p Part, place viewPlace, inText, inHTML bool) (bool, bool) {
	// A message inside the message is an attachment: its text is not that of
	// the message around it.
	typ, sub := p.typeBytes()
	if p.IsMultipart() {
		name := mediaWord(sub)
		v.multipart(p, viewPlace{multipart: name, inAlternative: place.inAlternative || name == "alternative"}, inText, inHTML)
		return inText, inHTML
	}
	plain := equalFold(typ, "text") && equalFold(sub, "plain")
	html := equalFold(typ, "text") && equalFold(sub, "html")
	media := equalFold(typ, "image") || equalFold(typ, "audio") || equalFold(typ, "video")
	if !(plain || html || media) || !v.inline(p, place, media) {
		v.attachments = append(v.attachments, p)
		return inText, inHTML
	}
	if place.multipart == "alternative" {
		switch {
		case plain && inText:
			v.text = append(v.text, p)
		case html && inHTML:
			v.html = append(v.html, p)
		case media:
			v.attachments = append(v.attachments, p)
		}
		return inText, inHTML
	}
	// Deeper within an alternative, the first text decides which of the two
	// bodies this branch is for.
	if place.inAlternative {
		inHTML = inHTML && !plain
		inText = inText && !html
	}
	if inText {
		v.text = append(v.text, p)
	}
	if inHTML {
		v.html = append(v.html, p)
	}
	if media && !(inText && inHTML) {
		v.attachments = append(v.attachments, p)
	}
	return inText, inHTML
}

// inline reports whether a text or media part is body rather than attachment.
func (v *views) inline(p Part, place viewPlace, media bool) bool {
	if p.Header().Disposition().Type == "attachment" {
		return false
	}
	// In multipart/related only the first part is text; elsewhere a text with
	// a file name that does not come first is a file.
	return place.first || p.part().parent < 0 || place.multipart != "related" && (media || p.Filename() == "")
}

// ByContentID returns the part with a Content-ID, as "cid:" URLs name it (RFC
// 2392 §2): without angle brackets, with the percent-encoding removed. It
// does not look into messages inside the message.
func (m *Message) ByContentID(id string) (Part, bool) {
	id = strings.TrimSuffix(strings.TrimPrefix(id, "<"), ">")
	if id == "" {
		return Part{}, false
	}
	for i := range m.parts {
		p := Part{m, int32(i)}
		if p.Header().ContentID() == id && !p.insideMessage() {
			return p, true
		}
	}
	return Part{}, false
}

// insideMessage reports whether a message/rfc822 is around p.
func (p Part) insideMessage() bool {
	for q := p.Parent(); q.Valid(); q = q.Parent() {
		if q.IsMessage() {
			return true
		}
	}
	return false
}

package main

import (
	"html"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/postilion-mail/postilion/mime"
	"github.com/postilion-mail/postilion/smtp"
)

// Bounds of what is taken out of one message.
const (
	maxSearch = 64 << 10 // octets of text that q finds
	maxShown  = 1 << 20  // octets of text and of HTML in one detail
	maxLinks  = 200
	maxParts  = 200  // in the list of attachments
	maxFields = 1000 // in the list of the header
)

// summary is one message in a list.
type summary struct {
	ID          int64     `json:"id"`
	Received    time.Time `json:"received"`
	From        string    `json:"from"` // of the envelope; "" is the null path
	To          []string  `json:"to"`   // of the envelope, Bcc too
	Author      string    `json:"author"`
	Subject     string    `json:"subject"`
	Preview     string    `json:"preview"`
	Size        int       `json:"size"`
	Attachments int       `json:"attachments"`
	HasHTML     bool      `json:"hasHTML"`
	Protocol    string    `json:"protocol"` // as Received names it
	User        string    `json:"user"`     // who logged in to send it
}

// detail is all about one message.
type detail struct {
	summary
	MessageID string       `json:"messageID"`
	Date      *time.Time   `json:"date"` // null where there is none
	Text      string       `json:"text"`
	HTML      string       `json:"html"`      // as it was sent
	Truncated bool         `json:"truncated"` // text or HTML was longer
	Links     []string     `json:"links"`     // of both
	Header    []field      `json:"header"`
	Parts     []attachment `json:"parts"` // attachments and inline images
	Defects   []string     `json:"defects"`
}

type field struct {
	Name  string `json:"name"`
	Value string `json:"value"` // decoded
}

type attachment struct {
	Part      int    `json:"part"` // for /parts/N
	Name      string `json:"name"` // safe to save as
	Type      string `json:"type"`
	ContentID string `json:"contentID,omitempty"`
	Size      int    `json:"size"` // as it was sent, encoded
}

// summarize says what a list shows of a message, and what a search finds.
func summarize(t *smtp.Transaction, source []byte, now time.Time) (summary, string) {
	m := mime.Parse(source)
	s := summary{
		Received: now, From: t.From.Address(), To: make([]string, 0, len(t.To)), Subject: clip(m.Header().Subject(), 1000), Preview: m.Preview(0),
		Size: len(source), Attachments: len(m.Attachments()), HasHTML: hasHTML(m), Protocol: t.Session.Protocol, User: t.Session.User,
	}
	var names []string
	for _, a := range m.Header().Addresses("From") {
		names = append(names, a.String())
	}
	s.Author = clip(strings.Join(names, ", "), 1000)
	for _, r := range t.To {
		s.To = append(s.To, r.Path.Address())
	}
	text, _ := shown(m.TextBody(), maxSearch)
	return s, strings.ToLower(clip(strings.Join([]string{s.Subject, s.Author, s.From, strings.Join(s.To, " "), text}, "\n"), maxSearch))
}

func hasHTML(m *mime.Message) bool {
	return slices.ContainsFunc(m.HTMLBody(), func(p mime.Part) bool { return p.Type().Is("text", "html") })
}

// describe says all about a message.
func describe(e *entry) detail {
	m := mime.Parse(e.source)
	h := m.Header()
	d := detail{summary: e.summary, MessageID: h.MessageID(), Links: []string{}, Header: []field{}, Parts: []attachment{}, Defects: []string{}}
	if date, ok := h.Date(); ok {
		d.Date = &date
	}
	var cutText, cutHTML bool
	d.Text, cutText = shown(plain(m), maxShown)
	if e.HasHTML {
		d.HTML, cutHTML = shown(m.HTMLBody(), maxShown)
	}
	d.Truncated = cutText || cutHTML
	d.Links = links(d.Text, d.HTML)
	for f := range h.Fields() {
		if len(d.Header) < maxFields {
			d.Header = append(d.Header, field{f.Name(), f.Text()})
		}
	}
	for _, p := range attachments(m) {
		d.Parts = append(d.Parts, attachment{p.Index(), p.SafeFilename(), p.Type().String(), p.Header().ContentID(), len(p.RawBody())})
	}
	for _, x := range m.Defects() {
		if len(d.Defects) < maxParts {
			d.Defects = append(d.Defects, x.String())
		}
	}
	return d
}

// plain are the parts to show as text: none where a message has HTML only.
func plain(m *mime.Message) []mime.Part {
	return slices.DeleteFunc(m.TextBody(), func(p mime.Part) bool { return p.Type().Is("text", "html") })
}

// attachments are all parts that are files, those that HTML shows by cid: too.
func attachments(m *mime.Message) (list []mime.Part) {
	body := append(m.TextBody(), m.HTMLBody()...)
	for _, p := range m.Walk() {
		inText := p.IsText() && slices.ContainsFunc(body, func(b mime.Part) bool { return b.Index() == p.Index() })
		if !p.IsMultipart() && !inText && p.Parent().Valid() && !p.Parent().IsMessage() && len(list) < maxParts {
			list = append(list, p)
		}
	}
	if len(list) == 0 && !m.Root().IsText() && !m.Root().IsMultipart() {
		list = append(list, m.Root()) // a message that is one file
	}
	return list
}

// shown joins the texts of parts, as far as limit goes.
func shown(parts []mime.Part, limit int) (text string, cut bool) {
	var b strings.Builder
	for _, p := range parts {
		if !p.IsText() {
			continue
		}
		if b.Len() >= limit {
			return b.String(), true
		}
		t := p.FlowedText()
		if rest := limit - b.Len(); len(t) > rest {
			t, cut = clip(t, rest), true
		}
		b.WriteString(t)
	}
	return b.String(), cut
}

var (
	linkInText = regexp.MustCompile(`https?://[^\s<>"'\x60]+`)
	linkInHTML = regexp.MustCompile(`(?i)\shref\s*=\s*(?:"(https?://[^"]+)"|'(https?://[^']+)'|(https?://[^\s>"']+))`)
)

// links are the URLs of a message, each once: the one to confirm an account is
// what many tests are after.
func links(text, markup string) []string {
	out := []string{}
	add := func(s string) {
		if len(out) < maxLinks && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	for _, s := range linkInText.FindAllString(text, maxLinks) {
		add(strings.TrimRight(s, ".,;:!?)]}"))
	}
	for _, m := range linkInHTML.FindAllStringSubmatch(markup, maxLinks) {
		add(html.UnescapeString(m[1] + m[2] + m[3]))
	}
	return out
}

// clip shortens s to at most n octets, between characters.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}

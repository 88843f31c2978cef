package main

import (
	"fmt"
	"html"
	"io"
	stdmime "mime"
	"net/http"
	"regexp"
	"slices"
	"strconv"

	"github.com/postilion-mail/postilion/mime"
)

// html shows the HTML of a message, which is the work of a stranger. It is not
// cleaned, since no list of what is harmful is complete: it is sent as it is, and
// the browser is told to do nothing with it but show it. The frame is sandboxed by
// its element and once more by this answer, where somebody opens it by itself: no
// scripts, forms or popups, an origin of its own, and nothing is loaded but the
// images of this message.
func (s *site) html(w http.ResponseWriter, r *http.Request) error {
	e, err := s.entry(r)
	if err != nil {
		return err
	}
	m := mime.Parse(e.source)
	parts := fmt.Sprintf("/api/messages/%d/parts/", e.ID)
	// An opaque origin has no 'self': the images are named by their address.
	images := "http://" + r.Host + parts
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'; img-src data: "+images+"; style-src 'unsafe-inline'; "+
		"base-uri 'none'; form-action 'none'; frame-ancestors 'self'")
	for _, p := range m.HTMLBody() {
		switch t := p.Type(); {
		case t.Is("text", "html"):
			_, err = io.WriteString(w, localImages(m, parts, p.Text()))
		case p.IsText():
			_, err = io.WriteString(w, "<pre>"+html.EscapeString(p.FlowedText())+"</pre>\n")
		case inline(p):
			_, err = fmt.Fprintf(w, "<p><img src=\"%s%d\" alt=\"\"></p>\n", parts, p.Index())
		}
		if err != nil {
			return nil // the client is gone
		}
	}
	return nil
}

// cidURL finds URLs of parts (RFC 2392 §2) where HTML and CSS have URLs: behind a
// quote, an equals sign or a parenthesis.
var cidURL = regexp.MustCompile(`(?i)(["'(=]\s*)cid:([^"'()<>\s]+)`)

// localImages makes URLs of parts lead to this server. One that leads nowhere
// stays, and shows nothing.
func localImages(m *mime.Message, prefix, markup string) string {
	return cidURL.ReplaceAllStringFunc(markup, func(found string) string {
		x := cidURL.FindStringSubmatch(found)
		p, ok := m.ByContentID(unescape(html.UnescapeString(x[2])))
		if !ok {
			return found
		}
		return x[1] + prefix + strconv.Itoa(p.Index())
	})
}

var percent = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)

// unescape undoes percent-encoding; what is none stays.
func unescape(s string) string {
	return percent.ReplaceAllStringFunc(s, func(x string) string {
		n, err := strconv.ParseUint(x[1:], 16, 8)
		if err != nil {
			return x
		}
		return string([]byte{byte(n)})
	})
}

// shownTypes are what a browser may show: images that can hold no script. All
// else is saved; SVG is a document.
var shownTypes = []string{"png", "jpeg", "gif", "webp", "avif", "bmp"}

func inline(p mime.Part) bool {
	t := p.Type()
	return t.Type == "image" && slices.Contains(shownTypes, t.Subtype)
}

// part gives one part, decoded.
func (s *site) part(w http.ResponseWriter, r *http.Request) error {
	e, err := s.entry(r)
	if err != nil {
		return err
	}
	m := mime.Parse(e.source)
	n, err := strconv.Atoi(r.PathValue("n"))
	if err != nil || n < 0 || n >= m.Len() || m.Part(n).IsMultipart() {
		return &httpError{http.StatusNotFound, "no such part"}
	}
	p := m.Part(n)
	kind, way := "application/octet-stream", "attachment"
	if inline(p) {
		kind, way = p.Type().String(), "inline"
	}
	disposition := stdmime.FormatMediaType(way, map[string]string{"filename": p.SafeFilename()})
	if disposition == "" {
		disposition = way
	}
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Disposition", disposition)
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	_, _ = io.Copy(w, p.Open()) // it is in memory: what fails is the client
	return nil
}

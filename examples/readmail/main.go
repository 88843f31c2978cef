// Readmail prints a message file the way a person wants to see it: who wrote
// to whom, when, about what, the text, and what is attached. It never fails on
// a file it can read, whatever is in it.
//
//	go run ./examples/readmail message.eml
//	go run ./examples/readmail -json message.eml
//	go run ./examples/readmail -save folder message.eml
package main

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/postilion-mail/postilion/mime"
)

func main() {
	asJSON := flag.Bool("json", false, "print all that is known of the message as JSON")
	save := flag.String("save", "", "save the attachments in this `folder`")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: readmail [-json] [-save folder] file")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(os.Stdout, flag.Arg(0), *asJSON, *save); err != nil {
		fmt.Fprintln(os.Stderr, "readmail:", err)
		os.Exit(1)
	}
}

// run prints the message in a file, which stays where it is: only its headers
// and what is printed come into memory.
func run(w io.Writer, file string, asJSON bool, save string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	m, err := mime.ParseAt(f, info.Size())
	if err != nil {
		return err
	}
	if asJSON {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		err = enc.Encode(describe(m))
	} else {
		err = show(w, m)
	}
	if err != nil || save == "" {
		return err
	}
	return saveAll(w, m, save)
}

// show prints the message for a person.
func show(w io.Writer, m *mime.Message) error {
	h := m.Header()
	var b strings.Builder
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%-8s %s\n", name+":", value)
		}
	}
	line("From", people(h.Groups("From")))
	line("To", people(h.Groups("To")))
	line("Cc", people(h.Groups("Cc")))
	if t, ok := h.Date(); ok {
		line("Date", t.Format("Mon, 2 Jan 2006 15:04:05 -0700"))
	}
	line("Subject", h.Subject())
	b.WriteByte('\n')
	text := textOf(m.TextBody(), "")
	b.WriteString(text)
	if text != "" && !strings.HasSuffix(text, "\n") {
		b.WriteByte('\n')
	}
	for i, p := range m.Attachments() {
		if i == 0 {
			b.WriteString("\nAttachments:\n")
		}
		fmt.Fprintf(&b, "  %s (%s, %d octets)\n", p.SafeFilename(), p.Type(), sizeOf(p))
	}
	for i, d := range m.Inspect() {
		if i == 0 {
			b.WriteString("\nOdd about this message:\n")
		}
		fmt.Fprintf(&b, "  %s\n", d)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// people lists addresses and groups as they are written by hand.
func people(groups []mime.Group) string {
	var out []string
	for _, g := range groups {
		var members []string
		for _, a := range g.Members {
			members = append(members, a.String())
		}
		list := strings.Join(members, ", ")
		if g.Named {
			list = g.Name + ": " + list + ";"
		}
		out = append(out, list)
	}
	return strings.Join(out, ", ")
}

// textOf joins the text parts of a body, or those of one subtype. Line breaks
// become those of the screen.
func textOf(parts []mime.Part, subtype string) string {
	var b strings.Builder
	for _, p := range parts {
		if t := p.Type(); t.Type == "text" && (subtype == "" || t.Subtype == subtype) {
			b.WriteString(strings.ReplaceAll(p.FlowedText(), "\r\n", "\n"))
		}
	}
	return b.String()
}

// sizeOf counts the octets of the decoded body without keeping them.
func sizeOf(p mime.Part) int64 {
	n, _ := io.Copy(io.Discard, p.Open())
	return n
}

// saveAll writes the attachments into a folder. A name that is taken gets a
// number; no file is ever overwritten.
func saveAll(w io.Writer, m *mime.Message, folder string) error {
	for _, p := range m.Attachments() {
		name, err := saveOne(p, folder)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintln(w, "saved", name); err != nil {
			return err
		}
	}
	return nil
}

func saveOne(p mime.Part, folder string) (string, error) {
	name := p.SafeFilename()
	ext := filepath.Ext(name)
	for i := 1; ; i++ {
		try := name
		if i > 1 {
			try = fmt.Sprintf("%s-%d%s", strings.TrimSuffix(name, ext), i, ext)
		}
		path := filepath.Join(folder, try)
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if os.IsExist(err) {
			continue
		}
		if err != nil {
			return "", err
		}
		_, err = io.Copy(f, p.Open())
		return path, cmp.Or(err, f.Close())
	}
}

// The description that -json prints.
type (
	description struct {
		From        []person     `json:"from"`
		To          []person     `json:"to"`
		Cc          []person     `json:"cc"`
		Date        string       `json:"date"` // RFC 3339, or ""
		Subject     string       `json:"subject"`
		MessageID   string       `json:"messageId"`
		Text        string       `json:"text"`
		HTML        string       `json:"html"`
		Parts       []part       `json:"parts"`
		Attachments []attachment `json:"attachments"`
		Defects     []defect     `json:"defects"`
	}
	person struct {
		Name    string `json:"name"`
		Address string `json:"address"`
	}
	part struct {
		Path     string `json:"path"`
		Type     string `json:"type"`
		Filename string `json:"filename"` // as the sender wrote it
		Size     int64  `json:"size"`     // octets of the body as it is in the message
		Begin    int64  `json:"begin"`
		Body     int64  `json:"body"`
		End      int64  `json:"end"`
		Lines    int64  `json:"lines"`
	}
	attachment struct {
		Filename string `json:"filename"` // safe to save it under
		Type     string `json:"type"`
		Size     int64  `json:"size"` // octets when decoded
	}
	defect struct {
		Code     string `json:"code"`
		Offset   int64  `json:"offset"`
		Severity string `json:"severity"`
	}
)

func describe(m *mime.Message) description {
	h := m.Header()
	d := description{
		From: persons(h.Addresses("From")), To: persons(h.Addresses("To")), Cc: persons(h.Addresses("Cc")),
		Subject: h.Subject(), MessageID: h.MessageID(),
		Text: textOf(m.TextBody(), "plain"), HTML: textOf(m.HTMLBody(), "html"),
		Parts: []part{}, Attachments: []attachment{}, Defects: []defect{},
	}
	if t, ok := h.Date(); ok {
		d.Date = t.Format(time.RFC3339)
	}
	for path, p := range m.Walk() {
		s := p.Span()
		d.Parts = append(d.Parts, part{path, p.Type().String(), p.Filename(), s.End - s.Body, s.Begin, s.Body, s.End, s.Lines})
	}
	for _, p := range m.Attachments() {
		d.Attachments = append(d.Attachments, attachment{p.SafeFilename(), p.Type().String(), sizeOf(p)})
	}
	for _, f := range m.Inspect() {
		d.Defects = append(d.Defects, defect{f.Code.String(), f.Offset, f.Severity.String()})
	}
	return d
}

func persons(list []mime.Address) []person {
	out := []person{}
	for _, a := range list {
		out = append(out, person{a.Name, a.Addr})
	}
	return out
}

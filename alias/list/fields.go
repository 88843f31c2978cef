package list

import (
	"bytes"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/postilion-mail/postilion/mime"
	"github.com/postilion-mail/postilion/smtp"
)

const day = 24 * time.Hour

// fields are those that every copy has: RFC 2369 §3, RFC 2919 §3, and what keeps
// auto-responders silent and loops from closing.
func (l *List) fields() ([]byte, error) {
	request := l.at("-request")
	join, owner := l.at("-join"), l.at("-owner")
	if l.at("-bounces").IsNull() {
		return nil, errors.New("the name is too long")
	}
	spec := &mime.List{ID: l.id(), Description: l.Description, NoPost: l.Post == OwnersPost, Owner: []string{mailto(owner)},
		Help: []string{mailto(request) + "?subject=help"}, Unsubscribe: []string{mailto(l.at("-leave"))}}
	if !spec.NoPost {
		spec.Post = []string{mailto(l.Address)}
	}
	if l.Help != "" {
		spec.Help = []string{l.Help}
	}
	if l.Join != NobodyJoins {
		spec.Subscribe = []string{mailto(join)}
	}
	if l.Archive != "" {
		spec.Archive = []string{l.Archive}
	}
	h, err := buildHeader(func(b *mime.Builder) { b.List = spec })
	if err != nil {
		return nil, err
	}
	b := h.AppendFields(nil, []string{"List-Id", "List-Help", "List-Subscribe", "List-Post", "List-Owner", "List-Archive"}, false)
	b = bytes.TrimSuffix(b, []byte("\r\n"))
	var env smtp.Envelope
	if err := env.AddField("Precedence", "list"); err != nil { // RFC 3834 §2: do not answer
		return nil, err
	}
	if err := env.AddField("Delivered-To", l.Address.Address()); err != nil {
		return nil, err
	}
	return append(env.Prefix, b...), nil
}

// buildHeader lets package mime write fields, so that no text of ours or of others
// gets into a header by other ways.
func buildHeader(fill func(*mime.Builder)) (mime.Header, error) {
	b := &mime.Builder{From: []mime.Address{{Addr: "list@localhost.example"}}, Text: "x", MessageID: "x@localhost.example", Date: time.Unix(0, 0)}
	fill(b)
	d, err := b.Build()
	if err != nil {
		return mime.Header{}, err
	}
	raw, err := d.Bytes()
	if err != nil {
		return mime.Header{}, err
	}
	return mime.Parse(raw).Header(), nil
}

// rawField is the value of one field as it stands in a header, folded.
func rawField(name string, fill func(*mime.Builder)) (string, error) {
	h, err := buildHeader(fill)
	if err != nil {
		return "", err
	}
	f, _ := h.Lookup(name)
	raw := strings.TrimSuffix(string(f.Raw()), "\r\n")
	return strings.TrimPrefix(raw[min(len(name)+1, len(raw)):], " "), nil
}

func mailto(p smtp.Path) string { return "mailto:" + escape(p.Address()) }

// escape writes an address into a URL: no character of it can end the brackets, or
// begin another parameter. "@" may stand there as it is.
func escape(address string) string {
	s := strings.ReplaceAll(url.QueryEscape(address), "+", "%20")
	return strings.ReplaceAll(s, "%40", "@")
}

// sep begins a parameter.
func sep(u string) string {
	if strings.Contains(u, "?") {
		return "&"
	}
	return "?"
}

package imap

import (
	"strconv"
	"strings"
	"time"

	"github.com/postilion-mail/postilion/mime"
)

// Envelope are the fields of a header that clients list (RFC 9051 §7.5.2).
// Texts are decoded.
type Envelope struct {
	Date      time.Time // zero: there is none that can be read
	Subject   string
	From      []mime.Address
	Sender    []mime.Address
	ReplyTo   []mime.Address
	To        []mime.Address
	Cc        []mime.Address
	Bcc       []mime.Address
	InReplyTo string // as it stands in the header
	MessageID string // with its angle brackets
}

func parseEnvelope(v value) *Envelope {
	if v.kind != isList {
		return nil
	}
	e := &Envelope{Subject: decodeWords(v.at(1).text()), InReplyTo: plain(v.at(8).text()), MessageID: plain(v.at(9).text())}
	e.Date, _ = mime.ParseDate(v.at(0).text())
	for i, list := range []*[]mime.Address{&e.From, &e.Sender, &e.ReplyTo, &e.To, &e.Cc, &e.Bcc} {
		*list = parseAddresses(v.at(2 + i))
	}
	return e
}

// parseAddresses reads (name route mailbox host) lists. The marks of a group,
// whose host is NIL, are left out: its members stand for it.
func parseAddresses(v value) (list []mime.Address) {
	for _, a := range v.list {
		local, host := a.at(2), a.at(3)
		if host.kind == isNil {
			continue
		}
		addr := plain(local.text())
		if h := plain(host.text()); h != "" { // a lone word has none, as in package mime
			addr += "@" + h
		}
		list = append(list, mime.Address{Name: decodeWords(a.at(0).text()), Route: plain(a.at(1).text()), Addr: addr})
	}
	return list
}

// decodeWords undoes RFC 2047, and shows 8-bit text as package mime does.
func decodeWords(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r >= 0x7f }) < 0 && !strings.Contains(s, "=?") {
		return s
	}
	s = strings.NewReplacer("\r", "", "\n", "").Replace(s)
	return mime.Parse([]byte("Subject: " + s + "\r\n\r\n")).Header().Subject()
}

// plain makes words of a message fit to be shown: valid UTF-8 without controls.
func plain(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || 0x80 <= r && r < 0xa0 {
			return -1
		}
		return r
	}, s)
}

// Part is a MIME part as the server tells it (RFC 9051 §7.5.2: BODYSTRUCTURE).
type Part struct {
	Number      string // for [Section]; "" of the multipart that is the whole message
	Type        string // in lower case: "text"
	Subtype     string // in lower case: "plain"
	Params      map[string]string
	ContentID   string
	Description string
	Encoding    string // in lower case
	Size        int64  // octets, encoded
	Lines       int64  // of text and message/rfc822
	Disposition string // in lower case
	DispParams  map[string]string
	Language    []string
	Location    string
	Envelope    *Envelope // of a message/rfc822
	Parts       []*Part   // of a multipart, or the one part of a message/rfc822
}

// MediaType is type/subtype.
func (p *Part) MediaType() string { return p.Type + "/" + p.Subtype }

// Filename is what the sender calls the part; "" nothing. It is no path: see
// mime.Part.SafeFilename for how to make a file of such a name.
func (p *Part) Filename() string {
	var b strings.Builder
	p.field(&b, "Content-Disposition: attachment", p.DispParams, "filename")
	p.field(&b, "Content-Type: application/octet-stream", p.Params, "name")
	return mime.Parse([]byte(b.String() + "\r\n")).Root().Filename()
}

// field writes the parameters of a name as they stood in the message, pieces
// and charsets among them (RFC 2231), for package mime to read.
func (p *Part) field(b *strings.Builder, field string, params map[string]string, name string) {
	b.WriteString(field)
	for k, v := range params {
		if base, _, _ := strings.Cut(k, "*"); base != name {
			continue
		}
		if strings.HasSuffix(k, "*") && !strings.ContainsAny(v, " \"\\;()<>@,:/[]?=") {
			b.WriteString("; " + plain(k) + "=" + plain(v))
			continue
		}
		b.WriteString("; " + plain(k) + `="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(plain(v)) + `"`)
	}
	b.WriteString("\r\n")
}

// Walk calls f for the part and all below it, until f returns false.
func (p *Part) Walk(f func(*Part) bool) bool {
	if !f(p) {
		return false
	}
	for _, q := range p.Parts {
		if !q.Walk(f) {
			return false
		}
	}
	return true
}

// maxPartDepth bounds the parts within parts.
const maxPartDepth = 100

func parsePart(v value, number string, depth int) *Part {
	if v.kind != isList || len(v.list) == 0 || depth > maxPartDepth {
		return nil
	}
	if v.list[0].kind == isList {
		return parseMultipart(v, number, depth)
	}
	if number == "" {
		number = "1" // RFC 9051 §6.4.5: a message of one part has that number
	}
	p := &Part{
		Number: number, Type: lower(v.at(0)), Subtype: lower(v.at(1)), Params: params(v.at(2)),
		ContentID: plain(v.at(3).text()), Description: decodeWords(v.at(4).text()), Encoding: lower(v.at(5)), Size: int64(v.at(6).num()),
	}
	next := 7
	switch {
	case p.Type == "message" && (p.Subtype == "rfc822" || p.Subtype == "global") && holdsMessage(v):
		p.Envelope = parseEnvelope(v.at(7))
		if q := parsePart(v.at(8), inner(v.at(8), number), depth+1); q != nil {
			p.Parts = []*Part{q}
		}
		p.Lines = int64(v.at(9).num())
		next = 10
	case p.Type == "text":
		p.Lines = int64(v.at(7).num())
		next = 8
	}
	p.extension(v, next+1) // behind the MD5
	return p
}

// holdsMessage tells an envelope and a body apart from an MD5 and a disposition:
// a message that is encoded is told of as any other attachment.
func holdsMessage(v value) bool {
	body := v.at(8)
	return v.at(7).kind == isList || body.at(0).kind == isList || body.at(1).kind == isString
}

// inner is the number of the part of a message/rfc822: a multipart has that of
// the message, whose parts follow it, and a single part ".1" behind it (RFC 9051
// §6.4.5.1).
func inner(v value, number string) string {
	if v.at(0).kind == isList {
		return number
	}
	return number + ".1"
}

func parseMultipart(v value, number string, depth int) *Part {
	p := &Part{Number: number, Type: "multipart"}
	i := 0
	for ; i < len(v.list) && v.list[i].kind == isList; i++ {
		n := strconv.Itoa(i + 1)
		if number != "" {
			n = number + "." + n
		}
		if q := parsePart(v.list[i], n, depth+1); q != nil {
			p.Parts = append(p.Parts, q)
		}
	}
	p.Subtype = lower(v.at(i))
	p.Params = params(v.at(i + 1))
	p.extension(v, i+2)
	return p
}

// extension reads disposition, language and location, which servers may leave
// out.
func (p *Part) extension(v value, i int) {
	d := v.at(i)
	p.Disposition, p.DispParams = lower(d.at(0)), params(d.at(1))
	if d.kind == isString { // against the grammar, and seen
		p.Disposition = lower(d)
	}
	l := v.at(i + 1)
	for _, x := range l.list {
		p.Language = append(p.Language, plain(x.text()))
	}
	if l.kind == isString {
		p.Language = []string{plain(l.text())}
	}
	p.Location = plain(v.at(i + 2).text())
}

func lower(v value) string { return strings.ToLower(plain(v.text())) }

// params reads names and values in turn; names are in lower case.
func params(v value) map[string]string {
	if len(v.list) < 2 {
		return nil
	}
	m := make(map[string]string, len(v.list)/2)
	for i := 0; i+1 < len(v.list); i += 2 {
		m[strings.ToLower(v.list[i].text())] = plain(v.list[i+1].text())
	}
	return m
}

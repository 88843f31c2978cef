package mimebench

import (
	"bytes"
	"encoding/base64"
	"io"
	stdmime "mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"testing"

	"github.com/emersion/go-message"
	_ "github.com/emersion/go-message/charset"
	gomail "github.com/emersion/go-message/mail"
	"github.com/jhillyerd/enmime/v2"
	wneessen "github.com/wneessen/go-mail"

	"github.com/postilion-mail/postilion/mime"
)

// A reader parses a message, reads its main fields and decodes all bodies, and
// returns how many octets they have.
type reader struct {
	name string
	read func(b []byte) (int, error)
}

var readers = []reader{
	{"postilion", readPostilion},
	{"stdlib", readStdlib},
	{"gomessage", readGoMessage},
	{"enmime", readEnmime},
	{"gomail", readGoMail},
}

func readPostilion(b []byte) (int, error) {
	m := mime.Parse(b)
	h := m.Header()
	n := len(h.Subject()) + len(h.MessageID())
	n += len(h.Addresses("From")) + len(h.Addresses("To")) + len(h.Addresses("Cc"))
	if _, ok := h.Date(); ok {
		n++
	}
	for i := range m.Len() {
		p := m.Part(i)
		if p.IsMultipart() || p.IsMessage() {
			continue
		}
		if p.IsText() {
			n += len(p.Text())
		} else {
			n += len(p.Bytes())
		}
	}
	return n, nil
}

func readStdlib(b []byte) (int, error) {
	m, err := mail.ReadMessage(bytes.NewReader(b))
	if err != nil {
		return 0, err
	}
	var dec stdmime.WordDecoder
	s, err := dec.DecodeHeader(m.Header.Get("Subject"))
	if err != nil {
		return 0, err
	}
	n := len(s) + len(m.Header.Get("Message-Id"))
	for _, name := range []string{"From", "To", "Cc"} {
		if list, err := m.Header.AddressList(name); err == nil {
			n += len(list)
		}
	}
	if _, err := m.Header.Date(); err == nil {
		n++
	}
	k, err := stdBody(m.Header.Get("Content-Type"), m.Header.Get("Content-Transfer-Encoding"), m.Body)
	return n + k, err
}

// stdBody decodes a body into a buffer, as a caller that wants the text does.
func stdBody(contentType, transfer string, body io.Reader) (int, error) {
	typ, params, err := stdmime.ParseMediaType(contentType)
	if err != nil {
		typ = "text/plain"
	}
	if strings.HasPrefix(typ, "multipart/") {
		r := multipart.NewReader(body, params["boundary"])
		n := 0
		for {
			p, err := r.NextRawPart()
			if err == io.EOF {
				return n, nil
			}
			if err != nil {
				return n, err
			}
			k, err := stdBody(p.Header.Get("Content-Type"), p.Header.Get("Content-Transfer-Encoding"), p)
			n += k
			if err != nil {
				return n, err
			}
		}
	}
	switch strings.ToLower(transfer) {
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	}
	b, err := io.ReadAll(body)
	return len(b), err
}

func readGoMessage(b []byte) (int, error) {
	e, err := message.Read(bytes.NewReader(b))
	if err != nil {
		return 0, err
	}
	h := gomail.Header{Header: e.Header}
	s, _ := h.Subject()
	id, _ := h.MessageID()
	n := len(s) + len(id)
	for _, name := range []string{"From", "To", "Cc"} {
		list, _ := h.AddressList(name)
		n += len(list)
	}
	if _, err := h.Date(); err == nil {
		n++
	}
	err = e.Walk(func(_ []int, e *message.Entity, err error) error {
		if err != nil || e.MultipartReader() != nil {
			return err
		}
		body, err := io.ReadAll(e.Body)
		n += len(body)
		return err
	})
	return n, err
}

func readEnmime(b []byte) (int, error) {
	e, err := enmime.ReadEnvelope(bytes.NewReader(b))
	if err != nil {
		return 0, err
	}
	n := len(e.GetHeader("Subject")) + len(e.GetHeader("Message-Id")) + len(e.Text) + len(e.HTML)
	for _, name := range []string{"From", "To", "Cc"} {
		list, _ := e.AddressList(name)
		n += len(list)
	}
	for _, p := range e.Attachments {
		n += len(p.Content)
	}
	for _, p := range e.Inlines {
		n += len(p.Content)
	}
	for _, p := range e.OtherParts {
		n += len(p.Content)
	}
	return n, nil
}

func readGoMail(b []byte) (int, error) {
	m, err := wneessen.EMLToMsgFromReader(bytes.NewReader(b))
	if err != nil {
		return 0, err
	}
	n := 0
	for _, p := range m.GetParts() {
		body, err := p.GetContent()
		if err != nil {
			return n, err
		}
		n += len(body)
	}
	for _, a := range m.GetAttachments() {
		k, err := a.Writer(io.Discard)
		if err != nil {
			return n, err
		}
		n += int(k)
	}
	return n, nil
}

func benchmark(b *testing.B, msg []byte, readers []reader) {
	for _, r := range readers {
		b.Run(r.name, func(b *testing.B) {
			if _, err := r.read(msg); err != nil {
				b.Skip(err)
			}
			b.SetBytes(int64(len(msg)))
			b.ReportAllocs()
			for b.Loop() {
				r.read(msg)
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	b.Run("2KB", func(b *testing.B) { benchmark(b, small(), readers) })
	b.Run("3KB", func(b *testing.B) { benchmark(b, textMail(2000), readers) })
	b.Run("20KB", func(b *testing.B) { benchmark(b, alternative(), readers) })
	b.Run("1000parts", func(b *testing.B) { benchmark(b, manyParts(1000), readers) })
	b.Run("5MB", func(b *testing.B) { benchmark(b, attachment(5<<20), readers) })
	b.Run("50MB", func(b *testing.B) { benchmark(b, attachment(50<<20), readers) })
}

// fieldReaders read and decode all fields.
var fieldReaders = []reader{
	{"postilion", fieldsPostilion},
	{"stdlib", fieldsStdlib},
	{"gomessage", fieldsGoMessage},
}

func fieldsPostilion(b []byte) (int, error) {
	h := mime.Parse(b).Header()
	n := 0
	for f := range h.Fields() {
		switch name := f.Name(); name {
		case "From", "To":
			n += len(f.Addresses())
		case "Date":
			if _, ok := f.Date(); ok {
				n++
			}
		default:
			n += len(name) + len(f.Text())
		}
	}
	return n, nil
}

func fieldsStdlib(b []byte) (int, error) {
	m, err := mail.ReadMessage(bytes.NewReader(b))
	if err != nil {
		return 0, err
	}
	var dec stdmime.WordDecoder
	n := 0
	for name, values := range m.Header {
		for _, v := range values {
			switch name {
			case "From", "To":
				list, err := mail.ParseAddressList(v)
				if err != nil {
					return n, err
				}
				n += len(list)
			case "Date":
				if _, err := mail.ParseDate(v); err == nil {
					n++
				}
			default:
				s, err := dec.DecodeHeader(v)
				if err != nil {
					return n, err
				}
				n += len(name) + len(s)
			}
		}
	}
	return n, nil
}

func fieldsGoMessage(b []byte) (int, error) {
	e, err := message.Read(bytes.NewReader(b))
	if err != nil {
		return 0, err
	}
	h := gomail.Header{Header: e.Header}
	n := 0
	for f := h.Fields(); f.Next(); {
		switch f.Key() {
		case "From", "To":
			list, err := h.AddressList(f.Key())
			if err != nil {
				return n, err
			}
			n += len(list)
		case "Date":
			if _, err := h.Date(); err == nil {
				n++
			}
		default:
			s, err := f.Text()
			if err != nil {
				return n, err
			}
			n += len(f.Key()) + len(s)
		}
	}
	return n, nil
}

func BenchmarkHeaders(b *testing.B) {
	b.Run("10", func(b *testing.B) { benchmark(b, headers(10), fieldReaders) })
	b.Run("100", func(b *testing.B) { benchmark(b, headers(100), fieldReaders) })
}

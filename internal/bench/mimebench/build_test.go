package mimebench

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/jhillyerd/enmime/v2"
	wneessen "github.com/wneessen/go-mail"

	"github.com/postilion-mail/postilion/mime"
)

// A letter is what is built: a text, its HTML and perhaps a file.
type letter struct {
	text, html string
	file       []byte
}

// A writer builds a letter and writes it once, and returns its length.
type writer struct {
	name  string
	write func(l letter, w io.Writer) (int64, error)
}

var writers = []writer{
	{"postilion", writePostilion},
	{"enmime", writeEnmime},
	{"gomail", writeGoMail},
}

func writePostilion(l letter, w io.Writer) (int64, error) {
	b := mime.Builder{
		From:    []mime.Address{{Name: "Bob Müller", Addr: "bob@hamburger.edu"}},
		To:      []mime.Address{{Name: "Alice", Addr: "alice@example.org"}},
		Subject: "the minutes of Zürich", Text: l.text, HTML: l.html,
	}
	if l.file != nil {
		b.Files = []mime.File{mime.AttachBytes("minutes.pdf", l.file)}
	}
	d, err := b.Build()
	if err != nil {
		return 0, err
	}
	return d.WriteTo(w)
}

// counter counts what is written through it.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

func writeEnmime(l letter, w io.Writer) (int64, error) {
	b := enmime.Builder().From("Bob Müller", "bob@hamburger.edu").To("Alice", "alice@example.org").
		Subject("the minutes of Zürich").Text([]byte(l.text)).HTML([]byte(l.html))
	if l.file != nil {
		b = b.AddAttachment(l.file, "application/pdf", "minutes.pdf")
	}
	p, err := b.Build()
	if err != nil {
		return 0, err
	}
	c := &counter{w: w}
	err = p.Encode(c)
	return c.n, err
}

func writeGoMail(l letter, w io.Writer) (int64, error) {
	m := wneessen.NewMsg()
	if err := m.FromFormat("Bob Müller", "bob@hamburger.edu"); err != nil {
		return 0, err
	}
	if err := m.AddToFormat("Alice", "alice@example.org"); err != nil {
		return 0, err
	}
	m.Subject("the minutes of Zürich")
	m.SetDate()
	m.SetMessageID()
	m.SetBodyString(wneessen.TypeTextPlain, l.text)
	m.AddAlternativeString(wneessen.TypeTextHTML, l.html)
	if l.file != nil {
		if err := m.AttachReader("minutes.pdf", bytes.NewReader(l.file)); err != nil {
			return 0, err
		}
	}
	return m.WriteTo(w)
}

// letters are the cases.
func letters() map[string]letter {
	r := newRand()
	l := letter{text: string(text(r, 1000)), html: "<p>" + string(bytes.ReplaceAll(text(r, 2000), []byte("host "), []byte("<b>host</b> ")))}
	withFile := l
	withFile.file = make([]byte, 1<<20)
	for i := range withFile.file {
		withFile.file[i] = byte(r.Uint32())
	}
	long := letter{text: string(text(r, 6000)), html: string(text(rand.New(rand.NewPCG(3, 4)), 14000))}
	return map[string]letter{"text+HTML": l, "20KB": long, "1MB": withFile}
}

// BenchmarkBuild builds a message and writes it to nowhere.
func BenchmarkBuild(b *testing.B) {
	all := letters()
	for _, name := range []string{"text+HTML", "20KB", "1MB"} {
		for _, w := range writers {
			b.Run(name+"/"+w.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					n, err := w.write(all[name], io.Discard)
					if err != nil {
						b.Fatal(err)
					}
					b.SetBytes(n)
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
			})
		}
	}
}

// TestWritersAgree checks that all build what was asked for: a rate without the
// text or the file would be none.
func TestWritersAgree(t *testing.T) {
	for name, l := range letters() {
		for _, w := range writers {
			var out bytes.Buffer
			n, err := w.write(l, &out)
			if err != nil || n != int64(out.Len()) {
				t.Fatalf("%s: %s: %d of %d, %v", name, w.name, n, out.Len(), err)
			}
			m := mime.Parse(out.Bytes())
			if len(m.TextBody()) == 0 || len(m.HTMLBody()) == 0 || m.Header().Subject() != "the minutes of Zürich" {
				t.Errorf("%s: %s: no text or subject", name, w.name)
			}
			if files := m.Attachments(); l.file != nil && (len(files) != 1 || !bytes.Equal(files[0].Bytes(), l.file)) {
				t.Errorf("%s: %s: not the file", name, w.name)
			}
		}
	}
}

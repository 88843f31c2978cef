package mime_test

import (
	"errors"
	"fmt"
	"html/template"
	"io"
	"os"
	"strings"
	"testing/fstest"
	"time"

	"github.com/postilion-mail/postilion/mime"
)

// sample is what the examples are built of: the same at all times, so that the
// message is the same too.
func sample() *mime.Builder {
	return &mime.Builder{
		From: mime.To("Alice <alice@crepes.fr>"), To: mime.To("Bob <bob@hamburger.edu>"),
		Now:  func() time.Time { return time.Date(2026, 2, 2, 12, 0, 0, 0, time.UTC) },
		Rand: strings.NewReader(strings.Repeat("no randomness at all. ", 100)),
	}
}

// show prints a message with LF line ends.
func show(d *mime.Draft, err error) {
	if err != nil {
		fmt.Println(err)
		return
	}
	raw, err := d.Bytes()
	fmt.Print(strings.ReplaceAll(string(raw), "\r\n", "\n"))
	if err != nil {
		fmt.Println(err)
	}
}

// outline prints the types of a message's parts, each within the one around it.
func outline(d *mime.Draft, err error) {
	if err != nil {
		fmt.Println(err)
		return
	}
	raw, _ := d.Bytes()
	var part func(p mime.Part, depth int)
	part = func(p mime.Part, depth int) {
		fmt.Printf("%s%s/%s", strings.Repeat("  ", depth), p.Type().Type, p.Type().Subtype)
		if name := p.Filename(); name != "" {
			fmt.Printf(" %q", name)
		}
		fmt.Println()
		for c := range p.Children() {
			part(c, depth+1)
		}
	}
	part(mime.Parse(raw).Root(), 0)
}

func ExampleBuilder() {
	b := sample()
	b.Bcc = mime.To("carol@crepes.fr")
	b.Subject = "Crêpes at noon?"
	b.Text = "I bring the pan.\n"
	d, err := b.Build()
	show(d, err)
	fmt.Println(d.Sender(), d.Recipients())
	// Output:
	// Date: Mon, 2 Feb 2026 12:00:00 +0000
	// From: Alice <alice@crepes.fr>
	// To: Bob <bob@hamburger.edu>
	// Subject: =?utf-8?q?Cr=C3=AApes?= at noon?
	// Message-ID: <nzxsa4tbnzsg63lomvzxgidboq@crepes.fr>
	// MIME-Version: 1.0
	// Content-Type: text/plain; charset=utf-8
	// Content-Transfer-Encoding: 7bit
	//
	// I bring the pan.
	// alice@crepes.fr [bob@hamburger.edu carol@crepes.fr]
}

func ExampleBuilder_Build() {
	b := sample()
	b.To = mime.To("bob at hamburger")
	b.Subject = "Lunch\r\nBcc: everybody@example.org"
	b.Files = []mime.File{mime.AttachFile("/no/such/file")}
	_, err := b.Build()
	fmt.Println(err)
	// Output:
	// mime: To: "bob at hamburger": no address
	// mime: Subject: control character U+000D
	// mime: Files: file: open /no/such/file: no such file or directory
}

func ExampleFieldError() {
	b := sample()
	b.Subject = "a\nb"
	_, err := b.Build()
	var wrong *mime.FieldError
	fmt.Println(errors.As(err, &wrong), wrong.Field, "-", wrong.Err)
	// Output: true Subject - control character U+000A
}

func ExampleTo() {
	for _, a := range mime.To("Bob <bob@hamburger.edu>", "carol@crepes.fr, dave@crepes.fr") {
		fmt.Printf("%q %s\n", a.Name, a.Addr)
	}
	// Output:
	// "Bob" bob@hamburger.edu
	// "" carol@crepes.fr
	// "" dave@crepes.fr
}

func ExampleFile() {
	b := sample()
	b.Text = "See the picture."
	b.HTML = `<p>See: <img src="cid:pan@crepes.fr">`
	b.Files = []mime.File{
		mime.AttachBytes("pan.png", []byte("…")).Inline("pan@crepes.fr"),
		mime.AttachBytes("data", []byte("…")).Named("Größen.txt").As("text/x-sizes"),
	}
	outline(b.Build())
	// Output:
	// multipart/mixed
	//   multipart/alternative
	//     text/plain
	//     multipart/related
	//       text/html
	//       image/png "pan.png"
	//   text/x-sizes "Größen.txt"
}

func ExampleAttach() {
	b := sample()
	b.Files = []mime.File{mime.Attach("recipe.pdf", func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader("from anywhere, as often as asked")), nil
	})}
	outline(b.Build())
	// Output: application/pdf "recipe.pdf"
}

func ExampleAttachBytes() {
	b := sample()
	b.Files = []mime.File{mime.AttachBytes("recipe.txt", []byte("flour, milk, eggs\n"))}
	outline(b.Build())
	// Output: text/plain "recipe.txt"
}

func ExampleAttachFile() {
	name := os.TempDir() + "/recipe.zip"
	if err := os.WriteFile(name, []byte("…"), 0o600); err != nil {
		fmt.Println(err)
	}
	defer os.Remove(name)
	b := sample()
	b.Files = []mime.File{mime.AttachFile(name)}
	outline(b.Build())
	// Output: application/zip "recipe.zip"
}

func ExampleAttachFS() {
	files := fstest.MapFS{"recipes/crêpes.html": {Data: []byte("<p>flour")}} // or embed.FS
	b := sample()
	b.Files = []mime.File{mime.AttachFS(files, "recipes/crêpes.html")}
	outline(b.Build())
	// Output: text/html "crêpes.html"
}

func ExampleTemplate() {
	b := sample()
	b.HTMLTemplate = template.Must(template.New("").Parse("<p>Dear {{.}},\n"))
	b.Data = "<b>Bob</b>"
	d, err := b.Build()
	if err != nil {
		fmt.Println(err)
		return
	}
	raw, _ := d.Bytes()
	fmt.Print(mime.Parse(raw).HTMLBody()[0].Text())
	// Output: <p>Dear &lt;b&gt;Bob&lt;/b&gt;,
}

func ExampleCalendar() {
	b := sample()
	b.Text = "Lunch on Monday."
	b.Calendar = &mime.Calendar{Method: "REQUEST", Data: []byte("BEGIN:VCALENDAR\nMETHOD:REQUEST\nEND:VCALENDAR\n")}
	outline(b.Build())
	// Output:
	// multipart/mixed
	//   multipart/alternative
	//     text/plain
	//     text/calendar
	//   application/ics "invite.ics"
}

func ExampleList() {
	b := sample()
	b.List = &mime.List{
		ID: "crepes.example.org", Description: "Friends of the pan",
		Post:        []string{"mailto:crepes@example.org"},
		Unsubscribe: []string{"https://example.org/leave/4711", "mailto:crepes-leave@example.org"},
		OneClick:    true,
	}
	d, err := b.Build()
	if err != nil {
		fmt.Println(err)
		return
	}
	raw, _ := d.Bytes()
	for f := range mime.Parse(raw).Header().Fields() {
		if strings.HasPrefix(f.Name(), "List-") {
			fmt.Printf("%s: %s\n", f.Name(), f.Value())
		}
	}
	// Output:
	// List-Id: Friends of the pan <crepes.example.org>
	// List-Unsubscribe: <https://example.org/leave/4711>, <mailto:crepes-leave@example.org>
	// List-Post: <mailto:crepes@example.org>
	// List-Unsubscribe-Post: List-Unsubscribe=One-Click
}

func ExampleExtra() {
	b := sample()
	b.Extra = []mime.Extra{{Name: "X-Pan", Value: "große"}, {Name: "Auto-Submitted", Value: "auto-generated"}}
	d, err := b.Build()
	if err != nil {
		fmt.Println(err)
		return
	}
	raw, _ := d.Bytes()
	h := mime.Parse(raw).Header()
	fmt.Println(h.Text("X-Pan"), h.Text("Auto-Submitted"))
	// Output: große auto-generated
}

func ExampleDraft() {
	b := sample()
	b.Text = "Hello"
	d, err := b.Build()
	if err != nil {
		fmt.Println(err)
		return
	}
	utf8, eightBit := d.Needs()
	fmt.Println(d.Size(), utf8, eightBit)
	for range 2 { // as often as wanted
		n, err := d.WriteTo(io.Discard)
		fmt.Println(n, err)
	}
	// Output:
	// 252 false false
	// 252 <nil>
	// 252 <nil>
}

func ExampleDraft_Prepend() {
	b := sample()
	d, err := b.Build()
	if err != nil {
		fmt.Println(err)
		return
	}
	d, err = d.Prepend("Received", "from crepes.fr by hamburger.edu;\r\n\tMon, 2 Feb 2026 12:00:01 +0000")
	if err != nil {
		fmt.Println(err)
		return
	}
	raw, _ := d.Bytes()
	fmt.Printf("%q\n", raw[:50])
	// Output: "Received: from crepes.fr by hamburger.edu;\r\n\tMon, "
}

package mime_test

import (
	"bytes"
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

func ExampleReply() {
	b := mime.Parse([]byte(message)).Reply(mime.Reply{
		From: mime.Address{Name: "Alice", Addr: "alice@example.org"}, All: true, Text: "I come.",
	})
	fmt.Println(b.To, b.Cc, b.Subject, b.InReplyTo)
	fmt.Print(b.Text)
	// Output:
	// [Bob Müller <bob@hamburger.edu>] ["Doe, Carol" <carol@example.net>] Re: Zürich [1@hamburger.edu]
	// I come.
	//
	// On Mon, 23 Nov 2026 at 09:12, Bob Müller <bob@hamburger.edu> wrote:
	// > We meet in Zürich.
}

func ExampleForward() {
	m := mime.Parse([]byte(message))
	me := mime.Address{Addr: "alice@example.org"}
	b := m.Forward(mime.Forward{From: me, To: mime.To("dave@example.com"), Text: "See below."})
	fmt.Println(b.Subject)
	fmt.Print(b.Text)
	outline(b.Build())
	outline(m.Forward(mime.Forward{From: me, To: mime.To("dave@example.com"), Attached: true}).Build())
	// Output:
	// Fwd: Zürich
	// See below.
	//
	// ---------- Forwarded message ----------
	// From: Bob Müller <bob@hamburger.edu>
	// Date: Mon, 23 Nov 2026 09:12:40 +0100
	// Subject: Zürich
	// To: alice@example.org, "Doe, Carol" <carol@example.net>
	//
	// We meet in Zürich.
	// multipart/mixed
	//   text/plain
	//   application/pdf "Pläne.pdf"
	// multipart/mixed
	//   text/plain
	//   message/rfc822 "message.eml"
	//     multipart/mixed
	//       text/plain
	//       application/pdf "../Pläne.pdf"
}

func ExampleDSN() {
	b := sample()
	dsn := &mime.DSN{
		Reporting: "hamburger.edu", Now: b.Now, Rand: b.Rand,
		Recipients: []mime.DSNRecipient{{Final: "bob@hamburger.edu", Action: "failed", Status: "5.1.1", Diagnostic: "550 5.1.1 no such user", Remote: "mx.hamburger.edu"}},
	}
	original := io.NewSectionReader(strings.NewReader(message), 0, int64(len(message)))
	d, err := dsn.Draft("alice@crepes.fr", original, true)
	outline(d, err)
	fmt.Printf("%q %v\n", d.Sender(), d.Recipients())
	raw, _ := d.Bytes()
	fmt.Print(strings.ReplaceAll(mime.Parse(raw).TextBody()[0].Text(), "\r\n", "\n"))
	// Output:
	// multipart/report
	//   text/plain
	//   message/delivery-status
	//   text/rfc822-headers
	// "" [alice@crepes.fr]
	// This is the mail system at hamburger.edu.
	//
	// Your message to <bob@hamburger.edu> could not be delivered, and will not be tried again.
	//     mx.hamburger.edu said: 550 5.1.1 no such user
}

func ExampleParseDSN() {
	bounce := "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n" +
		"--b\r\n\r\nSorry.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; hamburger.edu\r\n\r\n" +
		"Final-Recipient: rfc822; bob@hamburger.edu\r\nAction: failed\r\nStatus: 5.1.1\r\n--b--\r\n"
	d, ok := mime.ParseDSN(mime.Parse([]byte(bounce)))
	fmt.Println(ok, d.Reporting, d.Recipients[0].Final, d.Recipients[0].Action, d.Recipients[0].Status)
	// Output: true hamburger.edu bob@hamburger.edu failed 5.1.1
}

func ExampleMDN() {
	m := mime.Parse([]byte("From: alice@crepes.fr\r\nMessage-ID: <1@crepes.fr>\r\nDisposition-Notification-To: alice@crepes.fr\r\n\r\n"))
	ask := mime.WantsMDN(m) // ask the user first
	mdn := &mime.MDN{Final: "bob@hamburger.edu", OriginalID: m.Header().MessageID(), Type: "displayed"}
	d, err := mdn.Draft(ask[0].Addr, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	raw, _ := d.Bytes()
	got, ok := mime.ParseMDN(mime.Parse(raw))
	fmt.Println(ok, got.Final, got.OriginalID, got.Type)
	// Output: true bob@hamburger.edu 1@crepes.fr displayed
}

func ExampleARF() {
	arf := &mime.ARF{Type: "abuse", SourceIP: "192.0.2.1", From: mime.Address{Addr: "abuse@hamburger.edu"}}
	d, err := arf.Draft("abuse@crepes.fr", io.NewSectionReader(strings.NewReader(message), 0, int64(len(message))))
	if err != nil {
		fmt.Println(err)
		return
	}
	raw, _ := d.Bytes()
	got, ok := mime.ParseARF(mime.Parse(raw))
	fmt.Println(ok, got.Type, got.SourceIP)
	// Output: true abuse 192.0.2.1
}

// noKey signs and encrypts as a program without a key would.
type noKey struct{}

func (noKey) Sign(content io.Reader) ([]byte, error) {
	n, err := io.Copy(io.Discard, content)
	return fmt.Appendf(nil, "-----BEGIN PGP SIGNATURE-----\n\n%d octets\n-----END PGP SIGNATURE-----\n", n), err
}
func (noKey) Encrypt(content io.Reader) ([]byte, error) {
	var b bytes.Buffer
	_, err := b.ReadFrom(content)
	return []byte("-----BEGIN PGP MESSAGE-----\n\n-----END PGP MESSAGE-----\n"), err
}
func (noKey) Protocol() string { return "application/pgp-signature" }
func (noKey) MICAlg() string   { return "pgp-sha256" }
func (noKey) Control() string  { return "Version: 1\n" }

func ExampleSigner() {
	b := sample()
	b.Text = "I owe you a crêpe.\n"
	d, err := b.Build()
	if err != nil {
		fmt.Println(err)
		return
	}
	outline(d.Sign(noKey{}))
	// Output:
	// multipart/signed
	//   text/plain
	//   application/pgp-signature "signature.asc"
}

// pgpKey names the other protocol.
type pgpKey struct{ noKey }

func (pgpKey) Protocol() string { return "application/pgp-encrypted" }

func ExampleEncrypter() {
	b := sample()
	b.Text = "The secret is salt.\n"
	d, err := b.Build()
	if err != nil {
		fmt.Println(err)
		return
	}
	outline(d.Encrypt(pgpKey{}))
	// Output:
	// multipart/encrypted
	//   application/pgp-encrypted
	//   application/octet-stream
}

func ExampleSupplement() {
	h, rest, err := mime.ReadHeader(strings.NewReader("Subject: from a printer\r\n\r\nout of paper\r\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	b := sample()
	prefix := mime.Supplement(h, "hamburger.edu", b.Now(), b.Rand)
	whole, _ := io.ReadAll(io.MultiReader(bytes.NewReader(prefix), rest))
	fmt.Print(strings.ReplaceAll(string(whole), "\r\n", "\n"))
	// Output:
	// Date: Mon, 2 Feb 2026 12:00:00 +0000
	// Message-ID: <nzxsa4tbnzsg63lomvzxgidboq@hamburger.edu>
	// Subject: from a printer
	//
	// out of paper
}

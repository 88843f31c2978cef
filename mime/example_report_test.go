package mime_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/postilion-mail/postilion/mime"
)

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

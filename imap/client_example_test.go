package imap_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postilion-mail/postilion/imap"
	"github.com/postilion-mail/postilion/imap/imaptest"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// exampleT stands for a *testing.T where there is none.
type exampleT struct {
	testing.TB
	cleanup []func()
}

func (t *exampleT) Helper()                           {}
func (t *exampleT) Failed() bool                      { return false }
func (t *exampleT) Context() context.Context          { return context.Background() }
func (t *exampleT) Cleanup(f func())                  { t.cleanup = append(t.cleanup, f) }
func (t *exampleT) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
func (t *exampleT) done() {
	for _, f := range t.cleanup {
		f()
	}
}

// account is a fake server with the messages in its INBOX, and a connection
// that has opened it.
func account(messages ...string) (srv *imaptest.Server, conn *imap.Conn, done func()) {
	t := &exampleT{}
	srv = imaptest.New(t)
	srv.Deliver("INBOX", messages...)
	conn, err := srv.Client().Connect(context.Background())
	if err == nil {
		_, err = conn.Select(context.Background(), "INBOX")
	}
	if err != nil {
		panic(err)
	}
	return srv, conn, func() { conn.Close(); t.done() }
}

func ExampleClient() {
	t := &exampleT{} // the test's *testing.T
	defer t.done()
	srv := imaptest.New(t)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	client := &imap.Client{
		Addr: srv.Addr, // "imap.example.org:143"
		TLS:  imap.TLSRequired,
		Auth: srv.Auth, // &sasl.Credentials{User: "bob", Password: "secret"}

		TLSConfig: srv.TLS, // not needed where the certificate is a public one
	}
	conn, err := client.Connect(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	fmt.Println(conn.TLS() != nil, conn.Logout(ctx))
	// Output: true <nil>
}

func ExampleTLSMode() {
	t := &exampleT{} // the test's *testing.T
	defer t.done()
	srv := imaptest.NewTLS(t) // as on port 993
	conn, err := (&imap.Client{Addr: srv.Addr, TLS: imap.TLSImplicit, TLSConfig: srv.TLS}).Connect(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	fmt.Println(conn.TLS().HandshakeComplete)
	// Output: true
}

func ExampleConn_Fetch() {
	_, conn, done := account("From: Zoe <zoe@crepes.fr>\r\nSubject: Lunch\r\n\r\nAt noon?\r\n")
	defer done()
	for m, err := range conn.Fetch(context.Background(), imap.AllUIDs(), imap.Items{Envelope: true, Size: true}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(m.UID, m.Envelope.From[0].Addr, m.Envelope.Subject, m.Size)
	}
	// Output: 1 zoe@crepes.fr Lunch 55
}

func ExampleMessage() {
	_, conn, done := account("Subject: Lunch\r\nX-Table: 4\r\n\r\nAt noon?\r\n")
	defer done()
	table := imap.Section{Fields: []string{"X-Table"}}
	for m, err := range conn.Fetch(context.Background(), imap.AllUIDs(), imap.Items{Flags: true, Bodies: []imap.Section{table}}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		text, _ := m.Body(table)
		fmt.Printf("%q seen: %t\n", text, m.Flags.Has(`\Seen`))
	}
	// Output: "X-Table: 4\r\n\r\n" seen: false
}

func ExampleDownload() {
	_, conn, done := account("Subject: Lunch\n\nAt noon?\n")
	defer done()
	for d, err := range conn.Download(context.Background(), mailbox.SetOf(1), imap.Section{What: "TEXT"}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		_, _ = io.Copy(os.Stdout, d.Body)
	}
	// Output: At noon?
}

func ExamplePart() {
	_, conn, done := account("MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n" +
		"--b\n\nHere it is.\n--b\nContent-Type: application/pdf\nContent-Disposition: attachment; filename=menu.pdf\n\n%PDF\n--b--\n")
	defer done()
	for m, err := range conn.Fetch(context.Background(), imap.AllUIDs(), imap.Items{Structure: true}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		m.Structure.Walk(func(p *imap.Part) bool {
			fmt.Printf("%q %s %q\n", p.Number, p.MediaType(), p.Filename())
			return true
		})
	}
	// Output:
	// "" multipart/mixed ""
	// "1" text/plain ""
	// "2" application/pdf "menu.pdf"
}

func ExampleKey() {
	_, conn, done := account("Subject: Lunch\n\nx\n", "Subject: Dinner\n\nx\n", "Subject: Bill\n\nx\n")
	defer done()
	found, err := conn.Search(context.Background(),
		imap.Or(imap.Subject("lunch"), imap.Subject("dinner")),
		imap.WithoutFlags(mailbox.Flags{Sys: mailbox.Seen}))
	fmt.Println(found, err)
	// Output: 1:2 <nil>
}

func ExampleThread() {
	_, conn, done := account("Message-ID: <1@x>\nSubject: a\n\n", "Message-ID: <2@x>\nReferences: <1@x>\nSubject: Re: a\n\n")
	defer done()
	threads, err := conn.Thread(context.Background(), "REFERENCES")
	for _, t := range threads {
		fmt.Println(t.UID, t.Answers[0].UID, err)
	}
	// Output: 1 2 <nil>
}

func ExampleListOptions() {
	srv, conn, done := account()
	defer done()
	srv.Deliver("Sent")
	for m, err := range conn.List(context.Background(), "*", imap.ListOptions{Status: true}) {
		fmt.Println(m.Name, m.Status.Messages, err)
	}
	// Output:
	// INBOX 0 <nil>
	// Sent 0 <nil>
}

func ExampleUpload() {
	_, conn, done := account()
	defer done()
	text := "Subject: Draft\r\n\r\nDear Zoe,\r\n"
	uids, _, err := conn.Append(context.Background(), "INBOX", imap.Upload{
		Body: strings.NewReader(text), Size: int64(len(text)), Flags: mailbox.Flags{Sys: mailbox.Draft},
	})
	fmt.Println(uids, err)
	// Output: 1 <nil>
}

func ExampleCopied() {
	srv, conn, done := account("Subject: a\n\n", "Subject: b\n\n")
	defer done()
	srv.Deliver("Archive")
	moved, err := conn.Move(context.Background(), mailbox.SetOf(2), "Archive")
	fmt.Println(moved.From, "is now", moved.To, err)
	// Output: 2 is now 1 <nil>
}

func ExampleEvents() {
	srv, conn, done := account()
	defer done()
	conn.Events.Exists = func(n uint32) { fmt.Println("messages:", n) }
	go func() {
		srv.AwaitIdle(1)
		srv.Deliver("INBOX", "Subject: Lunch\n\n")
	}()
	before := conn.Selected().Messages
	err := conn.Idle(context.Background(), func() bool { return conn.Selected().Messages == before })
	fmt.Println(err)
	// Output:
	// messages: 1
	// <nil>
}

func ExampleChanges() {
	srv, conn, done := account("Subject: a\n\n")
	defer done()
	var last imap.SyncState // from where the program keeps it
	for range 2 {
		ch, err := conn.Sync(context.Background(), "INBOX", last)
		if err != nil {
			fmt.Println(err)
			return
		}
		for _, m := range ch.Messages {
			fmt.Println("new or changed:", m.UID)
		}
		last = ch.State
		srv.Deliver("INBOX", "Subject: b\n\n")
	}
	// Output:
	// new or changed: 1
	// new or changed: 2
}

func ExampleError() {
	_, conn, done := account()
	defer done()
	_, err := conn.Select(context.Background(), "Nowhere")
	if e, ok := errors.AsType[*imap.Error](err); ok {
		fmt.Println(e.Status, e.Code, conn.Botched())
	}
	// Output: NO NONEXISTENT false
}

func ExampleCapabilities() {
	_, conn, done := account()
	defer done()
	threads := conn.Capabilities().Values("THREAD")
	slices.Sort(threads)
	fmt.Println(conn.Capabilities().Has("MOVE"), threads)
	// Output: true [ORDEREDSUBJECT REFERENCES]
}

func ExampleNamespaces() {
	_, conn, done := account()
	defer done()
	ns, err := conn.Namespace(context.Background())
	fmt.Printf("%q %v\n", ns.Personal, err)
	// Output: [{"" "/"}] <nil>
}

func ExampleMailboxStatus() {
	_, conn, done := account("Subject: a\n\n")
	defer done()
	s, err := conn.Status(context.Background(), "INBOX")
	fmt.Println(s.Messages, s.Unseen, err)
	// Output: 1 1 <nil>
}

func ExampleSelected() {
	_, conn, done := account("Subject: a\n\n")
	defer done()
	s, err := conn.Examine(context.Background(), "INBOX")
	fmt.Println(s.Messages, s.State.ReadOnly, err)
	// Output: 1 true <nil>
}

func ExampleMetadataOptions() {
	_, conn, done := account()
	defer done()
	ctx := context.Background()
	err := conn.SetMetadata(ctx, "INBOX",
		mailbox.Entry{Name: "/private/comment", Value: []byte("mine")},
		mailbox.Entry{Name: "/private/vendor/example/colour", Value: []byte("blue")})
	if err != nil {
		fmt.Println(err)
	}
	found, err := conn.Metadata(ctx, "INBOX", imap.MetadataOptions{Depth: -1}, "/private/vendor")
	for _, e := range found {
		fmt.Printf("%s %s %v\n", e.Name, e.Value, err)
	}
	// Output: /private/vendor/example/colour blue <nil>
}

func ExampleConn_Quota() {
	_, conn, done := account("Subject: one\r\n\r\n1\r\n")
	defer done()
	ctx := context.Background()
	if _, err := conn.SetQuota(ctx, "", mailbox.Resource{Name: mailbox.Messages, Limit: 100}); err != nil {
		fmt.Println(err)
	}
	roots, err := conn.Quota(ctx, "INBOX")
	for _, r := range roots[0].Resources {
		fmt.Println(r.Name, r.Used, "of", r.Limit, err)
	}
	// Output: MESSAGE 1 of 100 <nil>
}

func ExampleConn_ACL() {
	_, conn, done := account()
	defer done()
	ctx := context.Background()
	if err := conn.SetACL(ctx, "INBOX", "carol", mailbox.AddFlags, "lrs"); err != nil {
		fmt.Println(err)
	}
	grants, err := conn.ACL(ctx, "INBOX")
	fmt.Println(grants[len(grants)-1], err)
	// Output: {carol lrs} <nil>
}

package mailbox_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing/fstest"

	"github.com/postilion-mail/postilion/spool/mailbox"
	"github.com/postilion-mail/postilion/spool/mailbox/memory"
)

// A message is delivered, found and flagged.
func ExampleMailbox() {
	ctx := context.Background()
	store := &memory.Store{}
	err := mailbox.Deliver(ctx, store, mailbox.Delivery{
		ReturnPath: "alice@crepes.fr", DeliveredTo: "bob@hamburger.edu",
		Body: strings.NewReader("Subject: pancakes\r\n\r\nDo you like them?\r\n"),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	inbox, _ := mailbox.OpenName(ctx, store, mailbox.Inbox)
	defer inbox.Close()
	d, _ := inbox.Changes(ctx, 0)
	for _, m := range d.Messages {
		fmt.Println("new:", m.UID, m.Size)
	}
	inbox.SetFlags(ctx, mailbox.SetOf(1), mailbox.AddFlags, mailbox.Flags{Sys: mailbox.Seen}, 0)
	d, _ = inbox.Changes(ctx, d.State.HighestModSeq)
	for _, m := range d.Messages {
		fmt.Println("changed:", m.UID, m.Flags)
	}
	// Output:
	// new: 1 105
	// changed: 1 \Seen
}

func ExampleSet() {
	s := mailbox.SetOf(4, 1, 2, 3, 9)
	fmt.Println(s, s.Len(), s.Contains(9))
	fmt.Println(s.Without(mailbox.Set{{From: 2, To: 3}}))
	// Output:
	// 1:4,9 5 true
	// 1,4,9
}

func ExampleFlagOp_Apply() {
	old, _ := mailbox.ParseFlags(`\Seen`, "$Forwarded")
	f, _ := mailbox.ParseFlags(`\Flagged`, "$forwarded")
	fmt.Println(mailbox.AddFlags.Apply(old, f))
	fmt.Println(mailbox.RemoveFlags.Apply(old, f))
	// Output:
	// \Seen \Flagged $Forwarded
	// \Seen
}

// Test data in files fills an account.
func ExampleImport() {
	ctx := context.Background()
	store := &memory.Store{}
	n, err := mailbox.Import(ctx, store, fstest.MapFS{ // os.DirFS("testdata")
		"hello.eml":    {Data: []byte("Subject: hello\n\nHi.\n")},
		"Archive.mbox": {Data: []byte("From a@b.c Thu Jan  1 00:00:00 1970\nSubject: old\n\n")},
	})
	fmt.Println(n, err)
	all, _ := store.Mailboxes(ctx)
	for _, i := range all {
		fmt.Println(i.Name, i.Counts.Messages)
	}
	// Output:
	// 2 <nil>
	// INBOX 1
	// Archive 1
}

func ExampleWriteMbox() {
	ctx := context.Background()
	store := &memory.Store{}
	store.Put(ctx, mailbox.Inbox, mailbox.Flags{}, "Return-Path: <a@b.c>\nSubject: hello\n\nFrom here on\n")
	inbox, _ := mailbox.OpenName(ctx, store, mailbox.Inbox)
	var b strings.Builder
	mailbox.WriteMbox(ctx, &b, inbox, nil)
	_, message, _ := strings.Cut(b.String(), "\n") // without the date
	fmt.Fprint(os.Stdout, message)
	// Output:
	// Return-Path: <a@b.c>
	// Subject: hello
	//
	// >From here on
}

package mailbox_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/spool/mailbox"
	"github.com/postilion-mail/postilion/spool/mailbox/memory"
)

func ExampleStore() {
	ctx := context.Background()
	var store mailbox.Store = &memory.Store{User: "bob"}
	id, err := store.Create(ctx, "Work/Minutes", `\Archive`)
	fmt.Println(err)
	fmt.Println(store.Rename(ctx, id, "Work/Old"))
	all, _ := store.Mailboxes(ctx)
	for _, i := range all {
		fmt.Println(i.Name, i.Use)
	}
	// Output:
	// <nil>
	// <nil>
	// INBOX []
	// Work/Old [\Archive]
}

// What a list of mailboxes says of each.
func ExampleInfo() {
	ctx := context.Background()
	store := &memory.Store{}
	store.Subscribe(ctx, "News", true) // a name without a mailbox
	all, _ := store.Mailboxes(ctx)
	for _, i := range all {
		fmt.Printf("%s: subscribed %t, exists %t\n", i.Name, i.Subscribed, i.ID != "")
	}
	// Output:
	// INBOX: subscribed false, exists true
	// News: subscribed true, exists false
}

// An ID stays when a mailbox gets another name.
func ExampleID() {
	ctx := context.Background()
	store := &memory.Store{}
	was, _ := store.Create(ctx, "Drafts")
	store.Rename(ctx, was, "Unsent")
	i, _ := mailbox.Find(ctx, store, "Unsent")
	fmt.Println(i.ID == was)
	// Output: true
}

func ExampleDelivery() {
	store := &memory.Store{}
	err := mailbox.Deliver(context.Background(), store, mailbox.Delivery{
		ReturnPath:  "alice@crepes.fr",
		DeliveredTo: "bob@hamburger.edu",
		Folder:      "Junk", // is not there: the message goes to INBOX
		Body:        strings.NewReader("Subject: Lunch\r\n\r\nAt noon?\r\n"),
	})
	fmt.Println(err)
	i, _ := mailbox.Find(context.Background(), store, mailbox.Inbox)
	fmt.Println(i.Counts.Messages)
	// Output:
	// <nil>
	// 1
}

// A store's errors have a code for IMAP and a reply for SMTP.
func ExampleError() {
	store := &memory.Store{MaxBytes: 100}
	err := mailbox.Deliver(context.Background(), store, mailbox.Delivery{Body: strings.NewReader(strings.Repeat("x", 200))})
	fmt.Println(errors.Is(err, mailbox.ErrOverQuota))
	if e, ok := errors.AsType[*mailbox.Error](err); ok {
		fmt.Println(e.Response())
	}
	fmt.Println(smtp.ReplyTo(err).Code)
	// Output:
	// true
	// OVERQUOTA
	// 452
}

func ExampleIncoming() {
	ctx := context.Background()
	inbox, _ := mailbox.OpenName(ctx, &memory.Store{}, mailbox.Inbox)
	draft, _ := mailbox.ParseFlags(`\Draft`)
	uids, err := inbox.Append(ctx, mailbox.One(&mailbox.Incoming{
		Body:     strings.NewReader("Subject: to be written\r\n\r\n"),
		Flags:    draft,
		Received: time.Date(2026, 2, 14, 12, 0, 0, 0, time.UTC),
	}))
	fmt.Println(uids, err)
	// Output: [1] <nil>
}

func ExampleBlob() {
	ctx := context.Background()
	store := &memory.Store{}
	store.Put(ctx, mailbox.Inbox, mailbox.Flags{}, "Subject: Lunch\n\nAt noon?\n")
	inbox, _ := mailbox.OpenName(ctx, store, mailbox.Inbox)
	blob, err := inbox.Message(ctx, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer blob.Close()
	part := make([]byte, 7)
	blob.ReadAt(part, 18) // any part, in any order
	fmt.Printf("%q of %d octets\n", part, blob.Size())
	// Output: "At noon" of 28 octets
}

// Changes are asked for, and say all that happened meanwhile at once.
func ExampleDelta() {
	ctx := context.Background()
	store := &memory.Store{}
	store.Put(ctx, mailbox.Inbox, mailbox.Flags{}, "Subject: one\n\n", "Subject: two\n\n")
	inbox, _ := mailbox.OpenName(ctx, store, mailbox.Inbox)
	before, _ := inbox.Changes(ctx, 0)
	fmt.Println(before.Full, len(before.Messages))

	inbox.Expunge(ctx, mailbox.SetOf(1))
	store.Put(ctx, mailbox.Inbox, mailbox.Flags{}, "Subject: three\n\n")
	after, _ := inbox.Changes(ctx, before.State.HighestModSeq)
	fmt.Println(after.Full, after.Vanished, after.Messages[0].UID)
	// Output:
	// true 2
	// false 1 3
}

func ExampleState() {
	ctx := context.Background()
	store := &memory.Store{UIDValidity: 7}
	store.Put(ctx, mailbox.Inbox, mailbox.Flags{}, "Subject: one\n\n")
	inbox, _ := mailbox.OpenName(ctx, store, mailbox.Inbox)
	d, _ := inbox.Changes(ctx, 0)
	fmt.Println(d.State.UIDValidity, d.State.UIDNext)
	// Output: 7 2
}

func ExampleCounts() {
	ctx := context.Background()
	store := &memory.Store{}
	store.Put(ctx, mailbox.Inbox, mailbox.Flags{Sys: mailbox.Seen}, "Subject: read\n\n")
	store.Put(ctx, mailbox.Inbox, mailbox.Flags{}, "Subject: new\n\n")
	i, _ := mailbox.Find(ctx, store, mailbox.Inbox)
	c, _ := mailbox.CountsOf(ctx, store, i)
	fmt.Println(c.Messages, "messages,", c.Unseen, "unread,", c.Size, "octets")
	// Output: 2 messages, 1 unread, 33 octets
}

func ExampleMeta() {
	ctx := context.Background()
	store := &memory.Store{Now: func() time.Time { return time.Unix(1_800_000_000, 0) }}
	store.Put(ctx, mailbox.Inbox, mailbox.Flags{Sys: mailbox.Flagged}, "Subject: one\n\n")
	inbox, _ := mailbox.OpenName(ctx, store, mailbox.Inbox)
	d, _ := inbox.Changes(ctx, 0)
	for _, m := range d.Messages {
		fmt.Println(m.UID, m.Flags, m.Size, time.Unix(m.Received, 0).UTC().Format(time.DateOnly))
	}
	// Output: 1 \Flagged 16 2027-01-15
}

// A ModSeq is the place in time from which one asks for changes.
func ExampleModSeq() {
	ctx := context.Background()
	store := &memory.Store{}
	inbox, _ := mailbox.OpenName(ctx, store, mailbox.Inbox)
	var since mailbox.ModSeq // 0: from the beginning
	for _, subject := range []string{"one", "two"} {
		store.Put(ctx, mailbox.Inbox, mailbox.Flags{}, "Subject: "+subject+"\n\n")
		d, _ := inbox.Changes(ctx, since)
		fmt.Println(len(d.Messages), "new")
		since = d.State.HighestModSeq
	}
	// Output:
	// 1 new
	// 1 new
}

func ExampleMbox() {
	file := strings.NewReader("From alice@crepes.fr Thu Jan  1 00:00:00 2026\nSubject: old\n\n>From here on\n")
	for m, err := range mailbox.Mbox(file) {
		if err != nil {
			fmt.Println(err)
			return
		}
		text, _ := io.ReadAll(m.Body)
		fmt.Printf("%s %q\n", m.Received.Format(time.DateOnly), text)
	}
	// Output: 2026-01-01 "Subject: old\r\n\r\nFrom here on\r\n"
}

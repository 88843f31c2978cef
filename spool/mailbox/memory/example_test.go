package memory_test

import (
	"context"
	"fmt"
	"io"

	"github.com/postilion-mail/postilion/spool/mailbox"
	"github.com/postilion-mail/postilion/spool/mailbox/memory"
)

func ExampleStore() {
	ctx := context.Background()
	var store memory.Store
	store.Put(ctx, mailbox.Inbox, mailbox.Flags{}, "Subject: pancakes\n\nDo you like them?\n")

	inbox, _ := mailbox.OpenName(ctx, &store, mailbox.Inbox)
	d, _ := inbox.Changes(ctx, 0)
	for _, m := range d.Messages {
		blob, _ := inbox.Message(ctx, m.UID)
		text, _ := io.ReadAll(io.NewSectionReader(blob, 0, blob.Size()))
		blob.Close()
		fmt.Printf("UID %d: %q\n", m.UID, text)
	}
	// Output:
	// UID 1: "Subject: pancakes\r\n\r\nDo you like them?\r\n"
}

func ExampleTree() {
	ctx := context.Background()
	var tree memory.Tree
	bob, _ := tree.Create("bob")
	bob.Put(ctx, "Archive", mailbox.Flags{Sys: mailbox.Seen}, "Subject: old\n\n")

	store, err := tree.Open(ctx, "bob") // what a server calls after the login
	if err != nil {
		fmt.Println(err)
		return
	}
	all, _ := store.Mailboxes(ctx)
	for _, i := range all {
		fmt.Println(i.Name, i.Counts.Messages)
	}
	_, err = tree.Open(ctx, "nobody")
	fmt.Println(err)
	// Output:
	// INBOX 0
	// Archive 1
	// mailbox: no such mailbox or message
}

// A team reads the mail of one account, each with the rights that were granted.
func ExampleStore_As() {
	ctx := context.Background()
	store := memory.Store{User: "team"}
	id, _ := store.Create(ctx, "Support")
	store.Grant(ctx, id, "eve", mailbox.AddFlags, "lr")

	eve := store.As("eve")
	all, _ := eve.Mailboxes(ctx)
	for _, i := range all {
		rights, _ := mailbox.MyRights(ctx, eve, i.ID)
		fmt.Println(i.Name, rights)
	}
	fmt.Println(eve.Delete(ctx, id))
	// Output:
	// Support lr
	// mailbox: permission denied
}

package maildir_test

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/postilion-mail/postilion/spool/mailbox"
	"github.com/postilion-mail/postilion/spool/mailbox/maildir"
)

func ExampleTree() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "mail") // 0700, as it must be
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	tree, err := maildir.Open(dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer tree.Close()
	if err := tree.Create("bob"); err != nil {
		fmt.Println(err)
		return
	}

	bob, err := tree.Open(ctx, "bob")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer mailbox.Close(bob)
	err = mailbox.Deliver(ctx, bob, mailbox.Delivery{
		ReturnPath: "alice@crepes.fr",
		Body:       strings.NewReader("Subject: pancakes\r\n\r\nDo you like them?\r\n"),
	})
	fmt.Println("delivered:", err)
	inbox, _ := mailbox.OpenName(ctx, bob, mailbox.Inbox)
	defer inbox.Close()
	d, _ := inbox.Changes(ctx, 0)
	fmt.Println(len(d.Messages), "message")
	_, err = tree.Open(ctx, "../eve")
	fmt.Println(err)
	// Output:
	// delivered: <nil>
	// 1 message
	// mailbox: no such mailbox or message
}

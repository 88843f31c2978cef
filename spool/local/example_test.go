package local_test

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/spool/local"
	"github.com/postilion-mail/postilion/spool/mailbox"
	"github.com/postilion-mail/postilion/spool/mailbox/memory"
)

func ExampleAgent() {
	ctx := context.Background()
	var tree memory.Tree
	tree.Create("bob")

	agent := &local.Agent{
		Open: tree.Open,
		Before: func(ctx context.Context, env smtp.Envelope, user string, d *mailbox.Delivery) error {
			if env.From.Domain() == "crepes.fr" {
				d.Flags = mailbox.Flags{Sys: mailbox.Flagged}
			}
			return nil
		},
	}
	env, _ := smtp.NewEnvelope("alice@crepes.fr", "bob@hamburger.edu", "eve@hamburger.edu")
	text := "Subject: pancakes\r\n\r\nDo you like them?\r\n"
	for i, r := range agent.Deliver(ctx, env, io.NewSectionReader(strings.NewReader(text), 0, int64(len(text)))) {
		fmt.Println(env.To[i].Path, r.Reply)
	}

	bob, _ := tree.Open(ctx, "bob")
	inbox, _ := mailbox.OpenName(ctx, bob, mailbox.Inbox)
	d, _ := inbox.Changes(ctx, 0)
	fmt.Println(len(d.Messages), d.Messages[0].Flags)
	// Output:
	// <bob@hamburger.edu> 250 2.1.5 Delivered
	// <eve@hamburger.edu> 550 5.1.1 No such user here
	// 1 \Flagged
}

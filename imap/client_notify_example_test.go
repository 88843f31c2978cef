package imap_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/postilion-mail/postilion/imap"
	"github.com/postilion-mail/postilion/imap/imaptest"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// watcher is a fake server, a connection that nothing is selected on, and
// another one for what somebody else does.
func watcher() (srv *imaptest.Server, conn, other *imap.Conn, done func()) {
	t := &exampleT{}
	srv = imaptest.New(t)
	var conns [2]*imap.Conn
	for i := range conns {
		c, err := srv.Client().Connect(context.Background())
		if err != nil {
			panic(err)
		}
		t.Cleanup(func() { c.Close() })
		conns[i] = c
	}
	return srv, conns[0], conns[1], t.done
}

// One connection waits for mail in all mailboxes.
func ExampleConn_Notify() {
	srv, conn, _, done := watcher()
	defer done()
	ctx := context.Background()
	srv.Deliver("Work")
	count := 0
	conn.Events.Status = func(s *imap.MailboxStatus) {
		fmt.Println(s.Name, s.Messages)
		count++
	}
	err := conn.Notify(ctx, imap.NotifyOptions{},
		imap.NotifyGroup{Filter: imap.FilterPersonal, Events: imap.NotifyMessages})
	if err != nil {
		fmt.Println(err)
		return
	}
	srv.Deliver("Work", "Subject: Lunch\r\n\r\nAt noon?\r\n")
	fmt.Println(conn.Idle(ctx, func() bool { return count < 1 }))
	// Output:
	// Work 1
	// <nil>
}

// What a new message is about comes with the news of it.
func ExampleNotifyGroup() {
	srv, conn, done := account()
	defer done()
	ctx := context.Background()
	subject := ""
	conn.Events.Message = func(m *imap.Message) {
		if m.Envelope != nil {
			subject = m.Envelope.Subject
		}
	}
	inbox := imap.NotifyGroup{
		Filter: imap.FilterSelected,
		Events: imap.NotifyFlags,
		New:    imap.Items{Flags: true, Envelope: true},
	}
	if err := conn.Notify(ctx, imap.NotifyOptions{}, inbox); err != nil {
		fmt.Println(err)
		return
	}
	srv.Deliver("INBOX", "Subject: Lunch\r\n\r\nAt noon?\r\n")
	err := conn.Idle(ctx, func() bool { return subject == "" })
	fmt.Println(subject, err)
	// Output: Lunch <nil>
}

// A list of mailboxes on a screen follows what happens to them.
func ExampleNotifyEvents() {
	_, conn, other, done := watcher()
	defer done()
	ctx := context.Background()
	count := 0
	conn.Events.List = func(m *imap.MailboxInfo) {
		fmt.Printf("%s, was %q, gone %t, subscribed %t\n", m.Name, m.OldName, m.Has(`\NonExistent`), m.Has(`\Subscribed`))
		count++
	}
	conn.Events.Metadata = func(name string, entries []string) {
		fmt.Println(name, entries)
		count++
	}
	events := imap.NotifyNames | imap.NotifySubscriptions | imap.NotifyMetadata
	if err := conn.Notify(ctx, imap.NotifyOptions{}, imap.NotifyGroup{Filter: imap.FilterPersonal, Events: events}); err != nil {
		fmt.Println(err)
		return
	}
	for i, change := range []func() error{
		func() error { return other.Create(ctx, "Plans") },
		func() error { return other.Rename(ctx, "Plans", "Ideas") },
		func() error {
			return other.SetMetadata(ctx, "Ideas", mailbox.Entry{Name: "/private/comment", Value: []byte("for later")})
		},
	} {
		err := errors.Join(change(), conn.Idle(ctx, func() bool { return count <= i }))
		if err != nil {
			fmt.Println(err)
			return
		}
	}
	// Output:
	// Plans, was "", gone false, subscribed false
	// Ideas, was "Plans", gone false, subscribed false
	// Ideas [/private/comment]
}

// A tree of mailing lists, and nothing of the rest.
func ExampleNotifyFilter() {
	srv, conn, _, done := watcher()
	defer done()
	ctx := context.Background()
	srv.Deliver("Lists/Lemonade")
	count := 0
	conn.Events.Status = func(s *imap.MailboxStatus) {
		fmt.Println(s.Name, s.Messages)
		count++
	}
	lists := imap.NotifyGroup{Filter: imap.FilterSubtree, Names: []string{"Lists"}, Events: imap.NotifyMessages}
	if err := conn.Notify(ctx, imap.NotifyOptions{}, lists); err != nil {
		fmt.Println(err)
		return
	}
	srv.Deliver("INBOX", "Subject: Lunch\r\n\r\nAt noon?\r\n")
	srv.Deliver("Lists/Lemonade", "Subject: Agenda\r\n\r\nNone.\r\n")
	fmt.Println(conn.Idle(ctx, func() bool { return count < 1 }))
	// Output:
	// Lists/Lemonade 1
	// <nil>
}

// How things stand is told before anything happens; a server that gives up says so.
func ExampleNotifyOptions() {
	srv, conn, _, done := watcher()
	defer done()
	ctx := context.Background()
	srv.Deliver("Work", "Subject: Lunch\r\n\r\nAt noon?\r\n")
	conn.Events.Status = func(s *imap.MailboxStatus) { fmt.Println(s.Name, s.Messages) }
	conn.Events.Overflow = func() { fmt.Println("look again now and then") }
	work := imap.NotifyGroup{Filter: imap.FilterMailboxes, Names: []string{"Work"}, Events: imap.NotifyMessages}
	err := conn.Notify(ctx, imap.NotifyOptions{Status: true}, work)
	var refused *imap.Error
	if errors.As(err, &refused) && refused.Code == "NOTIFICATIONOVERFLOW" {
		fmt.Println("look again now and then")
	}
	fmt.Println(err, conn.Notify(ctx, imap.NotifyOptions{}))
	// Output:
	// Work 1
	// <nil> <nil>
}

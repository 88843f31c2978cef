package imap_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/postilion-mail/postilion/imap"
	"github.com/postilion-mail/postilion/smtp/sasl"
	"github.com/postilion-mail/postilion/spool/mailbox"
	"github.com/postilion-mail/postilion/spool/mailbox/memory"
)

// bob is the only user, whose password is "secret".
var bob = &sasl.Authenticator{Password: func(_ context.Context, l sasl.Login, password string) error {
	if l.User != "bob" || password != "secret" {
		return sasl.ErrCredentials
	}
	return nil
}}

// say speaks to a server over a pipe and returns the lines that do not depend on
// the time.
func say(s *imap.Server, commands ...string) (answers []string) {
	client, server := net.Pipe()
	go s.ServeConn(context.Background(), server)
	defer client.Close()
	r := bufio.NewReader(client)
	_, _ = r.ReadString('\n') // the greeting
	for i, command := range commands {
		tag := fmt.Sprintf("a%d ", i+1)
		fmt.Fprintf(client, "%s%s\r\n", tag, command)
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return answers
			}
			line = strings.TrimSpace(line)
			if !strings.Contains(line, "CAPABILITY") {
				answers = append(answers, line)
			}
			if strings.HasPrefix(line, tag) {
				break
			}
		}
	}
	return answers
}

// A server over a store in memory. One that listens would be started by Run.
func ExampleServer() {
	var store memory.Store
	_ = store.Put(context.Background(), mailbox.Inbox, mailbox.Flags{}, "From: alice@crepes.fr\nSubject: Do you like ketchup?\n\nHow about pickles?\n")
	server := &imap.Server{
		Name:         "hamburger.edu",
		Auth:         bob,
		InsecureAuth: true, // on a pipe; elsewhere set TLSConfig
		Open:         func(context.Context, string) (mailbox.Store, error) { return &store, nil },
	}
	for _, line := range say(server, "LOGIN bob secret", "STATUS INBOX (MESSAGES UNSEEN)", "LIST \"\" *") {
		fmt.Println(line)
	}
	// Output:
	// * STATUS INBOX (MESSAGES 1 UNSEEN 1)
	// a2 OK STATUS completed
	// * LIST (\HasNoChildren) "/" INBOX
	// a3 OK LIST completed
}

// Limits and timeouts have defaults; what is set overrides one of them.
func ExampleLimits() {
	var store memory.Store
	server := &imap.Server{
		Auth: bob, InsecureAuth: true,
		Open:     func(context.Context, string) (mailbox.Store, error) { return &store, nil },
		Limits:   imap.Limits{MessageBytes: 1000},
		Timeouts: imap.Timeouts{Command: time.Hour},
	}
	for _, line := range say(server, "LOGIN bob secret", "APPEND INBOX {1001}") {
		fmt.Println(line)
	}
	// Output:
	// a2 NO [TOOBIG] Message is too large
}

// The clock that ends a session runs from its last command.
func ExampleTimeouts() {
	fmt.Println(imap.Timeouts{Command: 45 * time.Minute}.Command)
	// Output: 45m0s
}

// A trace sees every command, and no password.
func ExampleTrace() {
	var store memory.Store
	server := &imap.Server{
		Auth: bob, InsecureAuth: true,
		Open: func(context.Context, string) (mailbox.Store, error) { return &store, nil },
		Trace: &imap.Trace{
			Command: func(_ *imap.Session, verb, arg string) { fmt.Println(verb, arg) },
			Reply:   func(s *imap.Session, verb, line string, _ time.Duration) { fmt.Println(s.User, verb, line[:2]) },
		},
	}
	say(server, "LOGIN bob secret", "SELECT INBOX")
	// Output:
	// LOGIN ***
	// bob LOGIN OK
	// SELECT INBOX
	// bob SELECT OK
}

// Session tells who is there.
func ExampleSession() {
	var store memory.Store
	server := &imap.Server{
		Auth: bob, InsecureAuth: true,
		Open: func(context.Context, string) (mailbox.Store, error) { return &store, nil },
		Trace: &imap.Trace{Command: func(s *imap.Session, verb, _ string) {
			fmt.Printf("%q %s, TLS %v\n", s.User, verb, s.TLS != nil)
		}},
	}
	say(server, "NOOP", "LOGIN bob secret", "NOOP")
	// Output:
	// "" NOOP, TLS false
	// "" LOGIN, TLS false
	// "bob" NOOP, TLS false
}

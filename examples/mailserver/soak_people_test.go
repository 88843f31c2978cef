package main

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/stretchr/testify/assert"

	"github.com/postilion-mail/postilion/imap"
	"github.com/postilion-mail/postilion/pop3"
	"github.com/postilion-mail/postilion/smtp/sasl"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

var marker = regexp.MustCompile(`(?m)^Subject: soak (\d+)\r$`)

// letter is message n as it is sent, with a body that its number tells.
func letter(n int, from, to string) string {
	return fmt.Sprintf("From: %s\r\nTo: %s\r\nSubject: soak %d\r\n\r\n", from, to, n) + letterBody(n)
}

func letterBody(n int) string {
	return strings.Repeat(fmt.Sprintf("..line of message %d\r\n", n), 1+n%11*n%700) + "end\r\n"
}

// intact says which message it is, and whether its body is whole.
func intact(b []byte) (n int, ok bool) {
	header, body, _ := strings.Cut(string(b), "\r\n\r\n")
	m := marker.FindStringSubmatch(header + "\r\n")
	if m == nil {
		return 0, false
	}
	fmt.Sscan(m[1], &n)
	return n, body == letterBody(n)
}

func (s *soak) login(u int) *sasl.Credentials {
	return &sasl.Credentials{User: fmt.Sprintf("u%d", u), Password: fmt.Sprintf("secret%d", u)}
}

// read is a session of a user.
func (s *soak) read(ctx context.Context, u int) error {
	if u < popUsers {
		return s.pop(ctx, u)
	}
	return s.imap(ctx, u)
}

// found is told of a copy that a user has: of a message or, with its number below
// zero, of a report on it. The same copy may be seen often.
func (s *soak) found(u int, uid string, b []byte) {
	user := fmt.Sprintf("u%d@hamburger.edu", u)
	n, whole := intact(b)
	s.mu.Lock()
	defer s.mu.Unlock()
	key := copyKey(u, uid)
	if was, known := s.atHome[key]; known {
		assert.True(s.t, max(was.message, 0) == n, "%s was message %d and is %d", key, was.message, n)
		return
	}
	if n != 0 {
		s.atHome[key] = delivery{n, user}
		assert.True(s.t, whole, "message %d came damaged", n)
		return
	}
	m := marker.FindSubmatch(b) // in the part of a report that gives the message back
	if !assert.NotNil(s.t, m, "what is this? %.300q", b) {
		return
	}
	fmt.Sscan(string(m[1]), &n)
	s.atHome[key] = delivery{-n, user}
	for _, about := range failed.FindAllSubmatch(b, -1) {
		s.bounced[delivery{n, string(about[1])}]++
	}
}

// removes is told of what a user is about to delete, perhaps in vain.
func (s *soak) removes(u int, uid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.removed[s.atHome[copyKey(u, uid)]] = true
}

func copyKey(u int, uid string) string { return fmt.Sprintf("u%d %s", u, uid) }

var failed = regexp.MustCompile(`(?m)^Final-Recipient: rfc822; ?(\S+)\r$`)

// pop downloads what is new, and deletes half of what it has.
func (s *soak) pop(ctx context.Context, u int) error {
	client := &pop3.Client{Addr: s.p.addr["pop3s"], TLS: pop3.TLSImplicit, TLSConfig: s.p.trust(), Auth: s.login(u)}
	c, err := client.Connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	list, err := c.List(ctx)
	if err != nil {
		return err
	}
	var done []int
	for d, err := range c.Fetch(ctx, list) {
		if err != nil {
			return err
		}
		b, err := io.ReadAll(d.Body)
		if err != nil {
			return err
		}
		s.found(u, d.UID, b)
		if s.random(2) == 0 {
			done = append(done, d.Number)
			s.removes(u, d.UID)
		}
	}
	if err := c.Delete(ctx, done...); err != nil {
		return err
	}
	return s.end("pop3", c.Quit(ctx))
}

// imap reads what is new. What it has seen once must never be gone.
func (s *soak) imap(ctx context.Context, u int) error {
	client := &imap.Client{Addr: s.p.addr["imap"], TLSConfig: s.p.trust(), Auth: s.login(u)}
	c, err := client.Connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	sel, err := c.Select(ctx, mailbox.Inbox)
	if err != nil {
		return err
	}
	seen, there := s.seen[u], 0
	var fresh mailbox.Set
	for m, err := range c.Fetch(ctx, imap.AllUIDs(), imap.Items{Flags: true}) {
		if err != nil {
			return err
		}
		if seen[m.UID] {
			there++
		} else {
			fresh = append(fresh, mailbox.SetOf(m.UID)...)
		}
	}
	assert.Equal(s.t, len(seen), there, "messages of u%d are gone", u)
	if len(fresh) == 0 {
		return s.end("imap", c.Logout(ctx))
	}
	for d, err := range c.Download(ctx, fresh, imap.Section{}) {
		if err != nil {
			return err
		}
		b, err := io.ReadAll(d.Body)
		if err != nil {
			return err
		}
		s.found(u, fmt.Sprint(sel.State.UIDValidity, ".", d.UID), b)
		seen[d.UID] = true
	}
	if _, err := c.Store(ctx, fresh, mailbox.AddFlags, mailbox.Flags{Sys: mailbox.Seen}, 0); err != nil {
		return err
	}
	return s.end("imap", c.Logout(ctx))
}

func (s *soak) end(protocol string, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.sessions[protocol]++
	}
	return err
}

// Package examples_test holds the proofs that the packages fit together in any
// order and any pair: what the programs beside it rely on.
package examples_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/imap"
	"github.com/postilion-mail/postilion/mx/dns/dnstest"
	"github.com/postilion-mail/postilion/pop3"
	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/smtp/sasl"
	"github.com/postilion-mail/postilion/spf"
	"github.com/postilion-mail/postilion/spool"
	"github.com/postilion-mail/postilion/spool/dirspool"
	"github.com/postilion-mail/postilion/spool/local"
	"github.com/postilion-mail/postilion/spool/mailbox"
	"github.com/postilion-mail/postilion/spool/mailbox/maildir"
	"github.com/postilion-mail/postilion/spool/mailbox/memory"
	"github.com/postilion-mail/postilion/spool/memspool"
)

// up runs something with a listener until the test ends.
func up(t *testing.T, run func(ctx context.Context, plain, implicitTLS net.Listener) error) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	background(t, func(ctx context.Context) error { return run(ctx, l, nil) })
	return l.Addr().String()
}

func background(t *testing.T, run func(context.Context) error) {
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	t.Cleanup(func() { stop(); assert.NoError(t, <-done) })
}

func send(t *testing.T, c *smtp.Client, body string, to ...string) error {
	t.Helper()
	env, err := smtp.NewEnvelope("alice@crepes.fr", to...)
	require.NoError(t, err)
	_, err = c.Send(t.Context(), env, strings.NewReader(body))
	return err
}

// scanner refuses what has a word in it, cannot tell of another, and remembers
// what it saw.
type scanner struct {
	mu  sync.Mutex // guards saw
	saw []string
}

func (s *scanner) scan(_ context.Context, _ *smtp.Transaction, r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.saw = append(s.saw, string(b))
	s.mu.Unlock()
	switch {
	case bytes.Contains(b, []byte("VIRUS")):
		return smtp.Reject(550, "5.7.1", "Refused by the scanner")
	case bytes.Contains(b, []byte("RIDDLE")):
		return errors.New("the scanner does not know")
	}
	return nil
}

// stamped is a middleware that puts a field on top, as the result of a check.
func stamped(check func(context.Context, *smtp.Transaction) (name, value string)) smtp.Middleware {
	return func(next smtp.Handler) smtp.Handler {
		mail := next.Mail
		next.Mail = func(ctx context.Context, t *smtp.Transaction) error {
			if err := t.AddField(check(ctx, t)); err != nil || mail == nil {
				return err
			}
			return mail(ctx, t)
		}
		return next
	}
}

// counted is a middleware that replaces the body by one that is counted.
func counted(n *int64) smtp.Middleware {
	return func(next smtp.Handler) smtp.Handler {
		message := next.Message
		next.Message = func(ctx context.Context, t *smtp.Transaction, body io.Reader) error {
			return message(ctx, t, io.TeeReader(body, writerFunc(func(p []byte) { *n += int64(len(p)) })))
		}
		return next
	}
}

type writerFunc func([]byte)

func (f writerFunc) Write(p []byte) (int, error) { f(p); return len(p), nil }

// permutations gives all orders of n things.
func permutations(n int) (all [][]int) {
	if n == 0 {
		return [][]int{nil}
	}
	for _, p := range permutations(n - 1) {
		for i := range n {
			q := append(append(append([]int{}, p[:i]...), n-1), p[i:]...)
			all = append(all, q)
		}
	}
	return all
}

// Whatever the order of the middleware, a message arrives once and has all
// fields, and one that the scanner refuses leaves nothing behind.
func TestMiddlewareInAnyOrder(t *testing.T) {
	zone := dnstest.New(t, `crepes.fr TXT "v=spf1 ip4:127.0.0.1 -all"`)
	checker := &spf.Checker{Resolver: zone}
	orders := permutations(4)
	require.Len(t, orders, 24)
	for _, order := range orders {
		t.Run(fmt.Sprint(order), func(t *testing.T) {
			var scanned scanner
			var octets int64
			queue := &memspool.Store{}
			defer queue.Close()
			middleware := []smtp.Middleware{
				smtp.Received(smtp.ReceivedOptions{Name: "mail.hamburger.edu"}),
				smtp.Scan(scanned.scan),
				stamped(func(ctx context.Context, t *smtp.Transaction) (name, value string) {
					return checker.Check(ctx, spf.Request{IP: t.Session.Remote.Addr(), Hello: t.Session.Hello, MailFrom: t.From.Address(), Receiver: "mail.hamburger.edu"}).ReceivedSPF()
				}),
				counted(&octets),
			}
			var around []smtp.Middleware
			for _, i := range order {
				around = append(around, middleware[i])
			}
			put := smtp.Handler{Message: func(ctx context.Context, t *smtp.Transaction, body io.Reader) error {
				_, err := spool.Put(ctx, queue, body, t.Envelope)
				return err
			}}
			client := &smtp.Client{Addr: up(t, (&smtp.Server{Handler: smtp.Chain(put, around...)}).Run), TLS: smtp.TLSNone}
			defer client.Close()

			assert.Equal(t, 550, smtp.ReplyTo(send(t, client, "Subject: VIRUS\r\n\r\nx\r\n", "bob@hamburger.edu")).Code)
			assert.Equal(t, 451, smtp.ReplyTo(send(t, client, "Subject: RIDDLE\r\n\r\nx\r\n", "bob@hamburger.edu")).Code)
			assert.Empty(t, listed(t, queue), "what was refused is in the queue")

			octets = 0
			letter := "Subject: hello\r\n\r\n.dot\r\n" + strings.Repeat("text\r\n", 10_000)
			require.NoError(t, send(t, client, letter, "bob@hamburger.edu", "carol@hamburger.edu"))
			assert.Equal(t, int64(len(letter)), octets)
			items := listed(t, queue)
			require.Len(t, items, 1)
			assert.Len(t, items[0].Rcpts, 2)
			got := whole(t, queue, items[0])
			head, ok := strings.CutSuffix(got, letter)
			assert.True(t, ok, "the message is not what was sent: %.300q", got)
			// RFC 7208 §9.1: Received-SPF stands above the Received of the same host.
			assert.Equal(t, []string{"Received-SPF", "Received"}, fields(head))
			assert.Contains(t, head, "Received-SPF: pass")
			require.Len(t, scanned.saw, 3)
			assert.True(t, strings.HasSuffix(scanned.saw[2], letter), "the scanner saw all of it")
		})
	}
}

// fields are the names of the fields of a header.
func fields(header string) (names []string) {
	for line := range strings.Lines(header) {
		if name, _, ok := strings.Cut(line, ":"); ok && line[0] != ' ' && line[0] != '\t' {
			names = append(names, name)
		}
	}
	return names
}

func listed(t *testing.T, queue *memspool.Store) (all []spool.Info) {
	for info, err := range queue.List(t.Context(), spool.Filter{}) {
		require.NoError(t, err)
		all = append(all, info)
	}
	return all
}

// whole is an item as it would be delivered, with the fields on top.
func whole(t *testing.T, queue spool.Store, info spool.Info) string {
	blob, err := queue.Open(t.Context(), info.Item.ID)
	require.NoError(t, err)
	defer blob.Close()
	b, err := io.ReadAll(info.Item.Envelope.Section(io.NewSectionReader(blob, 0, blob.Size())))
	require.NoError(t, err)
	return string(b)
}

// letters are messages that are hard on those who carry them.
func letters() map[string]string {
	head := "From: alice@crepes.fr\r\nSubject: hello\r\n"
	return map[string]string{
		"dots":        head + "\r\n.\r\n..\r\n...\r\n.x\r\n\r\n.\r\n",
		"eight bits":  head + "\r\n\xe4\xf6\xfc Grüße \xff\xfe\r\n",
		"no body":     head + "\r\n",
		"long lines":  head + "\r\n" + strings.Repeat("x", 998) + "\r\n" + strings.Repeat("y", 20_000) + "\r\n",
		"large":       head + "\r\n" + strings.Repeat(".line of a large message\r\n", 100_000),
		"empty lines": head + "\r\n\r\n\r\n \r\n\t\r\n\r\n",
		"mbox":        head + "\r\nFrom someone\r\n>From someone else\r\n",
		"folded":      "Subject: hello\r\n  folded\r\n\tand more\r\nX-Odd:\r\n\r\nx\r\n",
	}
}

// boxes is what both kinds of mailbox stores are to the servers.
type boxes func(ctx context.Context, user string) (mailbox.Store, error)

func queues() map[string]func(*testing.T) spool.Store {
	return map[string]func(*testing.T) spool.Store{
		"memspool": func(*testing.T) spool.Store { return &memspool.Store{} },
		"dirspool": func(t *testing.T) spool.Store {
			q, err := dirspool.Open(t.TempDir(), dirspool.Options{})
			require.NoError(t, err)
			t.Cleanup(func() { assert.NoError(t, q.Close()) })
			return q
		},
	}
}

func stores() map[string]func(*testing.T) boxes {
	return map[string]func(*testing.T) boxes{
		"memory": func(t *testing.T) boxes {
			tree := &memory.Tree{}
			_, err := tree.Create("bob")
			require.NoError(t, err)
			return tree.Open
		},
		"maildir": func(t *testing.T) boxes {
			if runtime.GOOS == "windows" {
				t.Skip("no colon in the names of files")
			}
			tree, err := maildir.Open(t.TempDir())
			require.NoError(t, err)
			t.Cleanup(func() { assert.NoError(t, tree.Close()) })
			require.NoError(t, tree.Create("bob"))
			return tree.Open
		},
	}
}

// Every queue with every mailbox store carries messages from SMTP, by DATA and by
// BDAT, and from LMTP to POP3 and IMAP, byte for byte.
func TestEveryStoreWithEveryProtocol(t *testing.T) {
	for queueName, newQueue := range queues() {
		for storeName, newStore := range stores() {
			t.Run(queueName+" and "+storeName, func(t *testing.T) {
				open := newStore(t)
				queue := newQueue(t)
				agent := &local.Agent{Open: open}
				background(t, (&spool.Runner{Store: queue, Deliver: agent.Deliver}).Run)
				put := smtp.Handler{Message: func(ctx context.Context, t *smtp.Transaction, body io.Reader) error {
					_, err := spool.Put(ctx, queue, body, t.Envelope)
					return err
				}}
				put = smtp.Chain(put, smtp.Received(smtp.ReceivedOptions{}))
				direct := smtp.Chain(smtp.Handler{Message: smtp.Deliver(agent.Deliver)}, smtp.Received(smtp.ReceivedOptions{}))
				clients := map[string]*smtp.Client{
					"BDAT": {Addr: up(t, (&smtp.Server{Handler: put}).Run), TLS: smtp.TLSNone},
					"DATA": {Addr: up(t, (&smtp.Server{Handler: put, Without: []string{"CHUNKING"}}).Run), TLS: smtp.TLSNone},
					"LMTP": {Addr: up(t, (&smtp.Server{Handler: direct, Profile: smtp.LMTP}).Run), TLS: smtp.TLSNone, LMTP: true},
				}
				read := newReader(t, open)
				for way, client := range clients {
					defer client.Close()
					for name, letter := range letters() {
						require.NoError(t, send(t, client, letter, "bob@hamburger.edu"), "%s by %s", name, way)
						byIMAP, byPOP := read(t)
						head, ok := strings.CutSuffix(byIMAP, letter)
						assert.True(t, ok, "%s by %s: the message is not what was sent: %.300q", name, way, byIMAP)
						assert.Equal(t, []string{"Return-Path", "Delivered-To", "Received"}, fields(head), "%s by %s", name, way)
						assert.True(t, byIMAP == byPOP, "%s by %s: IMAP and POP3 differ", name, way)
					}
				}
			})
		}
	}
}

// newReader serves the mail of bob by both protocols, and gives a function that
// waits for a message, reads it in both ways, and deletes it.
func newReader(t *testing.T, open boxes) func(t *testing.T) (byIMAP, byPOP string) {
	login := &sasl.Credentials{User: "bob", Password: "secret", Cleartext: true}
	auth := &sasl.Authenticator{Password: func(_ context.Context, l sasl.Login, password string) error {
		if l.User != "bob" || password != "secret" {
			return sasl.ErrCredentials
		}
		return nil
	}}
	im := &imap.Client{Addr: up(t, (&imap.Server{Auth: auth, InsecureAuth: true, Open: open}).Run), TLS: imap.TLSNone, Auth: login}
	// Octets above 127 in a body are no reason to ask for UTF8 (RFC 6856 §2.1).
	pop := &pop3.Client{Addr: up(t, (&pop3.Server{Auth: auth, InsecureAuth: true, Open: open}).Run), TLS: pop3.TLSNone, Auth: login}
	return func(t *testing.T) (byIMAP, byPOP string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		return readIMAP(ctx, t, im), readPOP(ctx, t, pop)
	}
}

func readIMAP(ctx context.Context, t *testing.T, client *imap.Client) (got string) {
	t.Helper()
	c, err := client.Connect(ctx)
	require.NoError(t, err)
	defer c.Close()
	sel, err := c.Select(ctx, mailbox.Inbox)
	require.NoError(t, err)
	if sel.Messages == 0 {
		require.NoError(t, c.Idle(ctx, func() bool { return c.Selected().Messages == 0 }))
	}
	for d, err := range c.Download(ctx, imap.AllUIDs(), imap.Section{}) {
		require.NoError(t, err)
		require.Empty(t, got, "one message, and no other")
		b, err := io.ReadAll(d.Body)
		require.NoError(t, err)
		assert.Equal(t, int64(len(b)), d.Size)
		got = string(b)
	}
	require.NoError(t, c.Logout(ctx))
	return got
}

func readPOP(ctx context.Context, t *testing.T, client *pop3.Client) string {
	t.Helper()
	c, err := client.Connect(ctx)
	require.NoError(t, err)
	defer c.Close()
	list, err := c.List(ctx)
	require.NoError(t, err)
	require.Len(t, list, 1)
	body, err := c.Retrieve(ctx, 1)
	require.NoError(t, err)
	b, err := io.ReadAll(body)
	require.NoError(t, err)
	assert.Equal(t, list[0].Size, int64(len(b)))
	require.NoError(t, c.Delete(ctx, 1))
	require.NoError(t, c.Quit(ctx))
	return string(b)
}

package spool_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/spool"
	"github.com/postilion-mail/postilion/spool/memspool"
)

// system is a mail server in a few lines: an smtp.Server that queues, and a Runner
// that sends on, over real TCP.
type system struct {
	store  *memspool.Store
	addr   string
	client *smtp.Client
}

// newSystem begins one. Local mail is given to local, all else to the server next.
func newSystem(t *testing.T, store *memspool.Store, local smtp.DeliverFunc, next string) *system {
	out := &smtp.Client{Addr: next, TLS: smtp.TLSNone}
	routes := smtp.Mux{
		{Match: func(p smtp.Path) bool { return p.Domain() == "crepes.fr" }, Deliver: local},
		{Deliver: out.Deliver},
	}
	runner := &spool.Runner{Store: store, Deliver: routes.Deliver, Name: "crepes.fr", Retry: &spool.Schedule{Steps: []time.Duration{10 * time.Millisecond}}}
	server := &smtp.Server{Name: "crepes.fr", Extensions: smtp.ExtDSN, Handler: smtp.Chain(smtp.Handler{
		Message: func(ctx context.Context, t *smtp.Transaction, body io.Reader) error {
			id, err := spool.Put(ctx, store, body, t.Envelope)
			t.Queued = string(id)
			return err
		},
	}, smtp.Scan(refuseSpam))}
	s := &system{store: store}
	s.addr = serve(t, server)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- runner.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; !errors.Is(err, spool.ErrClosed) {
			assert.NoError(t, err)
		}
		out.Close()
	})
	s.client = &smtp.Client{Addr: s.addr, TLS: smtp.TLSNone}
	t.Cleanup(func() { s.client.Close() })
	return s
}

// refuseSpam gives its verdict at the end of the message.
func refuseSpam(_ context.Context, _ *smtp.Transaction, r io.Reader) error {
	b, err := io.ReadAll(r)
	switch {
	case err != nil:
		return err
	case strings.Contains(string(b), "SPAM"):
		return smtp.Reject(550, "5.7.1", "no spam")
	case strings.Contains(string(b), "UNSURE"):
		return errors.New("scanner down")
	}
	return nil
}

func serve(t *testing.T, s *smtp.Server) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ln) }()
	t.Cleanup(func() {
		s.Close()
		assert.NoError(t, <-ended)
	})
	return ln.Addr().String()
}

// inbox is where mail ends: envelope recipients and bodies.
type inbox struct {
	mu   sync.Mutex
	come chan string
}

func newInbox() *inbox { return &inbox{come: make(chan string, 100)} }

func (b *inbox) take(env smtp.Envelope, body io.Reader) error {
	raw, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, to := range env.To {
		b.come <- to.Path.Local() + ": " + string(raw)
	}
	return nil
}

func (b *inbox) deliver(_ context.Context, env smtp.Envelope, body *io.SectionReader) smtp.Results {
	return smtp.Failed(len(env.To), b.take(env, body))
}

func (b *inbox) next(t *testing.T) string {
	select {
	case s := <-b.come:
		return s
	case <-time.After(10 * time.Second):
		t.Fatal("no mail came")
		return ""
	}
}

// TestMailThroughTheQueue: over TCP into the queue, and out of it to a mailbox
// here, to another server, and back as a bounce.
func TestMailThroughTheQueue(t *testing.T) {
	home, away := newInbox(), newInbox()
	greeted := false
	remote := &smtp.Server{Name: "hamburger.edu", Handler: smtp.Handler{
		Rcpt: func(_ context.Context, _ *smtp.Transaction, r *smtp.Recipient) error {
			switch {
			case r.Path.Local() == "nobody":
				return smtp.Reject(550, "5.1.1", "no such user")
			case r.Path.Local() == "grey" && !greeted:
				greeted = true
				return smtp.Reject(450, "4.7.1", "greylisted")
			}
			return nil
		},
		Message: func(_ context.Context, t *smtp.Transaction, body io.Reader) error { return away.take(t.Envelope, body) },
	}}
	s := newSystem(t, &memspool.Store{}, home.deliver, serve(t, remote))
	env := envelope(t, "ann@crepes.fr", "bob@crepes.fr", "eve@hamburger.edu", "nobody@hamburger.edu", "grey@hamburger.edu")
	env.Params.EnvID, env.To[1].Notify = "letter 1", smtp.NotifySuccess
	sent, err := s.client.Send(t.Context(), env, strings.NewReader("Subject: hi\r\n\r\n.dot\r\n"))
	require.NoError(t, err)
	assert.NotEmpty(t, sent.Queued, "the reply names the message")
	var mine, theirs []string
	for range 2 {
		theirs = append(theirs, away.next(t))
	}
	for range 2 {
		mine = append(mine, home.next(t))
	}
	assert.ElementsMatch(t, []string{"eve: Subject: hi\r\n\r\n.dot\r\n", "grey: Subject: hi\r\n\r\n.dot\r\n"}, theirs)
	report := mine[0]
	if strings.HasPrefix(report, "bob") {
		report = mine[1]
	}
	for _, want := range []string{"ann: ", "Original-Envelope-Id: letter 1", "nobody@hamburger.edu", "Action: failed", "eve@hamburger.edu", "Action: relayed"} {
		assert.Contains(t, report, want)
	}
}

// TestMailReplies: 250 comes after the Commit and with nothing else, and what was
// not told 250 is not in the queue.
func TestMailReplies(t *testing.T) {
	block := func(ctx context.Context, env smtp.Envelope, _ *io.SectionReader) smtp.Results {
		return smtp.Failed(len(env.To), errors.New("not today"))
	}
	store := &memspool.Store{MaxBytes: 20_000}
	s := newSystem(t, store, block, "127.0.0.1:1")
	send := func(body string) error {
		_, err := s.client.Send(t.Context(), envelope(t, "", "bob@crepes.fr"), strings.NewReader(body))
		return err
	}
	count := func() (n int) {
		for range store.List(t.Context(), spool.Filter{}) {
			n++
		}
		return n
	}
	require.NoError(t, send("Subject: hi\r\n\r\n"))
	require.Equal(t, 1, count(), "there when 250 is")
	for _, c := range []struct {
		name, body string
		code       int
		enhanced   string
	}{
		{"full", strings.Repeat("x\r\n", 20_000), 452, "4.3.1"},
		{"refused at its end", "SPAM\r\n", 550, "5.7.1"},
		{"in doubt", "UNSURE\r\n", 451, "4.3.0"},
		{"bare newline", "a\nb\r\n", 550, "5.6.11"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "bare newline" {
				raw(t, s.addr, c.body, "550 Bare CR or LF")
				return
			}
			var refused interface{ SMTP() (int, string, string) }
			require.ErrorAs(t, send(c.body), &refused)
			code, enhanced, _ := refused.SMTP()
			assert.Equal(t, fmt.Sprint(c.code, c.enhanced), fmt.Sprint(code, enhanced))
		})
	}
	require.NoError(t, send("Subject: still fine\r\n\r\n"))
	assert.Equal(t, 2, count(), "nothing else was kept")

	// A peer that goes away in the middle of its message has sent none.
	c, err := net.Dial("tcp", s.addr)
	require.NoError(t, err)
	_, err = io.WriteString(c, "HELO x\r\nMAIL FROM:<>\r\nRCPT TO:<bob@crepes.fr>\r\nDATA\r\n")
	require.NoError(t, err)
	readUntil(t, c, "354")
	_, err = io.WriteString(c, "Subject: half\r\n\r\nand then")
	require.NoError(t, err)
	require.NoError(t, c.Close())
	require.NoError(t, send("Subject: last\r\n\r\n"))
	assert.Equal(t, 3, count())

	// A store that is closed is in doubt too.
	require.NoError(t, store.Close())
	var refused interface{ SMTP() (int, string, string) }
	require.ErrorAs(t, send("Subject: late\r\n\r\n"), &refused)
	code, _, _ := refused.SMTP()
	assert.Equal(t, 451, code)
}

// raw sends a message that no client of ours would.
func raw(t *testing.T, addr, body, want string) {
	c, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer c.Close()
	_, err = io.WriteString(c, "HELO x\r\nMAIL FROM:<>\r\nRCPT TO:<bob@crepes.fr>\r\nDATA\r\n")
	require.NoError(t, err)
	readUntil(t, c, "354")
	_, err = io.WriteString(c, body+".\r\n")
	require.NoError(t, err)
	readUntil(t, c, want)
}

func readUntil(t *testing.T, c net.Conn, want string) {
	require.NoError(t, c.SetReadDeadline(time.Now().Add(10*time.Second)))
	var got []byte
	buf := make([]byte, 1000)
	for !strings.Contains(string(got), want) {
		n, err := c.Read(buf)
		require.NoError(t, err, "%s", got)
		got = append(got, buf[:n]...)
	}
}

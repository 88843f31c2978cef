package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/spool/mailbox"
	"github.com/postilion-mail/postilion/spool/mailbox/memory"
)

var bg = context.Background()

const message = "Subject: pancakes\r\n\r\nDo you like them?\r\n"

// world is an agent for bob, ann and tiny, whose mailbox is small.
func world(t *testing.T) (*Agent, *memory.Tree) {
	tree := &memory.Tree{New: func(user string) *memory.Store {
		s := &memory.Store{User: user}
		if user == "tiny" {
			s.MaxBytes = 10
		}
		return s
	}}
	for _, u := range []string{"bob", "ann", "tiny"} {
		_, err := tree.Create(u)
		require.NoError(t, err)
	}
	return &Agent{Open: tree.Open, Now: func() time.Time { return time.Unix(1e9, 0) }}, tree
}

func envelope(t *testing.T, to ...string) smtp.Envelope {
	env, err := smtp.NewEnvelope("alice@crepes.fr", to...)
	require.NoError(t, err)
	return env
}

func section(s string) *io.SectionReader {
	return io.NewSectionReader(strings.NewReader(s), 0, int64(len(s)))
}

// mail is what is in a mailbox.
func mail(t *testing.T, tree *memory.Tree, user, name string) (out []string) {
	s, err := tree.Open(bg, user)
	require.NoError(t, err)
	m, err := mailbox.OpenName(bg, s, name)
	require.NoError(t, err)
	defer m.Close()
	d, err := m.Changes(bg, 0)
	require.NoError(t, err)
	for _, x := range d.Messages {
		b, err := m.Message(bg, x.UID)
		require.NoError(t, err)
		text, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
		require.NoError(t, err)
		out = append(out, x.Flags.String()+"|"+string(text))
	}
	return out
}

func TestDeliver(t *testing.T) {
	a, tree := world(t)
	res := a.Deliver(bg, envelope(t, "bob@hamburger.edu", "Ann+tag@hamburger.edu"), section(message))
	require.NoError(t, res.Err())
	assert.Equal(t, "250 2.1.5 Delivered", res[0].Reply.String())
	assert.Equal(t, []string{"|Return-Path: <alice@crepes.fr>\r\nDelivered-To: bob@hamburger.edu\r\n" + message}, mail(t, tree, "bob", "INBOX"))
	assert.Equal(t, []string{"|Return-Path: <alice@crepes.fr>\r\nDelivered-To: Ann+tag@hamburger.edu\r\n" + message}, mail(t, tree, "ann", "INBOX"))
}

// What a process delivered that died before it could say so is not delivered
// twice, where the queue says that this may have been.
func TestDeliverAgain(t *testing.T) {
	a, tree := world(t)
	type key struct{}
	a.Again = func(ctx context.Context) bool { return ctx.Value(key{}) != nil }
	again := context.WithValue(bg, key{}, true)
	env := envelope(t, "bob@hamburger.edu", "ann@hamburger.edu")
	require.NoError(t, a.Deliver(bg, envelope(t, "bob@hamburger.edu"), section(message)).Err())
	for range 3 {
		require.NoError(t, a.Deliver(again, env, section(message)).Err())
	}
	assert.Len(t, mail(t, tree, "bob", "INBOX"), 1)
	assert.Len(t, mail(t, tree, "ann", "INBOX"), 1)
	require.NoError(t, a.Deliver(bg, env, section(message)).Err())
	assert.Len(t, mail(t, tree, "bob", "INBOX"), 2, "the same text sent twice is two messages")
}

func TestDeliverBounce(t *testing.T) {
	a, tree := world(t)
	env := envelope(t, "bob@hamburger.edu")
	env.From = smtp.Path{}
	require.NoError(t, a.Deliver(bg, env, section(message)).Err())
	assert.True(t, strings.HasPrefix(mail(t, tree, "bob", "INBOX")[0], "|Return-Path: <>\r\n"))
}

// TestRepliesOfRecipients: each recipient has a reply of its own.
func TestRepliesOfRecipients(t *testing.T) {
	a, tree := world(t)
	a.Open = func(ctx context.Context, user string) (mailbox.Store, error) {
		if user == "broken" {
			return nil, errors.New("disk on fire")
		}
		return tree.Open(ctx, user)
	}
	res := a.Deliver(bg, envelope(t, "nobody@h.edu", "bob@h.edu", "tiny@h.edu", "broken@h.edu"), section(message))
	var got []string
	for _, r := range res {
		got = append(got, fmt.Sprint(r.Reply.Code, " ", r.Reply.Enhanced))
	}
	assert.Equal(t, []string{"550 5.1.1", "250 2.1.5", "452 4.2.2", "451 4.3.0"}, got)
	assert.NotContains(t, res[3].Reply.Text, "fire", "the cause is private")
	assert.ErrorContains(t, res[3].Err, "fire")
	assert.Len(t, mail(t, tree, "bob", "INBOX"), 1)
}

func TestVerify(t *testing.T) {
	a, tree := world(t)
	for rcpt, code := range map[string]int{"bob@h.edu": 250, "nobody@h.edu": 550, "tiny@h.edu": 250} {
		p, err := smtp.ParsePath("<" + rcpt + ">")
		require.NoError(t, err)
		assert.Equal(t, code, smtp.ReplyTo(a.Verify(bg, p)).Code, rcpt)
	}
	s, err := tree.Open(bg, "tiny")
	require.NoError(t, err)
	require.NoError(t, s.(*memory.Store).Put(bg, "INBOX", mailbox.Flags{}, "0123456789"))
	p, err := smtp.ParsePath("<tiny@h.edu>")
	require.NoError(t, err)
	assert.Equal(t, 452, smtp.ReplyTo(a.Verify(bg, p)).Code, "a full mailbox is refused before the body is sent")
	a.User = func(context.Context, smtp.Path) (string, string, error) {
		return "", "", errors.New("directory is away")
	}
	assert.Equal(t, 451, smtp.ReplyTo(a.Verify(bg, p)).Code)
	a.User = func(context.Context, smtp.Path) (string, string, error) { return "", "", mailbox.ErrNotExist }
	assert.Equal(t, 550, smtp.ReplyTo(a.Verify(bg, p)).Code)
}

func TestFolder(t *testing.T) {
	a, tree := world(t)
	s, err := tree.Open(bg, "bob")
	require.NoError(t, err)
	_, err = s.Create(bg, "Lists/go")
	require.NoError(t, err)
	a.User = func(_ context.Context, p smtp.Path) (string, string, error) {
		user, tag, _ := strings.Cut(p.Local(), "+")
		return user, tag, nil
	}
	for _, rcpt := range []string{`"bob+Lists/go"@h.edu`, "bob+nowhere@h.edu", `"bob+../x"@h.edu`} {
		require.NoError(t, a.Deliver(bg, envelope(t, rcpt), section(message)).Err(), rcpt)
	}
	assert.Len(t, mail(t, tree, "bob", "Lists/go"), 1)
	assert.Len(t, mail(t, tree, "bob", "INBOX"), 2, "a folder that is not there does not lose mail")
}

func TestFilter(t *testing.T) {
	a, tree := world(t)
	s, err := tree.Open(bg, "bob")
	require.NoError(t, err)
	_, err = s.Create(bg, "Junk")
	require.NoError(t, err)
	a.Before = func(_ context.Context, env smtp.Envelope, user string, d *mailbox.Delivery) error {
		text, err := io.ReadAll(d.Body)
		switch {
		case err != nil:
			return err
		case strings.Contains(string(text), "junk"):
			d.Folder, d.Flags = "Junk", mailbox.Flags{Sys: mailbox.Seen, Keywords: "$Junk"}
		case strings.Contains(string(text), "silence"):
			return fmt.Errorf("asked for: %w", ErrDiscard)
		case strings.Contains(string(text), "refuse"):
			return smtp.Reject(550, "5.7.1", "no")
		case strings.Contains(string(text), "shout"):
			d.Body, d.Size = strings.NewReader("LOUD"), 0
		}
		return nil
	}
	deliver := func(text string) smtp.Result {
		return a.Deliver(bg, envelope(t, "bob@h.edu"), section("\r\n"+text))[0]
	}
	assert.Equal(t, smtp.Accepted, deliver("junk").Status)
	assert.Equal(t, smtp.Accepted, deliver("silence").Status)
	assert.Equal(t, 550, deliver("refuse").Reply.Code)
	assert.Equal(t, smtp.Accepted, deliver("plain").Status)
	assert.Equal(t, smtp.Accepted, deliver("shout").Status)
	junk := mail(t, tree, "bob", "Junk")
	require.Len(t, junk, 1)
	assert.True(t, strings.HasPrefix(junk[0], `\Seen $Junk|`))
	in := mail(t, tree, "bob", "INBOX")
	require.Len(t, in, 2)
	assert.True(t, strings.HasSuffix(in[0], "\r\nplain"), "a body that was read is read again")
	assert.True(t, strings.HasSuffix(in[1], "\r\nLOUD"))
}

// TestMailLoop: pitfall: a message that was here before is not delivered again.
func TestMailLoop(t *testing.T) {
	a, tree := world(t)
	long := strings.Repeat("X: "+strings.Repeat("y", 5000)+"\r\n", 3)
	body := "Received: here\r\n" + long + "delivered-to:  <Bob@H.EDU>\r\nDelivered-To: bob@h.edu\r\n\r\nDelivered-To: ann@h.edu\r\n"
	res := a.Deliver(bg, envelope(t, "bob@h.edu", "ann@h.edu"), section(body))
	assert.Equal(t, "5.4.6", res[0].Reply.Enhanced)
	assert.Equal(t, smtp.Accepted, res[1].Status, "what stands in the text is no trace")
	assert.Empty(t, mail(t, tree, "bob", "INBOX"))
}

// TestManyRecipients: one body, many mailboxes, a few at a time.
func TestManyRecipients(t *testing.T) {
	tree := &memory.Tree{}
	var to []string
	for i := range 100 {
		user := fmt.Sprint("user", i)
		_, err := tree.Create(user)
		require.NoError(t, err)
		to = append(to, user+"@h.edu")
	}
	var mu sync.Mutex
	now, most, traced := 0, 0, 0
	a := &Agent{Open: tree.Open, Parallel: 3,
		Before: func(context.Context, smtp.Envelope, string, *mailbox.Delivery) error {
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			runtime.Gosched()
			mu.Lock()
			now--
			mu.Unlock()
			return nil
		},
		Trace: func(_ smtp.Envelope, _ smtp.Path, user string, err error) {
			mu.Lock()
			defer mu.Unlock()
			assert.NoError(t, err, user)
			traced++
		},
	}
	require.NoError(t, a.Deliver(bg, envelope(t, to...), section(message)).Err())
	assert.LessOrEqual(t, most, 3)
	assert.Equal(t, 100, traced)
	for i := range 100 {
		assert.Len(t, mail(t, tree, fmt.Sprint("user", i), "INBOX"), 1)
	}
}

// TestBrokenBody: what cannot be read to its end is not delivered.
func TestBrokenBody(t *testing.T) {
	a, tree := world(t)
	broken := io.NewSectionReader(brokenAt(100_000), 0, 200_000)
	res := a.Deliver(bg, envelope(t, "bob@h.edu"), broken)
	assert.Equal(t, smtp.Temporary, res[0].Status)
	assert.Empty(t, mail(t, tree, "bob", "INBOX"))
	ctx, cancel := context.WithCancel(bg)
	cancel()
	assert.Equal(t, smtp.Temporary, a.Deliver(ctx, envelope(t, "bob@h.edu"), section(message))[0].Status)
}

type brokenAt int64

func (b brokenAt) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > int64(b) {
		return 0, errors.New("bad sector")
	}
	for i := range p {
		p[i] = '\n'
	}
	return len(p), nil
}

package list

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/alias"
	"github.com/postilion-mail/postilion/mime"
	"github.com/postilion-mail/postilion/smtp"
)

// house is a Manager with the list team@hamburger.edu, whose owner is zoe, and
// everything that it posts.
type house struct {
	t testing.TB
	*Manager
	team   *List
	store  *Memory
	clock  time.Time
	posted []posted
	fail   error // of the next Post
	log    bytes.Buffer
	n      int
}

// posted is one call of Post.
type posted struct {
	envs []smtp.Envelope
	body string
	msg  *mime.Message // as the first of envs gets it
}

func newHouse(t testing.TB, members ...string) *house {
	h := &house{t: t, store: &Memory{}, clock: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	h.team = &List{Address: path("team"), Owners: []smtp.Path{path("zoe")}, Description: "The Team"}
	now := func() time.Time { return h.clock }
	h.Manager = &Manager{Lists: []*List{h.team}, Members: h.store, Held: h.store, URL: "https://lists.hamburger.edu/leave", Now: now,
		Rewriter: &alias.Rewriter{Keys: [][]byte{[]byte("0123456789abcdef")}, Now: now}, Log: slog.New(slog.NewTextHandler(&h.log, nil))}
	h.Post = func(_ context.Context, body io.Reader, envs ...smtp.Envelope) error {
		b, err := io.ReadAll(body)
		if err == nil {
			err = h.fail
		}
		if err != nil {
			return err
		}
		require.NotEmpty(t, envs)
		h.posted = append(h.posted, posted{envs, string(b), mime.Parse(append(bytes.Clone(envs[0].Prefix), b...))})
		return nil
	}
	for _, m := range members {
		h.add(m)
	}
	return h
}

func (h *house) add(member string) {
	_, err := h.subscribe(h.t.Context(), h.team, path(member))
	require.NoError(h.t, err)
}

// path reads an address; without a domain it is of hamburger.edu.
func path(s string) smtp.Path {
	if !strings.Contains(s, "@") && s != "" {
		s += "@hamburger.edu"
	}
	p, err := smtp.ParsePath(s)
	if err != nil {
		panic(err)
	}
	return p
}

// letter is a message from somebody, with more fields before its subject.
func letter(from, to, subject string, fields ...string) string {
	return strings.Join(append(fields, "From: "+path(from).Address(), "To: "+path(to).Address(), "Subject: "+subject,
		"Message-ID: <"+subject+"@hamburger.edu>"), "\r\n") + "\r\n\r\nhello\r\n"
}

// send delivers a message to one address and returns the error; from "" is null.
func (h *house) send(from, to, message string) error {
	h.n++
	env := smtp.Envelope{ID: fmt.Sprint("q", h.n), From: path(from), To: []smtp.Recipient{{Path: path(to)}}}
	r := h.Deliver(h.t.Context(), env, io.NewSectionReader(strings.NewReader(message), 0, int64(len(message))))
	require.Len(h.t, r, 1)
	if r[0].Status == smtp.Accepted {
		return nil
	}
	require.Error(h.t, r[0].Err)
	return r[0].Err
}

// write is send of a letter of from's.
func (h *house) write(from, to, subject string, fields ...string) error {
	return h.send(from, to, letter(from, to, subject, fields...))
}

// take returns what was posted since the last call.
func (h *house) take() []posted {
	out := h.posted
	h.posted = nil
	return out
}

// one is take of exactly one.
func (h *house) one() posted {
	h.t.Helper()
	got := h.take()
	require.Len(h.t, got, 1)
	return got[0]
}

// to are the recipients of a post.
func (p posted) to() (out []string) {
	for _, e := range p.envs {
		for _, r := range e.To {
			out = append(out, r.Path.Local())
		}
	}
	return out
}

// reply is where an answer to the message goes.
func (p posted) reply() string {
	return p.msg.Header().Addresses("Reply-To")[0].Addr
}

func (h *house) state(member string) State {
	x, err := h.get(h.t.Context(), h.team, path(member))
	require.NoError(h.t, err)
	return x.State
}

func (h *house) member(name string) Member {
	x, err := h.get(h.t.Context(), h.team, path(name))
	require.NoError(h.t, err)
	return x
}

func (h *house) pass(d time.Duration) { h.clock = h.clock.Add(d) }

// code is the reply an error asks for; nil is 250.
func code(err error) string {
	r := smtp.ReplyTo(err)
	return fmt.Sprint(r.Code, " ", r.Enhanced)
}

// bounceOf is a report that mail to somebody failed, or what action says.
func bounceOf(t testing.TB, who, action string) string {
	d := &mime.DSN{Reporting: "mx.hamburger.edu", Recipients: []mime.DSNRecipient{{Final: path(who).Address(), Action: action}}}
	draft, err := d.Draft("x@hamburger.edu", nil, true)
	require.NoError(t, err)
	b, err := draft.Bytes()
	require.NoError(t, err)
	return string(b)
}

func assertWellFormed(t testing.TB, p posted) {
	t.Helper()
	for _, d := range p.msg.Defects() {
		assert.Fail(t, "a defect in what we wrote", "%v in %s", d, p.body)
	}
}

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/alias/list"
	"github.com/postilion-mail/postilion/smtp"
)

// leads says where mail for these addresses comes to. A post to the club comes to
// its members, but for u0, who posts.
var leads = map[string][]string{
	"team@hamburger.edu":  {"u0@hamburger.edu", "u3@hamburger.edu", "friend0@elsewhere.example"},
	"chief@hamburger.edu": {"u4@hamburger.edu"},
	"club@hamburger.edu":  {"u1@hamburger.edu", "u4@hamburger.edu", "u5@hamburger.edu", "friend1@elsewhere.example"},
}

func leadsTo(address string) []string {
	if to := leads[address]; to != nil {
		return to
	}
	return []string{address}
}

// town makes what is around the server: the file of its aliases, the members of
// its list, the other mail host and the DNS that tells of it, where the first of
// two hosts is down. The arguments are for the server.
func (s *soak) town(dir string) (args []string) {
	write := func(name, text string) string {
		name = filepath.Join(s.t.TempDir(), name)
		require.NoError(s.t, os.WriteFile(name, []byte(text), 0o600))
		return name
	}
	aliases := write("aliases", "team: u0, u3, friend0@elsewhere.example\nchief: u4\n")
	members, err := list.OpenDir(filepath.Join(dir, "lists"))
	require.NoError(s.t, err)
	defer members.Close()
	for _, member := range append(leads["club@hamburger.edu"], "u0@hamburger.edu") {
		require.NoError(s.t, members.Update(s.t.Context(), path(s.t, "club@hamburger.edu"), path(s.t, member), func(m *list.Member) error {
			m.State = list.Subscribed
			return nil
		}))
	}
	_, port, err := net.SplitHostPort(s.elsewhere())
	require.NoError(s.t, err)
	zone := write("zone", `elsewhere.example MX 10 down.elsewhere.example
elsewhere.example MX 20 up.elsewhere.example
down.elsewhere.example A 127.0.0.2
up.elsewhere.example A 127.0.0.1
`)
	return []string{"-aliases", aliases, "-list", "club", "-zone", zone, "-port", port}
}

func path(t require.TestingT, address string) smtp.Path {
	p, err := smtp.ParsePath(address)
	require.NoError(t, err)
	return p
}

// elsewhere is another mail host: it takes mail for anybody but nobody.
func (s *soak) elsewhere() string {
	l := listenLow(s.t)
	server := &smtp.Server{Name: "elsewhere.example", Limits: smtp.Limits{ConnsPerIP: 1000}, Handler: smtp.Handler{
		Rcpt: func(_ context.Context, _ *smtp.Transaction, r *smtp.Recipient) error {
			if r.Path.Local() == "nobody" {
				return smtp.Reject(550, "5.1.1", "No such user")
			}
			return nil
		},
		Message: func(_ context.Context, t *smtp.Transaction, body io.Reader) error {
			b, err := io.ReadAll(body)
			if err != nil {
				return err
			}
			n, ok := intact(b)
			assert.True(s.t, ok, "a message that is not what was sent: %.300q", b)
			s.mu.Lock()
			defer s.mu.Unlock()
			for _, r := range t.To {
				d := delivery{n, r.Path.Address()}
				s.abroad[d] = append(s.abroad[d], time.Now())
			}
			return nil
		},
	}}
	ctx, stop := context.WithCancel(context.WithoutCancel(s.t.Context()))
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx, l, nil) }()
	s.t.Cleanup(func() { stop(); assert.NoError(s.t, <-done) })
	return l.Addr().String()
}

// senders come in by all ways: users, and one who writes to the list, by
// submission; a stranger at port 25; a program of ours by LMTP, straight into the
// mailboxes.
func (s *soak) senders() []func(context.Context) error {
	submission := func(u int) *smtp.Client {
		return &smtp.Client{Addr: s.p.addr["submission"], TLSConfig: s.p.trust(), Auth: s.login(u)}
	}
	var users []func(context.Context) error
	for u := range 3 {
		users = append(users, s.sender("submission", submission(u), fmt.Sprintf("u%d@hamburger.edu", u), s.anybody))
	}
	return append(users,
		s.sender("list", submission(0), "u0@hamburger.edu", func() []string { return []string{"club@hamburger.edu"} }),
		s.sender("port 25", &smtp.Client{Addr: s.p.addr["smtp"], TLS: smtp.TLSNone}, "alice@crepes.fr", s.somebodyHere),
		s.sender("LMTP", &smtp.Client{Addr: s.p.addr["lmtp"], TLS: smtp.TLSNone, LMTP: true}, "printer@hamburger.edu", s.users))
}

// users are some of ours, perhaps none.
func (s *soak) users() (to []string) {
	first := s.random(soakUsers)
	for i := range s.random(4) {
		to = append(to, fmt.Sprintf("u%d@hamburger.edu", (first+i)%soakUsers))
	}
	return to
}

// somebodyHere is ours, or an alias for some of ours and others.
func (s *soak) somebodyHere() []string {
	to := s.users()
	if s.random(3) == 0 {
		to = append(to, []string{"team@hamburger.edu", "chief@hamburger.edu"}[s.random(2)])
	}
	return to
}

// anybody is here or abroad, or would be abroad if he existed.
func (s *soak) anybody() []string {
	to := s.somebodyHere()
	for i := range s.random(3) {
		to = append(to, fmt.Sprintf("friend%d@elsewhere.example", i))
	}
	if len(to) == 0 || s.random(8) == 0 {
		to = append(to, "nobody@elsewhere.example")
	}
	return to
}

// sender sends messages, each once, whatever becomes of it.
func (s *soak) sender(way string, client *smtp.Client, from string, choose func() []string) func(context.Context) error {
	s.t.Cleanup(func() { client.Close() })
	return func(ctx context.Context) error {
		to := choose()
		if len(to) == 0 {
			return nil
		}
		s.mu.Lock()
		s.next++
		n := s.next
		for _, r := range to {
			for _, leaf := range leadsTo(r) {
				s.open[delivery{n, leaf}] = false
			}
		}
		s.mu.Unlock()
		env, err := smtp.NewEnvelope(from, to...)
		require.NoError(s.t, err)
		sent, err := client.Send(ctx, env, strings.NewReader(letter(n, from, strings.Join(to, ", "))))
		if sent == nil {
			return err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		for i, r := range sent.Results {
			if r.Status != smtp.Accepted {
				continue
			}
			s.accepted[way]++
			for _, leaf := range leadsTo(to[i]) {
				s.open[delivery{n, leaf}] = true
			}
		}
		return err
	}
}

package main

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/postilion-mail/postilion/alias"
	"github.com/postilion-mail/postilion/alias/list"
	"github.com/postilion-mail/postilion/imap"
	"github.com/postilion-mail/postilion/pop3"
	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/smtp/sasl"
	"github.com/postilion-mail/postilion/spool"
	"github.com/postilion-mail/postilion/spool/dirspool"
	"github.com/postilion-mail/postilion/spool/local"
	"github.com/postilion-mail/postilion/spool/mailbox"
	"github.com/postilion-mail/postilion/spool/mailbox/maildir"
)

// site is a mail system: the servers of one domain, with queue and mailboxes in
// a directory.
type site struct {
	*world
	name   string
	users  []string
	lists  *list.Manager
	halt   context.CancelFunc
	done   chan error // of what runs; nil nothing does
	boxes  *maildir.Tree
	closer []io.Closer

	mu        sync.Mutex // guards all below
	moved     *sync.Cond // when one of them has
	addr      map[string]string
	delivered int
	queued    int
}

func newSite(w *world, name string, users ...string) *site {
	s := &site{world: w, name: name, users: users, addr: make(map[string]string)}
	s.moved = sync.NewCond(&s.mu)
	return s
}

// start opens queue and mailboxes and runs the servers; without deliver what is
// accepted stays in the queue.
func (s *site) start(ctx context.Context, deliver bool) error {
	dir := filepath.Join(s.dir, s.name)
	if err := os.MkdirAll(filepath.Join(dir, "boxes"), 0o700); err != nil {
		return err
	}
	queue, err := dirspool.Open(filepath.Join(dir, "spool"), dirspool.Options{})
	if err != nil {
		return err
	}
	if s.boxes, err = maildir.Open(filepath.Join(dir, "boxes")); err != nil {
		return errors.Join(err, queue.Close())
	}
	for _, u := range s.users {
		if err := s.boxes.Create(u); err != nil && !errors.Is(err, mailbox.ErrExists) {
			return errors.Join(err, queue.Close(), s.boxes.Close())
		}
	}
	out := s.relay()
	s.closer = []io.Closer{out, s.boxes, queue}
	ctx, s.halt = context.WithCancel(ctx)
	runs, err := s.compose(queue, out.Deliver, deliver)
	if err != nil {
		s.halt()
		return err
	}
	s.done = make(chan error, 1)
	go func() { s.done <- together(ctx, runs...) }()
	return nil
}

// compose puts the parts together.
func (s *site) compose(queue spool.Store, away smtp.DeliverFunc, deliver bool) ([]func(context.Context) error, error) {
	agent := &local.Agent{Open: s.boxes.Open, User: s.userOf, Again: spool.Again, Trace: func(_ smtp.Envelope, rcpt smtp.Path, user string, err error) {
		if err == nil {
			s.note("%s puts it into the mailbox of %s", s.name, user)
			s.count1(&s.delivered)
		}
	}}
	table, err := alias.FromMap(map[string][]string{"team": {s.users[0], s.users[len(s.users)/2], s.users[len(s.users)-1]}}, alias.ParseOptions{Domain: s.name})
	if err != nil {
		return nil, err
	}
	expander := &alias.Expander{Resolver: table}
	put := func(ctx context.Context, body io.Reader, envs ...smtp.Envelope) error {
		_, err := spool.Put(ctx, queue, body, envs...)
		return err
	}
	if s.lists, err = s.newsList(put); err != nil {
		return nil, err
	}
	ours := func(p smtp.Path) bool { return p.Domain() == s.name }
	routes := smtp.Mux{{Match: s.lists.Owns, Deliver: s.lists.Deliver}, {Match: ours, Deliver: agent.Deliver}, {Deliver: away}}
	runner := &spool.Runner{Store: queue, Deliver: routes.Deliver, Expand: expander.Envelopes, Name: s.name}

	accept := func(ctx context.Context, t *smtp.Transaction, body io.Reader) error {
		envs, err := expander.Envelopes(ctx, t.Envelope)
		if err != nil {
			return err
		}
		id, err := spool.Put(ctx, queue, body, envs...)
		if err == nil {
			t.Queued = string(id)
			s.count1(&s.queued)
		}
		return err
	}
	inbound := smtp.Handler{Mail: s.checkSPF, Message: accept, Rcpt: func(ctx context.Context, _ *smtp.Transaction, r *smtp.Recipient) error {
		if !ours(r.Path) {
			return smtp.Reject(550, "5.7.1", "we do not relay")
		}
		return expander.Verify(ctx, r.Path, func(ctx context.Context, leaf smtp.Path) error {
			if s.lists.Owns(leaf) {
				return nil
			}
			return agent.Verify(ctx, leaf)
		})
	}}
	outbound := smtp.Handler{Message: accept}
	runs, err := s.serve(inbound, outbound)
	if deliver {
		runs = append(runs, runner.Run)
	}
	return runs, err
}

// serve opens the listeners. CHUNKING is withheld so that messages travel by
// DATA, as in textbooks.
func (s *site) serve(inbound, outbound smtp.Handler) ([]func(context.Context) error, error) {
	auth := &sasl.Authenticator{Password: func(_ context.Context, l sasl.Login, p string) error {
		if p != password || !slices.Contains(s.users, l.User) {
			return sasl.ErrCredentials
		}
		return nil
	}}
	around := []smtp.Middleware{s.listenIn(s.name), smtp.Received(smtp.ReceivedOptions{Name: s.name}), smtp.Scan(scan)}
	mta := &smtp.Server{Name: s.name, Handler: smtp.Chain(inbound, around...), Trace: s.traceSMTP(s.name), Without: []string{"CHUNKING"}}
	if s.tls {
		mta.TLSConfig = s.cert
	}
	msa := &smtp.Server{Name: s.name, Handler: smtp.Chain(outbound, around...), Profile: smtp.Submission, TLSConfig: s.cert, Auth: auth, Trace: s.traceSMTP(s.name), Without: []string{"CHUNKING"}}
	pop := &pop3.Server{Name: s.name, Auth: auth, Open: s.boxes.Open, TLSConfig: s.cert, Trace: s.tracePOP3(s.name)}
	im := &imap.Server{Name: s.name, Auth: auth, Open: s.boxes.Open, TLSConfig: s.cert, Trace: s.traceIMAP(s.name)}
	var runs []func(context.Context) error
	for name, run := range map[string]func(ctx context.Context, plain, implicitTLS net.Listener) error{"smtp": mta.Run, "submission": msa.Run, "pop3": pop.Run, "imap": im.Run} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		s.mu.Lock()
		s.addr[name] = l.Addr().String()
		s.mu.Unlock()
		runs = append(runs, func(ctx context.Context) error { return run(ctx, l, nil) })
	}
	return runs, nil
}

// newsList is a mailing list with two members.
func (s *site) newsList(post func(context.Context, io.Reader, ...smtp.Envelope) error) (*list.Manager, error) {
	news, err := smtp.ParsePath("news@" + s.name)
	if err != nil {
		return nil, err
	}
	members := &list.Memory{}
	for _, u := range s.users[max(len(s.users)-2, 0):] {
		who, err := smtp.ParsePath(u + "@" + s.name)
		if err != nil {
			return nil, err
		}
		if err := members.Update(context.Background(), news, who, func(m *list.Member) error { m.State = list.Subscribed; return nil }); err != nil {
			return nil, err
		}
	}
	m := &list.Manager{Lists: []*list.List{{Address: news, Post: list.AnyonePosts}}, Members: members, Post: post, Next: spool.Next,
		Rewriter: &alias.Rewriter{Keys: [][]byte{[]byte("a key of sixteen octets or more")}}}
	return m, m.Check()
}

// userOf is a local.Agent's User.
func (s *site) userOf(_ context.Context, p smtp.Path) (user, folder string, err error) {
	user = strings.ToLower(p.Local())
	if !slices.Contains(s.users, user) {
		return "", "", mailbox.ErrNotExist
	}
	return user, "", nil
}

// stop ends what runs, in order. A second time does nothing.
func (s *site) stop() error {
	if s.done == nil {
		return nil
	}
	s.halt()
	err := <-s.done
	s.done = nil
	for _, c := range s.closer {
		err = errors.Join(err, c.Close())
	}
	return err
}

func (s *site) address(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addr[name]
}

func (s *site) count1(n *int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*n++
	s.moved.Broadcast()
}

func (s *site) deliveries() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.delivered
}

// patience is how long the story waits for anything.
const patience = 20 * time.Second

// await waits for so many deliveries since the beginning.
func (s *site) await(n int)       { s.waitFor(&s.delivered, n) }
func (s *site) awaitQueued(n int) { s.waitFor(&s.queued, n) }

func (s *site) waitFor(have *int, n int) {
	s.resume()
	over := false
	t := time.AfterFunc(patience, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		over = true
		s.moved.Broadcast()
	})
	defer t.Stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for *have < n && !over {
		s.moved.Wait()
	}
}

// inbox reads the index of a user's mailbox.
func (s *site) inbox(ctx context.Context, user string, f func(m mailbox.Mailbox, d mailbox.Delta) error) error {
	store, err := s.boxes.Open(ctx, user)
	if err != nil {
		return err
	}
	defer mailbox.Close(store)
	m, err := mailbox.OpenName(ctx, store, mailbox.Inbox)
	if err != nil {
		return err
	}
	defer m.Close()
	d, err := m.Changes(ctx, 0)
	if err != nil {
		return err
	}
	return f(m, d)
}

func (s *site) count(ctx context.Context, user string) (n int) {
	_ = s.inbox(ctx, user, func(_ mailbox.Mailbox, d mailbox.Delta) error { n = len(d.Messages); return nil })
	return n
}

// newest is the text of the last message of a user.
func (s *site) newest(ctx context.Context, user string) (text string) {
	_ = s.inbox(ctx, user, func(m mailbox.Mailbox, d mailbox.Delta) error {
		if len(d.Messages) == 0 {
			return nil
		}
		blob, err := m.Message(ctx, d.Messages[len(d.Messages)-1].UID)
		if err != nil {
			return err
		}
		defer blob.Close()
		b, err := io.ReadAll(io.NewSectionReader(blob, 0, blob.Size()))
		text = string(b)
		return err
	})
	return text
}

// together runs all until one fails or ctx ends, and waits for all.
func together(ctx context.Context, run ...func(context.Context) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	errs := make([]error, len(run))
	var wg sync.WaitGroup
	for i, f := range run {
		wg.Go(func() { defer stop(); errs[i] = f(ctx) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

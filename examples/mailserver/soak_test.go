package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/spool"
	"github.com/postilion-mail/postilion/spool/dirspool"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// Users up to popUsers read by POP3 and delete, the others read by IMAP and keep.
const (
	soakUsers = 6
	popUsers  = 3
)

// delivery is a message on its way to one address.
type delivery struct {
	message int
	to      string
}

// soak is what the world outside knows of the server, and holds against it.
type soak struct {
	t *testing.T
	p *process

	seen [soakUsers]map[mailbox.UID]bool // each user's own

	mu       sync.Mutex // guards all below
	rnd      *rand.Rand
	next     int
	open     map[delivery]bool        // offered; true if 250 was said
	abroad   map[delivery][]time.Time // when a copy was taken there
	atHome   map[string]delivery      // by user and unique ID of a copy in a mailbox
	removed  map[delivery]bool        // a copy may have been deleted by its user
	bounced  map[delivery]int         // reports about a delivery
	atKill   map[delivery][]time.Time // kills at which it was not settled
	kills    int
	accepted map[string]int // messages by the way they came in
	sessions map[string]int
}

// TestSoak sends by all ways in, to users, aliases, a mailing list and abroad,
// and reads, while the server is killed again and again; then lets it run until
// its queue is empty, and counts.
func TestSoak(t *testing.T) {
	t.Parallel()
	lasting := 10 * time.Second
	if long() {
		lasting = 10 * time.Minute
	}
	s := &soak{t: t, rnd: rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano()))),
		open: make(map[delivery]bool), abroad: make(map[delivery][]time.Time), atHome: make(map[string]delivery),
		removed: make(map[delivery]bool), bounced: make(map[delivery]int), atKill: make(map[delivery][]time.Time), sessions: make(map[string]int), accepted: make(map[string]int)}
	dir := t.TempDir()
	args := append(s.town(dir), "-max-conns-per-ip", "1000")
	for u := range soakUsers {
		args = append(args, "-user", fmt.Sprintf("u%d:secret%d", u, u))
	}
	s.p = newProcess(t, dir, args...)
	s.p.start()
	ctx, cancel := context.WithTimeout(t.Context(), lasting)
	defer cancel()
	var wg sync.WaitGroup
	for _, send := range s.senders() {
		wg.Go(func() { s.again(ctx, send) })
	}
	for u := range soakUsers {
		s.seen[u] = make(map[mailbox.UID]bool)
		wg.Go(func() { s.again(ctx, func(ctx context.Context) error { return s.read(ctx, u) }) })
	}
	s.killing(ctx)
	wg.Wait()
	s.settle()
	s.judge()
}

func (s *soak) random(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rnd.IntN(n)
}

// again does something until ctx ends; what fails because the server is dead is
// tried a little later.
func (s *soak) again(ctx context.Context, f func(context.Context) error) {
	for ctx.Err() == nil {
		if err := f(ctx); err != nil {
			select {
			case <-ctx.Done():
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
}

// killing kills the server at random, and starts it again.
func (s *soak) killing(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Duration(100+s.random(900)) * time.Millisecond):
		}
		s.restart()
	}
}

// restart kills the server, writes down what was not settled, and starts it. One
// in four times it is killed once more while it starts.
func (s *soak) restart() {
	for {
		s.p.kill()
		now := time.Now()
		for _, d := range s.queued() {
			s.atKill[d] = append(s.atKill[d], now)
		}
		s.kills++
		if s.random(4) > 0 {
			s.p.start()
			return
		}
		s.p.begin()
		time.Sleep(time.Duration(s.random(100)) * time.Millisecond)
	}
}

// queued is what is in the queue of a server that does not run: what was
// accepted and is not settled. It is read from a copy, so that the server finds
// what the kill has left.
func (s *soak) queued() (all []delivery) {
	dir := filepath.Join(s.t.TempDir(), "copy")
	require.NoError(s.t, os.CopyFS(dir, os.DirFS(filepath.Join(s.p.dir, "spool"))))
	defer os.RemoveAll(dir)
	require.NoError(s.t, filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			err = os.Chmod(path, 0o700)
		}
		return err
	}))
	q, err := dirspool.Open(dir, dirspool.Options{MaxCrashes: -1})
	require.NoError(s.t, err)
	defer q.Close()
	assert.Zero(s.t, q.Recovery().Corrupt)
	for info, err := range q.List(s.t.Context(), spool.Filter{}) {
		require.NoError(s.t, err)
		n := s.number(q, info.Item)
		for _, p := range info.Rcpts {
			for _, to := range leadsTo(info.Item.Envelope.To[p.Rcpt].Path.Address()) {
				all = append(all, delivery{n, to})
			}
		}
	}
	return all
}

// number is that of a message in the queue; of a report it is below zero.
func (s *soak) number(q spool.Store, item *spool.Item) (n int) {
	body, err := q.Open(s.t.Context(), item.ID)
	require.NoError(s.t, err)
	defer body.Close()
	b, err := io.ReadAll(io.NewSectionReader(body, 0, 16<<10))
	require.NoError(s.t, err)
	m := marker.FindSubmatch(b)
	if !assert.NotNil(s.t, m, "what is this? %.300q", b) {
		return 0
	}
	fmt.Sscan(string(m[1]), &n)
	if item.Envelope.From.IsNull() {
		return -n
	}
	return n
}

// settle lets the server run until its queue is empty, ends it, and reads all
// mailboxes once more. It starts as an operator would let it start: a message that
// was on its way at three kills in a row is held, since it may be what kills, and
// one that was refused for now waits for minutes.
func (s *soak) settle() {
	s.restart()
	s.p.end()
	s.p.args = append(s.p.args, "-release")
	s.p.start()
	for range 300 {
		files, err := filepath.Glob(filepath.Join(s.p.dir, "spool", "q", "*", "*"))
		require.NoError(s.t, err)
		if len(files) == 0 {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	for u := range soakUsers {
		require.NoError(s.t, s.read(s.t.Context(), u))
	}
	s.p.end()
}

// judge holds what was promised against what there is.
func (s *soak) judge() {
	left := make(map[delivery]bool)
	for _, d := range s.queued() {
		left[d] = true
	}
	home := s.once()
	var acknowledged, lost, again, outside int
	for d, promised := range s.open {
		if promised {
			acknowledged++
		}
		if promised && home[d]+len(s.abroad[d])+s.bounced[d] == 0 && !left[d] {
			lost++
			s.t.Errorf("message %d to %s was acknowledged and is lost", d.message, d.to)
		}
		// RFC 1047: that the other host has it is not known here until its 250
		// has come and is written down.
		n := max(0, len(s.abroad[d])-1)
		again += n
		if n > len(s.atKill[d]) {
			outside++
			s.t.Errorf("message %d was sent %d times to %s, and was not settled at the kills of %v", d.message, 1+n, d.to, s.atKill[d])
		}
	}
	s.t.Logf("%d kills; accepted messages by way in: %v; %d of %d deliveries acknowledged, %d lost; %d at home, each once; %d abroad, %d times again over a kill, %d without one; %d bounces; %d left in the queue; %v sessions",
		s.kills, s.accepted, acknowledged, len(s.open), lost, len(home), len(s.abroad), again, outside, len(s.bounced), len(left), s.sessions)
	assert.NotZero(s.t, acknowledged)
	assert.NotZero(s.t, len(s.bounced))
}

// once checks that each message, and each report, came into a mailbox once. Only a
// user who deletes a message faster than a server starts may get another: what is
// not there cannot be found there.
func (s *soak) once() map[delivery]int {
	home := make(map[delivery]int)
	for _, d := range s.atHome {
		home[d]++
	}
	for d, n := range home {
		if n > 1 && !s.removed[d] {
			s.t.Errorf("message %d is there %d times for %s", d.message, n, d.to)
		}
	}
	return home
}

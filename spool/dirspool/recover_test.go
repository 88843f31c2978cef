package dirspool

import (
	"bytes"
	"context"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/internal/safeio"
	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/spool"
)

// inDir opens a store in a directory, with its log.
func inDir(t *testing.T, dir string) (*Store, *bytes.Buffer) {
	t.Helper()
	log := new(bytes.Buffer)
	s, err := Open(dir, Options{ReserveBytes: -1, ReserveInodes: -1, Log: slog.New(slog.NewTextHandler(log, nil))})
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	return s, log
}

func putIn(t *testing.T, s *Store, body string, items ...*spool.Item) {
	t.Helper()
	require.NoError(t, spool.PutItems(t.Context(), s, strings.NewReader(body), items...))
}

// queued are the paths of the files in q/.
func queued(t *testing.T, dir string) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, queueDir, "??", "*"))
	require.NoError(t, err)
	return list
}

// flip changes one byte of a file.
func flip(t *testing.T, path string, off int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	defer f.Close()
	b := make([]byte, 1)
	_, err = f.ReadAt(b, off)
	require.NoError(t, err)
	b[0] ^= 1
	_, err = f.WriteAt(b, off)
	require.NoError(t, err)
}

// TestQuarantine: a damaged file goes to corrupt/, whenever it is noticed, is
// never delivered, and stops nobody else.
func TestQuarantine(t *testing.T) {
	body := bodyOf("bad", 500)
	const inBody, inItem = headerLen + 100, headerLen + 500 + 60
	for name, tt := range map[string]struct {
		off    int64
		reopen bool
		claim  bool
	}{
		"body, at Open of it": {off: inBody},
		"item, at Claim":      {off: inItem, claim: true},
		"item, at start":      {off: inItem, reopen: true},
		"header, at start":    {off: 20, reopen: true},
		"magic, at start":     {off: 0, reopen: true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s, log := inDir(t, dir)
			putIn(t, s, body, message("a", body, "ok@a.example"), message("b", body, "ok@b.example"))
			bad := queued(t, dir)[0]
			putIn(t, s, "good", message("good", "good", "ok@a.example"))
			if tt.reopen {
				require.NoError(t, s.Close())
			}
			flip(t, bad, tt.off)
			switch {
			case tt.reopen:
				s, log = inDir(t, dir)
				assert.Equal(t, Recovery{Files: 1, Items: 1, Corrupt: 1}, s.Recovery())
			case tt.claim:
				c, err := s.Claim(t.Context(), spool.Query{Max: 9})
				require.NoError(t, err)
				assert.Len(t, c, 1)
				require.NoError(t, s.Settle(t.Context(), c[0].Lease, nil))
			default:
				c, err := s.Claim(t.Context(), spool.Query{Max: 9})
				require.NoError(t, err)
				require.Len(t, c, 3)
				for _, c := range c {
					b, err := s.Open(t.Context(), c.Item.ID)
					if c.Item.ID == spool.DerivedID("good") {
						require.NoError(t, err)
						require.NoError(t, b.Close())
						require.NoError(t, s.Settle(t.Context(), c.Lease, nil))
						continue
					}
					if err == nil || !assert.Error(t, s.Settle(t.Context(), c.Lease, nil)) {
						t.Errorf("%v, %v", b, err)
					}
				}
			}
			c, err := s.Claim(t.Context(), spool.Query{Max: 9})
			require.NoError(t, err)
			require.Len(t, c, 1, "the good one")
			assert.Len(t, queued(t, dir), 1)
			assert.FileExists(t, filepath.Join(dir, corruptDir, filepath.Base(bad)))
			assert.Contains(t, log.String(), filepath.Base(bad))
			require.NoError(t, s.Close())
			s, _ = inDir(t, dir)
			assert.Zero(t, s.Recovery().Corrupt, "it is out of the way")
		})
	}
}

// TestFileRemovedByHand: an operator who removes a file removes the mail.
func TestFileRemovedByHand(t *testing.T) {
	dir := t.TempDir()
	s, _ := inDir(t, dir)
	putIn(t, s, "x", message("a", "x", "ok@a.example"))
	require.NoError(t, os.Remove(queued(t, dir)[0]))
	_, err := s.Open(t.Context(), spool.DerivedID("a"))
	assert.ErrorIs(t, err, spool.ErrNotExist)
	c, err := s.Claim(t.Context(), spool.Query{Max: 9})
	require.NoError(t, err)
	assert.Empty(t, c)
	assert.Empty(t, s.items)
	require.NoError(t, s.Err())
}

func TestLocked(t *testing.T) {
	dir := t.TempDir()
	s, _ := inDir(t, dir)
	_, err := Open(dir, Options{})
	assert.ErrorIs(t, err, ErrLocked)
	require.NoError(t, s.Close())
	s, err = Open(dir, Options{})
	require.NoError(t, err)
	require.NoError(t, s.Close())
}

// TestPermissions: only the owner sees mail, whatever the umask, and nobody else
// may put a file into the queue.
func TestPermissions(t *testing.T) {
	if !permsMatter {
		t.Skip("no such bits here")
	}
	dir := filepath.Join(t.TempDir(), "a", "spool")
	s, _ := inDir(t, dir)
	w, err := s.Begin(t.Context(), 0)
	require.NoError(t, err)
	putIn(t, s, "x", message("a", "x", "ok@a.example"))
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		info, _ := d.Info()
		want := fs.FileMode(filePerm)
		if d.IsDir() {
			want = dirPerm
		}
		assert.Equal(t, want, info.Mode().Perm(), path)
		return err
	}))
	require.NoError(t, w.Abort())
	require.NoError(t, s.Close())
	require.NoError(t, os.Chmod(dir, 0o770))
	_, err = Open(dir, Options{})
	assert.ErrorContains(t, err, "0700")
}

// TestStrangers: what is not ours in the directory is left alone, and no link is
// followed.
func TestStrangers(t *testing.T) {
	dir := t.TempDir()
	s, _ := inDir(t, dir)
	putIn(t, s, "x", message("a", "x", "ok@a.example"))
	require.NoError(t, s.Close())
	shard := filepath.Join(dir, queueDir, "00")
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte("secret"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(shard, "README"), nil, 0o600))
	require.NoError(t, os.Mkdir(filepath.Join(shard, aName.String()), 0o700))
	require.NoError(t, os.Mkdir(filepath.Join(dir, queueDir, "zz"), 0o700))
	if runtime.GOOS != "windows" {
		require.NoError(t, os.Symlink(secret, filepath.Join(shard, string(spool.DerivedID("link")))))
		require.NoError(t, os.Symlink(filepath.Dir(secret), filepath.Join(dir, queueDir, "01")))
	}
	s, log := inDir(t, dir)
	assert.Equal(t, Recovery{Files: 1, Items: 1}, s.Recovery())
	assert.Contains(t, log.String(), "README")
	b, err := os.ReadFile(secret)
	require.NoError(t, err)
	assert.Equal(t, "secret", string(b))
}

func TestOtherVersion(t *testing.T) {
	dir := t.TempDir()
	s, _ := inDir(t, dir)
	require.NoError(t, s.Close())
	require.NoError(t, os.WriteFile(filepath.Join(dir, versionName), []byte("postilion dirspool 2\n"), 0o600))
	_, err := Open(dir, Options{})
	assert.ErrorContains(t, err, "version")
}

// TestPoisonMessage: an item whose delivery kills the process is held after
// three times; one that was only there when the process ended in peace is not.
func TestPoisonMessage(t *testing.T) {
	disk := safeio.NewDisk()
	now := day
	next := func(kill bool) *Store {
		s, err := open(disk, Options{Now: func() time.Time { return now }})
		require.NoError(t, err)
		if kill {
			_, err = s.Claim(t.Context(), spool.Query{Max: 9})
			require.NoError(t, err)
			disk.Replay(func(m *safeio.Moment) bool {
				if m.Last {
					disk = m.Kill()
				}
				return true
			})
		}
		return s
	}
	s := next(false)
	putIn(t, s, "x", message("a", "x", "ok@a.example"))
	_, err := s.Claim(t.Context(), spool.Query{})
	require.NoError(t, err)
	require.NoError(t, s.Close(), "in peace, with a claim")
	next(true)
	next(true)
	s = next(false)
	c, err := s.Claim(t.Context(), spool.Query{})
	require.NoError(t, err)
	require.Len(t, c, 1)
	assert.Equal(t, 4, c[0].Due[0].Attempts)
	require.NoError(t, s.Close())
	for range 3 {
		next(true)
	}
	s = next(false)
	assert.Equal(t, 1, s.Recovery().Held)
	c, err = s.Claim(t.Context(), spool.Query{})
	require.NoError(t, err)
	require.Empty(t, c)
	n, err := s.Apply(t.Context(), spool.Filter{State: spool.StateHeld}, spool.Release)
	require.NoError(t, err)
	assert.Equal(t, 1, n)
	require.NoError(t, s.Close())
	s = next(false)
	assert.Zero(t, s.Recovery().Held, "released is released")
}

// TestUnreadable: one bad spot of the disk keeps no other mail, and what is
// there is found when the disk gives it again. A bounce waits for its parent.
func TestUnreadable(t *testing.T) {
	h := newHarness(t, Options{})
	require.NoError(t, spool.PutItems(t.Context(), h.s, strings.NewReader("x"), message("p", "x", "fail@a.example", "later@b.example")))
	c, err := h.s.Claim(t.Context(), spool.Query{Skip: []string{"b.example"}})
	require.NoError(t, err)
	require.NoError(t, h.deliver(t.Context(), c[0]))
	parent := h.s.items[spool.DerivedID("p")].file.path()
	require.NoError(t, h.mail("ok@a.example"))
	require.NoError(t, h.s.Close())
	require.Len(t, h.s.items, 3)
	h.fault = func(c safeio.Call) safeio.Fault {
		if c.Op == safeio.OpRead && c.Name == parent {
			return safeio.Fault{Err: syscall.EIO}
		}
		return safeio.Fault{}
	}
	s, err := open(h.disk, Options{Now: h.clock})
	require.NoError(t, err)
	assert.Equal(t, Recovery{Files: 1, Items: 1, Unreadable: 2}, s.Recovery())
	require.NoError(t, s.Close())
	h.fault = nil
	s, err = open(h.disk, Options{Now: h.clock})
	require.NoError(t, err)
	assert.Equal(t, Recovery{Files: 3, Items: 3}, s.Recovery())
	h.fault = failing(syscall.EMFILE, queueDir, safeio.OpOpen)
	require.NoError(t, s.Close())
	_, err = open(h.disk, Options{Now: h.clock})
	assert.ErrorIs(t, err, syscall.EMFILE, "this says nothing of the file")
}

// TestSlowReadsPostpone: a file that cannot be read just now lets others pass.
func TestSlowReadsPostpone(t *testing.T) {
	h := newHarness(t, Options{})
	require.NoError(t, h.mail("ok@a.example"))
	bad := h.s.items[spool.DerivedID("ok@a.example")].file.path()
	require.NoError(t, h.mail("ok@b.example"))
	h.fault = func(c safeio.Call) safeio.Fault {
		if c.Op == safeio.OpRead && c.Name == bad {
			return safeio.Fault{Err: syscall.EIO}
		}
		return safeio.Fault{}
	}
	got := 0
	for range 4 {
		c, _ := h.s.Claim(t.Context(), spool.Query{})
		got += len(c)
	}
	assert.Equal(t, 1, got)
	h.fault = nil
	h.pass(postponed)
	c, err := h.s.Claim(t.Context(), spool.Query{})
	require.NoError(t, err)
	assert.Len(t, c, 1)
}

// TestStateSurvives: what an operator and a schedule said is there after a
// restart: attempts, results, times, warnings, holds.
func TestStateSurvives(t *testing.T) {
	disk := safeio.NewDisk()
	now := day
	o := Options{Now: func() time.Time { return now }}
	s, err := open(disk, o)
	require.NoError(t, err)
	putIn(t, s, "x", message("a", "x", "a@a.example", "b@a.example", "c@c.example"))
	c, err := s.Claim(t.Context(), spool.Query{Skip: []string{"c.example"}})
	require.NoError(t, err)
	res := smtp.Result{Status: smtp.Temporary, Host: "mx.a.example", DSN: true, Reply: smtp.Reply{Code: 451, Enhanced: "4.7.1", Text: strings.Repeat("x", 2*maxText)}}
	require.NoError(t, s.Settle(t.Context(), c[0].Lease, []spool.Outcome{{Rcpt: 0, Result: res, Next: now.Add(time.Hour), Warned: true}, {Rcpt: 1}}))
	n, err := s.Apply(t.Context(), spool.Filter{Dest: "c.example"}, spool.Hold)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.NoError(t, s.Close())
	s, err = open(disk, o)
	require.NoError(t, err)
	res.Reply.Text = res.Reply.Text[:maxText]
	for info, err := range s.List(t.Context(), spool.Filter{}) {
		require.NoError(t, err)
		assert.Equal(t, []spool.Progress{
			{Rcpt: 0, State: spool.StateQueued, Attempts: 1, Due: now.Add(time.Hour), Warned: true, Last: res},
			{Rcpt: 2, State: spool.StateHeld, Due: now},
		}, info.Rcpts)
		assert.Equal(t, int64(1), info.Size)
	}
}

// TestCloseWaits: a Put that has begun comes to its end before the directory is
// given to the next process.
func TestCloseWaits(t *testing.T) {
	disk := safeio.NewDisk()
	syncing, goOn := make(chan bool), make(chan bool)
	slow := &slowFS{Disk: disk, syncing: syncing, goOn: goOn}
	s, err := open(slow, Options{})
	require.NoError(t, err)
	putIn(t, s, "x", message("first", "x", "ok@a.example"))
	slow.on.Store(true)
	put := make(chan error, 1)
	go func() {
		put <- spool.PutItems(context.Background(), s, strings.NewReader("x"), message("a", "x", "ok@a.example"))
	}()
	<-syncing
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	require.Eventually(t, func() bool { return s.Err() == spool.ErrClosed }, 5*time.Second, time.Millisecond)
	select {
	case <-closed:
		t.Fatal("Close did not wait")
	default:
	}
	_, err = open(disk, Options{})
	require.ErrorIs(t, err, ErrLocked)
	close(goOn)
	require.NoError(t, <-put)
	require.NoError(t, <-closed)
	s, err = open(disk, Options{})
	require.NoError(t, err)
	assert.Equal(t, 2, s.Recovery().Items)
}

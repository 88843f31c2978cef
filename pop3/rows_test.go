package pop3

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/spool/mailbox"
	"github.com/postilion-mail/postilion/spool/mailbox/memory"
)

// The names of these tests are the rows of the list of pitfalls that concern
// POP3.

// Row 1: nothing that came in the clear behind STLS is executed.
func TestRowSTLSCommandInjection(t *testing.T) {
	s := serverOf(storeOf(t))
	s.TLSConfig = authority(t).Server()
	var commands []string
	s.Trace = &Trace{Command: func(_ *Session, verb, _ string) { commands = append(commands, verb) }}
	p := dial(t, s)
	go p.say("STLS", "USER mrose", "PASS tanstaaf")
	p.expect("-ERR Nothing may follow STLS")
	p.gone()
	assert.Equal(t, []string{"STLS"}, commands)
}

// Row 1, the other half: what was said before TLS is forgotten.
func TestRowSTLSForgetsUSER(t *testing.T) {
	ca := authority(t)
	s := serverOf(storeOf(t))
	s.TLSConfig = ca.Server()
	p := dial(t, s)
	p.do("USER mrose", "+OK")
	p.do("STLS", "+OK")
	tc := tls.Client(p.Conn, ca.Client())
	require.NoError(t, tc.HandshakeContext(t.Context()))
	p.Conn = tc
	p.r.Reset(tc)
	p.do("PASS tanstaaf", "-ERR Say USER first")
}

// Row 4: no password is asked for, or taken, without TLS.
func TestRowPlaintextLoginWithoutTLS(t *testing.T) {
	s := serverOf(storeOf(t))
	s.InsecureAuth, s.TLSConfig = false, authority(t).Server()
	for _, command := range []string{"USER mrose", "AUTH PLAIN", "AUTH LOGIN", "AUTH XOAUTH2", "AUTH OAUTHBEARER", "PASS tanstaaf"} {
		dial(t, s).do(command, "-ERR [AUTH]")
	}
}

// Row 7: a line that is too long is read to its end and refused, whatever it
// holds, and the next one is a command again.
func TestRowLineLength(t *testing.T) {
	p := in(t, serverOf(storeOf(t)))
	go p.say("NOOP "+strings.Repeat("x", 100_000), "STAT")
	p.expect("-ERR Line too long")
	p.expect("+OK 0 0")
	p.do(strings.Repeat("A", 512), "-ERR Unknown")
	p.do(strings.Repeat("A", 513), "-ERR Line too long")
}

// Row 14: a peer that says nothing, or speaks another protocol, or guesses.
func TestRowPreAuthLimits(t *testing.T) {
	t.Run("a minute in all", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := dial(t, serverOf(storeOf(t)))
			begun := time.Now()
			for range 5 {
				time.Sleep(11 * time.Second)
				p.do("CAPA", "+OK")
				p.rest()
			}
			p.expect("-ERR [SYS/TEMP] Timeout")
			p.gone()
			assert.Equal(t, time.Minute, time.Since(begun))
		})
	})
	t.Run("three failed logins", func(t *testing.T) {
		p := dial(t, serverOf(storeOf(t)))
		for range 3 {
			p.do("USER mrose", "+OK")
			p.do("PASS wrong", "-ERR [AUTH]")
		}
		p.gone()
	})
	t.Run("connections of one address", func(t *testing.T) {
		s := serverOf(storeOf(t))
		s.Limits.ConnsPerIP = 1
		addr := listen(t, s, false)
		a, err := net.Dial("tcp", addr)
		require.NoError(t, err)
		defer a.Close()
		_, err = a.Read(make([]byte, 3))
		require.NoError(t, err)
		b, err := net.Dial("tcp", addr)
		require.NoError(t, err)
		defer b.Close()
		all, _ := io.ReadAll(b)
		assert.Equal(t, "-ERR [SYS/TEMP] Too many connections from your network\r\n", string(all))
	})
}

// After the login ten minutes of silence are allowed (RFC 1939 §3).
func TestRowIdleTenMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := in(t, serverOf(storeOf(t)))
		time.Sleep(10*time.Minute - time.Second)
		p.do("NOOP", "+OK")
		begun := time.Now()
		p.expect("-ERR [SYS/TEMP] Timeout")
		assert.Equal(t, 10*time.Minute, time.Since(begun))
	})
}

// Row 15: a peer that does not read is dropped, and keeps nobody waiting.
func TestRowSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := storeOf(t, sized(1<<20))
		s := serverOf(store)
		p := in(t, s)
		p.say("RETR 1") // and nobody reads
		synctest.Wait()
		box, err := mailbox.OpenName(t.Context(), store, mailbox.Inbox)
		require.NoError(t, err)
		defer box.Close()
		_, err = box.Append(t.Context(), mailbox.One(&mailbox.Incoming{Body: strings.NewReader(numbered(2))}))
		require.NoError(t, err, "the store is free")
		time.Sleep(time.Minute + time.Second)
		synctest.Wait()
		_, err = io.ReadAll(p.r)
		assert.NoError(t, err, "the connection has ended")
		in(t, s) // and the maildrop is free again
	})
}

// Row 16: pipelined commands are executed in order, and malformed SASL is
// nobody else's business.
func TestRowPipelining(t *testing.T) {
	s := serverOf(storeOf(t, numbered(1), numbered(2)))
	p := dial(t, s)
	go p.say("AUTH PLAIN", "!!!", "USER mrose", "PASS tanstaaf", "DELE 1", "STAT", "RSET", "STAT", "QUIT")
	for _, want := range []string{"+ ", "-ERR Malformed base64", "+OK Password?", "+OK Maildrop has 2", "+OK Deleted", "+OK 1 ", "+OK 2 ", "+OK 2 ", "+OK Goodbye"} {
		p.expect(want)
	}
	p.gone()
}

// Row 20: the maildrop is one session's.
func TestRowMaildropLock(t *testing.T) {
	s := serverOf(storeOf(t, numbered(1)))
	a := in(t, s)
	b := dial(t, s)
	b.do("USER mrose", "+OK")
	b.do("PASS tanstaaf", "-ERR [IN-USE]")
	a.do("QUIT", "+OK")
	a.gone()
	b.do("USER mrose", "+OK")
	b.do("PASS tanstaaf", "+OK")

	t.Run("across servers", func(t *testing.T) {
		store := storeOf(t)
		in(t, serverOf(store))
		p := dial(t, serverOf(store))
		p.do("USER mrose", "+OK")
		p.do("PASS tanstaaf", "-ERR [IN-USE]")
	})
}

// Row 20: only QUIT deletes; a session that breaks off, times out, is shut down
// or takes it back does not.
func TestRowDeletionsOnlyAtQUIT(t *testing.T) {
	ends := map[string]struct {
		end  func(p *peer, s *Server)
		want []mailbox.UID
	}{
		"QUIT":  {func(p *peer, _ *Server) { p.do("QUIT", "+OK"); p.gone() }, []mailbox.UID{2}},
		"drop":  {func(p *peer, _ *Server) { p.Conn.Close() }, []mailbox.UID{1, 2}},
		"RSET":  {func(p *peer, _ *Server) { p.do("RSET", "+OK"); p.do("QUIT", "+OK"); p.gone() }, []mailbox.UID{1, 2}},
		"close": {func(p *peer, s *Server) { s.Close(); p.gone() }, []mailbox.UID{1, 2}},
		"shutdown": {func(p *peer, s *Server) {
			go s.Shutdown(context.Background())
			p.expect("-ERR [SYS/TEMP] Server is shutting down")
			p.gone()
		}, []mailbox.UID{1, 2}},
		"too many errors": {func(p *peer, _ *Server) {
			for range 20 {
				p.do("FOO", "-ERR")
			}
			p.expect("-ERR Too many")
			p.gone()
		}, []mailbox.UID{1, 2}},
	}
	for name, tc := range ends {
		t.Run(name, func(t *testing.T) {
			store := storeOf(t, numbered(1), numbered(2))
			s := serverOf(store)
			p := in(t, s)
			p.do("DELE 1", "+OK")
			tc.end(p, s)
			uids, _ := left(t, store)
			assert.Equal(t, tc.want, uids)
		})
	}
}

// A deleted message is gone for LIST, RETR, TOP, UIDL, DELE and STAT.
func TestRowDeletedIsGone(t *testing.T) {
	p := in(t, serverOf(storeOf(t, numbered(1), numbered(2))))
	p.do("DELE 1", "+OK")
	for _, c := range []string{"LIST 1", "RETR 1", "TOP 1 0", "UIDL 1", "DELE 1"} {
		p.do(c, "-ERR Message is deleted")
	}
	p.do("LIST", "+OK 1 message")
	assert.Equal(t, "2 25\r\n", p.rest())
	p.do("UIDL", "+OK")
	assert.Equal(t, 1, strings.Count(p.rest(), "\r\n"))
	p.do("STAT", "+OK 1 25")
}

// A password has spaces wherever its user likes them.
func TestRowPasswordWithSpaces(t *testing.T) {
	s := serverOf(storeOf(t))
	var got string
	s.Auth.Password = func(_ context.Context, _ saslLogin, password string) error { got = password; return nil }
	p := dial(t, s)
	p.do("USER mrose", "+OK")
	p.do("PASS  two  words ", "+OK")
	assert.Equal(t, " two  words ", got)
}

// A message that begins with a dot, or has one at the start of any line and at
// any place in a block, comes through whole.
func TestRowDotStuffing(t *testing.T) {
	for _, shift := range []int{0, 1, 2, 3} {
		for _, start := range []int{0, largeOut - 3, 2*largeOut - 2} {
			text := strings.Repeat("x", start+shift)
			if text != "" {
				text += "\r\n"
			}
			text += ".\r\n..\r\n\r\n.\r\n.end\r\n"
			p := in(t, serverOf(storeOf(t, text)))
			p.do("RETR 1", "+OK")
			require.Equal(t, text, p.rest(), "%d %d", shift, start)
			p.do("NOOP", "+OK")
		}
	}
}

// A message that another session expunges does not disturb the numbers.
func TestRowExpungedMeanwhile(t *testing.T) {
	store := storeOf(t, numbered(1), numbered(2))
	p := in(t, serverOf(store))
	box, err := mailbox.OpenName(t.Context(), store, mailbox.Inbox)
	require.NoError(t, err)
	defer box.Close()
	require.NoError(t, box.Expunge(t.Context(), mailbox.SetOf(1)))
	fill(t, store, numbered(3))
	p.do("RETR 1", "-ERR Message is gone")
	p.do("RETR 2", "+OK")
	assert.Equal(t, numbered(2), p.rest())
	p.do("STAT", "+OK 2 ")
	p.do("DELE 1", "+OK")
	p.do("QUIT", "+OK")
}

// What was retrieved is seen, unless the server is told to leave it.
func TestSeenAtQuit(t *testing.T) {
	for _, keep := range []bool{false, true} {
		store := storeOf(t, numbered(1), numbered(2), numbered(3))
		s := serverOf(store)
		s.KeepUnseen = keep
		p := in(t, s)
		p.do("RETR 2", "+OK")
		p.rest()
		p.do("TOP 3 0", "+OK")
		p.rest()
		p.do("QUIT", "+OK")
		p.gone()
		_, flags := left(t, store)
		want := []string{"", `\Seen`, ""}
		if keep {
			want[1] = ""
		}
		assert.Equal(t, want, flags)
	}
}

func TestLoginDelay(t *testing.T) {
	s := serverOf(storeOf(t))
	now := testNow
	s.LoginDelay, s.Now = time.Minute, func() time.Time { return now }
	in(t, s).do("QUIT", "+OK")
	p := dial(t, s)
	p.do("USER mrose", "+OK")
	p.do("PASS tanstaaf", "-ERR [LOGIN-DELAY]")
	now = now.Add(time.Minute)
	p.do("USER mrose", "+OK")
	p.do("PASS tanstaaf", "+OK")
}

// A store that fails, or panics, costs one session a clear word.
func TestStoreFails(t *testing.T) {
	open := func(err error) *Server {
		s := serverOf(nil)
		s.Open = func(context.Context, string) (mailbox.Store, error) { return nil, err }
		return s
	}
	for want, err := range map[string]error{
		"-ERR [SYS/TEMP]": errors.New("disk on fire"),
		"-ERR [SYS/PERM]": mailbox.ErrNotExist,
		"-ERR [IN-USE]":   mailbox.ErrInUse,
	} {
		p := dial(t, open(err))
		p.do("USER mrose", "+OK")
		assert.NotContains(t, p.do("PASS tanstaaf", want), "fire")
	}
	s := serverOf(nil)
	s.Open = func(context.Context, string) (mailbox.Store, error) { panic("no") }
	p := dial(t, s)
	p.do("USER mrose", "+OK")
	p.do("PASS tanstaaf", "-ERR [SYS/TEMP] Internal error")
	p.gone()
	p = dial(t, &Server{})
	p.do("USER mrose", "-ERR Use AUTH")
}

// broken is a mailbox whose messages cannot be read to their end.
type broken struct{ *memory.Store }

type brokenBox struct{ mailbox.Mailbox }

type brokenBlob struct{ mailbox.Blob }

func (s broken) Open(ctx context.Context, id mailbox.ID) (mailbox.Mailbox, error) {
	m, err := s.Store.Open(ctx, id)
	return brokenBox{m}, err
}

func (b brokenBox) Message(ctx context.Context, uid mailbox.UID) (mailbox.Blob, error) {
	m, err := b.Mailbox.Message(ctx, uid)
	return brokenBlob{m}, err
}

func (brokenBox) Expunge(context.Context, mailbox.Set) error {
	return errors.New("read-only file system")
}

func (b brokenBlob) ReadAt(p []byte, off int64) (int, error) {
	if off >= largeOut {
		return 0, errors.New("input/output error")
	}
	return b.Blob.ReadAt(p, off)
}

// Half a message never looks whole, and deletions that fail are not +OK.
func TestReadErrors(t *testing.T) {
	s := serverOf(broken{storeOf(t, sized(largeOut+100), numbered(1))})
	p := in(t, s)
	p.do("RETR 2", "+OK")
	p.rest()
	p.do("DELE 2", "+OK")
	p.do("QUIT", "-ERR [SYS/TEMP] Some deleted messages were not removed")
	p.gone()
	p = in(t, s)
	p.do("RETR 1", "+OK")
	all, err := io.ReadAll(p.r)
	require.NoError(t, err)
	assert.False(t, strings.HasSuffix(string(all), "\r\n.\r\n"))
}

// Many sessions at once, and no goroutine is left behind.
func TestManySessions(t *testing.T) {
	before := runtime.NumGoroutine()
	stores := sync.Map{}
	s := serverOf(nil)
	s.Limits.ConnsPerIP = -1
	s.Auth.Secret = nil
	s.Auth.Password = func(context.Context, saslLogin, string) error { return nil }
	s.Open = func(_ context.Context, user string) (mailbox.Store, error) {
		v, _ := stores.LoadOrStore(user, &memory.Store{User: user})
		return v.(mailbox.Store), nil
	}
	addr := listen(t, s, false)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			user := string(rune('a' + i))
			store, _ := s.Open(t.Context(), user)
			for n := range 10 {
				fill(t, store, numbered(n))
				c := &Client{Addr: addr, TLS: TLSNone, Auth: cred(user)}
				conn, err := c.Connect(t.Context())
				if !assert.NoError(t, err) {
					return
				}
				list, err := conn.List(t.Context())
				assert.NoError(t, err)
				assert.Len(t, list, 1)
				for d, err := range conn.Fetch(t.Context(), list) {
					if assert.NoError(t, err) {
						b, err := io.ReadAll(d.Body)
						assert.NoError(t, err)
						assert.Equal(t, numbered(n), string(b))
					}
				}
				assert.NoError(t, conn.Delete(t.Context(), 1))
				assert.NoError(t, conn.Quit(t.Context()))
			}
		})
	}
	wg.Wait()
	s.Close()
	assert.Eventually(t, func() bool { return runtime.NumGoroutine() <= before+1 }, 5*time.Second, time.Millisecond)
}

package imaptest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/imap"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

const lunch = "Subject: Lunch\r\n\r\nAt noon?\r\n"

// read fetches all of INBOX, appends a message and marks all as seen.
func read(ctx context.Context, c *imap.Client) (got []string, err error) {
	conn, err := c.Connect(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if _, err := conn.Select(ctx, "INBOX"); err != nil {
		return nil, err
	}
	for m, err := range conn.Fetch(ctx, imap.AllUIDs(), imap.Items{Bodies: []imap.Section{{}}}) {
		if err != nil {
			return got, err
		}
		b, _ := m.Body(imap.Section{})
		got = append(got, string(b))
	}
	big := strings.Repeat("x\r\n", 3000)
	for _, text := range []string{lunch, big} { // one literal by itself, one that is asked for
		if _, _, err := conn.Append(ctx, "INBOX", imap.Upload{Body: strings.NewReader(text), Size: int64(len(text))}); err != nil {
			return got, err
		}
	}
	if _, err := conn.Store(ctx, imap.AllUIDs(), mailbox.AddFlags, mailbox.Flags{Sys: mailbox.Seen}, 0); err != nil {
		return got, err
	}
	return got, conn.Logout(ctx)
}

func TestServers(t *testing.T) {
	for name, start := range map[string]func(testing.TB, ...func(*imap.Server)) *Server{
		"New": New, "NewTLS": NewTLS, "NewPipe": NewPipe, "NewPipeTLS": NewPipeTLS,
		"without LITERAL+": func(t testing.TB, _ ...func(*imap.Server)) *Server {
			return New(t, func(s *imap.Server) { s.Without = append(s.Without, "LITERAL+", "LITERAL-", "IMAP4rev2") })
		},
	} {
		t.Run(name, func(t *testing.T) {
			srv := start(t)
			srv.Deliver("INBOX", lunch)
			got, err := read(t.Context(), srv.Client())
			require.NoError(t, err)
			assert.Equal(t, []string{lunch}, got)
			assert.Contains(t, srv.Transcript(), "+TLS\n")
			assert.NotContains(t, srv.Transcript(), "\n-S")
			assert.NotContains(t, srv.Transcript(), "cGFzc3dvcmQ")
			assert.Contains(t, srv.Transcript(), "[hidden]")
		})
	}
}

func TestFaults(t *testing.T) {
	refused := func(command, code string) func(t *testing.T, err error) {
		return func(t *testing.T, err error) {
			e, ok := errors.AsType[*imap.Error](err)
			require.True(t, ok, "%v", err)
			assert.Equal(t, command, e.Command)
			assert.Equal(t, code, e.Code)
		}
	}
	broken := func(t *testing.T, err error) {
		_, ok := errors.AsType[*imap.Error](err)
		assert.False(t, ok, "%v", err)
		assert.Error(t, err)
	}
	for name, tc := range map[string]struct {
		set  func(s *Server)
		want func(t *testing.T, err error)
	}{
		"no connection":    {func(s *Server) { s.On(Connect).DropRST() }, broken},
		"half a greeting":  {func(s *Server) { s.On(Greeting).HalfReply() }, broken},
		"garbage":          {func(s *Server) { s.On(Greeting).Garbage() }, broken},
		"preauth":          {func(s *Server) { s.On(Greeting).Preauth() }, broken},
		"no STARTTLS":      {func(s *Server) { s.On(STARTTLS).Bad("unknown command") }, refused("STARTTLS", "")},
		"injection":        {func(s *Server) { s.On(STARTTLS).Early("* CAPABILITY IMAP4rev1") }, broken},
		"no handshake":     {func(s *Server) { s.On(TLS).Drop() }, broken},
		"login refused":    {func(s *Server) { s.On(AUTHENTICATE).No("AUTHENTICATIONFAILED", "no") }, refused("AUTHENTICATE", "AUTHENTICATIONFAILED")},
		"no mailbox":       {func(s *Server) { s.On(SELECT).Arg("inbox").No("NONEXISTENT", "no") }, refused("SELECT", "NONEXISTENT")},
		"fetch breaks off": {func(s *Server) { s.On(FETCH).After(40) }, broken},
		"over quota":       {func(s *Server) { s.On(APPEND).No("OVERQUOTA", "full") }, refused("APPEND", "OVERQUOTA")},
		"malformed fetch":  {func(s *Server) { s.On(FETCH).RawReply([]byte("* 1 FETCH (UID\r\n$TAG OK\r\n")) }, broken},
		"lost goodbye":     {func(s *Server) { s.On(LOGOUT).Drop() }, broken},
	} {
		t.Run(name, func(t *testing.T) {
			srv := New(t)
			srv.Deliver("INBOX", lunch, lunch)
			tc.set(srv)
			_, err := read(t.Context(), srv.Client())
			tc.want(t, err)
		})
	}
}

// IDLE is waited for, and reports what the test delivers.
func TestAwaitIdle(t *testing.T) {
	srv := New(t)
	conn, err := srv.Client().Connect(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.Select(t.Context(), "INBOX")
	require.NoError(t, err)
	for n := range uint32(3) {
		var got uint32
		conn.Events.Exists = func(n uint32) { got = n }
		go func() { srv.AwaitIdle(1); srv.Deliver("INBOX", lunch) }()
		require.NoError(t, conn.Idle(t.Context(), func() bool { return got == 0 }))
		assert.Equal(t, n+1, got)
	}
}

func TestStallTakesNoTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := NewPipe(t)
		srv.Deliver("INBOX", lunch)
		srv.On(FETCH).After(30).Stall()
		begun := time.Now()
		_, err := read(t.Context(), srv.Client())
		assert.Error(t, err)
		assert.Equal(t, 5*time.Minute, time.Since(begun))
	})
}

func TestCapabilitiesAndTimes(t *testing.T) {
	srv := New(t)
	srv.Capabilities("IMAP4rev1", "AUTH=PLAIN", "X-LIES")
	srv.On(SELECT).Times(1).No("UNAVAILABLE", "not yet")
	_, err := read(t.Context(), srv.Client())
	require.Error(t, err)
	got, err := read(t.Context(), srv.Client())
	require.NoError(t, err)
	assert.Empty(t, got)
	assert.Contains(t, srv.Transcript(), "AUTHENTICATE PLAIN")
	assert.NotContains(t, srv.Transcript(), "CONDSTORE")
}

func TestTranscript(t *testing.T) {
	srv := New(t, func(s *imap.Server) { s.TLSConfig = nil; s.InsecureAuth = true })
	c, err := net.Dial("tcp", srv.Addr)
	require.NoError(t, err)
	defer c.Close()
	_, err = io.WriteString(c, "a LOGIN user {8}\r\n")
	require.NoError(t, err)
	_, err = io.WriteString(c, "password\r\nb NOOP\r\nc LOGOUT\r\n")
	require.NoError(t, err)
	_, err = io.ReadAll(c)
	require.NoError(t, err)
	require.NoError(t, srv.Compare(`S: ** OK * ready
C: a LOGIN [hidden]
S: + *
C: [hidden]
S: a OK *
C: b NOOP
S: b OK *
C: c LOGOUT
S: ** BYE *
S: c OK *
`))
}

// Nothing is left behind by a test, whatever state its connections are in.
func TestLeavesNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Run("inner", func(t *testing.T) {
		srv := New(t)
		srv.On(NOOP).Stall()
		conn, err := srv.Client().Connect(t.Context())
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		assert.ErrorIs(t, conn.Noop(ctx), context.DeadlineExceeded)
		_, err = net.Dial("tcp", srv.Addr) // says nothing and is never closed
		require.NoError(t, err)
	})
	assert.Eventually(t, func() bool { return runtime.NumGoroutine() <= before+1 }, 5*time.Second, time.Millisecond) // one is Eventually's
}

func ExampleServer() {
	t := newT() // the test's *testing.T
	defer t.done()

	srv := New(t)
	srv.Deliver("INBOX", "Subject: Lunch\r\n\r\nAt noon?\r\n")
	got, err := read(context.Background(), srv.Client())
	fmt.Println(len(got), err)
	// Output: 1 <nil>
}

func ExampleFault() {
	t := newT() // the test's *testing.T
	defer t.done()

	srv := New(t)
	srv.On(APPEND).No("OVERQUOTA", "mailbox is full")
	_, err := read(context.Background(), srv.Client())
	fmt.Println(err)
	// Output: imap: APPEND: NO [OVERQUOTA] mailbox is full
}

func ExampleStage() {
	t := newT() // the test's *testing.T
	defer t.done()

	for _, stage := range []Stage{Greeting, SELECT, FETCH} { // wherever it breaks off, the caller is told
		srv := New(t)
		srv.Deliver("INBOX", "Subject: Lunch\r\n\r\nAt noon?\r\n")
		srv.On(stage).Drop()
		_, err := read(context.Background(), srv.Client())
		fmt.Println(stage, err != nil)
	}
	// Output:
	// greeting true
	// SELECT true
	// FETCH true
}

// exampleT stands for a *testing.T where there is none.
type exampleT struct {
	testing.TB
	cleanup []func()
}

func newT() *exampleT { return &exampleT{} }

func (t *exampleT) Helper()                           {}
func (t *exampleT) Failed() bool                      { return false }
func (t *exampleT) Context() context.Context          { return context.Background() }
func (t *exampleT) Cleanup(f func())                  { t.cleanup = append(t.cleanup, f) }
func (t *exampleT) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
func (t *exampleT) done() {
	for _, f := range t.cleanup {
		f()
	}
}

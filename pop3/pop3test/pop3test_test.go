package pop3test

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

	"github.com/postilion-mail/postilion/pop3"
	"github.com/postilion-mail/postilion/smtp/sasl"
)

const lunch = "Subject: Lunch\r\n\r\n.At noon?\r\n"

// download fetches everything and deletes it.
func download(ctx context.Context, c *pop3.Client) (got []string, err error) {
	conn, err := c.Connect(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	list, err := conn.List(ctx)
	if err != nil {
		return nil, err
	}
	for d, err := range conn.Fetch(ctx, list) {
		if err != nil {
			return got, err
		}
		b, err := io.ReadAll(d.Body)
		if err != nil {
			return got, err
		}
		got = append(got, string(b))
		if err := conn.Delete(ctx, d.Number); err != nil {
			return got, err
		}
	}
	return got, conn.Quit(ctx)
}

func TestServers(t *testing.T) {
	for name, start := range map[string]func(testing.TB, ...func(*pop3.Server)) *Server{
		"New": New, "NewTLS": NewTLS, "NewPipe": NewPipe, "NewPipeTLS": NewPipeTLS,
	} {
		t.Run(name, func(t *testing.T) {
			srv := start(t)
			srv.Deliver(lunch, "Subject: Dinner\n\nAt eight?\n")
			assert.Equal(t, 2, srv.Messages())
			got, err := download(t.Context(), srv.Client())
			require.NoError(t, err)
			assert.Equal(t, []string{lunch, "Subject: Dinner\r\n\r\nAt eight?\r\n"}, got)
			assert.Zero(t, srv.Messages())
			assert.Contains(t, srv.Transcript(), "+TLS\n")
			assert.NotContains(t, srv.Transcript(), "\n-S")
		})
	}
}

// Each login mechanism goes through, and no transcript shows a password.
func TestLogins(t *testing.T) {
	for _, mechanism := range []string{"SCRAM-SHA-256", "CRAM-MD5", "PLAIN", "LOGIN", "USER"} {
		t.Run(mechanism, func(t *testing.T) {
			srv := New(t, func(s *pop3.Server) {
				s.Auth.Secret = func(context.Context, sasl.Login) (sasl.Secret, error) { return sasl.Secret{Plain: "password"}, nil }
			})
			c := srv.Client()
			c.Auth = &sasl.Credentials{User: "anybody", Password: "password", Mechanisms: []string{mechanism}}
			_, err := download(t.Context(), c)
			require.NoError(t, err)
			for _, secret := range []string{"password", "cGFzc3dvcmQ", "AGFueWJvZHk"} {
				assert.NotContains(t, srv.Transcript(), secret)
			}
			assert.Contains(t, srv.Transcript(), "[hidden]")
		})
	}
}

func TestFaults(t *testing.T) {
	refused := func(command string) func(t *testing.T, err error) {
		return func(t *testing.T, err error) {
			e, ok := errors.AsType[*pop3.Error](err)
			require.True(t, ok, "%v", err)
			assert.Equal(t, command, e.Command)
		}
	}
	broken := func(t *testing.T, err error) {
		_, ok := errors.AsType[*pop3.Error](err)
		assert.False(t, ok, "%v", err)
		assert.Error(t, err)
	}
	for name, tc := range map[string]struct {
		set  func(s *Server)
		want func(t *testing.T, err error)
	}{
		"no connection":     {func(s *Server) { s.On(Connect).DropRST() }, broken},
		"greeting refused":  {func(s *Server) { s.On(Greeting).Refuse("SYS/TEMP", "later").Drop() }, refused("")},
		"half a greeting":   {func(s *Server) { s.On(Greeting).HalfReply() }, broken},
		"garbage":           {func(s *Server) { s.On(Greeting).Garbage() }, broken},
		"no STLS":           {func(s *Server) { s.On(STLS).Refuse("", "unknown command") }, refused("STLS")},
		"injection":         {func(s *Server) { s.On(STLS).EarlyReply("+OK injected") }, broken},
		"no handshake":      {func(s *Server) { s.On(TLS).Drop() }, broken},
		"handshake garbage": {func(s *Server) { s.On(TLS).Garbage() }, broken},
		"in use":            {func(s *Server) { s.On(AUTH).Refuse("IN-USE", "busy") }, refused("AUTH")},
		"list breaks off":   {func(s *Server) { s.On(LIST).After(8) }, broken},
		"message refused":   {func(s *Server) { s.On(RETR).Arg("2").Refuse("", "no") }, refused("RETR")},
		"message breaks":    {func(s *Server) { s.On(RETR).Arg("2").After(40).DropRST() }, broken},
		"not deleted":       {func(s *Server) { s.On(QUIT).Refuse("SYS/TEMP", "some were not deleted") }, refused("QUIT")},
		"lost goodbye":      {func(s *Server) { s.On(QUIT).Drop() }, broken},
	} {
		t.Run(name, func(t *testing.T) {
			srv := New(t)
			srv.Deliver(lunch, lunch, lunch)
			tc.set(srv)
			_, err := download(t.Context(), srv.Client())
			tc.want(t, err)
		})
	}
}

// A fault that is used up lets the rest through, in the order of On.
func TestTimes(t *testing.T) {
	srv := New(t)
	srv.Deliver(lunch)
	srv.On(AUTH).Times(2).Refuse("SYS/TEMP", "not yet")
	for range 2 {
		_, err := download(t.Context(), srv.Client())
		require.Error(t, err)
	}
	got, err := download(t.Context(), srv.Client())
	require.NoError(t, err)
	assert.Equal(t, []string{lunch}, got)
	assert.Equal(t, 2, strings.Count(srv.Transcript(), "[SYS/TEMP] not yet"))
	assert.Contains(t, srv.Transcript(), "# connection 3\n")
}

// Silence takes no time in a bubble.
func TestStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := NewPipe(t)
		srv.Deliver(lunch)
		srv.On(RETR).After(30).Stall()
		begun := time.Now()
		_, err := download(t.Context(), srv.Client())
		assert.Error(t, err)
		assert.Equal(t, 2*time.Minute, time.Since(begun))
	})
}

func TestDelayAndDrop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := NewPipe(t, func(s *pop3.Server) { s.TLSConfig = nil; s.InsecureAuth = true })
		srv.Deliver(lunch)
		srv.On(LIST).Delay(time.Minute)
		begun := time.Now()
		_, err := download(t.Context(), srv.Client())
		assert.NoError(t, err)
		assert.Equal(t, time.Minute, time.Since(begun))

		conn, err := srv.Client().Connect(t.Context())
		require.NoError(t, err)
		defer conn.Close()
		srv.Drop()
		assert.Error(t, conn.Noop(t.Context()))
	})
}

// The transcript does not depend on pipelining, and can be compared.
func TestTranscript(t *testing.T) {
	srv := New(t, func(s *pop3.Server) { s.TLSConfig = nil; s.InsecureAuth = true })
	srv.Deliver(lunch)
	c, err := net.Dial("tcp", srv.Addr)
	require.NoError(t, err)
	defer c.Close()
	_, err = io.WriteString(c, "USER user\r\nPASS secret word\r\nSTAT\r\nRETR 1\r\nDELE 1\r\nQUIT\r\n")
	require.NoError(t, err)
	_, err = io.ReadAll(c)
	require.NoError(t, err)
	require.NoError(t, srv.Compare(`S: +OK pop.example.org *
C: USER user
S: +OK Password?
C: PASS [hidden]
S: +OK Maildrop has *
C: STAT
S: +OK 1 29
C: RETR 1
S: +OK 29 octets
S: Subject: Lunch
S: 
S: ..At noon?
S: .
C: DELE 1
S: +OK *
C: QUIT
S: +OK Goodbye
`))
	assert.Error(t, srv.Compare("S: +OK\nC: NOOP\n"))
}

// Nothing is left behind by a test, whatever state its connections are in.
func TestLeavesNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Run("inner", func(t *testing.T) {
		srv := New(t)
		srv.On(STAT).Stall()
		conn, err := srv.Client().Connect(t.Context())
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		_, _, err = conn.Stat(ctx)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		_, err = net.Dial("tcp", srv.Addr) // says nothing and is never closed
		require.NoError(t, err)
	})
	if !assert.Eventually(t, func() bool { return runtime.NumGoroutine() <= before+1 }, 5*time.Second, time.Millisecond) {
		b := make([]byte, 1<<16)
		t.Logf("%s", b[:runtime.Stack(b, true)])
	}
}

func ExampleServer() {
	t := newT() // the test's *testing.T
	defer t.done()

	srv := New(t)
	srv.Deliver("Subject: Lunch\r\n\r\nAt noon?\r\n", "Subject: Dinner\r\n\r\nAt eight?\r\n")
	got, err := download(context.Background(), srv.Client())
	fmt.Println(len(got), err, srv.Messages())
	// Output: 2 <nil> 0
}

func ExampleFault() {
	t := newT() // the test's *testing.T
	defer t.done()

	srv := New(t)
	srv.Deliver("Subject: Lunch\r\n\r\nAt noon?\r\n", "Subject: Dinner\r\n\r\nAt eight?\r\n")
	srv.On(RETR).Arg("2").After(20).Drop() // the second message breaks off
	got, err := download(context.Background(), srv.Client())
	fmt.Println(len(got), errors.Is(err, io.ErrUnexpectedEOF), srv.Messages())
	// Output: 1 true 2
}

func ExampleStage() {
	t := newT() // the test's *testing.T
	defer t.done()

	for _, stage := range []Stage{AUTH, UIDL, RETR, QUIT} { // whatever goes wrong, no mail is deleted
		srv := New(t)
		srv.Deliver("Subject: Lunch\r\n\r\nAt noon?\r\n")
		srv.On(stage).Drop()
		_, err := download(context.Background(), srv.Client())
		fmt.Println(stage, err != nil, srv.Messages())
	}
	// Output:
	// AUTH true 1
	// UIDL true 1
	// RETR true 1
	// QUIT true 1
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

package script_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postilion-mail/postilion/internal/script"
	"github.com/postilion-mail/postilion/internal/testcert"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func ExampleMatch() {
	fmt.Println(script.Match("250-SIZE *", "250-SIZE 1000"))
	fmt.Println(script.Match("220 * ready", "220 mx.example.org is ready"))
	fmt.Println(script.Match("* 3 EXISTS", "x 3 EXISTS"), script.Match("1:**", "1:9"))
	// Output:
	// true
	// true
	// false false
}

func ExamplePlayer() {
	s, err := script.Parse("example.txt", "S: 220 *\nC: NOOP\nS: 250 *\nC: QUIT\nS: 221 *\n-S\n")
	if err != nil {
		fmt.Println(err)
		return
	}
	var p script.Player
	_, err = p.PlayClient(context.Background(), dialPipe(toy{}), s)
	fmt.Println(err)
	// Output: <nil>
}

func ExampleTranscript() {
	var t script.Transcript
	t.Server("220 toy.example ready\r\n")
	t.Client("QUIT\r\n")
	t.Server("221 bye\r\n")
	t.ServerClosed()
	golden, err := script.Parse("golden.txt", "S: 220 *\nC: QUIT\nS: 221 *\n-S\n")
	fmt.Print(t.String(), err, script.Compare(golden, t.String()))
	// Output:
	// S: 220 toy.example ready
	// C: QUIT
	// S: 221 bye
	// -S
	// <nil> <nil>
}

func ExampleError() {
	s, err := script.Parse("example.txt", "S: 220 *\nC: NOOP\nS: 251 *\n")
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = script.Player{}.PlayClient(context.Background(), dialPipe(toy{}), s)
	fmt.Println(err)
	// Output:
	// example.txt:3: the dialogue differs
	//   want  S: 251 *
	//   got   S: 250 ok
	// after
	//   S: 220 toy.example ready
	//   C: NOOP
}

func ExampleScript() {
	_, err := script.Parse("example.txt", "-S\nC: QUIT\n")
	fmt.Println(err)
	// Output: example.txt:2: "C: QUIT" after the connection was closed
}

func TestDir(t *testing.T) {
	ca := authority(t)
	y := toy{tls: ca.Server()}
	for _, chunk := range []int{0, 1, 3} {
		p := script.Player{TLS: ca.Client(), Chunk: chunk}
		t.Run(fmt.Sprintf("pipe, chunks of %d", chunk), func(t *testing.T) {
			if chunk == 1 {
				t.Parallel()
			}
			script.Dir(t, "testdata/*.txt", p, false, func(*testing.T, string) net.Conn { return dialPipe(y) })
		})
	}
	t.Run("tcp", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer l.Close()
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go y.serve(c)
			}
		}()
		script.Dir(t, "testdata/*.txt", script.Player{TLS: ca.Client()}, false, func(t *testing.T, _ string) net.Conn {
			c, err := net.Dial("tcp", l.Addr().String())
			require.NoError(t, err)
			return c
		})
	})
}

func TestReplay(t *testing.T) {
	ca := authority(t)
	p := script.Player{TLS: ca.Server()}
	script.Replay(t, "testdata/session.txt", p, func(t *testing.T, name string, c net.Conn) {
		assert.Equal(t, "session", name)
		body := "Subject: stars * and a leading dot\r\n\r\n..hidden\r\n."
		got := toyClient(c, nil, "EHLO client.example", "DATA", body, "XYZZY")
		assert.Equal(t, "500 what is XYZZY?", got[len(got)-1])
		fmt.Fprint(c, "QUIT\r\n")
		all, err := io.ReadAll(c)
		assert.NoError(t, err)
		assert.Equal(t, "221 *\r\n", string(all), "a wildcard that is sent is a star")
	})
}

// play is one dialogue given as text, against the toy server or a toy client.
func play(t *testing.T, text string, f func(s *script.Script) (string, error)) (string, error) {
	t.Helper()
	s, err := script.Parse("play.txt", text)
	require.NoError(t, err)
	return f(s)
}

func TestReplayTLS(t *testing.T) {
	ca := authority(t)
	text := "S: 220 *\nC: STARTTLS\nS: 220 go\n+TLS\nC: A*\nS: 250 ok\n-C\n"
	talk, err := play(t, text, func(s *script.Script) (string, error) {
		c, fake := net.Pipe()
		go func() {
			defer c.Close()
			toyClient(c, ca.Client(), "STARTTLS", "ABC")
		}()
		return script.Player{TLS: ca.Server()}.PlayServer(t.Context(), fake, s)
	})
	require.NoError(t, err)
	assert.Equal(t, "S: 220 **\nC: STARTTLS\nS: 220 go\n+TLS\nC: ABC\nS: 250 ok\n-C\n", talk)
}

func TestDifferences(t *testing.T) {
	for _, c := range []struct {
		name, text string
		line       int
		want, got  string
		cause      error
	}{
		{"another line", "S: 220 *\nC: NOOP\nS: 250 no\n", 3, "S: 250 no", "S: 250 ok", nil},
		{"server says more", "S: 220 *\nC: EHLO x\nS: 250-toy.example\n-C\n", 4, "-C", "S: 250 SIZE 1000", nil},
		{"server says more, then goes on", "S: 220 *\nC: EHLO x\nS: 250-toy.example\nC: NOOP\nS: 250 ok\n", 5, "S: 250 ok", "S: 250 SIZE 1000", nil},
		{"server says less", "S: 220 *\nC: QUIT\nS: 221 *\nS: 221 more\n", 4, "S: 221 more", "", io.EOF},
		{"server stays", "S: 220 *\nC: NOOP\nS: 250 *\n-S\n", 4, "-S", "", os.ErrDeadlineExceeded},
		{"server talks instead of closing", "S: 220 *\nC: EHLO x\nS: 250-*\n-S\n", 4, "-S", "S: 250 SIZE 1000", nil},
		{"server is silent", "S: 220 *\nS: 221 *\n", 2, "S: 221 *", "", os.ErrDeadlineExceeded},
		{"raw bytes differ", "S: 220 *\nC: NOOP\nS! \"250 no\\r\\n\"\n", 3, `S! "250 no\r\n"`, "S: 250 ok", nil},
		{"bare LF", "S: 220 *\nC: UNTAGGED\nS: *\nS: *\nS: raw\n", 5, "S: raw", `S! "raw\n"`, nil},
		{"no TLS configured", "S: 220 *\n+TLS\n", 2, "+TLS", "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, err := play(t, c.text, func(s *script.Script) (string, error) {
					return script.Player{}.PlayClient(t.Context(), dialPipe(toy{}), s)
				})
				var diff *script.Error
				require.ErrorAs(t, err, &diff)
				assert.Equal(t, c.line, diff.Line)
				assert.Equal(t, c.want, diff.Want)
				assert.Equal(t, c.got, diff.Got)
				if c.cause != nil {
					assert.ErrorIs(t, err, c.cause)
				}
			})
		})
	}
}

func TestClientDifferences(t *testing.T) {
	for _, c := range []struct {
		name, text string
		line       int
		got        string
	}{
		{"another verb", "S: 220 *\nC: HELP\nS: 250 ok\n", 2, "C: NOOP"},
		{"client leaves early", "S: 220 *\nC: NOOP\nS: 250 ok\nC: QUIT\nS: 221 bye\n", 4, ""},
		{"client waits for the answer to each line", "S: 220 *\nC: NOOP\nC: NOOP\nS: 250 ok\n", 3, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, err := play(t, c.text, func(s *script.Script) (string, error) {
					cl, fake := net.Pipe()
					go func() {
						defer cl.Close()
						toyClient(cl, nil, "NOOP")
					}()
					return script.Player{}.PlayServer(t.Context(), fake, s)
				})
				var diff *script.Error
				require.ErrorAs(t, err, &diff)
				assert.Equal(t, c.line, diff.Line)
				assert.Equal(t, c.got, diff.Got)
			})
		})
	}
}

// RFC 3207 §6: what arrives in the clear before the handshake must not be
// taken for an answer under TLS. The player refuses a server that sends it.
func TestBytesBeforeTLS(t *testing.T) {
	c, s := net.Pipe()
	go func() {
		defer s.Close()
		fmt.Fprint(s, "220 ready\r\n250 injected\r\n")
	}()
	_, err := play(t, "S: 220 *\n+TLS\n", func(sc *script.Script) (string, error) {
		return script.Player{TLS: authority(t).Client()}.PlayClient(t.Context(), c, sc)
	})
	var diff *script.Error
	require.ErrorAs(t, err, &diff)
	assert.Equal(t, "S: 250 injected", diff.Got)
}

func TestHandshakeFails(t *testing.T) {
	ca, other := authority(t), authority(t)
	synctest.Test(t, func(t *testing.T) { handshakeFails(t, ca, other) })
}

func handshakeFails(t *testing.T, ca, other *testcert.Authority) {
	_, err := play(t, "S: 220 *\nC: STARTTLS\nS: 220 *\n+TLS\n", func(s *script.Script) (string, error) {
		return script.Player{TLS: other.Client(), Timeout: time.Second}.PlayClient(t.Context(), dialPipe(toy{tls: ca.Server()}), s)
	})
	var diff *script.Error
	require.ErrorAs(t, err, &diff)
	assert.Equal(t, 4, diff.Line)
}

func TestDeadlines(t *testing.T) {
	silent := func(t *testing.T, ctx context.Context, text string) (time.Duration, error) {
		c, s := net.Pipe()
		defer s.Close()
		start := time.Now()
		_, err := play(t, text, func(sc *script.Script) (string, error) {
			return script.Player{Timeout: time.Minute}.PlayClient(ctx, c, sc)
		})
		return time.Since(start), err
	}
	for _, text := range []string{"S: 220 *\n", "C: never read\n", "S! \"x\"\n", "-S\n"} {
		t.Run(text, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, err := silent(t, t.Context(), text)
				assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
				assert.Equal(t, time.Minute, d)
			})
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				d, err := silent(t, ctx, text)
				assert.Error(t, err)
				assert.Equal(t, time.Second, d)
			})
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(2*time.Second, cancel)
				d, err := silent(t, ctx, text)
				assert.ErrorIs(t, err, context.Canceled)
				assert.Equal(t, 2*time.Second, d)
			})
		})
	}
}

func TestTooLongLine(t *testing.T) {
	c, s := net.Pipe()
	go func() {
		defer s.Close()
		fmt.Fprint(s, strings.Repeat("x", 70<<10))
	}()
	_, err := play(t, "S: *\n", func(sc *script.Script) (string, error) {
		return script.Player{}.PlayClient(t.Context(), c, sc)
	})
	assert.ErrorContains(t, err, "longer than 65536 bytes")
	assert.Less(t, len(err.Error()), 2000, "the error stays readable")
}

// A server that refuses and goes away while the client still writes is what
// the file says, not a failed write.
func TestServerClosesDuringWrite(t *testing.T) {
	c, s := net.Pipe()
	go func() {
		defer s.Close()
		fmt.Fprint(s, "421 go away\r\n")
	}()
	_, err := play(t, "C! \"x\" 100000\nS: 421 *\n-S\n", func(sc *script.Script) (string, error) {
		return script.Player{}.PlayClient(t.Context(), c, sc)
	})
	assert.NoError(t, err)

	c, s = net.Pipe()
	go func() {
		defer s.Close()
		fmt.Fprint(s, "421 go away\r\n")
	}()
	_, err = play(t, "C! \"x\" 100000\nS: 421 *\n-C\n", func(sc *script.Script) (string, error) {
		return script.Player{}.PlayClient(t.Context(), c, sc)
	})
	assert.True(t, errors.Is(err, io.ErrClosedPipe), "%v", err)
}

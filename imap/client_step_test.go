package imap

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/internal/memnet"
	"github.com/postilion-mail/postilion/smtp/sasl"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// dialScript connects to a scripted server.
func dialScript(t testing.TB, greeting string, answers ...string) *Conn {
	t.Helper()
	conn, err := scripted(t, greeting, answers...).Connect(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn
}

// A BYE is the reason for the end that comes behind it, wherever it comes.
func TestClientTellsBYE(t *testing.T) {
	bye := "* BYE [UNAVAILABLE] going down\r\n"
	for name, tc := range map[string]struct {
		answers []string
		run     func(c *Conn) error
	}{
		"in place of an answer": {[]string{bye}, func(c *Conn) error { return c.Noop(context.Background()) }},
		"in place of a +": {[]string{bye}, func(c *Conn) error {
			_, _, err := c.Append(context.Background(), "x", Upload{Body: strings.NewReader("x"), Size: 1})
			return err
		}},
		"behind an answer": {[]string{bye + "$TAG OK\r\n"}, func(c *Conn) error {
			if err := c.Noop(context.Background()); err != nil {
				return err
			}
			return c.Noop(context.Background())
		}},
		"in FETCH": {[]string{"* 1 FETCH (UID 1 FLAGS ())\r\n" + bye}, func(c *Conn) error {
			for _, err := range c.Fetch(context.Background(), allUIDs, Items{Flags: true}) {
				if err != nil {
					return err
				}
			}
			return nil
		}},
		"in IDLE":              {[]string{"+ idling\r\n" + bye}, func(c *Conn) error { return c.Idle(context.Background(), nil) }},
		"before the + of IDLE": {[]string{bye}, func(c *Conn) error { return c.Idle(context.Background(), nil) }},
	} {
		t.Run(name, func(t *testing.T) {
			conn := dialScript(t, "* OK [CAPABILITY IMAP4rev1 IDLE] ready\r\n", tc.answers...)
			err := tc.run(conn)
			e, ok := errors.AsType[*Error](err)
			require.True(t, ok, "%v", err)
			assert.Equal(t, "BYE", e.Status)
			assert.Equal(t, "UNAVAILABLE", e.Code)
			assert.True(t, e.Temporary())
			assert.True(t, conn.Botched())
		})
	}
	conn := dialScript(t, hello, "* BYE bye\r\n")
	assert.NoError(t, conn.Logout(t.Context()), "a server that hangs up without a tagged OK")
}

// Where a server says what cannot be an answer, the connection is given up.
func TestClientOutOfStep(t *testing.T) {
	up := func(c *Conn) error {
		_, _, err := c.Append(context.Background(), "x", Upload{Body: strings.NewReader("x"), Size: 1})
		return err
	}
	for name, answer := range map[string]string{
		"OK in place of +":     "$TAG OK done\r\n",
		"another's tag":        "a99 OK\r\n",
		"no response":          "hm\r\n",
		"tag and nothing else": "$TAG \r\n",
		"data under a tag":     "$TAG FETCH (UID 1)\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			conn := dialScript(t, hello, answer)
			assert.Error(t, up(conn))
			assert.True(t, conn.Botched())
		})
	}
	// A refusal is none of these: what was not asked for is not sent.
	conn := dialScript(t, hello, "* 1 EXISTS\r\n$TAG NO [ALERT] full\r\n", "$TAG OK\r\n")
	alert := ""
	conn.Events.Alert = func(s string) { alert = s }
	e, ok := errors.AsType[*Error](up(conn))
	require.True(t, ok)
	assert.Equal(t, "full", e.Text)
	assert.Equal(t, "full", alert)
	assert.NoError(t, conn.Noop(t.Context()))
}

// A server may refuse the second of several messages; the dialogue goes on.
func TestClientMultiAppendRefusedInTheMiddle(t *testing.T) {
	two := []Upload{{Body: strings.NewReader("one\n"), Size: 4}, {Body: strings.NewReader("two\n"), Size: 4}}
	// The script takes the first message, its rest of a line and the second
	// announcement to be lines.
	conn := dialScript(t, "* OK [CAPABILITY IMAP4rev1 MULTIAPPEND] ready\r\n", "+ go\r\n", "", "a1 NO [TOOBIG] no\r\n", "$TAG OK\r\n")
	_, _, err := conn.Append(t.Context(), "x", two...)
	e, ok := errors.AsType[*Error](err)
	require.True(t, ok, "%v", err)
	assert.Equal(t, "TOOBIG", e.Code)
	rest, _ := io.ReadAll(two[1].Body)
	assert.Equal(t, "two\n", string(rest), "nobody asked for it")
	assert.NoError(t, conn.Noop(t.Context()))
}

// What callers get wrong is told before anything goes out, and costs nothing.
func TestClientMisuse(t *testing.T) {
	conn := dialScript(t, hello, "$TAG OK\r\n")
	ctx := t.Context()
	_, _, err := conn.Append(ctx, "x", Upload{})
	assert.ErrorIs(t, err, errUpload)
	_, _, err = conn.Append(ctx, "x", Upload{Body: strings.NewReader(""), Size: -1})
	assert.ErrorIs(t, err, errUpload)
	_, _, err = conn.Append(ctx, "x")
	assert.NoError(t, err)
	assert.Error(t, conn.Create(ctx, "x", "\\Sent\r\na9 DELETE x"))
	_, err = conn.Do(ctx, "NOOP\r\na9 DELETE x", "", nil)
	assert.Error(t, err)
	_, err = conn.Store(ctx, mailbox.SetOf(1), mailbox.AddFlags, mailbox.Flags{Keywords: "x\x00y"}, 0)
	assert.Error(t, err)
	for _, s := range []Section{{What: "MIME"}, {Binary: true, What: "TEXT"}, {What: "text"}, {Offset: -1}, {Part: "x"}} {
		for _, err := range conn.Fetch(ctx, allUIDs, Items{Bodies: []Section{s}}) {
			assert.ErrorIs(t, err, errSection)
		}
	}
	over, cancel := context.WithCancel(ctx)
	cancel()
	assert.ErrorIs(t, conn.Noop(over), context.Canceled)
	assert.False(t, conn.Botched())
	assert.NoError(t, conn.Noop(ctx))
}

// No method runs within another: not in loops, not in Events, not in what asks
// whether IDLE goes on.
func TestClientCallsWithinLoops(t *testing.T) {
	caps := "* OK [CAPABILITY IMAP4rev1 IDLE] ready\r\n"
	fetch := "* 1 FETCH (UID 1 FLAGS ())\r\n$TAG OK\r\n"
	conn := dialScript(t, caps, "* 1 EXISTS\r\n$TAG OK\r\n", fetch, "* 2 EXISTS\r\n$TAG OK\r\n", "+ idling\r\n* 3 EXISTS\r\n", "a4 OK\r\n", "$TAG OK\r\n")
	ctx := t.Context()
	_, err := conn.Select(ctx, "INBOX")
	require.NoError(t, err)
	for _, err := range conn.Fetch(ctx, allUIDs, Items{Flags: true}) {
		require.NoError(t, err)
		_, err := conn.Select(ctx, "Other")
		assert.ErrorIs(t, err, errBusy)
		assert.NotNil(t, conn.Selected(), "it is still open")
		assert.ErrorIs(t, conn.Idle(ctx, nil), errBusy)
		for _, err := range conn.Download(ctx, allUIDs, Section{}) {
			assert.ErrorIs(t, err, errBusy)
		}
	}
	conn.Events.Exists = func(uint32) { assert.ErrorIs(t, conn.Noop(ctx), errBusy) }
	require.NoError(t, conn.Noop(ctx))
	require.NoError(t, conn.Idle(ctx, func() bool {
		assert.ErrorIs(t, conn.Noop(ctx), errBusy)
		return false
	}))
	assert.NoError(t, conn.Noop(ctx))
}

// Closing within a loop ends the loop.
func TestClientClosesWithinLoop(t *testing.T) {
	conn := dialScript(t, hello, "* 1 FETCH (UID 1 FLAGS ())\r\n* 2 FETCH (UID 2 FLAGS ())\r\n")
	var last error
	for _, err := range conn.Fetch(t.Context(), allUIDs, Items{Flags: true}) {
		if last = err; err == nil {
			conn.Close()
		}
	}
	assert.Error(t, last)
	assert.Error(t, conn.Noop(t.Context()))
}

// News before the "+" of an IDLE, and behind its DONE, is asked about as well.
func TestIdleMissesNoNews(t *testing.T) {
	caps := "* OK [CAPABILITY IMAP4rev1 IDLE] ready\r\n"
	conn := dialScript(t, caps, "* 1 EXISTS\r\n+ idling\r\n", "a1 OK\r\n", "$TAG OK\r\n")
	require.NoError(t, conn.Idle(t.Context(), func() bool { return false }))
	require.NoError(t, conn.Noop(t.Context()))
	synctest.Test(t, func(t *testing.T) {
		conn := dialScript(t, caps, "+ idling\r\n", "* 1 EXISTS\r\na1 OK\r\n", "$TAG OK\r\n")
		require.NoError(t, conn.Idle(t.Context(), func() bool { return false }))
		require.NoError(t, conn.Noop(t.Context()))
	})
}

// A server that ends IDLE by itself is asked by NOOP from then on.
func TestIdleEndedByServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := dialScript(t, "* OK [CAPABILITY IMAP4rev1 IDLE] ready\r\n", "+ idling\r\na1 OK enough\r\n", "* 1 EXISTS\r\n$TAG OK\r\n")
		begun := time.Now()
		require.NoError(t, conn.Idle(t.Context(), func() bool { return false }))
		assert.Equal(t, time.Minute, time.Since(begun))
	})
	conn := dialScript(t, "* OK [CAPABILITY IMAP4rev1 IDLE] ready\r\n", "$TAG BAD no\r\n", "+ idling\r\na2 NO enough\r\n", "$TAG OK\r\n")
	for range 2 {
		_, refused := errors.AsType[*Error](conn.Idle(t.Context(), nil))
		assert.True(t, refused)
	}
	assert.NoError(t, conn.Noop(t.Context()))
}

// A context that ends in any phase ends the call, with its own error, and no
// later than a server has to end an IDLE.
func TestClientContextEndsEveryPhase(t *testing.T) {
	idle := "* OK [CAPABILITY IMAP4rev1 IDLE] ready\r\n"
	for name, tc := range map[string]struct {
		greeting string
		answers  []string
		run      func(ctx context.Context, c *Conn) error
		wait     time.Duration
	}{
		"greeting":     {"", nil, nil, time.Second},
		"command":      {hello, nil, func(ctx context.Context, c *Conn) error { return c.Noop(ctx) }, time.Second},
		"IDLE, no +":   {idle, nil, func(ctx context.Context, c *Conn) error { return c.Idle(ctx, nil) }, time.Second + idleGrace},
		"IDLE, no end": {idle, []string{"+ idling\r\n"}, func(ctx context.Context, c *Conn) error { return c.Idle(ctx, nil) }, time.Second + idleGrace},
		"literal": {hello, nil, func(ctx context.Context, c *Conn) error {
			_, _, err := c.Append(ctx, "x", Upload{Body: strings.NewReader("x"), Size: 1})
			return err
		}, time.Second},
		"poll": {hello, nil, func(ctx context.Context, c *Conn) error { return c.Idle(ctx, nil) }, time.Second},
		"body": {hello, []string{"* 1 FETCH (UID 1 BODY[] {10}\r\nabc"}, func(ctx context.Context, c *Conn) (err error) {
			for d, e := range c.Download(ctx, allUIDs, Section{}) {
				if err = e; e == nil {
					_, err = io.ReadAll(d.Body)
				}
			}
			return err
		}, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				begun := time.Now()
				conn, err := playServer(t, true, tc.greeting, tc.answers).Connect(ctx)
				if err == nil {
					defer conn.Close()
					err = tc.run(ctx, conn)
				}
				assert.ErrorIs(t, err, context.DeadlineExceeded)
				assert.Equal(t, tc.wait, time.Since(begun))
			})
		})
	}
}

// A server that goes on asking behind the end of an exchange gets no answer.
func TestClientEndlessChallenges(t *testing.T) {
	c := scripted(t, "* OK [CAPABILITY IMAP4rev1 AUTH=SCRAM-SHA-256 SASL-IR] ready\r\n", "+ !!!\r\n", "+ \r\n", "+ \r\n")
	c.Auth = &sasl.Credentials{User: "u", Password: "p", Cleartext: true}
	_, err := c.Connect(t.Context())
	assert.Error(t, err)
	// A server that says OK to somebody it did not prove itself to.
	c = scripted(t, "* OK [CAPABILITY IMAP4rev1 AUTH=SCRAM-SHA-256 SASL-IR] ready\r\n", "$TAG OK welcome\r\n")
	c.Auth = &sasl.Credentials{User: "u", Password: "p", Cleartext: true}
	conn, err := c.NewConn(t.Context(), mustDial(t, c))
	require.NoError(t, err)
	defer conn.Close()
	assert.Error(t, conn.Auth(t.Context(), c.Auth))
	assert.True(t, conn.Botched())
}

// Compression works with our own server, also where its words came together
// with the OK, and where IDLE breaks off a read.
func TestClientCompressesWithServer(t *testing.T) {
	store := testStore()
	text := "Subject: x\r\n\r\n" + strings.Repeat("all the same\r\n", 20_000)
	require.NoError(t, store.Put(t.Context(), "INBOX", mailbox.Flags{}, text))
	conn := dialServer(t, serverOf(store), Client{})
	ctx := t.Context()
	require.True(t, conn.Capabilities().Has("COMPRESS=DEFLATE"))
	require.NoError(t, conn.Compress(ctx))
	assert.Error(t, conn.Compress(ctx), "once")
	assert.Error(t, conn.StartTLS(ctx, nil), "not above it")
	_, err := conn.Select(ctx, "INBOX")
	require.NoError(t, err)
	for d, err := range conn.Download(ctx, AllUIDs(), Section{}) {
		require.NoError(t, err)
		b, err := io.ReadAll(d.Body)
		require.NoError(t, err)
		assert.Equal(t, text, string(b))
	}
	_, _, err = conn.Append(ctx, "INBOX", Upload{Body: strings.NewReader(text), Size: int64(len(text))})
	require.NoError(t, err)
	for range 3 {
		ctx, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
		assert.ErrorIs(t, conn.Idle(ctx, nil), context.DeadlineExceeded)
		cancel()
	}
	require.NoError(t, conn.Logout(ctx))
}

// early is a connection whose first words come in one read.
func TestClientCompressedWordsBehindOK(t *testing.T) {
	near, far := memnet.Pair(memnet.Addr("client"), memnet.Addr("server"))
	defer far.Close()
	conn, err := (&Client{}).NewConn(t.Context(), preloaded(t, near, far))
	require.NoError(t, err)
	defer conn.Close()
	var n uint32
	conn.Events.Exists = func(m uint32) { n = m }
	require.NoError(t, conn.Compress(t.Context()))
	require.NoError(t, conn.Noop(t.Context()))
	assert.EqualValues(t, 7, n)
}

// preloaded has the server say all it has to say at once.
func preloaded(t *testing.T, near, far net.Conn) net.Conn {
	var b strings.Builder
	b.WriteString(hello + "a1 OK DEFLATE active\r\n")
	d := newDeflater(&sink{Conn: far, w: &b})
	_, err := d.Write([]byte("* 7 EXISTS\r\na2 OK\r\n"))
	require.NoError(t, err)
	require.NoError(t, d.Flush())
	go func() { _, _ = io.WriteString(far, b.String()); _, _ = io.Copy(io.Discard, far) }()
	return near
}

// sink writes elsewhere.
type sink struct {
	net.Conn
	w io.Writer
}

func (s *sink) Write(p []byte) (int, error) { return s.w.Write(p) }

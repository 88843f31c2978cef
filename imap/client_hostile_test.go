package imap

import (
	"bufio"
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

// scripted is a server that answers each line with what the script says next,
// "$TAG" being the line's tag, and hangs up behind the last answer.
func scripted(t testing.TB, greeting string, answers ...string) *Client {
	return playServer(t, false, greeting, answers)
}

// playServer is scripted, or with hold a server that falls silent behind its
// last answer.
func playServer(t testing.TB, hold bool, greeting string, answers []string) *Client {
	return &Client{Addr: "imap.example.org:143", TLS: TLSNone, Dial: func(context.Context, string, string) (net.Conn, error) {
		c, s := memnet.Pair(memnet.Addr("client"), memnet.Addr("server"))
		done := make(chan struct{})
		t.Cleanup(func() { c.Close(); <-done })
		go func() {
			defer close(done)
			defer s.Close()
			r := bufio.NewReader(s)
			_, _ = io.WriteString(s, greeting)
			for _, a := range answers {
				line, err := r.ReadString('\n')
				if err != nil {
					return
				}
				tag, _, _ := strings.Cut(line, " ")
				_, _ = io.WriteString(s, strings.ReplaceAll(a, "$TAG", tag))
			}
			if hold {
				_, _ = io.Copy(io.Discard, r)
			}
		}()
		return c, nil
	}}
}

const hello = "* OK [CAPABILITY IMAP4rev1 UIDPLUS] ready\r\n"

// Row 2: what a server says in the clear behind its OK to STARTTLS is not taken
// for words that came over TLS.
func TestRowResponseInjection(t *testing.T) {
	c := scripted(t, "* OK ready\r\n", "$TAG OK begin\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n")
	c.TLS = TLSRequired
	_, err := c.Connect(t.Context())
	assert.ErrorContains(t, err, "in the clear behind STARTTLS")
}

// Row 2, the other half: what was told before TLS is forgotten.
func TestRowCapabilitiesBeforeTLS(t *testing.T) {
	conn, err := scripted(t, "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN X] ready\r\n", "$TAG OK begin\r\n").NewConn(t.Context(), mustDial(t, scripted(t, "* OK [CAPABILITY IMAP4rev1 X] ready\r\n", "$TAG OK begin\r\n")))
	require.NoError(t, err)
	defer conn.Close()
	require.True(t, conn.Capabilities().Has("X"))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_ = conn.StartTLS(ctx, nil) // no handshake comes
	assert.Nil(t, conn.Capabilities())
}

func mustDial(t *testing.T, c *Client) net.Conn {
	nc, err := c.Dial(t.Context(), "", "")
	require.NoError(t, err)
	return nc
}

// Row 3: a greeting of PREAUTH where TLS is required ends it before any command.
func TestRowPREAUTHDowngrade(t *testing.T) {
	c := scripted(t, "* PREAUTH welcome\r\n", "$TAG OK\r\n")
	c.TLS = TLSRequired
	_, err := c.Connect(t.Context())
	assert.True(t, IsTLS(err), "%v", err)
	conn, err := scripted(t, "* PREAUTH welcome\r\n").Connect(t.Context())
	require.NoError(t, err)
	conn.Close()
}

// Row 4: no password goes out in the clear.
func TestRowClientKeepsPassword(t *testing.T) {
	for _, caps := range []string{"IMAP4rev1", "IMAP4rev1 AUTH=PLAIN", "IMAP4rev1 LOGINDISABLED"} {
		c := scripted(t, "* OK [CAPABILITY "+caps+"] ready\r\n")
		c.Auth = &sasl.Credentials{User: "u", Password: "secret"}
		_, err := c.Connect(t.Context())
		assert.ErrorIs(t, err, errNoAuth, caps)
		assert.NotContains(t, err.Error(), "secret")
	}
	c := scripted(t, "* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] ready\r\n")
	c.Auth = &sasl.Credentials{User: "u", Password: "secret", Cleartext: true}
	_, err := c.Connect(t.Context())
	assert.ErrorIs(t, err, errNoAuth)
}

// Row 13: what callers pass on cannot end a command.
func TestRowClientCannotBeInjected(t *testing.T) {
	for _, bad := range []string{"x\r\na2 DELETE y", "x\" y", "x\ny", "(", "", "NIL", "{3}", "x\\"} {
		c := scripted(t, hello, "+ go\r\n", "$TAG OK\r\n")
		conn, err := c.Connect(t.Context())
		require.NoError(t, err)
		conn.caps["LITERAL+"] = true
		x := (&call{verb: "CREATE"}).str(conn, bad)
		require.NoError(t, conn.start(x))
		line := strings.TrimPrefix(string(conn.out), x.tag+" CREATE ")
		r := conn.values([]byte(strings.TrimSuffix(line, "\r\n")))
		if strings.Contains(bad, "\n") { // it has gone out already, as a literal
			assert.Equal(t, "\r\n", line)
		} else {
			v := r.next()
			assert.Equal(t, bad, v.text(), "%q", line)
			assert.False(t, r.more(), "%q", line)
		}
		conn.Close()
	}
	conn, err := scripted(t, hello).Connect(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	for _, err := range conn.Fetch(t.Context(), allUIDs, Items{Bodies: []Section{{Part: "1] BODY[2"}}}) {
		assert.ErrorIs(t, err, errSection)
	}
	for _, err := range conn.Fetch(t.Context(), allUIDs, Items{Bodies: []Section{{Fields: []string{"x\r\ny"}}}}) {
		assert.ErrorIs(t, err, errSection)
	}
}

// Servers that break the protocol end the session with a clear error.
func TestHostileServers(t *testing.T) {
	for name, tc := range map[string][2]string{
		"SMTP":                 {"220 mx.example.org ESMTP\r\n", ""},
		"nothing":              {"", ""},
		"garbage":              {"\x16\x03\x01\r\n", ""},
		"refused":              {"* BYE too busy\r\n", ""},
		"wrong tag":            {hello, "zz OK\r\n"},
		"half a response":      {hello, "* 1 EXI"},
		"huge literal":         {hello, "* 1 FETCH (BODY[] {9223372036854775807}\r\n"},
		"literal without end":  {hello, "* 1 FETCH (BODY[] {100}\r\nabc"},
		"unbalanced":           {hello, "* 1 FETCH (UID 1 FLAGS (\\Seen\r\n$TAG OK\r\n"},
		"deep":                 {hello, "* 1 FETCH (BODY " + strings.Repeat("(", 10_000) + "\r\n$TAG OK\r\n"},
		"expunge of nothing":   {hello, "* 0 EXPUNGE\r\n$TAG OK\r\n"},
		"vanished of nonsense": {hello, "* VANISHED x\r\n$TAG OK\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			c := scripted(t, tc[0], tc[1])
			if tc[1] == "" {
				c = scripted(t, tc[0])
			}
			conn, err := c.Connect(t.Context())
			if err == nil {
				defer conn.Close()
				conn.Events.Message = func(*Message) {}
				err = conn.Noop(t.Context())
				assert.True(t, conn.Botched())
			}
			assert.Error(t, err)
		})
	}
}

// What real servers send against the grammar is understood, and refused by the
// strict.
func TestDeviations(t *testing.T) {
	for name, tc := range map[string]struct {
		line string
		want func(t *testing.T, m *Message)
	}{
		"two spaces":     {"* 1 FETCH (UID 5  FLAGS (\\Seen  \\Answered))", func(t *testing.T, m *Message) { assert.Equal(t, `\Seen \Answered`, m.Flags.String()) }},
		"strange flags":  {"* 1 FETCH (UID 5 FLAGS (\\Seen NonJunk[1] \\* ))", func(t *testing.T, m *Message) { assert.True(t, m.Flags.Has(`\Seen`)) }},
		"8-bit subject":  {"* 1 FETCH (UID 5 ENVELOPE (NIL \"Cr\xc3\xaapes\" NIL NIL NIL NIL NIL NIL NIL NIL))", func(t *testing.T, m *Message) { assert.Equal(t, "Crêpes", m.Envelope.Subject) }},
		"short envelope": {"* 1 FETCH (UID 5 ENVELOPE (NIL \"x\"))", func(t *testing.T, m *Message) { assert.Equal(t, "x", m.Envelope.Subject) }},
		"quoted numbers": {"* 1 FETCH (UID \"5\" RFC822.SIZE \"12\")", func(t *testing.T, m *Message) { assert.EqualValues(t, 12, m.Size) }},
		"NIL lines": {"* 1 FETCH (UID 5 BODYSTRUCTURE (\"TEXT\" \"PLAIN\" NIL NIL NIL \"7BIT\" NIL NIL))",
			func(t *testing.T, m *Message) { assert.Equal(t, "text/plain", m.Structure.MediaType()) }},
		"bare disposition": {"* 1 FETCH (UID 5 BODYSTRUCTURE (\"image\" \"png\" NIL NIL NIL \"base64\" 10 NIL \"attachment\" NIL))",
			func(t *testing.T, m *Message) { assert.Equal(t, "attachment", m.Structure.Disposition) }},
		"empty multipart": {"* 1 FETCH (UID 5 BODYSTRUCTURE ((\"text\" \"plain\" (\"charset\") NIL NIL \"7bit\" 1 1)\"mixed\"))",
			func(t *testing.T, m *Message) { assert.Equal(t, "multipart/mixed", m.Structure.MediaType()) }},
		"date of one digit": {"* 1 FETCH (UID 5 INTERNALDATE \"2-Jan-2026 03:04:05 +0000\")", func(t *testing.T, m *Message) { assert.Equal(t, 2026, m.Received.Year()) }},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := scripted(t, hello, "* 3 EXISTS\r\n$TAG OK\r\n", tc.line+"\r\n$TAG OK\r\n").Connect(t.Context())
			require.NoError(t, err)
			defer conn.Close()
			_, err = conn.Select(t.Context(), "INBOX")
			require.NoError(t, err)
			n := 0
			for m, err := range conn.Fetch(t.Context(), mailbox.SetOf(5), Items{}) {
				require.NoError(t, err)
				tc.want(t, m)
				n++
			}
			assert.Equal(t, 1, n)
		})
	}
	c := scripted(t, hello, "* 1 EXISTS\n$TAG OK\n")
	conn, err := c.Connect(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	assert.NoError(t, conn.Noop(t.Context()), "bare LF")
	c = scripted(t, hello, "* 1 EXISTS\n$TAG OK\n")
	c.Strict = true
	strict, err := c.Connect(t.Context())
	require.NoError(t, err)
	defer strict.Close()
	assert.Error(t, strict.Noop(t.Context()))
}

// A server that falls silent at any point is given up after Timeouts.Command,
// and no loop hangs.
func TestSilentServer(t *testing.T) {
	answers := []string{"* 1 EXISTS\r\n$TAG OK\r\n", "* 1 FETCH (UID 1 BODY[] {10}\r\nabc"}
	for n := range len(answers) + 2 {
		synctest.Test(t, func(t *testing.T) {
			c := playServer(t, true, hello, answers[:max(n-1, 0)])
			if n == 0 {
				c = playServer(t, true, "", nil)
			}
			begun := time.Now()
			conn, err := c.Connect(t.Context())
			if err == nil {
				_, err = conn.Select(t.Context(), "INBOX")
				if err == nil {
					for d, err2 := range conn.Download(t.Context(), allUIDs, Section{}) {
						if err = err2; err == nil {
							_, err = io.ReadAll(d.Body)
						}
					}
				}
				conn.Close()
			}
			var ne net.Error
			assert.True(t, errors.As(err, &ne) && ne.Timeout(), "%d: %v", n, err)
			assert.Equal(t, defaultCommand, time.Since(begun))
		})
	}
}

// IDLE is said anew before the server loses patience.
func TestIdleIsRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		idle := []string{"+ idling\r\n"}
		c := playServer(t, true, "* OK [CAPABILITY IMAP4rev1 IDLE] ready\r\n", append(append(idle, "a1 OK\r\n"), "+ idling\r\n* 1 EXISTS\r\n", "a2 OK\r\n"))
		conn, err := c.Connect(t.Context())
		require.NoError(t, err)
		defer conn.Close()
		begun := time.Now()
		require.NoError(t, conn.Idle(t.Context(), func() bool { return false }))
		assert.Equal(t, idleFor, time.Since(begun))
	})
}

// FuzzClientResponses reads anything a server may say. The laws: no hang, no
// panic, no control character in what comes out as text.
func FuzzClientResponses(f *testing.F) {
	f.Add(hello + "* 2 EXISTS\r\n* OK [UIDVALIDITY 1] x\r\na1 OK [READ-WRITE] done\r\n* 1 FETCH (UID 1 FLAGS (\\Seen) ENVELOPE (NIL \"s\" ((\"n\" NIL \"a\" \"b\")) NIL NIL NIL NIL NIL NIL \"<i>\"))\r\na2 OK\r\n")
	f.Add(hello + "* LIST (\\Noselect) \"/\" \"a&AOk-\"\r\n* STATUS x (MESSAGES 1)\r\na1 OK\r\n")
	f.Add("* BYE [ALERT] x\r\n")
	f.Add(hello + "a1 NO [TRYCREATE] x\r\n")
	f.Add(hello + "* 1 FETCH (BODY[] {3}\r\nabc UID 1)\r\na1 OK\r\n")
	f.Add(hello + "a1 OK\r\n* 1 FETCH (UID 1 BODYSTRUCTURE ((\"text\" \"plain\" NIL NIL NIL \"7bit\" 1 1)(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 9 (NIL) (\"a\" \"b\" NIL NIL NIL NIL 1) 1) \"mixed\"))\r\na2 OK\r\n")
	f.Fuzz(func(t *testing.T, in string) {
		c, s := memnet.Pair(memnet.Addr("client"), memnet.Addr("server"))
		go func() {
			_, _ = io.WriteString(s, in)
			_ = s.CloseWrite()
			_, _ = io.Copy(io.Discard, s)
		}()
		defer s.Close()
		defer c.Close()
		client := &Client{MaxResponse: 1 << 16}
		conn, err := client.NewConn(context.Background(), c)
		if err != nil {
			checkClean(t, err.Error())
			return
		}
		conn.Events.List = func(m *MailboxInfo) {}
		ctx := context.Background()
		if _, err = conn.Select(ctx, "INBOX"); err != nil {
			checkClean(t, err.Error())
		}
		for m, err := range conn.Fetch(ctx, allUIDs, Items{Envelope: true}) {
			if err != nil {
				checkClean(t, err.Error())
				break
			}
			if e := m.Envelope; e != nil {
				checkClean(t, e.Subject+e.MessageID)
			}
			if p := m.Structure; p != nil {
				p.Walk(func(q *Part) bool { checkClean(t, q.Filename()+q.Type+q.Subtype); return true })
			}
		}
		for d, err := range conn.Download(ctx, allUIDs, Section{}) {
			if err == nil {
				_, _ = io.Copy(io.Discard, d.Body)
			}
		}
		_, _ = conn.Search(ctx, Text("x"))
	})
}

func checkClean(t *testing.T, s string) {
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		t.Errorf("control character in %q", s)
	}
}

package imap

import (
	"bufio"
	"bytes"
	"compress/flate"
	"context"
	"crypto/tls"
	"fmt"
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

	"github.com/postilion-mail/postilion/internal/testcert"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// The mistakes that IMAP servers have made before, each as a test.

// TestSTARTTLSInjection: what stands behind STARTTLS in the clear is never
// executed under TLS (CVE-2011-0411, CVE-2021-38542).
func TestSTARTTLSInjection(t *testing.T) {
	ca, err := testcert.New()
	require.NoError(t, err)
	s := serverOf(testStore())
	s.TLSConfig = ca.Server()
	p := connect(t, s)
	p.send("a STARTTLS\r\nb NOOP\r\n")
	assert.Equal(t, "a BAD Nothing may follow STARTTLS", p.line())
	assert.Equal(t, "* BYE Nothing may follow STARTTLS", p.line())
	_, err = p.r.ReadByte()
	assert.Error(t, err)
}

// What was said before TLS is forgotten after it.
func TestSTARTTLSForgets(t *testing.T) {
	ca, err := testcert.New()
	require.NoError(t, err)
	s := serverOf(testStore())
	s.TLSConfig = ca.Server()
	p := connect(t, s)
	p.fails("NONSENSE", "BAD")
	p.fails("NONSENSE", "BAD")
	p.ok("STARTTLS")
	p.conn = tls.Client(p.conn, ca.Client())
	p.r = bufio.NewReader(p.conn)
	p.fails("NONSENSE", "BAD")
	p.fails("NONSENSE", "BAD")
	assert.NotContains(t, p.ok("CAPABILITY")[0], "STARTTLS")
}

// TestLiteralDoS: literals cost what they bring, not what they announce, and
// what is too much is refused before it is sent (CVE-2024-34055,
// CVE-2024-37358).
func TestLiteralDoS(t *testing.T) {
	store := testStore()
	s := serverOf(store)
	for _, size := range []string{"8193", "4294967295", "9999999999999999999999"} {
		p := connect(t, s)
		p.fails("LOGIN {"+size+"}", "NO [TOOBIG]")
		p.fails("LOGIN {"+size+"}", "NO [TOOBIG]")
		if size == "8193" {
			p.send("x LOGIN {8193+}\r\n" + strings.Repeat("x", 8193) + "\r\n")
			assert.Contains(t, p.line(), "x NO [TOOBIG]")
			continue
		}
		p.send("x LOGIN {" + size + "+}\r\n")
		assert.Contains(t, p.line(), "BYE [TOOBIG]", "it cannot be read over")
	}
	p := connect(t, s)
	p.send("x LOGIN" + strings.Repeat(" {1+}\r\na", 9) + "\r\n")
	assert.Contains(t, p.line(), "x NO [TOOBIG]")
	p = login(t, s)
	p.send("x LIST (" + strings.Repeat("{1+}\r\na ", 10_000) + "\r\n")
	assert.Contains(t, p.line(), "x NO [TOOBIG]")
	p.ok("NOOP")
	before := heap()
	for range 100 {
		p := login(t, s)
		p.send("x CREATE {200000}\r\n")
		assert.Equal(t, "+ Go on", p.line())
	}
	assert.Less(t, heap()-before, int64(100*200_000), "nothing is taken before it comes: the sessions and both ends of their tests are less than what was announced")
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestLiteralMinus: RFC 7888 §5 has 4096 octets at most where LITERAL- is
// offered.
func TestLiteralMinus(t *testing.T) {
	s := serverOf(testStore())
	s.Without = []string{"LITERAL+"}
	p := login(t, s)
	caps := p.ok("CAPABILITY")[0]
	assert.Contains(t, caps, " LITERAL-")
	assert.NotContains(t, caps, "LITERAL+")
	p.send("a CREATE {4097+}\r\n" + strings.Repeat("x", 4097) + "\r\n")
	assert.Contains(t, p.line(), "a BAD")
	p.send("b CREATE {900+}\r\n" + strings.Repeat("x", 900) + "\r\n")
	assert.Contains(t, p.line(), "b OK")
}

// TestLineLength: 8192 octets are taken (RFC 7162 §4), and 64 KiB; what is longer
// ends the connection, since nobody knows where it ends.
func TestLineLength(t *testing.T) {
	store := testStore()
	put(t, store, "INBOX", 1)
	p := enter(t, serverOf(store), "INBOX")
	for _, n := range []int{8192, 64<<10 - 2} {
		p.ok("UID FETCH 1" + strings.Repeat(",1", (n-len("t12 UID FETCH 1 FLAGS"))/2) + " FLAGS")
	}
	p.send("x UID FETCH 1" + strings.Repeat(",1", 40_000) + " FLAGS\r\n")
	assert.Equal(t, "* BYE [TOOBIG] Command line is too long", p.line())
	q := connect(t, serverOf(store))
	q.send("x NOOP " + strings.Repeat("x", 20_000) + "\r\n")
	assert.Equal(t, "* BYE [TOOBIG] Command line is too long", q.line())
}

// TestOverlongLineCannotHideALiteral: the rest of a line that was too long may
// announce a literal, whose octets somebody else has chosen.
func TestOverlongLineCannotHideALiteral(t *testing.T) {
	p := login(t, serverOf(testStore()))
	p.send("x APPEND " + strings.Repeat("x", 70_000) + " {9+}\r\na LOGOUT\r\n\r\n")
	assert.Equal(t, "* BYE [TOOBIG] Command line is too long", p.line())
	_, err := p.r.ReadByte()
	assert.Error(t, err, "nothing of it was executed")
}

// TestNesting: parentheses and keys nest so deep and no deeper
// (CVE-2026-27857).
func TestNesting(t *testing.T) {
	store := testStore()
	put(t, store, "INBOX", 1)
	p := connect(t, serverOf(store))
	p.fails("NOOP "+strings.Repeat("(", 4000), "BAD")
	p.ok("LOGIN alice secret")
	p.ok("SELECT INBOX")
	for _, k := range []string{strings.Repeat("(", 4000), strings.Repeat("NOT ", 4000) + "ALL", strings.Repeat("OR ALL ", 4000) + "ALL", strings.Repeat("FUZZY ", 4000) + "ALL"} {
		p.fails("SEARCH "+k, "BAD")
	}
	for _, c := range []string{"LIST " + strings.Repeat("(", 4000), "FETCH 1 " + strings.Repeat("(", 4000), "ID " + strings.Repeat("(", 4000), "STORE 1 FLAGS " + strings.Repeat("(", 4000)} {
		p.fails(c, "BAD")
		p.ok("NOOP")
	}
	p.ok("SEARCH " + strings.Repeat("NOT ", 90) + "ALL")
	p.fails("SEARCH "+strings.Repeat("ALL ", 1001)+"ALL", "BAD")
}

// TestHugeSets: a set costs what its text costs.
func TestHugeSets(t *testing.T) {
	store := testStore()
	p := enter(t, serverOf(store), "INBOX")
	start := time.Now()
	assert.Empty(t, p.ok("UID FETCH 1:4294967295 FLAGS"))
	assert.Empty(t, p.ok("UID FETCH 4294967295:1,1:* FLAGS"))
	assert.Empty(t, p.ok("UID STORE 1:4294967295 +FLAGS (\\Seen)"))
	assert.Empty(t, p.ok("UID COPY 1:4294967295 INBOX"))
	assert.Equal(t, []string{"SEARCH"}, p.ok("SEARCH UID 1:4294967295 1:4294967295"))
	p.fails("FETCH 1:* FLAGS", "BAD") // RFC 9051 §9: seq-number
	p.fails("FETCH * FLAGS", "BAD")
	for _, bad := range []string{"0", "1:0", "0:*", "-1", "1:", "a"} {
		p.fails("FETCH "+bad+" FLAGS", "BAD")
		p.ok("NOOP")
	}
	p.ok("ENABLE QRESYNC")
	p.ok("SELECT INBOX (QRESYNC (1000 1 1:4294967295))")
	p.ok("UID FETCH 1:4294967295 FLAGS (CHANGEDSINCE 1 VANISHED)")
	assert.Less(t, time.Since(start), time.Minute)
}

// TestWildcards: patterns cost length times length (CVE-2021-40110).
func TestWildcards(t *testing.T) {
	store := testStore()
	_, err := store.Create(context.Background(), strings.Repeat("a", 900))
	require.NoError(t, err)
	p := login(t, serverOf(store))
	start := time.Now()
	assert.Empty(t, p.ok(`LIST "" `+strings.Repeat("%*", 900)+"b"))
	assert.Empty(t, p.ok(`LIST "" `+strings.Repeat("a*", 900)+"b"))
	assert.Len(t, p.ok(`LIST "" `+strings.Repeat("%*", 900)+"a"), 1)
	assert.Less(t, time.Since(start), time.Minute)
}

func TestPatterns(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"*", "a/b", true}, {"%", "a/b", false}, {"%", "a", true}, {"a/%", "a/b", true}, {"a*", "a/b/c", true},
		{"%/%", "a/b", true}, {"%/%", "a/b/c", false}, {"", "a", false}, {"", "", true}, {"*", "", true}, {"%b*d", "xb/cd", true},
		{"inbox", "INBOX", true}, {"InBox/a", "INBOX/a", true}, {"INBOX/A", "INBOX/a", false}, {"a", "A", false}, {"*%", "a/b", true}, {"a%*", "a/b", true},
	} {
		assert.Equal(t, c.want, newPattern(c.pattern).match(c.name), "%q of %q", c.pattern, c.name)
	}
}

// TestNames: what would lead out of the tree, or into a line of its own, is no
// name. The store never sees it.
func TestNames(t *testing.T) {
	p := login(t, serverOf(testStore()))
	for _, name := range []string{`""`, "../x", "a//b", "/a", ".", "a/../b", "&AC4ALg-", "&AAA-", "&AAo-", `"a` + "\x01" + `"`, strings.Repeat("x", 1001),
		strings.Repeat("a/", 70) + "a", "&ICg-", "&APw", "&2D0-", `"//"`} {
		for _, verb := range []string{"CREATE", "SELECT", "SUBSCRIBE", "DELETE", "RENAME INBOX"} {
			_, reply := p.do(verb + " " + name)
			assert.True(t, strings.HasPrefix(reply, "NO") || strings.HasPrefix(reply, "BAD"), "%s %s: %s", verb, name, reply)
			p.ok("NOOP")
		}
	}
	p.send("x CREATE {12+}\r\na\r\n* BYE b\r\n\r\n")
	assert.Contains(t, p.line(), "x NO")
	p.ok("NOOP")
	assert.Len(t, p.ok(`LIST "" *`), 1)
}

// TestResponseInjection: whatever a message holds, it stays within its response.
func TestResponseInjection(t *testing.T) {
	store := testStore()
	text := "Subject: a\r* BYE b\x00\"\\\r\nFrom: \"x\r* BYE\" <a\"b@c>\r\nContent-Type: text/\"plain\r; charset=\"}\r\n\r\nx\x00y\r\n"
	in := &mailbox.Incoming{Body: strings.NewReader(text)}
	mb, err := mailbox.OpenName(context.Background(), store, "INBOX")
	require.NoError(t, err)
	_, err = mb.Append(context.Background(), mailbox.One(in))
	require.NoError(t, err)
	p := enter(t, serverOf(store), "INBOX")
	for _, item := range []string{"ENVELOPE", "BODY", "BODYSTRUCTURE", "BODY[]", "BODY[HEADER.FIELDS (SUBJECT)]", "PREVIEW", "BODY[1.MIME]"} {
		got := p.ok("FETCH 1 (UID " + item + ")")
		require.Len(t, got, 1, item)
		assert.NotContains(t, got[0], "\x00", item)
		p.ok("NOOP")
	}
	// as BINARY it comes as it is (RFC 3516 §4.2)
	got := p.ok("FETCH 1 BINARY.PEEK[1]")
	assert.Contains(t, got[0], "BINARY[1] ~{5}\r\nx\x00y\r\n")
}

// TestBeforeLogin: who does not log in is soon gone.
func TestBeforeLogin(t *testing.T) {
	s := serverOf(testStore())
	p := connect(t, s)
	p.fails("XYZZY", "BAD")
	p.fails("XYZZY", "BAD")
	p.fails("XYZZY", "BAD")
	assert.Equal(t, "* BYE Too many errors", p.line())

	p = connect(t, s)
	p.fails("LOGIN alice wrong", "NO [AUTHENTICATIONFAILED]")
	p.fails("LOGIN nobody wrong", "NO [AUTHENTICATIONFAILED]")
	p.fails("LOGIN alice wrong", "NO [AUTHENTICATIONFAILED]")
	assert.Equal(t, "* BYE Too many failed logins", p.line())

	for _, first := range []string{"GET / HTTP/1.1", "EHLO example.org", "\x16\x03\x01", ""} {
		p = connect(t, s)
		p.send(first + "\r\na NOOP\r\n")
		assert.Equal(t, "* BYE This is an IMAP server", p.line(), "%q", first)
	}
	p = connect(t, s)
	p.send("a NOOP\n")
	assert.Equal(t, "* BYE Lines end in CRLF", p.line())
}

// TestTimeouts: each wait has an end.
func TestTimeouts(t *testing.T) {
	for _, c := range []struct {
		name string
		run  func(p *peer)
		want string
		wait time.Duration
	}{
		{"login", func(p *peer) { time.Sleep(50 * time.Second); p.ok("NOOP") }, "Login took too long", time.Minute},
		{"command", func(p *peer) { p.ok("LOGIN alice secret") }, "Autologout", 30 * time.Minute},
		{"idle", func(p *peer) { p.ok("LOGIN alice secret"); p.ok("SELECT INBOX"); p.send("x IDLE\r\n"); p.line() }, "Autologout", 30 * time.Minute},
		{"literal", func(p *peer) { p.ok("LOGIN alice secret"); p.send("x CREATE {5}\r\n"); p.line() }, "Autologout", 3 * time.Minute},
		{"message", func(p *peer) { p.ok("LOGIN alice secret"); p.send("x APPEND INBOX {5}\r\n"); p.line(); p.send("abc") }, "", 3 * time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serverOf(testStore())
				p := connect(t, s)
				start := time.Now()
				c.run(p)
				_ = p.conn.SetDeadline(time.Time{})
				rest, _ := io.ReadAll(p.r)
				assert.Contains(t, string(rest), c.want)
				assert.WithinDuration(t, start.Add(c.wait), time.Now(), time.Minute)
			})
		})
	}
}

// TestPipelining: commands run in order, also those that change what numbers
// mean (RFC 9051 §5.5).
func TestPipelining(t *testing.T) {
	store := testStore()
	put(t, store, "INBOX", 1, 2, 3)
	p := enter(t, serverOf(store), "INBOX")
	p.send("a STORE 1 +FLAGS.SILENT (\\Deleted)\r\nb EXPUNGE\r\nc FETCH 1 UID\r\nd SEARCH ALL\r\ne APPEND INBOX {3+}\r\na:b\r\nf UID FETCH 2:* UID\r\n")
	for _, want := range []string{"a OK STORE completed", "* 1 EXPUNGE", "b OK EXPUNGE completed", "* 1 FETCH (UID 2)", "c OK FETCH completed", "* SEARCH 1 2", "d OK SEARCH completed",
		"* 3 EXISTS", "* 3 RECENT", "e OK [APPENDUID 1000 4] APPEND completed", "* 1 FETCH (UID 2)", "* 2 FETCH (UID 3)", "* 3 FETCH (UID 4)", "f OK UID FETCH completed"} {
		assert.Equal(t, want, p.line())
	}
}

// TestHostileMIME: what was built to be deep is answered all the same.
func TestHostileMIME(t *testing.T) {
	store := testStore()
	var b strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i)
	}
	require.NoError(t, store.Put(context.Background(), "INBOX", mailbox.Flags{}, b.String(), "Content-Type: multipart/mixed; boundary=b\n\n"+strings.Repeat("--b\n\n", 20_000),
		"To: "+strings.Repeat("a@b,", 20_000)+"\n\n", "Content-Type: a/b; "+strings.Repeat("x*0=y; ", 20_000)+"\n\n"))
	p := enter(t, serverOf(store), "INBOX")
	// That the time for these is linear is shown where they are parsed, in mime.
	assert.Len(t, p.ok("FETCH 1:* (ENVELOPE BODYSTRUCTURE)"), 4)
	p.ok("SEARCH TEXT x")
}

// TestAppendIsWhole: what was not sent to its end is not there, and a message
// that has no room is refused before it is sent.
func TestAppendIsWhole(t *testing.T) {
	store := testStore()
	s := serverOf(store)
	p, other := login(t, s), enter(t, s, "INBOX")
	p.send("a APPEND INBOX {100}\r\n")
	assert.Equal(t, "+ Go on", p.line())
	p.send("Subject: half")
	assert.Empty(t, other.ok("NOOP"))
	p.conn.Close()
	assert.Empty(t, other.ok("NOOP"))
	p = login(t, s)
	p.ok(`SETQUOTA "" (MESSAGE 1)`)
	p.send("a APPEND INBOX {3+}\r\na:b {3+}\r\nc:d\r\n")
	assert.Contains(t, p.line(), "a NO [OVERQUOTA]")
	p.ok("NOOP")
	assert.Empty(t, other.ok("NOOP"), "all or none")
	p.send("b APPEND INBOX {3+}\r\na\x00b\r\n")
	assert.Contains(t, p.line(), "b BAD NUL")
	p.send("c APPEND INBOX ~{3+}\r\na\x00b\r\n")
	assert.Contains(t, p.line(), "c OK")
	p.fails("APPEND INBOX {3}", "NO [OVERQUOTA]")
}

// TestCompressPartialFlush: a client may end each command with a
// Z_PARTIAL_FLUSH, behind which the last octets of the command stand in a block
// that is not over (golang/go#31514).
func TestCompressPartialFlush(t *testing.T) {
	p := login(t, serverOf(testStore()))
	p.ok("COMPRESS DEFLATE")
	raw := p.conn
	p.r = bufio.NewReader(flate.NewReader(raw))
	// A stored block that is announced longer than what has come yet: the line
	// is whole although the block is not.
	p.deadline()
	line := "a NOOP\r\n"
	n := len(line) + 100
	block := append([]byte{0, byte(n), byte(n >> 8), ^byte(n), ^byte(n >> 8)}, line...)
	go raw.Write(block)
	assert.Equal(t, "a OK NOOP completed", p.line())
	// And one of fixed codes, cut right behind its last symbol, without the
	// empty stored block of a Z_SYNC_FLUSH.
	rest := append(bytes.Repeat([]byte("0"), 98), "\r\n"...)
	var fixed bytes.Buffer
	w, err := flate.NewWriter(&fixed, 9)
	require.NoError(t, err)
	_, _ = w.Write([]byte("b NOOP\r\n"))
	require.NoError(t, w.Flush())
	go raw.Write(append(rest, fixed.Bytes()[:fixed.Len()-5]...))
	assert.Contains(t, p.line(), "BAD")
	assert.Equal(t, "b OK NOOP completed", p.line())
}

// TestCompress: both ways, with literals, and not twice (RFC 4978 §3).
func TestCompress(t *testing.T) {
	store := testStore()
	put(t, store, "INBOX", 1, 2, 3)
	s := serverOf(store)
	p, other := enter(t, s, "INBOX"), enter(t, s, "INBOX")
	p.send("x COMPRESS DEFLATE\r\ny NOOP\r\n")
	assert.Equal(t, "x BAD Nothing may follow COMPRESS", p.line())
	p.line()
	p.ok("COMPRESS DEFLATE")
	z := &zipped{Conn: p.conn}
	z.w, _ = flate.NewWriter(p.conn, 9)
	z.r = flate.NewReader(p.conn)
	p.conn, p.r = z, bufio.NewReader(z.r)
	assert.Len(t, p.ok("FETCH 1:* BODY[]"), 3)
	p.fails("COMPRESS DEFLATE", "BAD")
	assert.NotContains(t, p.ok("CAPABILITY")[0], "COMPRESS")
	p.send("x IDLE\r\n")
	assert.Equal(t, "+ idling", p.line())
	other.ok("STORE 1 FLAGS (\\Draft)")
	assert.Contains(t, p.line(), `* 1 FETCH (FLAGS (\Draft`)
	p.send("DONE\r\n")
	assert.Contains(t, p.line(), "x OK")
	p.send("x NOOP " + strings.Repeat("a", 1<<20) + "\r\n") // 1 KB on the wire
	assert.Equal(t, "* BYE [TOOBIG] Command line is too long", p.line())
}

// zipped is a client's compressed connection.
type zipped struct {
	net.Conn
	mu sync.Mutex // the server may answer before all of a flush is read
	w  *flate.Writer
	r  io.Reader
}

func (z *zipped) Write(p []byte) (int, error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	n, err := z.w.Write(p)
	if err == nil {
		err = z.w.Flush()
	}
	return n, err
}

// TestLargeID: 30 fields of 1024 octets are taken (RFC 2971 §3.3).
func TestLargeID(t *testing.T) {
	p := login(t, serverOf(testStore()))
	field := func(i, n int) string { return fmt.Sprintf(`"field%02d" "%s" `, i, strings.Repeat("x", n)) }
	var b strings.Builder
	for i := range 30 {
		b.WriteString(field(i, 1024))
	}
	p.ok("ID (" + strings.TrimSpace(b.String()) + ")")
	p.fails("ID ("+b.String()+field(31, 1)[:13]+")", "BAD")
	p.fails("ID ("+strings.TrimSpace(field(1, 1025))+")", "BAD")
}

// TestShutdown: who waits is told, who works may finish.
func TestShutdown(t *testing.T) {
	store := testStore()
	s := serverOf(store)
	waiting, idling := enter(t, s, "INBOX"), enter(t, s, "INBOX")
	busy := login(t, s)
	idling.send("x IDLE\r\n")
	assert.Equal(t, "+ idling", idling.line())
	busy.send("a APPEND INBOX {3}\r\n")
	assert.Equal(t, "+ Go on", busy.line())
	done := make(chan error)
	go func() { done <- s.Shutdown(context.Background()) }()
	assert.Equal(t, "* BYE [UNAVAILABLE] Server is shutting down", waiting.line())
	assert.Equal(t, "* BYE [UNAVAILABLE] Server is shutting down", idling.line())
	busy.send("a:b\r\n")
	assert.Contains(t, busy.line(), "a OK [APPENDUID")
	assert.Equal(t, "* BYE [UNAVAILABLE] Server is shutting down", busy.line())
	assert.NoError(t, <-done)
}

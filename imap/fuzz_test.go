package imap

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postilion-mail/postilion/imap/internal/wire"
	"github.com/postilion-mail/postilion/spool/mailbox"
	"github.com/postilion-mail/postilion/spool/mailbox/memory"
)

// fuzzStates bring a session where the input is to meet it.
var fuzzStates = []string{
	"",
	"a LOGIN alice secret\r\n",
	"a LOGIN alice secret\r\nb SELECT INBOX\r\n",
	"a LOGIN alice secret\r\nb EXAMINE INBOX\r\n",
	"a LOGIN alice secret\r\nb ENABLE IMAP4rev2 QRESYNC UTF8=ACCEPT\r\nc SELECT INBOX\r\n",
	"a LOGIN alice secret\r\nb SELECT INBOX\r\nc ENABLE UIDONLY\r\n",
	"a LOGIN alice secret\r\nb SELECT INBOX\r\nc IDLE\r\n",
	"a LOGIN alice secret\r\nb SELECT INBOX\r\nc NOTIFY SET (selected (MessageNew (UID) MessageExpunge)) (personal (MailboxName))\r\n",
	"a LOGIN alice secret\r\nb SELECT INBOX\r\nc UID SEARCH RETURN (SAVE UPDATE) UNSEEN\r\n",
	"a LOGIN alice secret\r\nb APPEND INBOX {100+}\r\n",
	"a AUTHENTICATE PLAIN\r\n",
}

// FuzzServer: whatever comes in whatever state, the server answers in lines and
// literals that a client can read, nothing panics, and the mailbox is in order
// afterwards.
func FuzzServer(f *testing.F) {
	paths, _ := filepath.Glob("testdata/*.txt")
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		var said strings.Builder
		for l := range strings.Lines(string(b)) {
			if c, is := strings.CutPrefix(strings.TrimSuffix(l, "\n"), "C: "); is && !strings.Contains(c, "LOGIN") {
				said.WriteString(c + "\r\n")
			}
		}
		for i := range fuzzStates {
			f.Add(uint8(i), []byte(said.String()))
		}
	}
	f.Fuzz(func(t *testing.T, state uint8, input []byte) {
		store := &memory.Store{User: "alice", UIDValidity: 1000, MaxBytes: 1 << 20, MaxMailboxes: 50, Now: func() time.Time { return testNow }}
		put(t, store, "INBOX", 1, 2)
		if err := store.Put(context.Background(), "INBOX", mailbox.Flags{}, goldenMIME); err != nil {
			t.Fatal(err)
		}
		log := &panics{}
		s := serverOf(store)
		s.Log = slog.New(log)
		s.Limits.MessageBytes = 64 << 10
		out := converse(s, fuzzStates[int(state)%len(fuzzStates)]+string(input))
		if log.text != "" {
			t.Fatalf("panic: %s", log.text)
		}
		checkResponses(t, out)
		p := enter(t, serverOf(store), "INBOX")
		p.ok("UID FETCH 1:* (FLAGS ENVELOPE BODYSTRUCTURE)")
	})
}

// converse says all of the input, hangs up, and returns the answers.
func converse(s *Server, input string) []byte {
	c, srv := net.Pipe()
	done := make(chan struct{})
	go func() { defer close(done); _ = s.ServeConn(context.Background(), srv) }()
	var out bytes.Buffer
	read := make(chan struct{})
	go func() { defer close(read); _, _ = io.Copy(&out, c) }()
	_ = c.SetWriteDeadline(time.Now().Add(10 * time.Second))
	_, _ = io.WriteString(c, input)
	c.Close() // all was read
	<-done
	<-read
	return out.Bytes()
}

// panics catches what the server logs of a panic.
type panics struct{ text string }

func (*panics) Enabled(context.Context, slog.Level) bool { return true }
func (p *panics) WithAttrs([]slog.Attr) slog.Handler     { return p }
func (p *panics) WithGroup(string) slog.Handler          { return p }
func (p *panics) Handle(_ context.Context, r slog.Record) error {
	if strings.Contains(r.Message, "panicked") {
		r.Attrs(func(a slog.Attr) bool { p.text += a.String() + "\n"; return true })
	}
	return nil
}

// checkResponses reads as a client does: lines that begin with a tag, "*" or "+",
// and literals where they are announced. Behind COMPRESS nothing is looked at.
func checkResponses(t *testing.T, out []byte) {
	t.Helper()
	if bytes.Contains(out, []byte("DEFLATE active")) {
		return
	}
	for rest := out; len(rest) > 0; {
		var response []byte
		for {
			i := bytes.Index(rest, []byte("\r\n"))
			if i < 0 {
				return // cut by the end
			}
			line := rest[:i]
			response, rest = append(append(response, line...), "\r\n"...), rest[i+2:]
			lit, _, is := wire.LiteralAt(line)
			if !is || response[0] == '+' {
				break
			}
			if lit.Size > int64(len(rest)) {
				return
			}
			response, rest = append(response, rest[:lit.Size]...), rest[lit.Size:]
		}
		first, _, _ := bytes.Cut(response, []byte(" "))
		if !bytes.Equal(first, []byte("*")) && !bytes.Equal(first, []byte("+")) && !wire.IsTag(first) {
			t.Fatalf("%q is no response", response)
		}
	}
}

// FuzzSearchKeys: keys cost no more than their limits, and what can be read can
// be evaluated.
func FuzzSearchKeys(f *testing.F) {
	for _, s := range []string{"ALL", "OR (SEEN NOT FLAGGED) SUBJECT x", "1:* UID 2 LARGER 5 SINCE 1-Feb-1994", `HEADER X "" KEYWORD $x TEXT {2+}` + "\r\nab", "$ MODSEQ 5 OLDER 3", "NOT NOT NOT ALL"} {
		f.Add(s)
	}
	store := testStore()
	put(f, store, "INBOX", 1, 2, 3)
	s := serverOf(store)
	s.init()
	mb, err := mailbox.OpenName(context.Background(), store, "INBOX")
	if err != nil {
		f.Fatal(err)
	}
	d, err := mb.Changes(context.Background(), 0)
	if err != nil {
		f.Fatal(err)
	}
	x := emptyIndex.apply(d)
	f.Fuzz(func(t *testing.T, text string) {
		c := &conn{srv: s, store: store, ctx: context.Background()}
		c.sel = &view{mb: mb, sh: &shared{}, base: x}
		p := parser{Lexer: wire.NewLexer([]byte(text)), c: c}
		k := p.keys()
		if r := p.done(); r.status != "" {
			return
		}
		if n := countKeys(k); n > s.limits.SearchKeys+1 {
			t.Errorf("%d keys", n)
		}
		found, _, err := c.evaluate(k, x, mb, viewKey{})
		if err != nil {
			t.Fatal(err)
		}
		not, _, err := c.evaluate(&key{kind: keyNot, kids: []*key{k}}, x, mb, viewKey{})
		if err != nil || len(found)+len(not) != int(x.n) {
			t.Errorf("%d match and %d do not, of %d: %v", len(found), len(not), x.n, err)
		}
	})
}

func countKeys(k *key) int {
	n := 1
	for _, kid := range k.kids {
		n += countKeys(kid)
	}
	return n
}

// FuzzURL: what is no URL of a message here is refused, and nothing else
// happens.
func FuzzURL(f *testing.F) {
	f.Add("/INBOX;UIDVALIDITY=1000/;UID=1/;SECTION=1.2/;PARTIAL=0.10")
	f.Add("/a%2Fb/;uid=4294967295")
	f.Fuzz(func(t *testing.T, s string) {
		u, err := parseURL(s)
		if err == nil && (u.uid == 0 || !validSpec(u.section) || u.partial != nil && (u.partial.from < 0 || u.partial.size < 1)) {
			t.Errorf("%q is %+v", s, u)
		}
	})
}

// FuzzBaseSubject: the base of a base is itself, and no longer.
func FuzzBaseSubject(f *testing.F) {
	for _, s := range []string{"Re: [list] Fwd: hello (fwd)", "[fwd: x]", "[a][b]", "re[2]: x", "Re: Re : re [x] : y", "(fwd)(fwd)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		base, _ := baseSubject(s)
		if again, _ := baseSubject(base); again != base {
			t.Errorf("%q -> %q -> %q", s, base, again)
		}
		if len(base) > len(s) {
			t.Errorf("%q grew to %q", s, base)
		}
	})
}

// FuzzPattern: LIST matching agrees with the plainest matcher.
func FuzzPattern(f *testing.F) {
	f.Add("a%b*", "a/b")
	f.Fuzz(func(t *testing.T, p, name string) {
		if len(p) > 12 || len(name) > 20 || strings.HasPrefix(wire.Upper(name), "INBOX") {
			return
		}
		if got, want := newPattern(p).match(name), naiveMatch(p, name); got != want {
			t.Errorf("%q of %q: %v", p, name, got)
		}
	})
}

func naiveMatch(p, s string) bool {
	switch {
	case p == "":
		return s == ""
	case p[0] == '*' || p[0] == '%':
		for i := 0; ; i++ {
			if naiveMatch(p[1:], s[i:]) {
				return true
			}
			if i == len(s) || p[0] == '%' && s[i] == '/' {
				return false
			}
		}
	}
	return s != "" && s[0] == p[0] && naiveMatch(p[1:], s[1:])
}

package imap

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/imap/internal/wire"
	"github.com/postilion-mail/postilion/mime"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// TestBaseSubject holds RFC 5256 §2.1.
func TestBaseSubject(t *testing.T) {
	for _, c := range []struct {
		in, base string
		reply    bool
	}{
		{"hello", "hello", false},
		{"Re: hello", "hello", true},
		{"RE:hello", "hello", true},
		{"Re  : hello", "hello", true},
		{"Fw: hello", "hello", true},
		{"Fwd: Re: hello", "hello", true},
		{"Re[2]: hello", "hello", true},
		{"[list] hello", "hello", false},
		{"[list] Re: [list] hello", "hello", true},
		{"Re: [a] [b] hello", "hello", true},
		{"hello (fwd)", "hello", true},
		{"hello (fwd) (FWD) ", "hello", true},
		{"[Fwd: hello]", "hello", true},
		{"[fwd: Re: hello (fwd)]", "hello", true},
		{"[list]", "[list]", false},
		{"Re: [list]", "[list]", true},
		{"", "", false},
		{"Re:", "", true},
		{"Regarding this", "Regarding this", false},
		{"[broken hello", "[broken hello", false},
		{"hello   world\t!", "hello world !", false},
		{"[a[b] hello", "[a[b] hello", false},
	} {
		base, reply := baseSubject(c.in)
		assert.Equal(t, c.base, base, "%q", c.in)
		assert.Equal(t, c.reply, reply, "%q", c.in)
	}
}

// TestThreads builds conversations as RFC 5256 §3 has them.
func TestThreads(t *testing.T) {
	for _, c := range []struct {
		name string
		mail []string // "id|references|subject"
		want string
	}{
		{"one", []string{"1||a"}, "(1)"},
		{"chain", []string{"1||a", "2|1|Re: a", "3|1 2|Re: a"}, "(1 2 3)"},
		{"branch", []string{"1||a", "2|1|Re: a", "3|1|Re: a"}, "(1 (2)(3))"},
		{"out of order", []string{"3|1 2|Re: a", "1||a", "2|1|Re: a"}, "(2 3 1)"},
		{"root missing", []string{"2|1|Re: a", "3|1|Re: a"}, "((1)(2))"},
		{"middle missing", []string{"1||a", "3|1 2|Re: a"}, "(1 2)"},
		{"by subject", []string{"1||a", "2||Re: a"}, "(1 2)"},
		{"two answers alone", []string{"1||Re: a", "2||Re: a"}, "((1)(2))"},
		{"two alike", []string{"1||a", "2||a"}, "((1)(2))"},
		{"three alike", []string{"1||a", "2||a", "3||a"}, "((1)(2)(3))"},
		{"no subject", []string{"1||", "2||"}, "(1)(2)"},
		{"loop", []string{"1|2|a", "2|1|b"}, "(2 1)"},
		{"itself", []string{"1|1|a"}, "(1)"},
		{"twice the same id", []string{"1||a", "1||b", "2|1|c"}, "(1 3)(2)"},
		{"gone and answered", []string{"5|gone|Re: x", "6||x"}, "(2 1)"},
		{"other parent by its own word", []string{"2|1|a", "3|2|a", "4||b", "3x|4|c"}, "(1 2)(3 4)"},
	} {
		store := testStore()
		for i, m := range c.mail {
			f := strings.Split(m, "|")
			refs := ""
			for _, r := range strings.Fields(f[1]) {
				refs += " <" + r + "@x>"
			}
			text := fmt.Sprintf("Date: Mon, 7 Feb 1994 21:52:%02d +0000\nMessage-Id: <%s@x>\nReferences:%s\nSubject: %s\n\nx\n", i, f[0], refs, f[2])
			require.NoError(t, store.Put(context.Background(), "INBOX", mailbox.Flags{}, text))
		}
		p := enter(t, serverOf(store), "INBOX")
		assert.Equal(t, []string{"THREAD " + c.want}, p.ok("THREAD REFERENCES UTF-8 ALL"), c.name)
		p.conn.Close()
	}
}

// TestPartialRange holds RFC 9394 §3.1.
// TestCollation: SORT has the order of i;unicode-casemap (RFC 5256 §5), by which
// a letter with an accent stands with the letter, and signs between the letters'
// cases stand behind both.
func TestCollation(t *testing.T) {
	for _, c := range [][]string{
		{"J\u00dcRGEN", "j\u00fcrgen", "ju\u0308rgen"},
		{"J\u00f8hn", "J\u00d8HN"},
		{"_a", "_A"},
		{"\u01c4", "\u01c6", "\u01c5"},
	} {
		for _, s := range c {
			assert.Equal(t, collated(c[0]), collated(s), s)
		}
	}
	sorted := []string{"", "1", "John", "Jurgen", "Jury", "j\u00fcrgen", "K", "\u00fcber", "z", "_", "\u00d8"}
	for i := range sorted[1:] {
		assert.Negative(t, strings.Compare(collated(sorted[i]), collated(sorted[i+1])), "%q %q", sorted[i], sorted[i+1])
	}
}

func TestPartialRange(t *testing.T) {
	set := wire.Set{{From: 1, To: 3}, {From: 10, To: 12}, {From: 20, To: 20}}
	for text, want := range map[string]string{
		"1:2": "1:2", "2:1": "1:2", "3:4": "3,10", "7:9": "20", "8:9": "", "1:100": "1:3,10:12,20",
		"-1:-1": "20", "-1:-2": "12,20", "-2:-1": "12,20", "-7:-100": "1", "-8:-9": "", "-1:-100": "1:3,10:12,20", "-3:-5": "3,10:11",
	} {
		p := parser{Lexer: wire.NewLexer([]byte(text))}
		r := p.partialRange()
		require.NoError(t, p.Err(), text)
		assert.Equal(t, want, r.of(set).String(), text)
		assert.Equal(t, text, r.text)
	}
	for _, text := range []string{"0:1", "1:0", "-1:2", "1:-2", "1", "1:", "*:1", "-0:-1"} {
		p := parser{Lexer: wire.NewLexer([]byte(text))}
		p.partialRange()
		p.End()
		assert.Error(t, p.Err(), text)
	}
}

func TestNeedles(t *testing.T) {
	for _, c := range []struct {
		needle, text string
		want         bool
	}{
		{"hello", "say HELLO there", true}, {"hello", "say HELL0 there", false}, {"", "", true}, {"", "x", true}, {"x", "", false},
		{"zz", "zZ", true}, {"aab", "aaab", true}, {"abc", "ab", false}, {"é", "CAFÉ", true}, {"é", "cafe", false}, {"e\u0301", "CAFÉ", true},
		{"straße", "STRASSE", false}, {"ünï", "ÜNÏCODE", true}, {"3:30", "at 3:30", true},
	} {
		n := newNeedle(c.needle)
		assert.Equal(t, c.want, n.in(c.text), "%q in %q", c.needle, c.text)
	}
}

// TestSearchInMIME: texts are found as they are read, and only where they are to
// be looked for (RFC 9051 §6.4.4).
func TestSearchInMIME(t *testing.T) {
	store := testStore()
	for _, m := range []string{
		goldenMIME,
		"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\n\nplain\n",
		"Subject: folded\n subject\n\nplain\n",
		"Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: base64\n\nR3L83GU=\n",
		"Content-Type: application/octet-stream\n\nhidden in a file\n",
	} {
		require.NoError(t, store.Put(context.Background(), "INBOX", mailbox.Flags{}, m))
	}
	p := enter(t, serverOf(store), "INBOX")
	for key, want := range map[string]string{
		"BODY {9+}\r\nGrüße": "1", "BODY \"inner text\"": "1", "BODY inner": "1", "BODY \"Subject: inner\"": "1", "BODY forwarded": "", "TEXT forwarded": "1",
		"BODY \"AAECAwQF\"": "", "SUBJECT {7+}\r\ngrüße": "2", "TEXT {7+}\r\nGRÜßE": "1 2", "SUBJECT \"folded subject\"": "3", "TEXT \"folded subject\"": "3",
		"BODY {5+}\r\ngrü": "1 4", "TEXT hidden": "", "BODY plain": "2 3", "BODY folded": "", "HEADER Subject \"\"": "1 2 3", "HEADER X \"\"": "",
		"FROM terry": "1", "TO klensin": "1", "CC klensin": "", "NOT BODY plain": "1 4 5", "OR BODY plain HEADER Content-Type base": "2 3",
		"LARGER 800": "1", "SMALLER 60": "2 3", "NOT SMALLER 60 NOT LARGER 800": "4 5", "SENTON 17-Jul-1996": "1", "SENTBEFORE 18-Jul-1996": "1",
		"ON 2-Jan-2026": "1 2 3 4 5", "BEFORE 2-Jan-2026": "", "SINCE 2-Jan-2026": "1 2 3 4 5", "SAVEDON 2-Jan-2026": "1 2 3 4 5", "SAVEDBEFORE 2-Jan-2026": "",
		"UID 2:3": "2 3", "2,4:*": "2 4 5", "NOT 2:4": "1 5", "UID 99": "", "99": "", "KEYWORD x": "", "UNKEYWORD x 1": "1", "OLD": "", "NEW": "1 2 3 4 5", "RECENT": "1 2 3 4 5",
		"FUZZY SUBJECT folded": "3", "THREADID x": "", "SAVEDATESUPPORTED": "1 2 3 4 5",
	} {
		// The texts are announced with a size of the test's own making.
		if text, rest, is := strings.Cut(key, "{"); is {
			_, octets, _ := strings.Cut(rest, "\r\n")
			key = fmt.Sprintf("%s{%d+}\r\n%s", text, len(octets), octets)
		}
		got := p.ok("SEARCH " + key)
		assert.Equal(t, strings.TrimSpace("SEARCH "+want), got[0], "%q", key)
	}
}

// TestFormsAgree: what is kept of a message finds the sections that mime finds.
func TestFormsAgree(t *testing.T) {
	for _, text := range []string{goldenMIME, textOf(1), "", "\r\n", "Content-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\ny",
		"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\nflat\r\n--a--\r\n",
		"Content-Type: multipart/digest; boundary=a\r\n\r\n--a\r\n\r\nSubject: x\r\n\r\none\r\n--a--\r\n"} {
		m := mime.Parse([]byte(text))
		f := makeForms(m, true)
		require.True(t, f.valid())
		for _, spec := range []string{"HEADER", "TEXT", "1", "1.MIME", "1.HEADER", "1.TEXT", "1.1", "1.1.MIME", "2", "2.MIME", "2.HEADER", "2.TEXT", "2.1", "2.2", "2.2.MIME", "2.1.1", "3", "4", "2.3", "1.2"} {
			offset, size, ok := m.Section(spec)
			o, n, found := f.section(spec)
			assert.Equal(t, ok, found, "%q of %q", spec, text)
			if ok && found {
				assert.Equal(t, [2]int64{offset, size}, [2]int64{o, n}, "%q of %q", spec, text)
			}
		}
		b, _ := f.field(formEnvelope)
		assert.Equal(t, string(m.AppendEnvelope(nil)), string(b))
		b, _ = f.field(formStructure)
		assert.Equal(t, string(m.AppendBodyStructure(nil, true)), string(b))
		preview, has := f.preview()
		assert.True(t, has)
		assert.Equal(t, m.Preview(0), preview)
	}
	assert.False(t, forms{}.valid())
	assert.False(t, forms{99, 0, 0, 0, 0, 0}.valid())
	for cut := range 40 { // what a store gives back damaged is not followed anywhere
		f := makeForms(mime.Parse([]byte(goldenMIME)), true)
		f = f[:len(f)*cut/40]
		if f.valid() {
			f.section("2.1")
			f.preview()
		}
	}
}

// TestCacheIsBounded: the latest used stay, within the limit.
func TestCacheIsBounded(t *testing.T) {
	c := &cache{limit: 10 * (100 + cachedCost)}
	for i := range 50 {
		c.put(cacheKey{uid: mailbox.UID(i)}, make(forms, 100))
		c.get(cacheKey{uid: 0}) // used all the time
	}
	assert.NotNil(t, c.get(cacheKey{uid: 0}))
	assert.NotNil(t, c.get(cacheKey{uid: 49}))
	assert.Nil(t, c.get(cacheKey{uid: 20}))
	assert.LessOrEqual(t, c.size, c.limit)
	c.put(cacheKey{uid: 49}, make(forms, 50))
	assert.Len(t, c.get(cacheKey{uid: 49}), 50)
	c.put(cacheKey{uid: 100}, make(forms, 1<<20))
	assert.Empty(t, c.m, "what is larger than all is not kept, nor is anything beside it")
	assert.Zero(t, c.size)
}

// TestURLs holds the part of RFC 5092 that CATENATE takes.
func TestURLs(t *testing.T) {
	u, err := parseURL("/a%2Fb%20c;UIDVALIDITY=5/;UID=7/;SECTION=1.2.MIME/;PARTIAL=3.4")
	require.NoError(t, err)
	assert.Equal(t, messageURL{"a/b c", 5, 7, "1.2.MIME", &section{partial: true, from: 3, size: 4}}, u)
	u, err = parseURL("/INBOX/;uid=1")
	require.NoError(t, err)
	assert.Equal(t, messageURL{mailbox: "INBOX", uid: 1}, u)
	for _, bad := range []string{"", "INBOX/;UID=1", "//host/INBOX/;UID=1", "imap://host/INBOX/;UID=1", "/INBOX", "/INBOX/;UID=0", "/INBOX/;UID=x", "/INBOX/;UID=1/;SECTION=x",
		"/INBOX/;UID=1/;PARTIAL=-1", "/INBOX/;UID=1/;PARTIAL=1.0", "/%zz/;UID=1", "/INBOX;UIDVALIDITY=0/;UID=1", "/INBOX/;UID=4294967296"} {
		_, err := parseURL(bad)
		assert.Error(t, err, bad)
	}
}

func TestSections(t *testing.T) {
	for _, good := range []string{"", "1", "1.2.3", "HEADER", "TEXT", "1.MIME", "1.HEADER", "1.2.TEXT", "HEADER.FIELDS", "1.HEADER.FIELDS.NOT"} {
		assert.True(t, validSpec(good), good)
	}
	for _, bad := range []string{"0", "1.", ".1", "MIME", "HEADER.1", "1.0", "01", "TEXT.MIME", "1.X", "HEADER.FIELDS.X", "9999999999", strings.Repeat("1.", 300) + "1"} {
		assert.False(t, validSpec(bad), bad)
	}
}

// TestFailures: what a store's error says to the peer.
func TestFailures(t *testing.T) {
	c := &conn{srv: &Server{}}
	for _, x := range []struct {
		err  error
		want string
	}{
		{mailbox.ErrNotExist, "NO [NONEXISTENT] No such mailbox"},
		{fmt.Errorf("wrapped: %w", mailbox.ErrOverQuota), "NO [OVERQUOTA] Not enough room"},
		{&mailbox.Error{Code: "EXPIRED"}, "NO [EXPIRED] Failed"},
		{&mailbox.Error{Code: "not an atom\r\n"}, "NO [UNAVAILABLE] Temporary failure"},
		{errors.New("secret path /var/mail"), "NO [UNAVAILABLE] Temporary failure"},
		{context.Canceled, "NO [UNAVAILABLE] Temporary failure"},
		{&replyError{bad("odd\r\nline")}, "BAD odd  line"},
	} {
		assert.Equal(t, x.want, string(c.failure(x.err).appendLine(nil)))
	}
	assert.Equal(t, "TRYCREATE", c.tryCreate(mailbox.ErrNotExist).code)
	assert.Equal(t, "OVERQUOTA", c.tryCreate(mailbox.ErrOverQuota).code)
}

// TestStates: each command is tried in each state, and refused where the table
// does not have it.
func TestStates(t *testing.T) {
	store := testStore()
	put(t, store, "INBOX", 1)
	s := serverOf(store)
	s.Limits.Errors = -1
	for _, st := range []state{fresh, authed, selected} {
		for _, row := range commands {
			if row.needs == "STARTTLS" {
				continue // needs a certificate
			}
			p := connect(t, s)
			if st != fresh {
				p.ok("LOGIN alice secret")
			}
			if st == selected {
				p.ok("SELECT INBOX")
			}
			p.send("x " + row.verb + " (((\r\n") // no command takes that
			l := p.response()
			for strings.HasPrefix(l, "* ") || strings.HasPrefix(l, "+ ") {
				l = p.response()
			}
			assert.Contains(t, l, "BAD", row.verb)
			refused := strings.Contains(l, "Log in first") || strings.Contains(l, "Logged in already") || strings.Contains(l, "Select a mailbox first")
			assert.Equal(t, row.states&st == 0, refused, "%s in state %d: %s", row.verb, st, l)
			p.conn.Close()
		}
	}
}

// TestPlainStore: with nothing but the two interfaces all of the protocol is
// there but for what needs more.
func TestPlainStore(t *testing.T) {
	store := testStore()
	put(t, store, "INBOX", 1, 2, 3)
	s := serverOf(plainStore{store})
	p := enter(t, s, "INBOX")
	caps := p.ok("CAPABILITY")[0]
	for _, no := range []string{"QUOTA", "ACL", "METADATA", "RIGHTS"} {
		assert.NotContains(t, caps, no)
	}
	for _, yes := range []string{"MOVE", "UIDPLUS", "QRESYNC", "SORT", "OBJECTID", "NOTIFY"} {
		assert.Contains(t, caps, yes)
	}
	for _, c := range []string{`GETQUOTA ""`, "MYRIGHTS INBOX", `GETMETADATA "" /shared/x`} {
		p.fails(c, "BAD Not offered here")
	}
	p.ok("CREATE Else")
	assert.Contains(t, p.ok("MOVE 1 Else"), "1 EXPUNGE")
	assert.Len(t, p.ok("FETCH 1:* (ENVELOPE BODYSTRUCTURE EMAILID THREADID BODY.PEEK[HEADER])"), 2)
	assert.Contains(t, p.ok("FETCH 1 EMAILID")[0], "-1000-2)")
	assert.Equal(t, []string{"STATUS Else (MESSAGES 1 UNSEEN 1 RECENT 0)"}, p.ok("STATUS Else (MESSAGES UNSEEN RECENT)"))
	p.fails("NOTIFY SET (personal (MessageNew MessageExpunge))", "NO [NOTIFICATIONOVERFLOW]")
	p.ok("NOTIFY SET (selected (MessageNew MessageExpunge))")
}

// TestTraceMasks: no credential reaches a trace or a log.
func TestTraceMasks(t *testing.T) {
	var seen []string
	s := serverOf(testStore())
	s.Trace = &Trace{
		Command: func(_ *Session, verb, arg string) { seen = append(seen, verb+" "+arg) },
		Reply:   func(s *Session, verb, line string, _ time.Duration) { seen = append(seen, verb+" "+line) },
	}
	p := connect(t, s)
	p.fails("LOGIN alice wrongsecret", "NO")
	p.send("x AUTHENTICATE PLAIN AGFsaWNlAHdyb25nc2VjcmV0\r\n")
	p.line()
	p.ok("LOGIN alice secret")
	all := strings.Join(seen, "\n")
	assert.NotContains(t, all, "secret")
	assert.NotContains(t, all, "AGFs")
	assert.Contains(t, all, "LOGIN ***\nLOGIN NO [AUTHENTICATIONFAILED]")
}

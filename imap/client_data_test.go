package imap

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/imap/internal/wire"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// Flags that another client changes meanwhile are no message that was asked for:
// it would come without the envelope that the loop looks at.
func TestFetchLeavesOthersNews(t *testing.T) {
	conn := dialScript(t, hello,
		"* 2 FETCH (UID 2 FLAGS (\\Seen))\r\n* 1 FETCH (UID 1 ENVELOPE (NIL \"x\" NIL NIL NIL NIL NIL NIL NIL NIL))\r\n"+
			"* 3 EXPUNGE\r\n* 2 FETCH (UID 2 ENVELOPE NIL BODYSTRUCTURE NIL)\r\n* 9 FETCH (UID 77 ENVELOPE NIL)\r\n* 4 FETCH (FLAGS ())\r\n$TAG OK\r\n")
	var news, asked []mailbox.UID
	conn.Events.Message = func(m *Message) { news = append(news, m.UID) }
	for m, err := range conn.Fetch(t.Context(), mailbox.SetOf(1, 2, 3), Items{Envelope: true, Structure: true}) {
		require.NoError(t, err)
		require.NotNil(t, m.Envelope)
		require.NotNil(t, m.Structure)
		asked = append(asked, m.UID)
	}
	assert.Equal(t, []mailbox.UID{1, 2}, asked)
	assert.Equal(t, []mailbox.UID{2, 77, 0}, news)
}

// A body may come as a quoted string, and many an empty one does.
func TestDownloadOfQuotedBodies(t *testing.T) {
	conn := dialScript(t, hello,
		"* 1 FETCH (UID 1 BODY[TEXT] \"\")\r\n* 2 FETCH (BODY[TEXT] {3}\r\nabc UID 2)\r\n* 3 FETCH (UID 3 BODY[TEXT] \"de\")\r\n"+
			"* 4 FETCH (UID 4 BODY[TEXT] NIL)\r\n* 2 FETCH (UID 2 FLAGS ())\r\n* 8 FETCH (UID 8 BODY[TEXT] {1}\r\nx)\r\n* 5 UIDFETCH (BODY[TEXT] ~{1}\r\nf)\r\n$TAG OK\r\n")
	var got []string
	for d, err := range conn.Download(t.Context(), mailbox.SetOf(1, 2, 3, 4, 5), Section{What: "TEXT"}) {
		require.NoError(t, err)
		b, err := io.ReadAll(d.Body)
		require.NoError(t, err)
		assert.EqualValues(t, len(b), d.Size)
		got = append(got, fmt.Sprint(d.UID, " ", string(b)))
	}
	assert.Equal(t, []string{"1 ", "0 abc", "3 de", "5 f"}, got)
}

// Servers spell the names of sections as they like.
func TestSectionNames(t *testing.T) {
	s := Section{Fields: []string{"Subject", "From"}}
	for _, name := range []string{
		`BODY[HEADER.FIELDS (SUBJECT FROM)]`, `BODY[HEADER.FIELDS ("Subject" "From")]`, `body[header.fields (from subject)]`,
		`BODY[HEADER.FIELDS  ( FROM  SUBJECT )]`,
	} {
		conn := dialScript(t, hello, "* 1 FETCH (UID 1 "+name+" {3}\r\nabc)\r\n$TAG OK\r\n")
		n := 0
		for m, err := range conn.Fetch(t.Context(), allUIDs, Items{Bodies: []Section{s}}) {
			require.NoError(t, err)
			b, ok := m.Body(s)
			assert.True(t, ok, name)
			assert.Equal(t, "abc", string(b), name)
			_, ok = m.Body(Section{})
			assert.False(t, ok)
			n++
		}
		assert.Equal(t, 1, n)
	}
	m := &Message{}
	m.set("BODY[]", value{kind: isString, s: "abc"})
	b, ok := m.Body(Section{Octets: 3})
	assert.True(t, ok, "without its origin, which is 0")
	assert.Equal(t, "abc", string(b))
	_, ok = m.Body(Section{Offset: 1, Octets: 3})
	assert.False(t, ok)
}

// A set that no server takes in one line goes out in several, and nothing of it
// is lost.
func TestLongSets(t *testing.T) {
	var set mailbox.Set
	for i := range mailbox.UID(5000) {
		set.Add(1_000_000_000 + 3*i)
	}
	set.AddRange(4_000_000_000, mailbox.MaxUID)
	var again mailbox.Set
	for _, arg := range setArgs(set) {
		assert.LessOrEqual(t, len(arg), maxSet)
		part, ok := parseUIDs(arg)
		require.True(t, ok)
		again = again.Union(part)
	}
	assert.Equal(t, set, again)
	assert.Empty(t, setArgs(nil))

	store := testStore()
	texts := make([]string, 3000)
	for i := range texts {
		texts[i] = "Subject: x\r\n\r\n"
	}
	require.NoError(t, store.Put(t.Context(), "INBOX", mailbox.Flags{}, texts...))
	conn := dialServer(t, serverOf(store), Client{})
	ctx := t.Context()
	_, err := conn.Select(ctx, "INBOX")
	require.NoError(t, err)
	var odd mailbox.Set
	for i := range mailbox.UID(1500) {
		odd.Add(2*i + 1)
	}
	_, err = conn.Store(ctx, odd, mailbox.AddFlags, mailbox.Flags{Sys: mailbox.Deleted}, 0)
	require.NoError(t, err)
	n := 0
	for m, err := range conn.Fetch(ctx, odd, Items{Flags: true}) {
		require.NoError(t, err)
		assert.True(t, m.Flags.Has(`\Deleted`))
		n++
	}
	assert.Equal(t, 1500, n)
	require.NoError(t, conn.Create(ctx, "Odd"))
	done, err := conn.Copy(ctx, odd, "Odd")
	require.NoError(t, err)
	assert.Equal(t, odd, done.From)
	assert.Equal(t, "1:1500", done.To.String())
	require.NoError(t, conn.Expunge(ctx, odd))
	assert.EqualValues(t, 1500, conn.Selected().Messages)
}

// What comes before CLOSED is of the mailbox that was open before.
func TestSyncLeavesOldMailbox(t *testing.T) {
	conn := dialScript(t, "* OK [CAPABILITY IMAP4rev1 ENABLE CONDSTORE QRESYNC UNSELECT] ready\r\n",
		"* ENABLED QRESYNC\r\n$TAG OK\r\n",
		"* 5 EXISTS\r\n$TAG OK\r\n",
		"* VANISHED 3\r\n* 2 FETCH (UID 2 FLAGS () MODSEQ (9))\r\n* OK [CLOSED] x\r\n* 2 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [HIGHESTMODSEQ 20] x\r\n"+
			"* VANISHED (EARLIER) 1,100\r\n* 1 FETCH (UID 4 FLAGS (\\Seen) MODSEQ (15))\r\n* 1 FETCH (FLAGS ())\r\n$TAG OK\r\n")
	ctx := t.Context()
	_, err := conn.Enable(ctx, "QRESYNC")
	require.NoError(t, err)
	_, err = conn.Select(ctx, "Old")
	require.NoError(t, err)
	last := SyncState{UIDValidity: 7, ModSeq: 10, UIDs: mailbox.SetOf(1, 2, 3)}
	ch, err := conn.Sync(ctx, "INBOX", last)
	require.NoError(t, err)
	assert.False(t, ch.Full)
	assert.Equal(t, "1", ch.Vanished.String(), "of those that were known")
	require.Len(t, ch.Messages, 1)
	assert.Equal(t, "2:4", ch.State.UIDs.String())
	assert.EqualValues(t, 20, ch.State.ModSeq)
	assert.EqualValues(t, 2, conn.Selected().Messages)
}

// Where what is remembered is of no use, all is told anew.
func TestSyncBeginsAnew(t *testing.T) {
	for name, answer := range map[string]string{
		"UIDVALIDITY changed":      "* OK [UIDVALIDITY 8] x\r\n* OK [HIGHESTMODSEQ 20] x\r\n",
		"NOMODSEQ":                 "* OK [UIDVALIDITY 7] x\r\n* OK [NOMODSEQ] x\r\n",
		"the server has gone back": "* OK [UIDVALIDITY 7] x\r\n* OK [HIGHESTMODSEQ 5] x\r\n",
	} {
		for _, enabled := range []string{"* ENABLED QRESYNC\r\n$TAG OK\r\n", "$TAG BAD no\r\n"} {
			t.Run(name, func(t *testing.T) {
				conn := dialScript(t, "* OK [CAPABILITY IMAP4rev1 ENABLE CONDSTORE QRESYNC] ready\r\n", enabled,
					"* 1 EXISTS\r\n"+answer+"$TAG OK\r\n", "* 1 FETCH (UID 9 FLAGS ())\r\n$TAG OK\r\n")
				ch, err := conn.Sync(t.Context(), "INBOX", SyncState{UIDValidity: 7, ModSeq: 10, UIDs: mailbox.SetOf(1, 2, 3)})
				require.NoError(t, err)
				assert.True(t, ch.Full)
				assert.Empty(t, ch.Vanished)
				assert.Len(t, ch.Messages, 1)
				assert.Equal(t, "9", ch.State.UIDs.String())
				assert.NotZero(t, ch.State.ModSeq)
			})
		}
	}
}

// A name that is not encoded as it should be is sent back as it came; any other
// is encoded.
func TestNamesAsServersSpellThem(t *testing.T) {
	for _, raw := range []string{"a&b", "&Jjo!", "Entw\xfcrfe", "caf\xc3\xa9", "&AGE-", "plain", "Cr&AOo-pes", "&-"} {
		t.Run(raw, func(t *testing.T) {
			conn := dialScript(t, hello, fmt.Sprintf("* LIST () \"/\" {%d}\r\n%s\r\n$TAG OK\r\n", len(raw), raw))
			list, err := Collect(conn.List(t.Context(), "*", ListOptions{}))
			require.NoError(t, err)
			require.Len(t, list, 1)
			conn.caps["LITERAL+"] = true
			x := (&call{verb: "SELECT"}).mailbox(conn, list[0].Name)
			sent := string(x.parts[0].text)
			if l := x.parts[0].literal; l != nil {
				b, err := io.ReadAll(l)
				require.NoError(t, err)
				sent = string(b)
			}
			assert.Equal(t, raw, strings.Trim(sent, ` "`))
		})
	}
	assert.Equal(t, "Cr&AOo-pes", wire.EncodeUTF7("Crêpes"))
}

// MaxResponse bounds what a client holds, in one piece or in many.
func TestMaxResponse(t *testing.T) {
	line := "* LIST () \"/\" " + strings.Repeat("x", 100) + "\r\n"
	for name, answer := range map[string]string{
		"one line":    "* LIST () \"/\" " + strings.Repeat("x", 5000) + "\r\n",
		"one literal": "* LIST () \"/\" {5000}\r\n",
		"many lines":  strings.Repeat(line, 50),
	} {
		t.Run(name, func(t *testing.T) {
			c := scripted(t, hello, answer+"$TAG OK\r\n")
			c.MaxResponse = 4000
			conn, err := c.Connect(t.Context())
			require.NoError(t, err)
			defer conn.Close()
			_, err = Collect(conn.List(t.Context(), "*", ListOptions{Status: true}))
			assert.ErrorIs(t, err, errLarge)
			assert.True(t, conn.Botched())
		})
	}
	r := reader{b: []byte(strings.Repeat("(", 2) + strings.Repeat("()", maxValues) + "))")}
	r.next()
	assert.True(t, r.bad, "values take more room than their octets")
}

// More commands than are on their way at a time are all answered.
func TestManyCommandsAtOnce(t *testing.T) {
	store := testStore()
	conn := dialServer(t, func() *Server {
		s := serverOf(store)
		s.Without = []string{"LIST-STATUS", "IMAP4rev2"}
		return s
	}(), Client{})
	ctx := t.Context()
	for i := range 200 {
		require.NoError(t, conn.Create(ctx, fmt.Sprint("box", i)))
	}
	list, err := Collect(conn.List(ctx, "*", ListOptions{Status: true}))
	require.NoError(t, err)
	assert.GreaterOrEqual(t, len(list), 200)
	for _, m := range list {
		require.NotNil(t, m.Status, m.Name)
	}
}

// Numbers of parts follow RFC 9051 §6.4.5.1, messages within messages too.
func TestPartNumbers(t *testing.T) {
	leaf := `("TEXT" "PLAIN" NIL NIL NIL "7BIT" 1 1)`
	env := `(NIL "s" NIL NIL NIL NIL NIL NIL NIL NIL)`
	message := func(body string) string {
		return `("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 9 ` + env + " " + body + " 1)"
	}
	for in, want := range map[string]string{
		leaf: "1 text/plain",
		`(` + leaf + message(`(`+leaf+leaf+` "MIXED")`) + ` "MIXED")`:                         " multipart/mixed, 1 text/plain, 2 message/rfc822, 2 multipart/mixed, 2.1 text/plain, 2.2 text/plain",
		`(` + message(leaf) + ` "MIXED")`:                                                     " multipart/mixed, 1 message/rfc822, 1.1 text/plain",
		message(message(`(` + leaf + ` "MIXED")`)):                                            "1 message/rfc822, 1.1 message/rfc822, 1.1 multipart/mixed, 1.1.1 text/plain",
		`("MESSAGE" "RFC822" NIL NIL NIL "BASE64" 9 NIL ("ATTACHMENT" ("FILENAME" "a.eml")))`: "1 message/rfc822",
	} {
		r := reader{b: []byte(in)}
		var got []string
		p := parsePart(r.next(), "", 0)
		p.Walk(func(p *Part) bool { got = append(got, p.Number+" "+p.MediaType()); return true })
		assert.Equal(t, want, strings.Join(got, ", "), in)
		if strings.Contains(in, "a.eml") {
			assert.Equal(t, "a.eml", p.Filename())
		}
	}
}

// Names of files come in pieces and in charsets (RFC 2231).
func TestFilenames(t *testing.T) {
	for want, params := range map[string]map[string]string{
		"Crêpes.txt": {"filename*": "UTF-8''Cr%C3%AApes.txt"},
		"long.txt":   {"filename*0": "lo", "filename*1": "ng.txt"},
		"a\"b.txt":   {"filename": `a"b.txt`},
		"ê.txt":      {"filename": "=?utf-8?q?=C3=AA?=.txt"},
		"":           {"size": "3"},
	} {
		assert.Equal(t, want, (&Part{DispParams: params}).Filename(), "%v", params)
	}
	assert.Equal(t, "x.pdf", (&Part{Params: map[string]string{"name": "x.pdf"}}).Filename())
	assert.NotContains(t, (&Part{DispParams: map[string]string{"filename": "x\r\nBcc: y"}}).Filename(), "\n")
}

// ESEARCH of another command, and numbers in any order.
func TestSearchAnswers(t *testing.T) {
	conn := dialScript(t, "* OK [CAPABILITY IMAP4rev1 ESEARCH] ready\r\n",
		"* ESEARCH (TAG \"b7\") UID ALL 9\r\n* ESEARCH (TAG \"a1\") UID ALL 2:3 MODSEQ 9\r\n* SEARCH 7 5 6 (MODSEQ 917)\r\n* SEARCH\r\n* SEARCH  8 \r\n$TAG OK\r\n")
	found, err := conn.Search(t.Context(), Text("x"))
	require.NoError(t, err)
	assert.Equal(t, "2:3,5:8", found.String())
}

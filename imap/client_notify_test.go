package imap

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

// spoken is what a command says, literals in place.
func spoken(t testing.TB, x *call) string {
	t.Helper()
	var b strings.Builder
	for _, p := range x.parts {
		b.Write(p.text)
		if p.literal != nil {
			text, err := io.ReadAll(p.literal)
			require.NoError(t, err)
			fmt.Fprintf(&b, "{%d}%s", p.size, text)
		}
	}
	return strings.TrimPrefix(b.String(), " ")
}

// listener writes down what Events are told.
type listener struct{ said []string }

func (l *listener) events() Events {
	say := func(format string, args ...any) { l.said = append(l.said, fmt.Sprintf(format, args...)) }
	return Events{
		Exists:   func(n uint32) { say("exists %d", n) },
		Expunge:  func(n uint32) { say("expunge %d", n) },
		Message:  func(m *Message) { say("message %d %s %d", m.UID, m.Flags, m.Size) },
		Status:   func(s *MailboxStatus) { say("status %s %d", s.Name, s.Messages) },
		List:     func(m *MailboxInfo) { say("list %s %v old %q", m.Name, m.Attrs, m.OldName) },
		Metadata: func(name string, entries []string) { say("metadata %q %v", name, entries) },
		Overflow: func() { say("overflow") },
		Other:    func(word string, rest []byte) { say("other %s %s", word, rest) },
	}
}

// expect waits in IDLE for so many news and compares them.
func (l *listener) expect(t testing.TB, conn *Conn, want ...string) {
	t.Helper()
	more := func() bool { return len(l.said) < len(want) }
	if more() {
		require.NoError(t, conn.Idle(t.Context(), more))
	}
	assert.Equal(t, want, l.said)
	l.said = nil
}

// All that can be asked for, as RFC 5465 §8 spells it.
func TestNotifySpelling(t *testing.T) {
	for want, g := range map[string]NotifyGroup{
		"(SELECTED NONE)":                                                {},
		"(SELECTED (MessageNew MessageExpunge))":                         {Events: NotifyMessages},
		"(SELECTED (MessageNew MessageExpunge FlagChange))":              {Events: NotifyFlags},
		"(SELECTED-DELAYED (MessageNew (UID FLAGS) MessageExpunge))":     {Filter: FilterSelectedDelayed, Events: NotifyMessages, New: Items{Flags: true}},
		"(SELECTED (MessageNew (UID BODY.PEEK[HEADER]) MessageExpunge))": {Events: NotifyMessages, New: Items{Bodies: []Section{{What: "HEADER"}}}},
		"(PERSONAL NONE)":                                                {Filter: FilterPersonal},
		"(INBOXES (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange MailboxMetadataChange ServerMetadataChange))": {
			Filter: FilterInboxes, Events: NotifyMessages | NotifyFlags | NotifyNames | NotifySubscriptions | NotifyMetadata | NotifyServerMetadata},
		"(SUBSCRIBED (MailboxName))":                    {Filter: FilterSubscribed, Events: NotifyNames},
		"(SUBTREE Lists (SubscriptionChange))":          {Filter: FilterSubtree, Names: []string{"Lists"}, Events: NotifySubscriptions},
		`(MAILBOXES ("a b" T&AOQ-glich) (MailboxName))`: {Filter: FilterMailboxes, Names: []string{"a b", "Täglich"}, Events: NotifyNames},
		`(MAILBOXES ("" "(x)" "a\"b") (MailboxName))`:   {Filter: FilterMailboxes, Names: []string{"", "(x)", `a"b`}, Events: NotifyNames},
		"(SUBTREE (a &AA0ACg-x) (MailboxName))":         {Filter: FilterSubtree, Names: []string{"a", "\r\nx"}, Events: NotifyNames},
	} {
		conn := dialScript(t, hello)
		x := &call{verb: "NOTIFY"}
		require.NoError(t, g.append(conn, x), want)
		assert.Equal(t, want, spoken(t, x))
		assert.NoError(t, x.check())
	}
}

// What there are no words for is not sent.
func TestNotifyThatCannotBeSaid(t *testing.T) {
	news := Items{Flags: true}
	for name, groups := range map[string][]NotifyGroup{
		"no such filter":              {{Filter: FilterMailboxes + 1}},
		"no such event":               {{Filter: FilterPersonal, Events: 1 << 7}},
		"names of the selected":       {{Filter: FilterSelected, Events: NotifyNames}},
		"subtree of nothing":          {{Filter: FilterSubtree, Events: NotifyNames}},
		"names for personal":          {{Filter: FilterPersonal, Names: []string{"a"}, Events: NotifyNames}},
		"two of the selected":         {{Filter: FilterSelected}, {Filter: FilterSelectedDelayed}},
		"messages of others":          {{Filter: FilterPersonal, Events: NotifyMessages, New: news}},
		"new ones without the event":  {{New: news}},
		"new ones since":              {{Events: NotifyMessages, New: Items{ChangedSince: 3}}},
		"a section that is none":      {{Events: NotifyMessages, New: Items{Bodies: []Section{{Part: "1] x"}}}}},
		"a section that is a command": {{Events: NotifyMessages, New: Items{Bodies: []Section{{Fields: []string{"a\r\nb LOGOUT"}}}}}},
	} {
		conn := dialScript(t, hello, "$TAG OK\r\n")
		assert.Error(t, conn.Notify(t.Context(), NotifyOptions{}, groups...), name)
		assert.NoError(t, conn.Noop(t.Context()), "%s: the first line that is sent", name)
	}
}

func TestClientNotify(t *testing.T) {
	s := serverOf(testStore())
	conn, other := dialServer(t, s, Client{}), dialServer(t, s, Client{})
	ctx := t.Context()
	var l listener
	conn.Events = l.events()
	upload := func(name string) {
		_, _, err := other.Append(ctx, name, Upload{Body: strings.NewReader(textOf(1)), Size: int64(len(textOf(1)))})
		require.NoError(t, err)
	}
	require.NoError(t, other.Create(ctx, "Täglich"))
	_, err := conn.Select(ctx, "INBOX")
	require.NoError(t, err)
	l.said = nil
	require.NoError(t, conn.Notify(ctx, NotifyOptions{Status: true},
		NotifyGroup{Events: NotifyFlags, New: Items{Size: true}},
		NotifyGroup{Filter: FilterMailboxes, Names: []string{"Täglich", "gone & not there"}, Events: NotifyMessages | NotifyMetadata},
		NotifyGroup{Filter: FilterPersonal, Events: NotifyNames | NotifySubscriptions | NotifyServerMetadata}))
	l.expect(t, conn, "status Täglich 0")

	upload("INBOX")
	l.expect(t, conn, "exists 1", fmt.Sprint("message 1  ", len(textOf(1))))
	assert.EqualValues(t, 1, conn.Selected().Messages)
	upload("Täglich")
	l.expect(t, conn, "status Täglich 1")
	_, err = other.Select(ctx, "INBOX")
	require.NoError(t, err)
	_, err = other.Store(ctx, mailbox.SetOf(1), mailbox.AddFlags, mailbox.Flags{Sys: mailbox.Deleted}, 0)
	require.NoError(t, err)
	l.expect(t, conn, `message 1 \Deleted 0`)
	require.NoError(t, other.Expunge(ctx, mailbox.SetOf(1)))
	l.expect(t, conn, "expunge 1")
	assert.Zero(t, conn.Selected().Messages)

	require.NoError(t, other.Create(ctx, "日本"))
	l.expect(t, conn, `list 日本 [\HasNoChildren] old ""`)
	require.NoError(t, other.Rename(ctx, "日本", "日本語"))
	l.expect(t, conn, `list 日本語 [\HasNoChildren] old "日本"`)
	require.NoError(t, other.Subscribe(ctx, "日本語", true))
	l.expect(t, conn, `list 日本語 [\Subscribed \HasNoChildren] old ""`)
	require.NoError(t, other.Subscribe(ctx, "日本語", false))
	l.expect(t, conn, `list 日本語 [\HasNoChildren] old ""`)
	require.NoError(t, other.Delete(ctx, "日本語"))
	l.expect(t, conn, `list 日本語 [\NonExistent] old ""`)

	require.NoError(t, other.SetMetadata(ctx, "Täglich", mailbox.Entry{Name: "/private/comment", Value: []byte("x")}))
	l.expect(t, conn, `metadata "Täglich" [/private/comment]`)
	require.NoError(t, other.SetMetadata(ctx, "", mailbox.Entry{Name: "/private/comment", Value: []byte("x")}))
	l.expect(t, conn, `metadata "" [/private/comment]`)

	require.NoError(t, conn.Notify(ctx, NotifyOptions{}))
	upload("INBOX")
	require.NoError(t, other.Delete(ctx, "Täglich"))
	require.NoError(t, conn.Noop(ctx))
	assert.Empty(t, l.said, "nothing is told any more")
}

// A refusal tells which events there are, and leaves what was chosen before.
func TestNotifyRefused(t *testing.T) {
	s := serverOf(testStore())
	s.Without = []string{"METADATA"}
	conn := dialServer(t, s, Client{})
	err := conn.Notify(t.Context(), NotifyOptions{}, NotifyGroup{Filter: FilterPersonal, Events: NotifyMetadata})
	var refused *Error
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, "BADEVENT", refused.Code)
	assert.True(t, slices.Contains(strings.Fields(strings.Trim(refused.Args, "()")), "MailboxName"), refused.Args)
	require.NoError(t, conn.Noop(t.Context()))

	conn = dialScript(t, hello, "$TAG NO [NOTIFICATIONOVERFLOW] too much\r\n", "$TAG OK\r\n")
	var l listener
	conn.Events = l.events()
	err = conn.Notify(t.Context(), NotifyOptions{}, NotifyGroup{Filter: FilterPersonal, Events: NotifyFlags})
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, "NOTIFICATIONOVERFLOW", refused.Code)
	assert.Empty(t, l.said, "what is refused does not end what was")
	require.NoError(t, conn.Noop(t.Context()))
}

// What servers may say after NOTIFY, within any command, and what they should not.
func TestNotifyNewsOfAllKinds(t *testing.T) {
	for line, want := range map[string]string{
		"OK [NOTIFICATIONOVERFLOW] enough":                    "overflow",
		"ok [notificationoverflow]":                           "overflow",
		`METADATA "INBOX" /shared/comment`:                    `metadata "INBOX" [/shared/comment]`,
		`METADATA "" /shared/comment "/private/a b"`:          `metadata "" [/shared/comment /private/a b]`,
		`METADATA a (/shared/comment "x" /private/y NIL)`:     `metadata "a" [/shared/comment /private/y]`,
		"METADATA {1}\r\na {2}\r\n/x":                         `metadata "a" [/x]`,
		"METADATA T&AOQ-glich /x":                             `metadata "Täglich" [/x]`,
		"METADATA":                                            "",
		"METADATA a":                                          "",
		"METADATA a (":                                        "",
		"METADATA (a) /x":                                     "",
		"STATUS a (MESSAGES 1":                                "",
		"STATUS Lists (UIDNEXT 10002 MESSAGES 503)":           "status Lists 503",
		`LIST () "/" "NewMailbox" ("OLDNAME" ("OldMailbox"))`: `list NewMailbox [] old "OldMailbox"`,
		`LIST () "/" new (CHILDINFO ("x") oldname (T&AOQ-))`:  `list new [] old "Tä"`,
		`LIST () "/" new ("OLDNAME" "odd")`:                   `list new [] old ""`,
		`LIST () "/" new ("OLDNAME")`:                         `list new [] old ""`,
		`LIST () "/" new NIL`:                                 `list new [] old ""`,
		`LIST (\NonExistent) "." "INBOX.Deleted"`:             `list INBOX.Deleted [\NonExistent] old ""`,
		"99 FETCH (UID 9999 FLAGS ($Junk))":                   "message 9999 $Junk 0",
		"444 EXISTS":                                          "exists 444",
		"X-NEW thing":                                         "other X-NEW thing",
	} {
		conn := dialScript(t, hello, "* "+line+"\r\n$TAG OK\r\n", "$TAG OK\r\n")
		var l listener
		conn.Events = l.events()
		require.NoError(t, conn.Noop(t.Context()), line)
		assert.Equal(t, want, strings.Join(l.said, ", "), line)
		conn.Events = Events{}
		require.NoError(t, conn.Noop(t.Context()), line)
		if want != "" {
			continue
		}
		c := scripted(t, hello, "* "+line+"\r\n$TAG OK\r\n")
		c.Strict = true
		conn, err := c.Connect(t.Context())
		require.NoError(t, err)
		if !strings.HasPrefix(line, "STATUS") {
			assert.Error(t, conn.Noop(t.Context()), line)
		}
		conn.Close()
	}
}

// News that come within a command are not taken for its answer.
func TestNotifyNewsWithinCommands(t *testing.T) {
	news := "* STATUS other (MESSAGES 9)\r\n* METADATA a /private/x\r\n* METADATA other (/private/x \"news\")\r\n* 7 FETCH (UID 7 FLAGS () RFC822.SIZE 70)\r\n"
	var l listener
	ask := func(answer string, f func(ctx context.Context, conn *Conn)) {
		conn := dialScript(t, hello, news+answer+news+"$TAG OK\r\n", "$TAG OK\r\n")
		l.said = nil
		conn.Events = l.events()
		f(t.Context(), conn)
		once := []string{"status other 9", `metadata "a" [/private/x]`, `metadata "other" [/private/x]`, "message 7  70"}
		assert.Equal(t, append(once, once...), l.said)
		assert.NoError(t, conn.Noop(t.Context()))
	}
	ask("* STATUS a (MESSAGES 1)\r\n", func(ctx context.Context, conn *Conn) {
		s, err := conn.Status(ctx, "a")
		require.NoError(t, err)
		assert.EqualValues(t, 1, s.Messages)
	})
	ask("* METADATA a (/private/x \"mine\")\r\n", func(ctx context.Context, conn *Conn) {
		all, err := conn.Metadata(ctx, "a", MetadataOptions{}, "/private/x")
		require.NoError(t, err)
		assert.Equal(t, []mailbox.Entry{{Name: "/private/x", Value: []byte("mine")}}, all)
	})
	ask("* 1 FETCH (UID 1 RFC822.SIZE 5)\r\n", func(ctx context.Context, conn *Conn) {
		all, err := Collect(conn.Fetch(ctx, mailbox.SetOf(1), Items{Size: true}))
		require.NoError(t, err)
		require.Len(t, all, 1)
		assert.EqualValues(t, 5, all[0].Size)
	})
}

// News of the mailbox that STATUS asks about have fewer items, and take none away.
func TestStatusAndNewsOfTheSameMailbox(t *testing.T) {
	full, part := "* STATUS a (MESSAGES 2 UIDNEXT 3 UIDVALIDITY 1 UNSEEN 2)\r\n", "* STATUS a (MESSAGES 2 UIDNEXT 3)\r\n"
	for _, answer := range []string{full + part, part + full, full} {
		conn := dialScript(t, hello, answer+"$TAG OK\r\n")
		s, err := conn.Status(t.Context(), "a")
		require.NoError(t, err)
		assert.EqualValues(t, 2, s.Unseen)
		assert.EqualValues(t, 1, s.State.UIDValidity)
	}
}

// A name that news spell in UTF-8, against the protocol, is not sent back so: only
// lists say how a server spells names.
func TestNotifyNewsSpellNoNames(t *testing.T) {
	for news, want := range map[string]string{
		"* STATUS \"Cr\xc3\xaapes\" (MESSAGES 3)\r\n":                         "Cr&AOo-pes",
		"* METADATA \"Cr\xc3\xaapes\" /private/x\r\n":                         "Cr&AOo-pes",
		"* LIST () \"/\" \"Cr\xc3\xaapes\"\r\n":                               "Crêpes",
		"* LIST () \"/\" \"Cr\xc3\xaapes\"\r\n* LIST () \"/\" Cr&AOo-pes\r\n": "Cr&AOo-pes",
	} {
		conn := dialScript(t, hello, news+"$TAG OK\r\n")
		var l listener
		conn.Events = l.events()
		require.NoError(t, conn.Noop(t.Context()))
		assert.Contains(t, strings.Join(l.said, " "), "Crêpes")
		x := (&call{verb: "SELECT"}).mailbox(conn, "Crêpes")
		assert.Contains(t, spoken(t, x), want, news)
	}
}

// A new message that is told with its text while others are downloaded is news.
func TestNotifyNewsWithinDownload(t *testing.T) {
	conn := dialScript(t, hello, "* 1 FETCH (UID 1 BODY[] {3}\r\none)\r\n* 9 FETCH (UID 9 BODY[HEADER] {4}\r\nnine)\r\n$TAG OK\r\n", "$TAG OK\r\n")
	var news []string
	conn.Events.Message = func(m *Message) {
		text, ok := m.Body(Section{What: "HEADER"})
		news = append(news, fmt.Sprint(m.UID, string(text), ok))
	}
	var got []string
	for d, err := range conn.Download(t.Context(), mailbox.SetOf(1), Section{}) {
		require.NoError(t, err)
		b, err := io.ReadAll(d.Body)
		require.NoError(t, err)
		got = append(got, string(b))
	}
	assert.Equal(t, []string{"one"}, got)
	assert.Equal(t, []string{"9nine" + "true"}, news)
	assert.NoError(t, conn.Noop(t.Context()))
}

// Overflow ends no IDLE by itself: more is asked as at any news.
func TestNotifyOverflowInIdle(t *testing.T) {
	conn := dialScript(t, "* OK [CAPABILITY IMAP4rev1 IDLE NOTIFY] ready\r\n", "$TAG OK\r\n", "+ idling\r\n* OK [NOTIFICATIONOVERFLOW] enough\r\n", "a2 OK\r\n", "$TAG OK\r\n")
	require.NoError(t, conn.Notify(t.Context(), NotifyOptions{}, NotifyGroup{Events: NotifyMessages}))
	over := false
	conn.Events.Overflow = func() { over = true }
	require.NoError(t, conn.Idle(t.Context(), func() bool { return !over }))
	assert.True(t, over)
	require.NoError(t, conn.Noop(t.Context()))
}

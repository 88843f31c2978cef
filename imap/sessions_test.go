package imap

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

// Several sessions at one mailbox: what one does the others are told, where the
// protocol lets them be told.

func TestExpungeIsHeldBackDuringNumbers(t *testing.T) {
	store := testStore()
	put(t, store, "INBOX", 1, 2, 3, 4)
	s := serverOf(store)
	a, b := enter(t, s, "INBOX"), enter(t, s, "INBOX")
	a.ok("STORE 2 +FLAGS.SILENT (\\Deleted)")
	a.ok("EXPUNGE")
	// RFC 9051 §7.5.1: no EXPUNGE while numbers are in use
	got := b.ok("FETCH 3 UID")
	assert.Equal(t, []string{"3 FETCH (UID 3)"}, got)
	assert.Equal(t, []string{`3 FETCH (FLAGS (\Seen))`}, b.ok("STORE 3 FLAGS (\\Seen)"))
	assert.Equal(t, []string{"SEARCH 3"}, b.ok("SEARCH UID 3"))
	// what was expunged cannot be read any more, the rest can (RFC 2180)
	got = b.fails("FETCH 1:3 BODY.PEEK[HEADER.FIELDS (SUBJECT)]", "NO [EXPUNGEISSUED]")
	assert.Len(t, got, 2)
	// new mail may be told at once
	put(t, store, "INBOX", 5)
	assert.Equal(t, []string{"3 FETCH (UID 3)", "5 EXISTS", "1 RECENT"}, b.ok("FETCH 3 UID"))
	// and then, at last
	assert.Equal(t, []string{"2 EXPUNGE"}, b.ok("NOOP"))
	assert.Equal(t, []string{"2 FETCH (UID 3)"}, b.ok("FETCH 2 UID"))
	assert.Equal(t, []string{"4 EXISTS", "3 RECENT", `2 FETCH (FLAGS (\Seen \Recent))`}, a.ok("NOOP"), "what a saw")
}

func TestFlagsAreToldToOthers(t *testing.T) {
	store := testStore()
	put(t, store, "INBOX", 1, 2)
	s := serverOf(store)
	a, b := enter(t, s, "INBOX"), enter(t, s, "INBOX")
	a.ok(`STORE 1 +FLAGS.SILENT (\Seen $Work)`)
	// the keyword is announced before it is seen (RFC 9051 §7.3.5)
	assert.Equal(t, []string{
		`FLAGS (\Answered \Flagged \Deleted \Seen \Draft $Work)`,
		`OK [PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft $Work \*)] Flags that stay`,
		`1 FETCH (FLAGS (\Seen $Work))`,
	}, b.ok("NOOP"))
	assert.Empty(t, b.ok("NOOP"))
	assert.Empty(t, a.ok("NOOP"), "a has set it and was announced the keyword")
}

// A .SILENT STORE hides what its client knows already, and nothing else.
func TestSilentStoreTellsWhatOthersDid(t *testing.T) {
	store := testStore()
	put(t, store, "INBOX", 1)
	s := serverOf(store)
	a, b := enter(t, s, "INBOX"), enter(t, s, "INBOX")
	b.ok(`STORE 1 +FLAGS (\Flagged)`)
	assert.Equal(t, []string{`1 FETCH (FLAGS (\Seen \Flagged \Recent))`}, a.ok(`STORE 1 +FLAGS.SILENT (\Seen)`))
	assert.Equal(t, []string{`1 FETCH (FLAGS (\Seen \Flagged))`}, b.ok("NOOP"))
}

// \Recent belongs to the first session that is told of a message, and to a
// session that only looks as long as nobody else is there (RFC 3501 §2.3.2).
func TestRecentBelongsToOneSession(t *testing.T) {
	store := testStore()
	put(t, store, "INBOX", 1, 2)
	s := serverOf(store)
	look := login(t, s)
	assert.Contains(t, look.ok("EXAMINE INBOX"), "2 RECENT")
	a := login(t, s)
	assert.Contains(t, a.ok("SELECT INBOX"), "2 RECENT")
	b := login(t, s)
	assert.Contains(t, b.ok("SELECT INBOX"), "0 RECENT")
	put(t, store, "INBOX", 3)
	assert.Equal(t, []string{"3 EXISTS", "1 RECENT"}, b.ok("NOOP"))
	assert.Equal(t, []string{"3 EXISTS", "2 RECENT"}, a.ok("NOOP"))
	assert.Equal(t, []string{`3 FETCH (FLAGS (\Recent))`}, b.ok("FETCH 3 FLAGS"))
	assert.Equal(t, []string{`3 FETCH (FLAGS ())`}, a.ok("FETCH 3 FLAGS"))
	assert.Equal(t, []string{"SEARCH 3"}, b.ok("SEARCH RECENT"))
	assert.Equal(t, []string{"SEARCH 3"}, a.ok("SEARCH OLD"))
}

func TestIdleTellsAtOnce(t *testing.T) {
	store := testStore()
	put(t, store, "INBOX", 1)
	s := serverOf(store)
	a, b := enter(t, s, "INBOX"), enter(t, s, "INBOX")
	b.send("i IDLE\r\n")
	assert.Equal(t, "+ idling", b.line())
	for i := range 20 {
		put(t, store, "INBOX", 2)
		assert.Equal(t, "* 2 EXISTS", b.line())
		b.line() // RECENT
		a.ok("NOOP")
		a.ok(`STORE 2 +FLAGS.SILENT (\Deleted)`)
		assert.Contains(t, b.line(), `* 2 FETCH (FLAGS (\Deleted`, i)
		a.ok("EXPUNGE")
		assert.Equal(t, "* 2 EXPUNGE", b.line())
	}
	b.send("DONE\r\n")
	assert.Equal(t, "i OK IDLE terminated", b.line())
}

// What a store without bells tells is found out by asking (Timeouts.Poll).
func TestDeletedMailboxEndsSession(t *testing.T) {
	store := testStore()
	s := serverOf(store)
	id, err := store.Create(context.Background(), "Gone")
	require.NoError(t, err)
	a, b := enter(t, s, "Gone"), enter(t, s, "Gone")
	a.ok("DELETE Gone")
	a.fails("CHECK", "BAD")
	b.send("x NOOP\r\n")
	assert.Equal(t, "* BYE [NONEXISTENT] The selected mailbox was deleted", b.line())
	_, err = store.Open(context.Background(), id)
	assert.ErrorIs(t, err, mailbox.ErrNotExist)
}

func TestSharedViews(t *testing.T) {
	store := testStore()
	put(t, store, "INBOX", 1, 2, 3)
	s := serverOf(store)
	a, b := enter(t, s, "INBOX"), enter(t, s, "INBOX")
	s.views.mu.Lock()
	require.Len(t, s.views.m, 1)
	for _, sh := range s.views.m {
		assert.Equal(t, 2, sh.refs)
	}
	s.views.mu.Unlock()
	a.ok("UNSELECT")
	b.ok("LOGOUT")
	_, err := b.r.ReadByte()
	require.Error(t, err) // the server has let go
	s.views.mu.Lock()
	defer s.views.mu.Unlock()
	assert.Empty(t, s.views.m, "nobody is there any more")
}

// A client that does not read what it asked for keeps nobody else waiting.
func TestSlowReaderDelaysNobody(t *testing.T) {
	store := testStore()
	big := strings.Repeat("x", 1<<20)
	require.NoError(t, store.Put(context.Background(), "INBOX", mailbox.Flags{}, "Subject: big\n\n"+big))
	s := serverOf(store)
	slow, quick := enter(t, s, "INBOX"), enter(t, s, "INBOX")
	slow.send("x FETCH 1 BODY[]\r\n")
	assert.Contains(t, slow.line(), "FETCH (BODY[] {")
	for range 10 {
		put(t, store, "INBOX", 1)
		quick.ok("NOOP")
		quick.ok(`STORE 1 +FLAGS (\Flagged)`)
		quick.ok("FETCH 1:* (FLAGS ENVELOPE)")
	}
}

func TestMoveIsSeenByOthers(t *testing.T) {
	store := testStore()
	put(t, store, "INBOX", 1, 2)
	s := serverOf(store)
	a := enter(t, s, "INBOX")
	a.ok("CREATE Else")
	b, c := enter(t, s, "INBOX"), enter(t, s, "Else")
	a.ok("UID MOVE 1 Else")
	assert.Equal(t, []string{"1 EXPUNGE"}, b.ok("NOOP"))
	assert.Equal(t, []string{"1 EXISTS", "1 RECENT"}, c.ok("NOOP"))
}

func TestNotifyTellsOfOtherMailboxes(t *testing.T) {
	store := testStore()
	s := serverOf(store)
	a, b := enter(t, s, "INBOX"), login(t, s)
	a.ok("NOTIFY SET (selected (MessageNew (UID FLAGS) MessageExpunge FlagChange)) (personal (MessageNew MessageExpunge MailboxName SubscriptionChange))")
	b.ok("CREATE Lists")
	a.deadline()
	assert.Equal(t, `* LIST (\HasNoChildren) "/" Lists`, a.line())
	b.ok("SUBSCRIBE Lists")
	assert.Equal(t, `* LIST (\Subscribed \HasNoChildren) "/" Lists`, a.line())
	put(t, store, "Lists", 1)
	assert.Equal(t, `* STATUS Lists (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 1001)`, a.line())
	put(t, store, "INBOX", 1)
	assert.Equal(t, `* 1 EXISTS`, a.line())
	assert.Equal(t, `* 1 RECENT`, a.line())
	assert.Equal(t, `* 1 FETCH (UID 1 FLAGS (\Recent))`, a.line())
	b.ok("SELECT INBOX")
	b.ok(`STORE 1 FLAGS (\Seen)`)
	assert.Equal(t, `* 1 FETCH (UID 1 FLAGS (\Seen \Recent))`, a.line(), "with its UID, RFC 5465 §5.1")
	b.ok("RENAME Lists Other")
	assert.Equal(t, `* LIST (\NonExistent \Subscribed \HasNoChildren) "/" Lists`, a.line())
	assert.Equal(t, `* LIST (\HasNoChildren) "/" Other ("OLDNAME" (Lists))`, a.line())
	b.ok("DELETE Other")
	assert.Equal(t, `* LIST (\NonExistent) "/" Other`, a.line())
	a.ok("NOTIFY NONE")
	put(t, store, "INBOX", 2)
	assert.Empty(t, a.ok("NOOP"), "nothing is told any more")
}

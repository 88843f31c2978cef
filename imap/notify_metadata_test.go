package imap

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestDigestsChange(t *testing.T) {
	of := func(pairs ...string) digests {
		d := digests{}
		for i := 0; i < len(pairs); i += 2 {
			d[pairs[i]] = digest{name: pairs[i], sum: [32]byte{pairs[i+1][0]}}
		}
		return d
	}
	assert.Empty(t, digests(nil).changes(nil))
	assert.Empty(t, of("/a", "1").changes(of("/a", "1")))
	assert.Equal(t, []string{"/a"}, digests(nil).changes(of("/a", "1")))
	assert.Equal(t, []string{"/a", "/b", "/d"}, of("/a", "1", "/b", "1", "/c", "1").changes(of("/b", "2", "/c", "1", "/d", "1")))
}

// Names of changed entries are told, values are not, a removed entry is, and
// nothing is told to those who have not asked (RFC 5465 §5.6 and §5.7).
func TestNotifyTellsOfMetadata(t *testing.T) {
	s := serverOf(testStore())
	a, b := login(t, s), login(t, s)
	b.ok("CREATE Lists")
	b.ok("CREATE Other")
	b.ok(`SETMETADATA Lists (/shared/comment "before")`)
	a.ok("NOTIFY SET (mailboxes Lists (MailboxMetadataChange)) (personal (ServerMetadataChange))")
	a.deadline()
	b.ok(`SETMETADATA Lists (/private/comment "one" /shared/vendor/x "two")`)
	assert.Equal(t, `* METADATA Lists /private/comment /shared/vendor/x`, a.line())
	b.ok(`SETMETADATA Other (/private/comment "not asked for")`)
	b.ok(`SETMETADATA Lists (/private/comment "one")`) // as it was
	b.ok(`SETMETADATA Lists (/shared/vendor/x NIL)`)
	assert.Equal(t, `* METADATA Lists /shared/vendor/x`, a.line())
	b.ok(`SETMETADATA "" (/private/comment "of the server")`)
	assert.Equal(t, `* METADATA "" /private/comment`, a.line())
	a.ok("NOTIFY SET (personal (MailboxName))")
	b.ok(`SETMETADATA Lists (/private/comment "two")`)
	assert.Empty(t, a.ok("NOOP"))
}

// Where the store has no annotations there are no such events.
func TestNotifyWithoutMetadata(t *testing.T) {
	s := serverOf(testStore())
	s.Without = []string{"METADATA"}
	a := login(t, s)
	a.fails("NOTIFY SET (personal (MailboxMetadataChange))", "NO [BADEVENT (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange)]")
}

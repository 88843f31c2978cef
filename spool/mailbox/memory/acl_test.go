package memory

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

// shared is a mailbox and what eve may do there.
func shared(t *testing.T, r mailbox.Rights) (s *Store, eve mailbox.Store, id mailbox.ID) {
	s = &Store{User: "bob"}
	require.NoError(t, s.Put(ctx, "Team", mailbox.Flags{}, "one", "two"))
	i, err := mailbox.Find(ctx, s, "Team")
	require.NoError(t, err)
	if r != "" {
		require.NoError(t, s.Grant(ctx, i.ID, "eve", mailbox.ReplaceFlags, r))
	}
	return s, s.As("eve"), i.ID
}

func names(t *testing.T, s mailbox.Store) (out []string) {
	all, err := s.Mailboxes(ctx)
	require.NoError(t, err)
	for _, i := range all {
		out = append(out, i.Name)
	}
	return out
}

func TestACLNothing(t *testing.T) {
	_, eve, id := shared(t, "")
	assert.Empty(t, names(t, eve))
	_, err := eve.Open(ctx, id)
	assert.ErrorIs(t, err, mailbox.ErrNotExist, "who may not see it is not told that it is there")
	_, err = eve.Create(ctx, "Mine")
	assert.ErrorIs(t, err, mailbox.ErrReadOnly)
	assert.ErrorIs(t, eve.(mailbox.QuotaSetter).SetQuota(ctx, "", nil), mailbox.ErrReadOnly)
}

func TestACLRead(t *testing.T) {
	s, eve, id := shared(t, "lrs")
	assert.Equal(t, []string{"Team"}, names(t, eve))
	m, err := eve.Open(ctx, id)
	require.NoError(t, err)
	assert.Equal(t, "one", read(t, m, 1))
	_, err = m.SetFlags(ctx, mailbox.SetOf(1), mailbox.AddFlags, mailbox.Flags{Sys: mailbox.Seen | mailbox.Flagged, Keywords: "k"}, 0)
	require.NoError(t, err)
	assert.Equal(t, mailbox.Flags{Sys: mailbox.Seen}, changes(t, m, 0).Messages[0].Flags, "only what s stands for")
	assert.ErrorIs(t, m.Expunge(ctx, mailbox.SetOf(1)), mailbox.ErrReadOnly)
	_, err = m.Append(ctx, mailbox.One(&mailbox.Incoming{Body: strings.NewReader("x")}))
	assert.ErrorIs(t, err, mailbox.ErrReadOnly)
	_, _, err = mailbox.Move(ctx, m, mailbox.SetOf(1), inbox(t, s))
	assert.ErrorIs(t, err, mailbox.ErrReadOnly)
	_, _, err = mailbox.Copy(ctx, inboxWith(t, s), mailbox.SetOf(1), m)
	assert.ErrorIs(t, err, mailbox.ErrReadOnly)
	assert.ErrorIs(t, eve.Delete(ctx, id), mailbox.ErrReadOnly)
	assert.ErrorIs(t, eve.Rename(ctx, id, "Ours"), mailbox.ErrReadOnly)
	_, err = eve.(mailbox.ACL).Grants(ctx, id)
	assert.ErrorIs(t, err, mailbox.ErrReadOnly)
}

func inboxWith(t *testing.T, s *Store) mailbox.Mailbox {
	require.NoError(t, s.Put(ctx, mailbox.Inbox, mailbox.Flags{}, "x"))
	return inbox(t, s)
}

func TestACLReadOnlyState(t *testing.T) {
	_, eve, id := shared(t, "lr")
	m, err := eve.Open(ctx, id)
	require.NoError(t, err)
	assert.True(t, changes(t, m, 0).State.ReadOnly)
	_, err = m.SetFlags(ctx, mailbox.SetOf(1), mailbox.AddFlags, mailbox.Flags{Sys: mailbox.Seen}, 0)
	assert.ErrorIs(t, err, mailbox.ErrReadOnly)
}

// TestACLTakenAway: rights count at every call, not when the mailbox was opened.
func TestACLTakenAway(t *testing.T) {
	s, eve, id := shared(t, "lr")
	m, err := eve.Open(ctx, id)
	require.NoError(t, err)
	require.NoError(t, s.Grant(ctx, id, "eve", mailbox.ReplaceFlags, ""))
	_, err = m.Changes(ctx, 0)
	assert.ErrorIs(t, err, mailbox.ErrReadOnly)
	_, err = m.Message(ctx, 1)
	assert.ErrorIs(t, err, mailbox.ErrReadOnly)
}

func TestACLEntries(t *testing.T) {
	s, eve, id := shared(t, "")
	grant := func(who string, op mailbox.FlagOp, r mailbox.Rights) {
		t.Helper()
		require.NoError(t, s.Grant(ctx, id, who, op, r))
	}
	mine := func() mailbox.Rights {
		s.mu.RLock()
		defer s.mu.RUnlock()
		return s.byID(id).rights("eve")
	}
	grant(anyone, mailbox.ReplaceFlags, "lr")
	assert.EqualValues(t, "lr", mine())
	grant("-eve", mailbox.AddFlags, "r")
	assert.EqualValues(t, "l", mine(), "a negative entry takes away")
	grant("eve", mailbox.AddFlags, "lrsa")
	assert.EqualValues(t, "lsa", mine(), "an own entry stands for itself")
	grant("eve", mailbox.RemoveFlags, "s")
	g, err := eve.(mailbox.ACL).Grants(ctx, id)
	require.NoError(t, err)
	assert.Contains(t, g, mailbox.Grant{Who: "bob", Rights: mailbox.AllRights})
	assert.Contains(t, g, mailbox.Grant{Who: "eve", Rights: "lra"})
	assert.ErrorIs(t, s.Grant(ctx, id, "-bob", mailbox.AddFlags, "a"), mailbox.ErrCannot, "nobody locks the owner out")
	r, err := s.MyRights(ctx, id)
	require.NoError(t, err)
	assert.Equal(t, mailbox.AllRights, r)
	always, optional, err := s.Possible(ctx, id, "eve")
	require.NoError(t, err)
	assert.Empty(t, always)
	assert.Len(t, optional, len(mailbox.AllRights))
}

func TestACLCreate(t *testing.T) {
	s, eve, id := shared(t, "lkx")
	_, err := eve.Create(ctx, "Team/sub")
	require.NoError(t, err)
	_, err = eve.Create(ctx, "Other/sub")
	assert.ErrorIs(t, err, mailbox.ErrReadOnly)
	require.NoError(t, eve.Subscribe(ctx, "Team", true))
	i, err := mailbox.Find(ctx, s, "Team")
	require.NoError(t, err)
	assert.False(t, i.Subscribed, "subscriptions are everybody's own")
	require.NoError(t, eve.Delete(ctx, id))
}

package imap_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/imap"
	"github.com/postilion-mail/postilion/imap/imaptest"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// Sync tells what changed since the last visit, by QRESYNC and without.
func TestClientSyncs(t *testing.T) {
	for _, without := range [][]string{nil, {"QRESYNC"}, {"QRESYNC", "CONDSTORE"}} {
		t.Run(fmt.Sprint(without), func(t *testing.T) {
			srv := imaptest.New(t, func(s *imap.Server) { s.Without = append(s.Without, without...) })
			srv.Deliver("INBOX", lunch, lunch, lunch)
			ctx := t.Context()
			conn := connect(t, srv)
			first, err := conn.Sync(ctx, "INBOX", imap.SyncState{})
			require.NoError(t, err)
			assert.True(t, first.Full)
			assert.Len(t, first.Messages, 3)
			assert.Equal(t, "1:3", first.State.UIDs.String())
			require.NoError(t, conn.Logout(ctx))

			other := open(t, srv)
			_, err = other.Store(ctx, mailbox.SetOf(2), mailbox.AddFlags, mailbox.Flags{Sys: mailbox.Flagged}, 0)
			require.NoError(t, err)
			_, err = other.Store(ctx, mailbox.SetOf(1), mailbox.AddFlags, mailbox.Flags{Sys: mailbox.Deleted}, 0)
			require.NoError(t, err)
			require.NoError(t, other.Expunge(ctx, nil))
			srv.Deliver("INBOX", withFile)

			conn = connect(t, srv)
			second, err := conn.Sync(ctx, "INBOX", first.State)
			require.NoError(t, err)
			assert.Equal(t, "2:4", second.State.UIDs.String())
			got := map[mailbox.UID]string{}
			for _, m := range second.Messages {
				got[m.UID] = m.Flags.String()
			}
			assert.Equal(t, `\Flagged`, got[2])
			assert.Contains(t, got, mailbox.UID(4))
			if len(without) < 2 {
				assert.False(t, second.Full)
				assert.Equal(t, "1", second.Vanished.String())
				assert.Len(t, got, 2)
			}
		})
	}
}

// Extensions that Conn has no method for.
func TestClientDo(t *testing.T) {
	conn := open(t, imaptest.New(t))
	var got []string
	text, err := conn.Do(t.Context(), "GETQUOTAROOT", "INBOX", func(line []byte) bool { got = append(got, string(line)); return true })
	require.NoError(t, err)
	assert.NotEmpty(t, text)
	assert.NotEmpty(t, got)
}

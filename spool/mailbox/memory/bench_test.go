package memory

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

// large is a mailbox of 100,000 messages.
func large(b *testing.B) mailbox.Mailbox {
	s := newStore()
	m := inbox(b, s)
	_, err := m.Append(ctx, func(yield func(*mailbox.Incoming, error) bool) {
		for range 100_000 {
			if !yield(&mailbox.Incoming{Body: strings.NewReader("Subject: x\r\n\r\n")}, nil) {
				return
			}
		}
	})
	require.NoError(b, err)
	return m
}

// BenchmarkChangesAll is what a session costs that sees a mailbox first.
func BenchmarkChangesAll(b *testing.B) {
	m := large(b)
	b.ReportAllocs()
	for b.Loop() {
		_, err := m.Changes(ctx, 0)
		require.NoError(b, err)
	}
}

// BenchmarkChangesOne is a change of flags and the news of it.
func BenchmarkChangesOne(b *testing.B) {
	m := large(b)
	d := changes(b, m, 0)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		_, err := m.SetFlags(ctx, mailbox.SetOf(mailbox.UID(1+i%100_000)), mailbox.FlagOp(1+i/100_000%2), mailbox.Flags{Sys: mailbox.Seen}, 0)
		require.NoError(b, err)
		d, err = m.Changes(ctx, d.State.HighestModSeq)
		require.NoError(b, err)
	}
}

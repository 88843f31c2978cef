package mailboxtest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/postilion-mail/postilion/spool/mailbox"
	"github.com/postilion-mail/postilion/spool/mailbox/memory"
)

var bg = context.Background()

func TestReopenMemory(t *testing.T) {
	RunReopen(t, func(testing.TB) func() mailbox.Store {
		s := &memory.Store{}
		return func() mailbox.Store { return s }
	})
}

// forgetful loses something with each process.
func forgetful(lose func(s *memory.Store)) func(testing.TB) func() mailbox.Store {
	return func(testing.TB) func() mailbox.Store {
		s := &memory.Store{User: "bob"}
		return func() mailbox.Store {
			lose(s)
			return s
		}
	}
}

// inInbox does something to INBOX, if it has messages.
func inInbox(do func(m mailbox.Mailbox)) func(s *memory.Store) {
	return func(s *memory.Store) {
		m, err := mailbox.OpenName(bg, s, mailbox.Inbox)
		if err == nil {
			do(m)
		}
	}
}

// TestForgetfulStores shows that the cases of RunReopen can fail.
func TestForgetfulStores(t *testing.T) {
	for _, c := range []struct {
		name string
		open func(testing.TB) func() mailbox.Store
		want []string
	}{
		{"flags", forgetful(inInbox(func(m mailbox.Mailbox) {
			m.SetFlags(bg, everything(), mailbox.ReplaceFlags, mailbox.Flags{}, 0)
		})), []string{"reopen/flags", "reopen/messages"}},
		{"the last message", forgetful(inInbox(func(m mailbox.Mailbox) {
			d, _ := m.Changes(bg, 0)
			if n := len(d.Messages); n > 0 {
				m.Expunge(bg, mailbox.SetOf(d.Messages[n-1].UID))
			}
		})), []string{"reopen/messages", "reopen/move", "reopen/changes", "reopen/half a message"}},
		{"all", func(testing.TB) func() mailbox.Store {
			return func() mailbox.Store { return &memory.Store{} }
		}, []string{"reopen/messages", "reopen/mailboxes", "reopen/expunge", "reopen/changes"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, r := range reopenCases {
				err := r.run(t, c.open)
				for _, n := range c.want {
					if n == r.name {
						assert.Error(t, err, n)
					}
				}
			}
		})
	}
}

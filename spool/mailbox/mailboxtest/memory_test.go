package mailboxtest

import (
	"testing"

	"github.com/postilion-mail/postilion/spool/mailbox"
	"github.com/postilion-mail/postilion/spool/mailbox/memory"
)

func TestMemory(t *testing.T) {
	Run(t, func(testing.TB) mailbox.Store { return &memory.Store{} })
}

// plain is a store without optional interfaces, whose mailboxes have none.
type plain struct{ mailbox.Store }

type plainBox struct{ mailbox.Mailbox }

func (p plain) Open(ctx ctx, id mailbox.ID) (mailbox.Mailbox, error) {
	m, err := p.Store.Open(ctx, id)
	if err != nil {
		return nil, err
	}
	return plainBox{m}, nil
}

// TestPlain: the fallbacks keep the contract too.
func TestPlain(t *testing.T) {
	Run(t, func(testing.TB) mailbox.Store { return plain{&memory.Store{}} })
}

package mailboxtest_test

import (
	"testing"

	"github.com/postilion-mail/postilion/spool/mailbox"
	"github.com/postilion-mail/postilion/spool/mailbox/mailboxtest"
	"github.com/postilion-mail/postilion/spool/mailbox/memory"
)

// The whole test of a store of one's own.
func ExampleRun() {
	_ = func(t *testing.T) { // func TestStore(t *testing.T) {
		mailboxtest.Run(t, func(testing.TB) mailbox.Store {
			return &memory.Store{} // an empty account of the store to be tested
		})
	}
	// Output:
}

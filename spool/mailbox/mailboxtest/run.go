package mailboxtest

import (
	"context"
	"testing"
	"time"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

// Run checks the stores that open makes, each case as a subtest with a store of
// its own. open is called with the TB of the subtest; it must return an empty
// account, fails the test if it cannot, and may register cleanups.
func Run(t *testing.T, open func(testing.TB) mailbox.Store) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if skip, err := c.run(t, open, patience); err != nil {
				t.Errorf("%v\nrule: %s", err, c.rule)
			} else if skip != "" {
				t.Skip(skip)
			}
		})
	}
}

// How long a case may take, and how long it waits for what must not come.
const (
	patience = 60 * time.Second
	moment   = 20 * time.Millisecond
)

// testCase is one rule and how to find out whether a store keeps it.
type testCase struct {
	name  string
	rule  string
	check func(h *harness) error
}

// cases are all rules.
var cases = join(nameCases, appendCases, flagCases, expungeCases, changeCases, copyCases, optionalCases, raceCases)

func join(groups ...[]testCase) (out []testCase) {
	for _, g := range groups {
		out = append(out, g...)
	}
	return out
}

// run opens a store and checks it; skip says why it could not be.
func (c testCase) run(tb testing.TB, open func(testing.TB) mailbox.Store, limit time.Duration) (skip string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	h := &harness{ctx: ctx, store: open(tb)}
	defer mailbox.Close(h.store)
	defer h.close()
	err = c.check(h)
	return h.skip, err
}

// harness is what a case works with.
type harness struct {
	ctx   context.Context
	store mailbox.Store
	skip  string
	open  []mailbox.Mailbox
}

func (h *harness) close() {
	for _, m := range h.open {
		m.Close()
	}
}

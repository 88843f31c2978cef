package listtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/postilion-mail/postilion/alias/list"
	"github.com/postilion-mail/postilion/smtp"
)

// RunMembers checks the stores that open makes, each case as a subtest with a
// store of its own. open is called with the TB of the subtest; it must return an
// empty store, fails the test if it cannot, and may register cleanups.
func RunMembers(t *testing.T, open func(testing.TB) list.Members) {
	t.Helper()
	runAll(t, membersCases, open)
}

// RunHeld is RunMembers for a store of held posts.
func RunHeld(t *testing.T, open func(testing.TB) list.Held) {
	t.Helper()
	runAll(t, heldCases, open)
}

// testCase is one rule and how to find out whether a store keeps it.
type testCase[S any] struct {
	name  string
	rule  string
	check func(ctx context.Context, s S) error
}

func runAll[S any](t *testing.T, cases []testCase[S], open func(testing.TB) S) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if err := c.run(t, open); err != nil {
				t.Errorf("%v\nrule: %s", err, c.rule)
			}
		})
	}
}

// patience is how long a case may take.
const patience = 30 * time.Second

// run opens a store and checks it. A store that blocks is left to itself when
// time is up.
func (c testCase[S]) run(tb testing.TB, open func(testing.TB) S) error {
	return c.within(tb, open, patience)
}

func (c testCase[S]) within(tb testing.TB, open func(testing.TB) S, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	s := open(tb)
	done := make(chan error, 1)
	go func() { done <- c.check(ctx, s) }()
	select {
	case err := <-done:
		if closer, ok := any(s).(io.Closer); ok {
			err = errors.Join(err, closer.Close())
		}
		return err
	case <-ctx.Done():
		return fmt.Errorf("not over after %v", limit)
	}
}

// path is an address of the tests; without an "@" it is one of hamburger.edu.
func path(s string) smtp.Path {
	p, err := smtp.ParsePath(s)
	if err != nil || p.Domain() == "" {
		p, _ = smtp.ParsePath(s + "@hamburger.edu")
	}
	return p
}

// want compares two values as they are printed.
func want(what string, got, wanted any) error {
	if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", wanted); g != w {
		return fmt.Errorf("%s: %s, not %s", what, g, w)
	}
	return nil
}

// wantErr wants an error that errors.Is finds.
func wantErr(what string, err, wanted error) error {
	if !errors.Is(err, wanted) {
		return fmt.Errorf("%s: error %v, not %v", what, err, wanted)
	}
	return nil
}

// errTest is an error that a store is given and must give back.
var errTest = errors.New("listtest: an error on purpose")

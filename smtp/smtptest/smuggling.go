package smtptest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"
)

// Target is any SMTP or LMTP server, to be tested by [SmugglingSuite]. It
// really gets the suite's messages, so it should be one whose mail goes
// nowhere.
type Target struct {
	Addr string // "host:port" of its SMTP port, in the clear
	LMTP bool   // it speaks LMTP
	From string // a sender it accepts; "" is sender@example.org
	To   string // a recipient it accepts without a login; "" is recipient@example.org

	// Dial connects; nil is a net.Dialer.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Timeout is how long the server may take for the reply to a message; 0 is
	// 5 seconds. One that takes longer counts as one that hangs.
	Timeout time.Duration
}

// A SmugglingError is a rule that a server breaks.
type SmugglingError struct {
	Case string // which test found it
	Rule string // what a server must do there, and where that is written
	Got  string // what it did
}

// Error tells all three.
func (e *SmugglingError) Error() string {
	return fmt.Sprintf("%s: %s\n\trule: %s", e.Case, e.Got, e.Rule)
}

// errSkip says that a case does not apply to the server.
var errSkip = errors.New("the server does not offer what this case needs")

// SmugglingSuite tests whether a server can be made to see two messages, or
// commands, where its client has sent one message: what "SMTP smuggling" and
// its kin do. Each case is a subtest over connections of its own; it sees the
// server's replies alone, so any server can be tested, in any language. Cases
// for extensions that are not offered are skipped.
//
// The cases are all combinations of line ends and what may be taken for one
// around the final dot, each in one piece and octet by octet; the dot that a
// buffer of common size would cut off a long line; messages that are refused,
// too large, or ended by an oddity; BDAT with sizes that lie; commands behind
// STARTTLS; and control characters in commands.
func SmugglingSuite(t *testing.T, target Target) {
	t.Helper()
	for _, c := range smugglingCases() {
		t.Run(c.name, func(t *testing.T) {
			switch err := c.check(t.Context(), target); {
			case errors.Is(err, errSkip):
				t.Skip(err)
			case err != nil:
				t.Error(err)
			}
		})
	}
}

// CheckSmuggling is [SmugglingSuite] outside of a test: it gives all rules that
// the server breaks, each a [*SmugglingError], joined; or what kept it from
// finding out, such as a server that does not take mail for Target.To.
func CheckSmuggling(ctx context.Context, target Target) error {
	var errs []error
	for _, c := range smugglingCases() {
		err := c.check(ctx, target)
		if _, broken := errors.AsType[*SmugglingError](err); broken {
			errs = append(errs, err)
		} else if err != nil && !errors.Is(err, errSkip) {
			return errors.Join(append(errs, fmt.Errorf("smtptest: %s: %w", c.name, err))...)
		}
	}
	return errors.Join(errs...)
}

// smugglingCase is one way to smuggle.
type smugglingCase struct {
	name string
	rule string
	try  func(p *probe) (got string, err error) // got: how the rule was broken
}

func (c *smugglingCase) check(ctx context.Context, target Target) error {
	p := &probe{Target: target, ctx: ctx}
	defer p.close()
	got, err := c.try(p)
	switch {
	case err != nil:
		return err
	case got != "":
		return &SmugglingError{Case: c.name, Rule: c.rule, Got: got}
	}
	return nil
}

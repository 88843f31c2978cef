package dns

import (
	"context"
	"errors"
	"fmt"
	"net"
)

// Resolver looks up the records of one type at one name.
//
// A negative answer is returned as an Answer with no RRs and a nil error. A
// non-nil error means that the question could not be settled; it should be, or
// wrap, an [*Error]. Once ctx is done Lookup returns without delay, with an error
// that wraps ctx.Err().
//
// Lookup follows CNAMEs. It may be called concurrently with itself, and what the
// Answer holds must not be changed afterwards by either side.
//
// A resolver of your own is a few lines; wrappers that count, log or fake answers
// compose with those of this package.
type Resolver interface {
	Lookup(ctx context.Context, name string, t Type) (Answer, error)
}

// ResolverFunc makes a Resolver of a func, for wrappers and fakes.
type ResolverFunc func(ctx context.Context, name string, t Type) (Answer, error)

// Lookup calls f.
func (f ResolverFunc) Lookup(ctx context.Context, name string, t Type) (Answer, error) {
	return f(ctx, name, t)
}

// What an [*Error] may wrap, beside the errors of the network and the context.
var (
	ErrTimeout     = errors.New("no answer in time")
	ErrTruncated   = errors.New("answer truncated")
	ErrLame        = errors.New("server knows nothing of the name and does not ask others")
	ErrMalformed   = errors.New("answer malformed")
	ErrLoop        = errors.New("CNAME chain too long or going round")
	ErrBudget      = errors.New("query budget spent")
	ErrName        = errors.New("not a domain name")
	ErrUnsupported = errors.New("resolver cannot ask this")
)

// Error says why a question could not be settled.
type Error struct {
	Name   string // as it was asked for
	Type   Type
	Server string // the last one asked, "" if none was
	RCode  RCode  // what it answered; NoError if the failure is another, in Err
	Err    error  // nil if RCode says all
}

// Error names the question, the server and the cause.
func (e *Error) Error() string {
	cause := e.RCode.String()
	if e.Err != nil {
		cause = e.Err.Error()
	}
	if e.Server != "" {
		cause = e.Server + ": " + cause
	}
	return fmt.Sprintf("dns: %q %v: %s", e.Name, e.Type, cause)
}

// Unwrap gives the cause, so that errors.Is finds context.Canceled and the
// errors of this package.
func (e *Error) Unwrap() error { return e.Err }

// Timeout says that the answer did not come in time, for [net.Error] and for
// os.IsTimeout.
func (e *Error) Timeout() bool {
	var t interface{ Timeout() bool }
	return errors.Is(e.Err, ErrTimeout) || errors.As(e.Err, &t) && t.Timeout()
}

// Temporary says that asking again later may help. Only a name that no server
// could answer for makes it false.
func (e *Error) Temporary() bool { return !errors.Is(e.Err, ErrName) }

// SMTP is how a mail server answers when it could not find out: it asks the
// client to try again (RFC 3463 §3.5, "directory server failure").
func (e *Error) SMTP() (code int, enhanced, text string) {
	return 451, "4.4.3", "DNS lookup failed, try again later"
}

var _ net.Error = (*Error)(nil)

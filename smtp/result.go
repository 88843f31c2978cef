package smtp

import (
	"fmt"
	"strings"
)

// Status is how the delivery to one recipient ended. Its zero value is
// Temporary: what nobody spoke of is tried again, never lost.
type Status uint8

const (
	Temporary Status = iota // try again later
	Accepted                // the next host answers for it now
	Permanent               // will never work: bounce it
	Unknown                 // the reply to the whole message was lost: it may have been accepted
)

// String names the status in lower case.
func (s Status) String() string {
	names := [...]string{"temporary", "accepted", "permanent", "unknown"}
	if int(s) < len(names) {
		return names[s]
	}
	return fmt.Sprintf("Status(%d)", uint8(s))
}

// Result is one recipient's outcome. Its zero value is a temporary failure.
type Result struct {
	Status Status
	Reply  Reply  // what was answered; zero if nobody answered
	Host   string // who said so, for the report; "" this host
	DSN    bool   // the next hop offered DSN and reports success itself (RFC 3461 §5.2.1)
	By     bool   // the next hop offered DELIVERBY and keeps the time from there (RFC 2852 §4.1.4)
	Err    error  // the private cause; nil if accepted
}

// SafeToRetry reports that another try cannot deliver the message twice. After
// Unknown it can, and must be made all the same (RFC 5321 §4.5.3.2.6).
func (r Result) SafeToRetry() bool { return r.Status == Temporary }

// Results holds one Result for each recipient, in the order of Envelope.To.
type Results []Result

// Err is nil if every recipient was accepted, else a *[PartialError].
func (r Results) Err() error {
	for i := range r {
		if r[i].Status != Accepted {
			return &PartialError{Results: r}
		}
	}
	return nil
}

// Failed gives n recipients the outcome that err stands for, by [ReplyTo]:
// 5yz is Permanent, all else Temporary. nil is Accepted.
func Failed(n int, err error) Results {
	out := make(Results, n)
	one := resultOf(err)
	for i := range out {
		out[i] = one
	}
	return out
}

func resultOf(err error) Result {
	r := Result{Reply: ReplyTo(err), Err: err}
	switch {
	case err == nil:
		r.Status = Accepted
	case r.Reply.Permanent():
		r.Status = Permanent
	}
	return r
}

// PartialError says that not every recipient was accepted. A [Handler].Message
// returns it to answer for each recipient by itself.
type PartialError struct {
	Results Results // in the order of Envelope.To
}

// Error counts the outcomes and quotes the first that is not accepted.
func (e *PartialError) Error() string {
	var n [4]int
	first := -1
	for i, r := range e.Results {
		n[r.Status&3]++
		if first < 0 && r.Status != Accepted {
			first = i
		}
	}
	if first < 0 {
		return "smtp: all recipients accepted"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "smtp: %d of %d recipients accepted", n[Accepted], len(e.Results))
	switch r := e.Results[first]; {
	case r.Reply.Code != 0:
		fmt.Fprintf(&b, "; %v", r.Reply)
	case r.Err != nil:
		fmt.Fprintf(&b, "; %v", r.Err)
	}
	return b.String()
}

// Unwrap gives the cause of each recipient that was not accepted.
func (e *PartialError) Unwrap() []error {
	var errs []error
	for _, r := range e.Results {
		if r.Status != Accepted && r.Err != nil {
			errs = append(errs, r.Err)
		}
	}
	return errs
}

// SMTP is the reply for all where one reply must do: the first refusal that is
// not permanent, so that nobody is bounced who may still be reached; else the
// first permanent one.
func (e *PartialError) SMTP() (code int, enhanced, text string) {
	for _, want := range []bool{false, true} {
		for _, r := range e.Results {
			if r.Status == Accepted || (r.Status == Permanent) != want {
				continue
			}
			if r.Reply.Permanent() == want && r.Reply.Code >= 400 {
				return r.Reply.SMTP()
			}
			return tryLater.SMTP()
		}
	}
	return tryLater.SMTP()
}

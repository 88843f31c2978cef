package spf

import "fmt"

// Policy says what a receiver does with a report. The zero Policy takes all mail.
type Policy struct {
	RejectFail      bool // 550 5.7.23 if the HELO name or the reverse-path fails
	RejectSoftFail  bool // 550 5.7.23 for a softfail of the reverse-path too
	RejectPermError bool // 550 5.7.24 if the record of the reverse-path is broken
	DeferTempError  bool // 451 4.7.24 if the DNS of the reverse-path does not answer
}

// Err is nil if the policy lets the mail in; else an [*Error], which becomes the
// SMTP reply. The reverse-path is looked at first. The HELO name counts for
// nothing but its fail, the one result that speaks clearly (RFC 7208 §2.3).
func (r Report) Err(p Policy) error {
	v := r.MailFrom
	switch {
	case v.Result == Fail && p.RejectFail,
		v.Result == SoftFail && p.RejectSoftFail,
		v.Result == PermError && p.RejectPermError,
		v.Result == TempError && p.DeferTempError:
		return &Error{Verdict: v}
	case r.Hello.Result == Fail && p.RejectFail:
		return &Error{Verdict: r.Hello}
	}
	return nil
}

// Error refuses a message because of SPF.
type Error struct {
	Verdict Verdict
}

// Error is for the log.
func (e *Error) Error() string {
	v := &e.Verdict
	s := fmt.Sprintf("spf: %s for %s %s", v.Result, v.Identity, clean(v.Domain, maxName))
	if v.Err != nil {
		s += ": " + clean(v.Err.Error(), 300)
	}
	return s
}

// Unwrap gives the reason of a temperror or permerror.
func (e *Error) Unwrap() error { return e.Verdict.Err }

// SMTP is the reply: its codes are those of RFC 7372 §3.2, its text as RFC 7208
// §8.4 advises. An explanation is marked as the domain's, since its words are not
// ours.
func (e *Error) SMTP() (code int, enhanced, text string) {
	v := &e.Verdict
	what := "SPF MAIL FROM check failed"
	if v.Identity == Helo {
		what = "SPF HELO check failed"
	}
	switch v.Result {
	case TempError:
		return 451, "4.7.24", "SPF check could not be made, try again later"
	case PermError:
		return 550, "5.7.24", what + ": the SPF record of " + clean(v.Domain, maxName) + " is in error"
	}
	if v.Explanation != "" {
		return 550, "5.7.23", fmt.Sprintf("%s: %s explains: %.300s", what, clean(v.Domain, 80), v.Explanation)
	}
	return 550, "5.7.23", fmt.Sprintf("%s: %s does not designate %s as permitted sender", what, clean(v.Domain, maxName), v.IP)
}

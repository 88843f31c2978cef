package spool

import (
	"bytes"
	"cmp"
	"io"
	"net"
	"time"

	"github.com/postilion-mail/postilion/mime"
	"github.com/postilion-mail/postilion/smtp"
)

// Report is what a [Runner] has to tell the sender of a message: about one
// attempt, for all recipients of whom he wants to hear (RFC 3461 §4.1).
// Runner.Report may turn it into any message; [Report.Draft] makes the usual one.
type Report struct {
	Item  *Item // the message; its Envelope.From is who is told
	Rcpts []ReportRcpt
	Name  string            // the host that reports; "" is "localhost"
	Time  time.Time         // of the attempt
	Body  *io.SectionReader // the message with its Prefix, as long as the report is under way; nil: not to be had

	ReturnBytes int64     // see Runner
	Rand        io.Reader // nil means crypto/rand
}

// ReportRcpt is what became of one recipient.
type ReportRcpt struct {
	Rcpt   int    // index in Item.Envelope.To
	Action string // "failed", "delayed", "delivered", "relayed" or "expanded" (RFC 3464 §2.3.3)
	Result smtp.Result
	Status string    // enhanced code; "" is that of Result
	Until  time.Time // of "delayed": how long it will be tried; zero not known
}

// DSN is the report in the form of RFC 3464, still to be changed: its Text may
// be in another language, for instance. Original addresses and the envelope ID
// are those of the sender's own parameters, decoded; recipients that are not
// reported on do not appear.
func (r Report) DSN() *mime.DSN {
	d := &mime.DSN{
		Reporting:     cmp.Or(r.Name, "localhost"),
		OriginalEnvID: r.Item.Envelope.Params.EnvID, // RFC 3461 §6.3 (a)
		Arrival:       r.Item.Created,
		DeliverBy:     r.Item.Envelope.Params.DeliverBy.Time,
		Rand:          r.Rand,
	}
	if !r.Time.IsZero() {
		d.Now = func() time.Time { return r.Time }
	}
	for _, x := range r.Rcpts {
		to := r.Item.Envelope.To[x.Rcpt]
		d.Recipients = append(d.Recipients, mime.DSNRecipient{
			Final:      to.Path.Address(),
			Original:   to.ORcpt, // RFC 3461 §6.3 (d)
			Action:     x.Action,
			Status:     x.status(),
			Diagnostic: x.diagnostic(),
			Remote:     hostOnly(x.Result.Host),
			LastTry:    r.Time,
			RetryUntil: x.Until,
		})
	}
	return d
}

// status is the enhanced code of the last reply, even of a failure that was
// temporary until it was given up: RFC 3463 §3.5 prefers the actual problem to
// "delivery time expired", which is said where nothing is known.
func (x ReportRcpt) status() string {
	code := x.Result.Reply.Enhanced
	switch {
	case x.Status != "":
		return x.Status
	case x.Action != "failed" && x.Action != "delayed":
		if code != "" && code[0] != '2' {
			return ""
		}
		return code
	case code != "" && code[0] != '2':
		return code
	case x.Result.Status == smtp.Permanent:
		return "5.0.0"
	case x.Action == "failed":
		return "4.4.7"
	}
	return "4.0.0"
}

// diagnostic is the reply as it came (RFC 3461 §6.3 (i)). What an agent said of
// itself only is not that: Err stays private.
func (x ReportRcpt) diagnostic() string {
	if x.Result.Reply.Code == 0 {
		return ""
	}
	return x.Result.Reply.String()
}

// hostOnly drops a port.
func hostOnly(s string) string {
	if h, _, err := net.SplitHostPort(s); err == nil {
		return h
	}
	return s
}

// Draft is the usual report: [Report.DSN] in English with the header of the
// message, or with all of it if the sender asked for that (RET=FULL) and
// something failed. It is from the null sender; addresses beyond ASCII bring the
// forms of RFC 6533. Body is read whenever the draft is.
func (r Report) Draft() (*mime.Draft, error) { return r.DraftOf(r.DSN()) }

// DraftOf is Draft for a DSN that was changed.
func (r Report) DraftOf(d *mime.DSN) (*mime.Draft, error) {
	body, headersOnly := r.Body, true
	if body != nil && r.full() {
		if cut := r.cut(); cut > 0 {
			body, headersOnly = io.NewSectionReader(body, 0, cut), false
		}
	}
	return d.Draft(r.Item.Envelope.From.Address(), body, headersOnly)
}

// full reports that the message itself goes back: if asked for, and for failures
// only (RFC 3461 §6.2). What had to travel by TLS keeps its content to itself
// (RFC 8689 §5).
func (r Report) full() bool {
	p := r.Item.Envelope.Params
	if !p.RetFull || p.RequireTLS {
		return false
	}
	for _, x := range r.Rcpts {
		if x.Action == "failed" {
			return true
		}
	}
	return false
}

// cut is how much of the message goes back: all, or up to the last line that
// ends within the limit; 0 if there is none, or it cannot be read.
func (r Report) cut() int64 {
	size, limit := r.Body.Size(), cmp.Or(r.ReturnBytes, 256<<10)
	if size <= limit {
		return size
	}
	const window = 4 << 10
	b := make([]byte, min(limit, window))
	start := limit - int64(len(b))
	if n, _ := r.Body.ReadAt(b, start); n < len(b) {
		return 0
	}
	return start + int64(bytes.LastIndexByte(b, '\n')) + 1
}

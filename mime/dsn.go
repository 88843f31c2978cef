package mime

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/postilion-mail/postilion/internal/addr"
)

// DSN is a delivery status notification (RFC 3464). One struct serves for
// reading and for writing. Strings hold text without types and comments; empty
// ones are left out. It is for one goroutine at a time.
type DSN struct {
	Reporting     string    // the host that reports, needed; dns (RFC 3464 §2.2.2)
	Gateway       string    // where the message left internet mail; dns
	ReceivedFrom  string    // the host the message came from; dns
	OriginalEnvID string    // ENVID of the message (RFC 3461 §4.4)
	Arrival       time.Time // when the message came to Reporting; zero: not said
	DeliverBy     time.Time // by when it was to be delivered (RFC 2852 §5); zero: not said
	Recipients    []DSNRecipient

	// For writing only.
	Text    string           // for people; "" a text in English
	Subject string           // "" by the actions
	From    Address          // zero: Mail Delivery System <MAILER-DAEMON@Reporting>
	Now     func() time.Time // nil: time.Now
	Rand    io.Reader        // nil: crypto/rand
}

// DSNRecipient is what became of one recipient.
type DSNRecipient struct {
	Final      string // the address as it was last
	Original   string // as the sender wrote it, with its type: "rfc822;ann@example.org"
	Action     string // failed, delayed, delivered, relayed, expanded
	Status     string // "5.1.1" (RFC 3463); "" when writing: without detail
	Diagnostic string // what the remote host said, without type: "550 5.1.1 no such user"
	Remote     string // the host that said it; dns
	LogID      string // what that host's log calls the attempt
	LastTry    time.Time
	RetryUntil time.Time // of delayed ones
}

// dsnTypes are the media types of the fields (RFC 3464 §2, RFC 6533 §5).
var dsnTypes = []string{"message/delivery-status", "message/global-delivery-status"}

// ParseDSN reads a notification; ok is false where m is none. What is missing
// or odd in it stays empty.
func ParseDSN(m *Message) (d *DSN, ok bool) {
	groups, ok := reportFields(m, dsnTypes...)
	if !ok || len(groups) == 0 {
		return nil, false
	}
	h := groups[0]
	d = &DSN{OriginalEnvID: h.Get("Original-Envelope-Id")}
	_, d.Reporting = cutTyped(h.Get("Reporting-MTA"))
	_, d.Gateway = cutTyped(h.Get("DSN-Gateway"))
	_, d.ReceivedFrom = cutTyped(h.Get("Received-From-MTA"))
	d.Arrival, _ = ParseDate(h.Get("Arrival-Date"))
	d.DeliverBy, _ = ParseDate(h.Get("Deliver-By-Date"))
	for _, g := range groups[1:] {
		d.Recipients = append(d.Recipients, parseRecipient(g))
	}
	return d, true
}

func parseRecipient(h Header) DSNRecipient {
	r := DSNRecipient{Action: strings.ToLower(firstWord(h.Get("Action"))), Status: firstWord(h.Get("Status")), LogID: h.Get("Final-Log-ID")}
	_, r.Final = cutTyped(h.Get("Final-Recipient"))
	if typ, original := cutTyped(h.Get("Original-Recipient")); original != "" {
		r.Original = typ + ";" + original
	}
	_, r.Diagnostic = cutTyped(h.Get("Diagnostic-Code"))
	_, r.Remote = cutTyped(h.Get("Remote-MTA"))
	r.LastTry, _ = ParseDate(h.Get("Last-Attempt-Date"))
	r.RetryUntil, _ = ParseDate(h.Get("Will-Retry-Until"))
	return r
}

// firstWord ends before white space or a comment.
func firstWord(s string) string {
	if i := strings.IndexAny(s, " \t("); i >= 0 {
		return s[:i]
	}
	return s
}

// Draft makes the notification for the sender of the message, whose null
// reverse-path keeps it from ever being answered by another (RFC 3464 §2).
// original is the message, nil to leave it out; headersOnly gives back its
// header alone (RET=HDRS). Addresses beyond ASCII bring the forms of RFC 6533.
func (d *DSN) Draft(to string, original *io.SectionReader, headersOnly bool) (*Draft, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	r := &report{kind: "delivery-status", machine: dsnTypes[0], text: d.text(), original: original, headers: headersOnly}
	for _, x := range d.Recipients {
		r.utf8 = r.utf8 || !addr.IsASCII(x.Final) || !addr.IsASCII(x.Original)
	}
	if r.utf8 {
		r.machine = dsnTypes[1]
	}
	r.groups = append(r.groups, d.messageFields())
	for i := range d.Recipients {
		r.groups = append(r.groups, d.Recipients[i].fields(r.utf8))
	}
	from := d.From
	if from.Addr == "" {
		from = Address{Name: "Mail Delivery System", Addr: "MAILER-DAEMON@" + d.Reporting}
	}
	b := &Builder{From: []Address{from}, To: []Address{{Addr: to}}, Subject: d.subject(), Now: d.Now, Rand: d.Rand,
		Extra: []Extra{{"Auto-Submitted", "auto-replied"}}} // RFC 3834 §5
	draft, err := r.build(b)
	if err != nil {
		return nil, err
	}
	draft.sender = ""
	return draft, nil
}

// check wants what every notification must have (RFC 3464 §2.2.2, §2.3).
func (d *DSN) check() error {
	var errs []error
	if d.Reporting == "" {
		errs = append(errs, &FieldError{"Reporting", errors.New("missing")})
	}
	if len(d.Recipients) == 0 {
		errs = append(errs, &FieldError{"Recipients", errors.New("nobody")})
	}
	for _, r := range d.Recipients {
		if r.Final == "" {
			errs = append(errs, &FieldError{"Recipients", errors.New("no final recipient")})
		}
		if !slices.Contains(actions[:], r.Action) {
			errs = append(errs, &FieldError{"Recipients", fmt.Errorf("bad action %q", r.Action)})
		}
	}
	return errors.Join(errs...)
}

// actions are all there are (RFC 3464 §2.3.3).
var actions = [...]string{"failed", "delayed", "delivered", "relayed", "expanded"}

// status is r.Status, or the one without detail that fits the action (RFC 3463
// §2), as every recipient has one (RFC 3464 §2.3.4).
func (r *DSNRecipient) status() string {
	switch {
	case r.Status != "":
		return r.Status
	case r.Action == "failed":
		return "5.0.0"
	case r.Action == "delayed":
		return "4.0.0"
	}
	return "2.0.0"
}

func (d *DSN) messageFields() *fieldWriter {
	w := &fieldWriter{}
	w.field("Original-Envelope-Id", d.OriginalEnvID)
	w.host("Reporting-MTA", d.Reporting)
	w.host("DSN-Gateway", d.Gateway)
	w.host("Received-From-MTA", d.ReceivedFrom)
	w.dateLine("Arrival-Date", d.Arrival)
	w.dateLine("Deliver-By-Date", d.DeliverBy)
	return w
}

func (r *DSNRecipient) fields(utf8 bool) *fieldWriter {
	w := &fieldWriter{}
	w.originalRecipient(r.Original, utf8)
	w.typed("Final-Recipient", addressType(r.Final), r.Final, utf8)
	w.field("Action", r.Action)
	w.field("Status", r.status())
	w.host("Remote-MTA", r.Remote)
	w.typed("Diagnostic-Code", "smtp", r.Diagnostic, utf8)
	w.dateLine("Last-Attempt-Date", r.LastTry)
	w.fieldIn("Final-Log-ID", r.LogID, utf8)
	w.dateLine("Will-Retry-Until", r.RetryUntil)
	return w
}

// originalRecipient writes an address with the type it has, or by its look.
func (w *fieldWriter) originalRecipient(s string, utf8 bool) {
	typ, address := cutTyped(s)
	if typ == "" {
		typ = addressType(address)
	}
	w.typed("Original-Recipient", typ, address, utf8)
}

// addressType is RFC 3464 §2.3.2, RFC 6533 §3.
func addressType(address string) string {
	if addr.IsASCII(address) {
		return "rfc822"
	}
	return "utf-8"
}

func (d *DSN) subject() string {
	if d.Subject != "" {
		return d.Subject
	}
	switch d.worst() {
	case "failed":
		return "Your message could not be delivered"
	case "delayed":
		return "Your message is delayed"
	}
	return "Your message was delivered"
}

// worst is the action that matters most.
func (d *DSN) worst() string {
	worst := ""
	for _, r := range d.Recipients {
		switch {
		case r.Action == "failed":
			return "failed"
		case r.Action == "delayed", worst == "":
			worst = r.Action
		}
	}
	return worst
}

// text says it in words.
func (d *DSN) text() string {
	if d.Text != "" {
		return d.Text
	}
	var b strings.Builder
	fmt.Fprintf(&b, "This is the mail system at %s.\n", d.Reporting)
	says := map[string]string{
		"failed":    "could not be delivered, and will not be tried again",
		"delayed":   "could not be delivered yet, and will be tried again",
		"delivered": "was delivered",
		"relayed":   "was passed on to a host that may not report delivery",
		"expanded":  "was delivered to a mailing list or alias, and sent on to its members",
	}
	for _, r := range d.Recipients {
		what := says[r.Action]
		if what == "" {
			what = r.Action
		}
		fmt.Fprintf(&b, "\nYour message to <%s> %s.\n", r.Final, what)
		if r.Diagnostic != "" {
			host := r.Remote
			if host == "" {
				host = d.Reporting
			}
			fmt.Fprintf(&b, "    %s said: %s\n", host, r.Diagnostic)
		}
		if !r.RetryUntil.IsZero() {
			fmt.Fprintf(&b, "    It will be tried until %s.\n", r.RetryUntil.Format("Mon, 2 Jan 2006 15:04 -0700"))
		}
	}
	return b.String()
}

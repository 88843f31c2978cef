package mime

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// DSN is a delivery status notification (RFC 3464), one struct for reading and
// for writing. Strings hold text without types and comments; empty ones are
// left out.
type DSN struct {
	Reporting     string // the host that reports; dns
	Gateway       string
	ReceivedFrom  string // the host the message came from; dns
	OriginalEnvID string // ENVID of the message (RFC 3461 §4.4)
	Arrival       time.Time
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
	Status     string // "5.1.1" (RFC 3463)
	Diagnostic string // what the remote host said, without type: "550 5.1.1 no such user"
	Remote     string // the host that said it; dns
	LogID      string // Final-Log-ID
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
	r := &report{kind: "delivery-status", machine: dsnTypes[0], text: d.text(), original: original, headers: headersOnly}
	for _, x := range d.Recipients {
		r.utf8 = r.utf8 || !ascii(x.Final) || !ascii(x.Original)
	}
	if r.utf8 {
		r.machine = dsnTypes[1]
	}
	r.groups = append(r.groups, d.messageFields())
	for i := range d.Recipients {
		r.groups = append(r.groups, d.Recipients[i].fields())
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

func ascii(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
}

func (d *DSN) messageFields() *fieldWriter {
	w := &fieldWriter{}
	w.field("Original-Envelope-Id", d.OriginalEnvID)
	w.typed("Reporting-MTA", "dns", d.Reporting)
	w.typed("DSN-Gateway", "dns", d.Gateway)
	w.typed("Received-From-MTA", "dns", d.ReceivedFrom)
	w.dateLine("Arrival-Date", d.Arrival)
	return w
}

func (r *DSNRecipient) fields() *fieldWriter {
	w := &fieldWriter{}
	if typ, original := cutTyped(r.Original); original != "" {
		if typ == "" {
			typ = addressType(original)
		}
		w.typed("Original-Recipient", typ, original)
	}
	w.typed("Final-Recipient", addressType(r.Final), r.Final)
	w.field("Action", r.Action)
	w.field("Status", r.Status)
	w.typed("Remote-MTA", "dns", r.Remote)
	w.typed("Diagnostic-Code", "smtp", r.Diagnostic)
	w.dateLine("Last-Attempt-Date", r.LastTry)
	w.field("Final-Log-ID", r.LogID)
	w.dateLine("Will-Retry-Until", r.RetryUntil)
	return w
}

// addressType is RFC 3464 §2.3.2, RFC 6533 §3.
func addressType(address string) string {
	if ascii(address) {
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

package mime

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// ARF is a feedback report (RFC 5965): somebody complains about a message. One
// struct serves for reading and for writing; empty fields are left out. All of
// it is the word of whoever reports. It is for one goroutine at a time.
type ARF struct {
	Type      string // abuse, fraud, virus, other, not-spam, auth-failure; needed (RFC 5965 §3.1)
	UserAgent string // the program that reports; "" is "postilion" when writing
	Version   string // of the format; "" is "1" when writing

	Sender     string    // the reverse-path of the message, without brackets
	Recipients []string  // its recipients, without brackets
	SourceIP   string    // the host it came from
	Reporting  string    // the host that took it; dns
	EnvID      string    // ENVID of the message (RFC 3461 §4.4)
	Arrival    time.Time // when it came; zero: not said
	Incidents  int       // how many alike are meant; 0: not said, which means one
	Domains    []string  // names that the message is thought to be from
	URIs       []string  // links in it that it is about
	AuthRes    []string  // Authentication-Results of the message

	// For writing only.
	Text    string           // for people; "" a text in English
	Subject string           // "" by Type
	From    Address          // who complains; needed
	Now     func() time.Time // nil: time.Now
	Rand    io.Reader        // nil: crypto/rand
}

// ParseARF reads a report; ok is false where m is none.
func ParseARF(m *Message) (a *ARF, ok bool) {
	groups, ok := reportFields(m, "message/feedback-report")
	if !ok || len(groups) == 0 {
		return nil, false
	}
	h := groups[0]
	a = &ARF{Type: strings.ToLower(h.Get("Feedback-Type")), UserAgent: h.Get("User-Agent"), Version: h.Get("Version"),
		Sender: strings.Trim(h.Get("Original-Mail-From"), "<> \t"), SourceIP: h.Get("Source-IP"), EnvID: h.Get("Original-Envelope-Id")}
	_, a.Reporting = cutTyped(h.Get("Reporting-MTA"))
	date := h.Get("Arrival-Date")
	if date == "" {
		date = h.Get("Received-Date") // as drafts of the RFC had it
	}
	a.Arrival, _ = ParseDate(date)
	a.Incidents, _ = strconv.Atoi(h.Get("Incidents"))
	for name, to := range map[string]*[]string{"Original-Rcpt-To": &a.Recipients, "Reported-Domain": &a.Domains, "Reported-URI": &a.URIs, "Authentication-Results": &a.AuthRes} {
		for f := range h.All(name) {
			*to = append(*to, strings.Trim(f.Text(), "<> \t"))
		}
	}
	return a, true
}

// Draft makes the report for the address that takes complaints, with the
// message it is about (RFC 5965 §2).
func (a *ARF) Draft(to string, original *io.SectionReader) (*Draft, error) {
	if a.Type == "" || original == nil { // RFC 5965 §2, §3.1
		return nil, &FieldError{"Type", errors.New("a report has a type and a message")}
	}
	w := &fieldWriter{}
	w.field("Feedback-Type", a.Type)
	w.field("User-Agent", cmp.Or(a.UserAgent, "postilion"))
	w.field("Version", cmp.Or(a.Version, "1"))
	w.field("Original-Envelope-Id", a.EnvID)
	if a.Sender != "" {
		w.field("Original-Mail-From", "<"+a.Sender+">")
	}
	for _, r := range a.Recipients {
		w.field("Original-Rcpt-To", "<"+r+">")
	}
	w.dateLine("Arrival-Date", a.Arrival)
	w.host("Reporting-MTA", a.Reporting)
	w.field("Source-IP", a.SourceIP)
	if a.Incidents > 0 {
		w.field("Incidents", strconv.Itoa(a.Incidents))
	}
	for _, f := range []struct {
		name string
		list []string
	}{{"Authentication-Results", a.AuthRes}, {"Reported-Domain", a.Domains}, {"Reported-URI", a.URIs}} {
		for _, v := range f.list {
			w.field(f.name, v)
		}
	}
	r := &report{kind: "feedback-report", machine: "message/feedback-report", text: a.text(), groups: []*fieldWriter{w}, original: original}
	subject := a.Subject
	if subject == "" {
		subject = "Feedback report: " + a.Type
	}
	return r.build(&Builder{From: []Address{a.From}, To: []Address{{Addr: to}}, Subject: subject, Now: a.Now, Rand: a.Rand})
}

// text says it in words.
func (a *ARF) text() string {
	if a.Text != "" {
		return a.Text
	}
	return fmt.Sprintf("This is a report of type %q about a message received from %s.\n", a.Type, a.SourceIP)
}

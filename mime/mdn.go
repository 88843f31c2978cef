package mime

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/postilion-mail/postilion/internal/addr"
)

// MDN is a message disposition notification (RFC 8098): what became of a
// message in its recipient's hands. One struct serves for reading and for
// writing. Strings hold text without types and comments, ids and addresses
// stand without brackets, and empty fields are left out. It is for one
// goroutine at a time.
type MDN struct {
	ReportingUA string // the program that reports: "host; product" (RFC 8098 §3.2.1)
	Gateway     string // where the message left internet mail (RFC 8098 §3.2.2)

	// Original is the recipient as the sender wrote it, with its type:
	// "rfc822;bob@hamburger.edu" (RFC 8098 §3.2.3).
	Original   string
	Final      string // the address whose owner reports; needed (RFC 8098 §3.2.4)
	OriginalID string // Message-ID of the message (RFC 8098 §3.2.5)

	// Mode says whether a person or a program acted, and who sent the report;
	// "" is "manual-action/MDN-sent-manually" when writing (RFC 8098 §3.2.6.1).
	Mode      string
	Type      string   // displayed, deleted, dispatched, processed; needed (RFC 8098 §3.2.6.2)
	Modifiers []string // "error" (RFC 8098 §3.2.6.3)
	Error     string   // what went wrong, in words (RFC 8098 §3.2.7)

	// For writing only.
	Text      string           // for people; "" a text in English
	Subject   string           // "" by Type
	From      Address          // zero: Final
	InReplyTo []string         // the message id once more, for readers that thread
	Now       func() time.Time // nil: time.Now
	Rand      io.Reader        // nil: crypto/rand
}

// WantsMDN gives the addresses that m asks to be told of its disposition at
// (RFC 8098 §2.1). A user's consent is needed before one is sent (RFC 8098
// §2.1), and always if the return path is another.
func WantsMDN(m *Message) []Address { return m.Header().Addresses("Disposition-Notification-To") }

// ParseMDN reads a notification; ok is false where m is none.
func ParseMDN(m *Message) (n *MDN, ok bool) {
	groups, ok := reportFields(m, "message/disposition-notification", "message/global-disposition-notification")
	if !ok || len(groups) == 0 {
		return nil, false
	}
	h := groups[0]
	n = &MDN{ReportingUA: h.Get("Reporting-UA"), Error: h.Get("Error"), OriginalID: strings.Trim(h.Get("Original-Message-ID"), "<> \t")}
	_, n.Gateway = cutTyped(h.Get("MDN-Gateway"))
	_, n.Final = cutTyped(h.Get("Final-Recipient"))
	if typ, original := cutTyped(h.Get("Original-Recipient")); original != "" {
		n.Original = typ + ";" + original
	}
	mode, rest, _ := strings.Cut(h.Get("Disposition"), ";")
	typ, modifiers, found := strings.Cut(rest, "/")
	n.Mode, n.Type = strings.TrimSpace(mode), strings.ToLower(strings.TrimSpace(typ))
	if found {
		for m := range strings.SplitSeq(modifiers, ",") {
			n.Modifiers = append(n.Modifiers, strings.TrimSpace(m))
		}
	}
	return n, true
}

// Draft makes the notification, for the address that asked for it. original is
// the message, nil to leave it out; its header alone is given back, as the
// reader of it may be anyone. The reverse-path is null (RFC 8098 §3).
func (n *MDN) Draft(to string, original *io.SectionReader) (*Draft, error) {
	utf8 := !addr.IsASCII(n.Final) || !addr.IsASCII(n.Original)
	switch {
	case n.Final == "":
		return nil, &FieldError{"Final", errors.New("missing")} // RFC 8098 §3.2.4
	case !isToken(n.Type):
		return nil, &FieldError{"Type", fmt.Errorf("bad disposition %q", n.Type)}
	}
	w := &fieldWriter{}
	w.fieldIn("Reporting-UA", n.ReportingUA, utf8)
	w.typed("MDN-Gateway", "smtp", n.Gateway, utf8)
	w.originalRecipient(n.Original, utf8)
	w.typed("Final-Recipient", addressType(n.Final), n.Final, utf8)
	if n.OriginalID != "" {
		w.field("Original-Message-ID", "<"+n.OriginalID+">")
	}
	mode := n.Mode
	if mode == "" {
		mode = "manual-action/MDN-sent-manually"
	}
	disposition := mode + "; " + n.Type
	if len(n.Modifiers) > 0 {
		disposition += "/" + strings.Join(n.Modifiers, ",")
	}
	w.field("Disposition", disposition)
	w.fieldIn("Error", n.Error, utf8)
	r := &report{kind: "disposition-notification", machine: "message/disposition-notification", text: n.text(), groups: []*fieldWriter{w}, original: original, headers: true}
	if r.utf8 = utf8; utf8 {
		r.machine = "message/global-disposition-notification"
	}
	from := n.From
	if from.Addr == "" {
		from.Addr = n.Final
	}
	subject := n.Subject
	if subject == "" {
		subject = "Disposition notification: " + n.Type
	}
	b := &Builder{From: []Address{from}, To: []Address{{Addr: to}}, Subject: subject, InReplyTo: n.InReplyTo, Now: n.Now, Rand: n.Rand,
		Extra: []Extra{{"Auto-Submitted", "auto-replied"}}}
	d, err := r.build(b)
	if err != nil {
		return nil, err
	}
	d.sender = ""
	return d, nil
}

// text says it in words, and no more than is known.
func (n *MDN) text() string {
	if n.Text != "" {
		return n.Text
	}
	return fmt.Sprintf("The message you sent to %s was %s.\nThat does not mean that anybody has read or understood it.\n", n.Final, n.Type)
}

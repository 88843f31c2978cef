package mime

import (
	"bytes"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/postilion-mail/postilion/internal/addr"
)

// Builder describes a message. Its zero value needs From and something to say;
// every field is optional beyond that. It holds plain values: nothing can fail
// before [Builder.Build], which reports all mistakes at once.
//
// Whatever a field holds, the message gets the fields that are meant and no
// others: text that could begin a field, end the header or change the
// structure is an error. A Builder may be used by one goroutine at a time; a
// [Draft] by many.
type Builder struct {
	From    []Address // who wrote it; needed
	Sender  Address   // who sends for From; needed if there are several (RFC 5322 §3.6.2)
	To, Cc  []Address
	Bcc     []Address // in the envelope, never in the message
	ReplyTo []Address // where answers go, if not to From
	Subject string    // text of any length, without line breaks

	Text string // plain text; line ends of any kind
	HTML string // the same for those who see HTML
	// TextTemplate and HTMLTemplate are executed with Data and take the place of
	// Text and HTML. Templates of html/template keep the data from becoming
	// markup.
	TextTemplate, HTMLTemplate Template
	Data                       any

	Files    []File    // attachments and inline images
	Calendar *Calendar // an invitation
	List     *List     // List-* fields

	Date       time.Time // zero: now
	MessageID  string    // without angle brackets; "": made of randomness and Domain
	Domain     string    // of MessageID; "": of the sender
	InReplyTo  []string  // message ids, without angle brackets
	References []string
	Extra      []Extra // further fields

	EightBit    bool // text may travel in eight bits; then Draft.Needs says so
	LegacyNames bool // file names beyond ASCII in the form of old senders too

	Now  func() time.Time // nil: time.Now
	Rand io.Reader        // for ids and boundaries; nil: crypto/rand

	unread error // why Reply or Forward could not read all of a message
}

// Template is what text/template and html/template have in common.
type Template interface {
	Execute(w io.Writer, data any) error
}

// Extra is a header field beyond those of [Builder]. The value is text, which
// is encoded where it must be, so it should be ASCII in fields that are not
// text to those who read them, such as lists of addresses. Fields that the
// Builder writes by itself, and the structure's own (Content-*, MIME-Version),
// are refused. Several fields may have one name; they keep their order.
type Extra struct{ Name, Value string }

// Calendar is an invitation or an answer to one (RFC 6047). It becomes an
// alternative of the text, which is what makes clients show their buttons, and
// a file beside it for those that know only files.
type Calendar struct {
	Method string // REQUEST, REPLY, CANCEL …, as in Data
	Data   []byte // the iCalendar object (RFC 5545)
}

// List holds the fields of mailing lists (RFC 2369, RFC 2919).
type List struct {
	ID          string   // "name.example.org", without brackets
	Description string   // of ID
	Post        []string // URLs, mailto: and https:
	Help        []string
	Subscribe   []string
	Unsubscribe []string
	Owner       []string
	Archive     []string
	NoPost      bool // List-Post: NO
	OneClick    bool // the https URL of Unsubscribe takes a POST (RFC 8058 §3.1)
}

// FieldError says what is wrong with one field of a [Builder].
type FieldError struct {
	Field string // "Subject", "To", "Files"
	Err   error
}

// Error names the field and what is wrong.
func (e *FieldError) Error() string { return fmt.Sprintf("mime: %s: %v", e.Field, e.Err) }

// Unwrap gives the cause.
func (e *FieldError) Unwrap() error { return e.Err }

// To makes addresses of texts such as "Bob <bob@hamburger.edu>" or
// "c@d.example". A text that is no address is told by Build.
func To(list ...string) []Address {
	var out []Address
	for _, s := range list {
		parsed := ParseAddresses(s)
		if len(parsed) == 0 {
			parsed = []Address{{}}
		}
		for _, a := range parsed {
			if a.Addr == "" {
				a = Address{Addr: s, err: errNoAddress}
			}
			out = append(out, a)
		}
	}
	return out
}

var errNoAddress = errors.New("no address")

// Build makes the message. Its error joins a *[FieldError] for each mistake.
// With the same Date, Now and Rand it makes the same message to the octet.
func (b *Builder) Build() (*Draft, error) {
	c := &compiler{Builder: b}
	c.check()
	c.texts()
	root := c.tree() // opens the files, so that their mistakes are told too
	if len(c.errs) > 0 {
		return nil, errors.Join(c.errs...)
	}
	top, spare := c.header(), c.random()
	if len(c.errs) > 0 {
		return nil, errors.Join(c.errs...)
	}
	return &Draft{
		sender: c.sender(), rcpts: c.recipients(), utf8: c.utf8, eightBit: c.eightBit,
		top: top, entity: root.segments(nil), spare: spare,
	}, nil
}

// compiler is one Build: the builder, and what is found out on the way.
type compiler struct {
	*Builder
	errs       []error
	text, html string
	utf8       bool // SMTPUTF8 is needed
	eightBit   bool // a part travels in eight bits
	noRand     bool // Rand has failed, which was told
}

// fail notes a mistake in a field, if it is one.
func (c *compiler) fail(field string, err error) {
	if err != nil {
		c.errs = append(c.errs, &FieldError{field, err})
	}
}

// now is the date of the message.
func (c *compiler) now() time.Time {
	switch {
	case !c.Date.IsZero():
		return c.Date
	case c.Now != nil:
		return c.Now()
	}
	return time.Now()
}

// texts executes the templates.
func (c *compiler) texts() {
	c.text, c.html = c.Text, c.HTML
	run := func(field string, t Template, to *string) {
		if t == nil {
			return
		}
		var out bytes.Buffer
		c.fail(field, t.Execute(&out, c.Data))
		*to = out.String()
	}
	run("TextTemplate", c.TextTemplate, &c.text)
	run("HTMLTemplate", c.HTMLTemplate, &c.html)
}

// random gives a name that nobody guesses and no text holds: 128 bits.
func (c *compiler) random() string {
	name, err := randomName(c.Rand)
	if err != nil && !c.noRand {
		c.noRand = true
		c.fail("Rand", err)
	}
	return name
}

// randomName makes a name of 16 octets of r, or of crypto/rand: lower case, so
// that no host that folds case makes two of them one.
func randomName(r io.Reader) (string, error) {
	if r == nil {
		r = rand.Reader
	}
	var b [16]byte
	_, err := io.ReadFull(r, b[:])
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:])), err
}

// sender is the reverse-path.
func (c *compiler) sender() string {
	if c.Sender.Addr != "" {
		return c.Sender.Addr
	}
	return c.From[0].Addr
}

// recipients are those of the envelope, each once.
func (c *compiler) recipients() []string {
	seen := make(map[string]bool)
	var out []string
	for _, list := range [][]Address{c.To, c.Cc, c.Bcc} {
		for _, a := range list {
			// Nobody here knows whether another host tells "Bob" from "bob".
			key := a.Local() + "@" + addr.Lower(Address{Addr: headerSpec(a.Addr)}.Domain())
			if !seen[key] {
				seen[key] = true
				out = append(out, a.Addr)
			}
		}
	}
	return out
}

package smtp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Envelope is what travels beside a message: who it is from, who it is for,
// what the sender asked for, and the header fields that were put on top of it
// on the way. The server fills it, package alias expands it, package spool
// stores it, the client sends it.
//
// It is a value; To, Params.Other and Prefix are shared by its copies, so
// change them through [Envelope.Clone] or [Envelope.With].
type Envelope struct {
	ID     string // follows the message through every log; never a command's argument
	From   Path   // reverse-path; zero for bounces
	To     []Recipient
	Params MailParams
	Prefix []byte // header fields in front of the body, each with its CRLF; own to this copy
}

// MailParams are the parameters of MAIL, typed. The zero value sends none.
type MailParams struct {
	Size       int64     // octets, as declared; 0 not known (RFC 1870 §6)
	Body       BodyType  // RFC 6152, RFC 3030
	UTF8       bool      // SMTPUTF8 (RFC 6531 §3.4)
	RequireTLS bool      // RFC 8689 §2
	RetHeaders bool      // RET=HDRS (RFC 3461 §4.3)
	RetFull    bool      // RET=FULL; with neither, the bouncing host decides
	EnvID      string    // ENVID, decoded (RFC 3461 §4.4)
	Auth       string    // AUTH, decoded: who submitted it, "<>" nobody trusted (RFC 4954 §5); "" not given
	Priority   int8      // MT-PRIORITY, -9 to 9 (RFC 6710 §4.3)
	DeliverBy  DeliverBy // RFC 2852 §4
	HoldUntil  time.Time // FUTURERELEASE, both its forms (RFC 4865 §5); zero at once
	Other      []Param   // of private extensions
}

// DeliverBy is the time by which a message is to be delivered (RFC 2852). The
// zero value asks for nothing.
type DeliverBy struct {
	Time   time.Time
	Return bool // too late: give it back, by-mode R; else only tell, by-mode N
	Trace  bool // tell of relaying to a host without the extension
}

// BodyType is the value of BODY.
type BodyType uint8

const (
	Body7Bit       BodyType = iota // also what no BODY means
	Body8BitMIME                   // RFC 6152
	BodyBinaryMIME                 // RFC 3030 §3; needs CHUNKING
)

// String is the value as MAIL carries it.
func (b BodyType) String() string {
	switch b {
	case Body8BitMIME:
		return "8BITMIME"
	case BodyBinaryMIME:
		return "BINARYMIME"
	}
	return "7BIT"
}

// Notify says when a recipient's sender wants a report (RFC 3461 §4.1). Zero
// is not said, which means NotifyFailure, and perhaps NotifyDelay.
type Notify uint8

const (
	NotifySuccess Notify = 1 << iota // when it was delivered
	NotifyFailure                    // when it never will be
	NotifyDelay                      // when it takes long
	NotifyNever                      // whatever happens; stands alone
)

// Has reports whether n asks for x; zero asks for failures and delays.
func (n Notify) Has(x Notify) bool {
	if n == 0 {
		n = NotifyFailure | NotifyDelay
	}
	return n&x != 0
}

// String is the value as RCPT carries it, "SUCCESS,FAILURE"; "" for zero.
func (n Notify) String() string {
	if n&NotifyNever != 0 {
		return "NEVER"
	}
	var list []string
	for i, name := range [...]string{"SUCCESS", "FAILURE", "DELAY"} {
		if n&(1<<i) != 0 {
			list = append(list, name)
		}
	}
	return strings.Join(list, ",")
}

// Param is a parameter of MAIL or RCPT that a private extension understands.
type Param struct{ Name, Value string } // Name in upper case; Value "" stands without "="

// Recipient is one forward-path and what its sender asked for. Path is not
// embedded: its MarshalText would swallow the rest.
type Recipient struct {
	Path       Path
	Notify     Notify
	ORcpt      string    // original recipient, decoded, with its type: "rfc822;ann@example.org" (RFC 3461 §4.2)
	ValidSince time.Time // RRVS: only if the mailbox has had one owner since then (RFC 7293 §3.1)
	ValidRelay bool      // with ValidSince: relay it also to a host without RRVS (";C")
	Expanded   bool      // an alias of several took it: nothing to deliver, the queue only reports "expanded" (RFC 3461 §5.2.7.3)
	Delivered  bool      // a list took it: nothing to deliver, the queue only reports "delivered" (RFC 3461 §5.2.7.1)
	Other      []Param
}

// NewEnvelope makes an envelope of plain addresses; from may be "". The error
// names the address that [ParsePath] refused.
func NewEnvelope(from string, to ...string) (Envelope, error) {
	var e Envelope
	var err error
	if e.From, err = ParsePath(from); err != nil {
		return Envelope{}, fmt.Errorf("sender %q: %w", from, err)
	}
	for _, s := range to {
		p, err := ParsePath(s)
		if err == nil && p.IsNull() {
			err = badPath(errors.New("a recipient is needed"))
		}
		if err != nil {
			return Envelope{}, fmt.Errorf("recipient %q: %w", s, err)
		}
		e.To = append(e.To, Recipient{Path: p})
	}
	return e, nil
}

// Clone is a copy that shares nothing.
func (e Envelope) Clone() Envelope {
	e.To = slices.Clone(e.To)
	for i := range e.To {
		e.To[i].Other = slices.Clone(e.To[i].Other)
	}
	e.Params.Other = slices.Clone(e.Params.Other)
	e.Prefix = bytes.Clone(e.Prefix)
	return e
}

// With is the same transaction for other recipients.
func (e Envelope) With(to ...Recipient) Envelope {
	e = e.Clone()
	e.To = slices.Clone(to)
	return e
}

// AddField puts a header field on top of Prefix. The name is a field name of
// RFC 5322 §2.2; the value may be folded, with CRLF before white space. A value
// that could end the field, or begin another, is an error and nothing is added.
func (e *Envelope) AddField(name, value string) error {
	if err := checkField(name, value); err != nil {
		return err
	}
	b := make([]byte, 0, len(name)+len(value)+len(": \r\n")+len(e.Prefix))
	b = append(b, name...)
	b = append(b, ": "...)
	b = append(b, value...)
	b = append(b, '\r', '\n')
	e.Prefix = append(b, e.Prefix...)
	return nil
}

func checkField(name, value string) error {
	if name == "" || len(name) > 76 {
		return fmt.Errorf("smtp: bad field name %q", name)
	}
	for i := 0; i < len(name); i++ {
		if c := name[i]; c <= ' ' || c >= 0x7f || c == ':' {
			return fmt.Errorf("smtp: bad field name %q", name)
		}
	}
	if !utf8.ValidString(value) {
		return fmt.Errorf("smtp: field %s is not UTF-8", name)
	}
	first := true
	for line := range strings.SplitSeq(value, "\r\n") {
		// RFC 5322 §2.2.3: a fold begins with white space; a line of nothing
		// else would look like the end of the header to some.
		if !first && (line == "" || line[0] != ' ' && line[0] != '\t' || strings.Trim(line, " \t") == "") {
			return fmt.Errorf("smtp: field %s has a line that is no fold", name)
		}
		first = false
		if len(line) > 998-len(name)-2 {
			return fmt.Errorf("smtp: field %s has a line over 998 octets", name)
		}
		for _, r := range line {
			if r < ' ' && r != '\t' || r >= 0x7f && r <= 0x9f || r == 0x2028 || r == 0x2029 {
				return fmt.Errorf("smtp: field %s has a control character", name)
			}
		}
	}
	return nil
}

// Reader reads Prefix and then body.
func (e Envelope) Reader(body io.Reader) io.Reader {
	if len(e.Prefix) == 0 {
		return body
	}
	return io.MultiReader(bytes.NewReader(e.Prefix), body)
}

// Section is Prefix and then body, to be read from any offset. Its readers
// share the position of neither body nor each other.
func (e Envelope) Section(body *io.SectionReader) *io.SectionReader {
	if len(e.Prefix) == 0 {
		return io.NewSectionReader(body, 0, body.Size())
	}
	return io.NewSectionReader(&joined{e.Prefix, body}, 0, int64(len(e.Prefix))+body.Size())
}

// joined reads prefix and body as one.
type joined struct {
	prefix []byte
	body   io.ReaderAt
}

func (j *joined) ReadAt(p []byte, off int64) (n int, err error) {
	size := int64(len(j.prefix))
	if off < size {
		n = copy(p, j.prefix[off:])
		off = size
		if n == len(p) {
			return n, nil
		}
		p = p[n:]
	}
	m, err := j.body.ReadAt(p, off-size)
	return n + m, err
}

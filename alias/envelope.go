package alias

import (
	"bytes"
	"errors"
	"time"

	"github.com/postilion-mail/postilion/smtp"
)

// inherit gives what of the sender's wishes for n goes to its targets, and
// notes the report that takes the place of the rest.
func (e *expansion) inherit(n *node, entry Entry) smtp.Recipient {
	r := n.rcpt
	if n.list != nil {
		return r // nothing of the message: the list asks for nothing
	}
	one, self := single(n, entry)
	if self {
		return r
	}
	// RFC 7293 §8.2: nobody knows since when the new address has its owner.
	r.ValidSince, r.ValidRelay = time.Time{}, false
	if r.ORcpt == "" { // RFC 3461 §5.2.1: the address of the RCPT command as it came
		r.ORcpt = originalRecipient(n.path)
	}
	if one || !r.Notify.Has(smtp.NotifySuccess) {
		return r // RFC 3461 §5.2.7.2
	}
	e.report(n).Expanded = true
	// RFC 3461 §5.2.7.3 (c). Who asked for nothing but success asked not to
	// hear of failures, and no NOTIFY at all would mean the opposite.
	if r.Notify &^= smtp.NotifySuccess; r.Notify == 0 {
		r.Notify = smtp.NotifyNever
	}
	return r
}

// single reports whether entry leads to one address, and whether that is the
// name itself.
func single(n *node, entry Entry) (one, self bool) {
	var first smtp.Path
	if entry.KeepCopy {
		first = same(n.path)
	}
	for _, t := range entry.Targets {
		switch {
		case t.Kind == Discard:
			continue
		case t.Kind != Address:
			if len(entry.Targets) > 1 || entry.KeepCopy {
				return false, false
			}
			continue
		}
		p := same(t.Path)
		if first.IsNull() {
			first = p
		}
		if p != first {
			return false, false
		}
	}
	return true, first == same(n.path)
}

// report has the queue tell the sender that n took the message; as what, the
// caller fills in.
func (e *expansion) report(n *node) *smtp.Recipient {
	r := n.rcpt
	r.Path = n.path
	if r.ORcpt == "" {
		r.ORcpt = originalRecipient(n.path)
	}
	e.reports = append(e.reports, r)
	return &e.reports[len(e.reports)-1]
}

// originalRecipient is p as the decoded value of ORCPT (RFC 3461 §4.2, RFC 6533
// §3).
func originalRecipient(p smtp.Path) string {
	if p, ok := p.ToASCII(); ok {
		return "rfc822;" + p.Address()
	}
	return "utf-8;" + p.Address()
}

// envelopes writes down what was found.
func (e *expansion) envelopes(env smtp.Envelope) ([]smtp.Envelope, error) {
	n := 1
	for _, l := range e.lists {
		n += len(l.leaves)
	}
	out := make([]smtp.Envelope, 0, n)
	if to := e.direct(); len(to) > 0 {
		one := env
		one.To = to
		out = append(out, one)
	}
	for _, l := range e.lists {
		var err error
		if out, err = e.copies(out, env, l); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// direct are the recipients that get the message as it is, then the reports.
func (e *expansion) direct() []smtp.Recipient {
	to := make([]smtp.Recipient, 0, len(e.leaves)+len(e.reports))
	for _, l := range e.leaves {
		to = append(to, l.rcpt)
	}
	return append(to, e.reports...)
}

// copies appends the copies that the members of l get. Sender and prefix are
// those of the last list on the way (RFC 2369 §4).
func (e *expansion) copies(out []smtp.Envelope, env smtp.Envelope, l *list) ([]smtp.Envelope, error) {
	one := env
	one.Params = listParams(env.Params)
	if p := l.entry.Prefix; len(p) > 0 {
		one.Prefix = append(bytes.Clone(p), env.Prefix...)
	}
	to := make([]smtp.Recipient, len(l.leaves))
	for i, leaf := range l.leaves {
		to[i] = leaf.rcpt
		one.To = to[i : i+1 : i+1]
		if !env.From.IsNull() {
			one.From = l.entry.Owner
			if e.verp != nil {
				from, err := e.verp.VERP(l.entry.Owner, leaf.node.path)
				if err != nil {
					return nil, &LookupError{leaf.way(), err}
				}
				one.From = from
			}
		}
		out = append(out, one)
	}
	return out, nil
}

// listParams are the parameters of a message that a list sends on: those that
// say what the message is, not what its sender wanted to hear.
func listParams(p smtp.MailParams) smtp.MailParams {
	p.EnvID, p.RetFull, p.RetHeaders = "", false, false // RFC 3461 §5.2.7.1 (b)
	p.Auth = ""                                         // RFC 4954 §5: a new submission
	return p
}

// why is the way to each recipient.
func (e *expansion) why() map[smtp.Path][]smtp.Path {
	out := make(map[smtp.Path][]smtp.Path, e.found)
	for _, l := range e.leaves {
		out[l.node.path] = l.way()
	}
	for _, list := range e.lists {
		for _, l := range list.leaves {
			out[l.node.path] = l.way()
		}
	}
	return out
}

var errPrefix = errors.New("the prefix of the entry is not header fields, each with its CRLF")

// checkPrefix makes sure that a prefix cannot end the header, nor begin a line
// in the middle of one: it may hold what people typed.
func checkPrefix(e Entry) error {
	if len(e.Prefix) > 0 && e.Owner.IsNull() {
		return errors.New("an alias has a prefix") // RFC 5321 §3.9.1
	}
	var probe smtp.Envelope
	for rest := e.Prefix; len(rest) > 0; {
		n := fieldLen(rest)
		name, value, ok := bytes.Cut(rest[:max(n, 0)], []byte(":"))
		if n < 0 || !ok || probe.AddField(string(name), string(bytes.TrimLeft(value, " "))) != nil {
			return errPrefix
		}
		probe.Prefix, rest = nil, rest[n+2:]
	}
	return nil
}

// fieldLen is the length of the field b begins with, without its CRLF; -1 if
// it has none. A line that begins with white space continues it.
func fieldLen(b []byte) int {
	for n := 0; ; n += 2 {
		i := bytes.Index(b[n:], []byte("\r\n"))
		if i < 0 {
			return -1
		}
		n += i
		if n+2 == len(b) || b[n+2] != ' ' && b[n+2] != '\t' {
			return n
		}
	}
}

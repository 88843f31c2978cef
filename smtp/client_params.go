package smtp

import (
	"strconv"
	"strings"
	"time"

	"github.com/postilion-mail/postilion/internal/addr"
)

// append writes the path as a command carries it.
func (p Path) append(b []byte) []byte {
	b = append(b, '<')
	if p.local != "" || p.domain != "" {
		b = append(b, addr.Quote(p.local)...)
	}
	if p.domain != "" {
		b = append(append(b, '@'), p.domain...)
	}
	return append(b, '>')
}

// needs is what a message asks of the server beyond plain SMTP.
type needs struct {
	utf8 bool // SMTPUTF8 goes into MAIL
	body BodyType

	delay bool // the next host is asked to tell of delays
}

// plan finds out what the message needs and whether the server has it. An error
// is for all recipients.
func (c *Conn) plan(env *Envelope, o *outgoing) (n needs, err error) {
	p := &env.Params
	if max := c.caps.number("SIZE"); max > 0 && o.size > max {
		return n, Reject(552, "5.3.4", "Message too large for the server") // RFC 1870 §6.1
	}
	if n.utf8, err = c.planUTF8(env, o); err != nil {
		return n, err
	}
	switch {
	case p.RequireTLS && !c.mayRequireTLS() && !env.From.IsNull(): // RFC 8689 §5: a bounce is not lost for it
		return n, Reject(550, "5.7.30", "Server does not offer REQUIRETLS") // RFC 8689 §4.2.1
	case !p.HoldUntil.IsZero() && !c.caps.Has("FUTURERELEASE"):
		return n, Reject(550, "5.5.4", "Server cannot hold messages")
	case p.DeliverBy.Return && !c.mayBeInTime(p.DeliverBy.Time):
		return n, Reject(550, "5.4.7", "Server does not promise delivery in time") // RFC 2852 §4.1.4.1
	case p.Body == BodyBinaryMIME && (!c.caps.Has("BINARYMIME") || !c.caps.Has("CHUNKING")):
		return n, Reject(554, "5.6.3", "Server cannot take binary content") // RFC 3030 §4
	}
	// RFC 2852 §4.1.4.2: a host that knows nothing of the time is at least to tell
	// of delays.
	n.delay = !p.DeliverBy.Time.IsZero() && !p.DeliverBy.Return && !c.caps.Has("DELIVERBY")
	if n.body = p.Body; n.body == Body7Bit && (o.eightBit() || !o.whole) {
		n.body = Body8BitMIME
	}
	if n.body == Body8BitMIME && !c.caps.Has("8BITMIME") {
		n.body = Body7Bit // nobody is helped by a bounce: such servers pass eight bits on
	}
	return n, nil
}

// mayBeInTime reports that the server promises to return what it does not
// deliver by t, and takes what has no longer than that; the zero t is never.
func (c *Conn) mayBeInTime(t time.Time) bool {
	least := max(time.Second, time.Duration(c.caps.number("DELIVERBY"))*time.Second)
	return t.IsZero() || c.caps.Has("DELIVERBY") && time.Until(t) >= least
}

func (c *Conn) mayRequireTLS() bool { return c.caps.Has("REQUIRETLS") && c.state != nil }

// planUTF8 asks for SMTPUTF8 only when the message cannot do without it.
func (c *Conn) planUTF8(env *Envelope, o *outgoing) (bool, error) {
	needed := env.Params.UTF8 && o.header8()
	ascii := true
	for i := range env.To {
		ascii = ascii && addr.IsASCII(env.To[i].Path.local+env.To[i].Path.domain)
	}
	ascii = ascii && addr.IsASCII(env.From.local+env.From.domain)
	switch {
	case c.caps.Has("SMTPUTF8"):
		return needed || !ascii, nil
	case needed:
		return false, Reject(550, "5.6.7", "Server does not offer SMTPUTF8")
	case !ascii:
		if _, ok := env.From.ToASCII(); !ok {
			return false, Reject(550, "5.6.7", "Sender needs SMTPUTF8")
		}
	}
	return false, nil
}

// appendMail writes MAIL with the parameters the server understands.
func (c *Conn) appendMail(b []byte, env *Envelope, o *outgoing, n needs, prdr bool) []byte {
	p := &env.Params
	from := env.From
	if !n.utf8 {
		from, _ = from.ToASCII()
	}
	b = from.append(append(b, "MAIL FROM:"...))
	if o.size >= 0 && c.caps.Has("SIZE") {
		b = strconv.AppendInt(append(b, " SIZE="...), o.size, 10)
	}
	if n.body != Body7Bit {
		b = append(append(b, " BODY="...), n.body.String()...)
	}
	b = appendFlag(b, " SMTPUTF8", n.utf8)
	b = appendFlag(b, " REQUIRETLS", p.RequireTLS && c.mayRequireTLS())
	b = appendFlag(b, " PRDR", prdr)
	if c.caps.Has("DSN") {
		b = appendFlag(b, " RET=HDRS", p.RetHeaders)
		b = appendFlag(b, " RET=FULL", p.RetFull && !p.RetHeaders && !p.RequireTLS) // RFC 8689 §5
		if p.EnvID != "" {
			b = appendXtext(append(b, " ENVID="...), p.EnvID)
		}
	}
	if p.Auth != "" && c.user != "" {
		b = appendXtext(append(b, " AUTH="...), p.Auth)
	}
	return appendRare(b, c.caps, p)
}

// appendRare writes the parameters few messages have.
func appendRare(b []byte, caps Capabilities, p *MailParams) []byte {
	if p.Priority != 0 && caps.Has("MT-PRIORITY") {
		b = strconv.AppendInt(append(b, " MT-PRIORITY="...), int64(p.Priority), 10)
	}
	if !p.DeliverBy.Time.IsZero() && caps.Has("DELIVERBY") {
		left := int64(time.Until(p.DeliverBy.Time) / time.Second)
		b = strconv.AppendInt(append(b, " BY="...), max(min(left, 999999999), -999999999), 10)
		mode := ";N"
		if p.DeliverBy.Return {
			mode = ";R"
		}
		b = appendFlag(append(b, mode...), "T", p.DeliverBy.Trace)
	}
	if !p.HoldUntil.IsZero() {
		b = append(b, " HOLDUNTIL="...)
		b = append(b, p.HoldUntil.UTC().Format(time.RFC3339)...)
	}
	return appendOther(b, p.Other)
}

func appendFlag(b []byte, word string, on bool) []byte {
	if on {
		b = append(b, word...)
	}
	return b
}

// appendOther writes parameters of private extensions; one that could be taken
// for anything else is left out.
func appendOther(b []byte, list []Param) []byte {
	for _, p := range list {
		if !isKeyword(p.Name) || p.Value != "" && !isParamValue(p.Value) {
			continue
		}
		b = append(append(b, ' '), p.Name...)
		if p.Value != "" {
			b = append(append(b, '='), p.Value...)
		}
	}
	return b
}

// planRcpt says why a recipient cannot even be offered to this server.
func (c *Conn) planRcpt(r *Recipient, n needs) error {
	if _, ok := r.Path.ToASCII(); !ok && !n.utf8 {
		return Reject(550, "5.6.7", "Address needs SMTPUTF8")
	}
	if !r.ValidSince.IsZero() && !r.ValidRelay && !c.caps.Has("RRVS") {
		return Reject(550, "5.7.19", "Server does not offer RRVS") // RFC 7293 §5.1
	}
	return nil
}

// notify is what is asked of the server for a recipient's sender.
func (n needs) notify(asked Notify) Notify {
	switch {
	case !n.delay || asked.Has(NotifyNever):
		return asked
	case asked == 0:
		return NotifyFailure | NotifyDelay
	}
	return asked | NotifyDelay
}

// appendRcpt writes RCPT.
func (c *Conn) appendRcpt(b []byte, r *Recipient, n needs) []byte {
	to := r.Path
	if !n.utf8 {
		to, _ = to.ToASCII()
	}
	b = to.append(append(b, "RCPT TO:"...))
	if c.caps.Has("DSN") {
		if s := n.notify(r.Notify).String(); s != "" {
			b = append(append(b, " NOTIFY="...), s...)
		}
		if strings.Contains(r.ORcpt, ";") {
			b = appendORcpt(append(b, " ORCPT="...), r.ORcpt, n.utf8)
		}
	}
	if !r.ValidSince.IsZero() && c.caps.Has("RRVS") {
		b = append(b, " RRVS="...)
		b = append(b, r.ValidSince.UTC().Format(time.RFC3339)...)
		b = appendFlag(b, ";C", r.ValidRelay)
	}
	return appendOther(b, r.Other)
}

package smtp

import (
	"context"
	"io"
)

// Outgoing is a message that knows where it goes. *mime.Draft is one; neither
// package imports the other.
type Outgoing interface {
	Sender() string                   // the reverse-path
	Recipients() []string             // of To, Cc and Bcc
	Needs() (smtputf8, eightBit bool) // extensions it cannot do without
	Reader() io.ReadSeeker            // the message, without Bcc
}

// EnvelopeOf makes the envelope of m.
func EnvelopeOf(m Outgoing) (Envelope, error) {
	env, err := NewEnvelope(m.Sender(), m.Recipients()...)
	if err != nil {
		return Envelope{}, err
	}
	utf8, eightBit := m.Needs()
	env.Params.UTF8 = utf8
	if eightBit {
		env.Params.Body = Body8BitMIME
	}
	return env, nil
}

// Submit sends m to all its recipients, as [Client.Send] does.
func (c *Client) Submit(ctx context.Context, m Outgoing) (*Sent, error) {
	env, err := EnvelopeOf(m)
	if err != nil {
		return nil, err
	}
	return c.Send(ctx, env, m.Reader())
}

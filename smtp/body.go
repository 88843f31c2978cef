package smtp

import (
	"errors"
	"io"

	"github.com/postilion-mail/postilion/internal/wire"
)

// What reading a message's body can end in, beside io.EOF. Each is an *[Error],
// so a handler may return it as it is; none of them means a complete message.
var (
	// ErrTooLarge: over Limits.MessageBytes. The dialogue is still in step.
	ErrTooLarge error = &Error{Reply: Reply{552, "5.3.4", "Message too large"}}
	// ErrBareNewline: a CR or LF stands alone (see [LineEndings]).
	ErrBareNewline error = &Error{Reply: Reply{550, "5.6.11", "Bare CR or LF in message"}}
	// ErrLongLine: over Limits.TextLine.
	ErrLongLine error = &Error{Reply: Reply{554, "5.6.0", "Line too long in message"}}
	// ErrTruncated: the connection ended first.
	ErrTruncated error = &Error{Reply: Reply{451, "4.4.2", "Message ended early"}, Err: io.ErrUnexpectedEOF}
	// ErrAborted: the client took the message back between two chunks.
	ErrAborted error = &Error{Reply: Reply{451, "4.5.0", "Transaction aborted"}}
	// ErrTooSlow: under Limits.MinRate, or silent for Timeouts.DataBlock.
	ErrTooSlow error = &Error{Reply: Reply{421, "4.4.2", "Timeout in message"}}
)

var tooLarge = Reply{552, "5.3.4", "Message too large"}

// bodyError gives an error of package wire its reply.
func bodyError(err error) error {
	switch {
	case err == nil, err == io.EOF:
		return err
	case errors.Is(err, wire.ErrTooLarge), errors.Is(err, wire.ErrFlood):
		return ErrTooLarge
	case errors.Is(err, wire.ErrBareNewline):
		return ErrBareNewline
	case errors.Is(err, wire.ErrTextLine):
		return ErrLongLine
	case wire.IsTimeout(err):
		return ErrTooSlow
	case errors.Is(err, io.ErrUnexpectedEOF):
		return ErrTruncated
	}
	return err
}

// source is a message on the wire: dot-ended or in chunks.
type source interface {
	io.Reader
	io.WriterTo
	Drain(refused bool) error // reads on to where a reply is due; nil: the dialogue is in step
	Err() error               // what is wrong with the message
	Size() int64              // octets read
	Last() bool               // the reply is to the whole message, not to a chunk before the last
}

// body is what the handler reads. It dies when the handler returns.
type body struct {
	src source
	c   *conn
	err error
}

func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.src.Read(p)
	return n, b.note(err)
}

// WriteTo hands the octets on without a copy of them.
func (b *body) WriteTo(w io.Writer) (int64, error) {
	if b.err != nil {
		if b.err == io.EOF {
			return 0, nil
		}
		return 0, b.err
	}
	n, err := b.src.WriteTo(wireErrors{w})
	if we, ok := errors.AsType[*writeError](err); ok {
		return n, we.err // of w, not ours
	}
	if err == nil {
		b.note(io.EOF)
		return n, nil
	}
	return n, b.note(err)
}

// note keeps the first error; from then on nothing is read.
func (b *body) note(err error) error {
	if err == nil {
		return nil
	}
	b.err = bodyError(err)
	b.c.hook.bodyDone()
	return b.err
}

// wireErrors marks the errors of w, to tell them from those of the wire.
type wireErrors struct{ w io.Writer }

func (w wireErrors) Write(p []byte) (int, error) {
	n, err := w.w.Write(p)
	if err != nil {
		err = &writeError{err}
	}
	return n, err
}

type writeError struct{ err error }

func (e *writeError) Error() string { return e.err.Error() }

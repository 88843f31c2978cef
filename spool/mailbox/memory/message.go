package memory

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

// message is the bytes of a message, shared by its copies. Only the cache
// changes.
type message struct {
	b     []byte
	id    string // EmailID
	cache atomic.Pointer[[]byte]
}

// maxCached is the most that is kept of what a server found out about a message.
const maxCached = 256 << 10

// header is the part up to the empty line, or all of it without one.
func (m *message) header() []byte {
	if bytes.HasPrefix(m.b, []byte("\r\n")) {
		return m.b[:2]
	}
	if i := bytes.Index(m.b, []byte("\r\n\r\n")); i >= 0 {
		return m.b[:i+4]
	}
	return m.b
}

// blob is an open message, for as long as a context lasts.
type blob struct {
	mailbox.Blob
	bytes io.WriterTo // the same Blob
	done  <-chan struct{}
	why   func() error
}

// ReadAt reads as long as the context lasts.
func (b *blob) ReadAt(p []byte, off int64) (int, error) {
	select {
	case <-b.done:
		return 0, b.why()
	default:
		return b.Blob.ReadAt(p, off)
	}
}

// WriteTo hands all of it over without a copy.
func (b *blob) WriteTo(w io.Writer) (int64, error) {
	select {
	case <-b.done:
		return 0, b.why()
	default:
		return b.bytes.WriteTo(w)
	}
}

// readStep is how much is asked for at once.
const readStep = 32 << 10

// read takes in one body. No lock is held but for moments.
func (r *reservation) read(ctx context.Context, in *mailbox.Incoming) (*message, error) {
	if err := r.take(0, 1); err != nil {
		return nil, err
	}
	most := limit(r.store.MaxMessage, defaultMaxMessage)
	if most >= 0 && in.Size > most {
		return nil, mailbox.ErrTooBig
	}
	var buf []byte
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		buf = grow(buf, in.Size)
		n, err := in.Body.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if most >= 0 && int64(len(buf)) > most {
			return nil, mailbox.ErrTooBig
		}
		if err := r.take(int64(n), 0); err != nil {
			return nil, err
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	if in.Size > 0 && int64(len(buf)) != in.Size {
		return nil, fmt.Errorf("memory: body of %d bytes, %d were announced: %w", len(buf), in.Size, io.ErrUnexpectedEOF)
	}
	return &message{b: bytes.Clone(buf)}, nil
}

// grow makes room to read into, as bytes arrive: what was announced is not
// believed, beyond a first step.
func grow(buf []byte, size int64) []byte {
	if len(buf) < cap(buf) {
		return buf
	}
	n := max(512, 2*cap(buf))
	if cap(buf) == 0 && size > 0 {
		n = int(min(size+1, readStep))
	}
	out := make([]byte, len(buf), n)
	copy(out, buf)
	return out
}

// meta is what is known of a message that is about to be added.
func meta(in *mailbox.Incoming, size int, now time.Time) mailbox.Meta {
	received := in.Received
	if received.IsZero() {
		received = now
	}
	return mailbox.Meta{
		Flags: in.Flags, Size: int64(size), Received: received.Unix(), Saved: now.Unix(),
	}
}

// newBlob opens a message for as long as ctx lasts.
func newBlob(ctx context.Context, b []byte) mailbox.Blob {
	open := mailbox.Bytes(b)
	out := &blob{Blob: open, done: ctx.Done(), why: ctx.Err}
	out.bytes, _ = open.(io.WriterTo)
	return out
}

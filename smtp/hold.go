package smtp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
)

// defaultHoldMemory is what Hold keeps in memory before it takes a file.
const defaultHoldMemory = 1 << 20

// Hold reads body to its end, so that it can be read again: into memory up to
// the given number of bytes (0 means 1 MiB, negative none), beyond that into a
// temporary file that has no name any more where the system allows. The error
// is that of body, of the file, or of ctx. Close what it returns.
func Hold(ctx context.Context, body io.Reader, memory int) (*Held, error) {
	if memory == 0 {
		memory = defaultHoldMemory
	}
	var head bytes.Buffer
	src := ctxReader{ctx, body}
	if memory > 0 {
		n, err := io.CopyN(&head, src, int64(memory)+1)
		// An error that only wraps io.EOF is no end of the message.
		if err == io.EOF && n <= int64(memory) {
			return held(bytes.NewReader(head.Bytes()), n, nil), nil
		}
		if err != nil {
			return nil, err
		}
	}
	return holdFile(&head, src)
}

// holdFile writes head and the rest of body to a file of their own.
func holdFile(head *bytes.Buffer, body io.Reader) (*Held, error) {
	f, err := os.CreateTemp("", "postilion-*")
	if err != nil {
		return nil, err
	}
	name := f.Name()
	if os.Remove(name) == nil { // the file lives as long as it is open
		name = ""
	}
	h := held(f, 0, func() error {
		err := f.Close()
		if name != "" {
			err = errors.Join(err, os.Remove(name))
		}
		return err
	})
	n, err := io.Copy(f, io.MultiReader(head, body))
	if err != nil {
		return nil, errors.Join(err, h.Close())
	}
	h.SectionReader = io.NewSectionReader(f, 0, n)
	return h, nil
}

func held(r io.ReaderAt, n int64, done func() error) *Held {
	return &Held{SectionReader: io.NewSectionReader(r, 0, n), done: done}
}

// Held is a body that can be read again; several goroutines may read sections
// of it at once.
type Held struct {
	*io.SectionReader
	done func() error
}

// Close gives memory and file back; the body dies with it.
func (h *Held) Close() error {
	if h.done == nil {
		return nil
	}
	done := h.done
	h.done = nil
	return done()
}

// ctxReader ends with ctx between two reads.
type ctxReader struct {
	ctx context.Context
	r   io.Reader
}

func (c ctxReader) Read(p []byte) (int, error) {
	if err := context.Cause(c.ctx); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// Deliver makes a [DeliverFunc] the Message func of a [Handler]: it holds the
// body, prefix included, and returns the results for each recipient. It is how
// a server becomes a proxy or an LMTP backend.
func Deliver(d DeliverFunc) func(ctx context.Context, t *Transaction, body io.Reader) error {
	return func(ctx context.Context, t *Transaction, body io.Reader) error {
		h, err := Hold(ctx, body, 0)
		if err != nil {
			return err
		}
		defer h.Close()
		return d(ctx, t.Envelope.Clone(), t.Envelope.Section(h.SectionReader)).forAll(len(t.To)).Err()
	}
}

// forAll makes r as long as there are recipients: who was forgotten is
// temporary.
func (r Results) forAll(n int) Results {
	for len(r) < n {
		r = append(r, Result{})
	}
	return r[:n]
}

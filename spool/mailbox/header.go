package mailbox

import (
	"bytes"
	"context"
	"io"
)

// Headers is an optional interface of a [Mailbox] that can give the header of a
// message without opening the message.
type Headers interface {
	// Header returns the header section with the empty line at its end, as it
	// stands in the message. The error is [ErrNotExist].
	Header(ctx context.Context, uid UID) ([]byte, error)
}

// MaxHeader is how many bytes of a header [Header] reads.
const MaxHeader = 1 << 20

// Header returns the header section of a message, the empty line included; see
// [Headers]. Without one it is read from the message, and cut after [MaxHeader]
// bytes. A message without an empty line is all header.
func Header(ctx context.Context, m Mailbox, uid UID) ([]byte, error) {
	if h, ok := m.(Headers); ok {
		return h.Header(ctx, uid)
	}
	b, err := m.Message(ctx, uid)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	return readHeader(b)
}

// headerStep is what is read at first; most headers fit.
const headerStep = 4 << 10

func readHeader(b Blob) ([]byte, error) {
	size := min(b.Size(), MaxHeader)
	var buf []byte
	for {
		have := len(buf)
		n := min(int64(max(headerStep, 2*have)), size)
		buf = append(buf, make([]byte, n-int64(have))...)
		if got, err := b.ReadAt(buf[have:], int64(have)); err != nil && (err != io.EOF || have+got < len(buf)) {
			return nil, err
		}
		if end := headerEnd(buf, max(have-3, 0)); end >= 0 {
			return buf[:end], nil
		}
		if n == size {
			return buf, nil
		}
	}
}

// headerEnd is where the body begins, searched for from a place on; -1 if it is
// not in b.
func headerEnd(b []byte, from int) int {
	if bytes.HasPrefix(b, []byte("\r\n")) {
		return 2
	}
	if i := bytes.Index(b[from:], []byte("\r\n\r\n")); i >= 0 {
		return from + i + 4
	}
	return -1
}

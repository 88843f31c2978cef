package mailbox

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
)

// compareBlock is how much of two messages is compared at a time. Those that
// differ do so in their first lines.
const compareBlock = 4 << 10

// isThere reports whether a message of exactly these octets is in m: the one that
// was delivered by somebody who died before he could say so. The trace field of a
// server has the time and an ID in it, so no other message is the same. Without
// a body that can be read twice nobody knows.
func isThere(ctx context.Context, m Mailbox, top string, body io.Reader) (bool, error) {
	again, ok := body.(io.ReadSeeker)
	if !ok {
		return false, nil
	}
	size, err := again.Seek(0, io.SeekEnd)
	if err != nil {
		return false, err
	}
	delta, err := m.Changes(ctx, 0)
	if err != nil {
		return false, err
	}
	found := false
	for _, meta := range slices.Backward(delta.Messages) {
		if found || meta.Size != int64(len(top))+size {
			continue
		}
		if _, err := again.Seek(0, io.SeekStart); err != nil {
			return false, err
		}
		if found, err = isSame(ctx, m, meta.UID, io.MultiReader(strings.NewReader(top), again)); err != nil {
			return false, err
		}
	}
	_, err = again.Seek(0, io.SeekStart)
	return found, err
}

// isSame compares a message with what r reads. One that is gone by now is none.
func isSame(ctx context.Context, m Mailbox, uid UID, r io.Reader) (bool, error) {
	b, err := m.Message(ctx, uid)
	if errors.Is(err, ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer b.Close()
	there := io.NewSectionReader(b, 0, b.Size())
	var x, y [compareBlock]byte
	for {
		n, err := io.ReadFull(r, x[:])
		k, errThere := io.ReadFull(there, y[:])
		if err = errors.Join(unlessEnd(err), unlessEnd(errThere)); err != nil {
			return false, err
		}
		if !bytes.Equal(x[:n], y[:k]) || n < compareBlock {
			return bytes.Equal(x[:n], y[:k]), nil
		}
	}
}

// unlessEnd is an error of io.ReadFull that is not the end.
func unlessEnd(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return nil
	}
	return err
}

package dirspool

import (
	"fmt"
	"os"

	"github.com/postilion-mail/postilion/internal/safeio"
)

// append adds a record to a file in q/, and with sync returns when it is on the
// disk. After an error the record is not there, and not going to be, unless the
// Store is broken.
func (s *Store) append(f *file, kind byte, data func([]byte) []byte, sync bool) error {
	if err := s.write(f, kind, data, sync); err != nil || !sync {
		return err
	}
	// The system may have dropped what it could not write, so a second try would
	// prove nothing.
	if err := s.files.Sync(f); err != nil {
		return s.fail(err)
	}
	return nil
}

// write adds a record. If it must not stay half written, the file gets its old
// end again.
func (s *Store) write(f *file, kind byte, data func([]byte) []byte, undo bool) error {
	h, err := s.fsys.OpenFile(f.path(), os.O_RDWR, 0)
	if err != nil {
		return full(err)
	}
	defer h.Close()
	f.mu.Lock()
	defer f.mu.Unlock()
	return s.writeTo(h, f, kind, data, undo)
}

// writeTo is write with an open file; f.mu is held.
func (s *Store) writeTo(h safeio.File, f *file, kind byte, data func([]byte) []byte, undo bool) error {
	// data may look at f.tail: that is where the record will be.
	b := endRecord(data(beginRecord(nil, kind, f.synced)), 0, f.seed)
	if uint64(f.tail)+uint64(len(b)) > maxRecords {
		return fmt.Errorf("dirspool: the records of %s are too long", f.name)
	}
	_, err := h.WriteAt(b, f.records+int64(f.tail))
	if err == nil {
		f.tail += uint32(len(b))
		return nil
	}
	if undo {
		// It may be whole, and come back after a crash.
		back := h.Truncate(f.records + int64(f.tail))
		if back == nil {
			back = h.Datasync()
		}
		if back != nil {
			return s.fail(fmt.Errorf("%w; undoing it: %w", err, back))
		}
	}
	return full(err)
}

// syncFile puts the records of a file on the disk, for all who wait for it.
func (s *Store) syncFile(f *file) error {
	h, err := s.fsys.OpenFile(f.path(), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer h.Close()
	f.mu.Lock()
	tail := f.tail
	f.mu.Unlock()
	// Records that were added since are perhaps on the disk, perhaps not.
	if err := h.Datasync(); err != nil {
		return err
	}
	f.mu.Lock()
	f.synced = max(f.synced, tail)
	f.mu.Unlock()
	return nil
}

package dirspool

import (
	"fmt"

	"github.com/postilion-mail/postilion/spool"
)

// image is what a file says, without its body.
type image struct {
	head     header
	items    []itemImage
	parent   fileName   // whose follow-up this is; zero of nobody
	children []fileName // files of follow-ups that an outcome has named
	tail     uint32     // where the next record goes, from the first one
	synced   uint32     // up to where all is surely on the disk
	torn     bool       // something after tail was left by a crash
	relied   uint32     // where the last record ends that must not get lost any more
}

// itemImage is one item in a file.
type itemImage struct {
	item  *spool.Item
	at    uint32 // of its record, from the first one
	rcpts []rcpt
	runs  [][8]byte // the processes that began the last attempts and ended none of them
}

// parseImage reads the records of a file, all of them, from the end of the body
// on. The error is [spool.ErrCorrupt].
func parseImage(h header, b []byte, name fileName) (*image, error) {
	seed := h.seed(name)
	if uint64(len(b)) < uint64(h.records) {
		return nil, fmt.Errorf("%w: the file ends before its records do", spool.ErrCorrupt)
	}
	im := &image{head: h}
	if err := im.fixed(b[:h.records], seed); err != nil {
		return nil, err
	}
	im.tail, im.synced = h.records, h.records
	for len(b) > int(im.tail) {
		r, ok := parseRecord(b[im.tail:], seed)
		if !ok {
			return im, im.tear(b, seed)
		}
		if err := im.replay(r); err != nil {
			return nil, err
		}
		im.tail += uint32(r.size)
	}
	return im, nil
}

// fixed reads the records up to 'C', which must be just that long.
func (im *image) fixed(b []byte, seed uint32) error {
	at := 0
	for at < len(b) {
		r, ok := parseRecord(b[at:], seed)
		switch {
		case ok && r.kind == kindItem:
			it := new(spool.Item)
			if err := it.UnmarshalBinary(r.data); err != nil {
				return err
			}
			im.items = append(im.items, itemImage{item: it, at: uint32(at), rcpts: newRcpts(it)})
		case ok && r.kind == kindCommit && at+r.size == len(b):
			c, err := parseCommit(r.data)
			if err != nil || c.items != len(im.items) || c.items == 0 {
				return errData
			}
			im.parent = c.parent
			return nil
		default:
			return errData
		}
		at += r.size
	}
	return errData
}

// replay applies one record after 'C'.
func (im *image) replay(r record) error {
	if r.base > im.tail {
		return errData
	}
	im.synced = max(im.synced, r.base)
	switch r.kind {
	case kindState:
		return im.replayState(r)
	case kindAttempt:
		return im.replayAttempt(r)
	}
	return errData
}

func (im *image) replayState(rec record) error {
	s, err := parseState(rec.data)
	if err != nil || s.item >= len(im.items) {
		return errData
	}
	it, final := &im.items[s.item], len(s.children) > 0
	for _, r := range s.rcpts {
		if r.index >= len(it.rcpts) {
			return errData
		}
		// A record without a result leaves that of the one before to be read.
		old := &it.rcpts[r.index]
		last := old.last
		if r.result != nil {
			last = im.tail
		}
		*old = r.rcpt
		old.last = last
		final = final || r.done
	}
	if final {
		im.relied = im.tail + uint32(rec.size)
	}
	it.runs = nil // whoever wrote it was alive
	im.children = append(im.children, s.children...)
	return nil
}

func (im *image) replayAttempt(r record) error {
	a, err := parseAttempt(r.data)
	if err != nil || a.item >= len(im.items) {
		return errData
	}
	it := &im.items[a.item]
	for _, t := range a.rcpts {
		if t.index >= len(it.rcpts) {
			return errData
		}
		it.rcpts[t.index].attempts = t.attempts
	}
	if n := len(it.runs); n == 0 || it.runs[n-1] != a.run {
		it.runs = append(it.runs, a.run)
	}
	return nil
}

// tear decides what a bad record at tail means: nothing after it counts, unless
// a later one says that the bad one was on the disk.
func (im *image) tear(b []byte, seed uint32) error {
	for at := int(im.tail) + 1; at+recordMore <= len(b); at++ {
		if k := b[at]; k != kindState && k != kindAttempt {
			continue
		}
		if r, ok := parseRecord(b[at:], seed); ok && r.base > im.tail {
			return fmt.Errorf("%w: a bad record among good ones", spool.ErrCorrupt)
		}
	}
	im.torn = true
	return nil
}

package spool

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"time"
)

// itemVersion is the first byte of the binary form. A new field is added at the
// end under a new version; old versions stay readable.
const itemVersion = 1

var errItem = fmt.Errorf("%w: malformed binary item", ErrCorrupt)

// AppendBinary appends the versioned binary form in which every store keeps an
// item. It has one form for one item: Meta is in the order of its keys. Times
// keep nanoseconds and lose their zone.
func (it *Item) AppendBinary(b []byte) ([]byte, error) {
	env, err := it.Envelope.MarshalBinary()
	if err != nil {
		return b, err
	}
	b = append(b, itemVersion)
	b = putString(b, string(it.ID))
	b = putString(b, it.Class)
	for _, t := range [...]time.Time{it.Created, it.NotBefore, it.WarnAt, it.Expire} {
		b = putTime(b, t)
	}
	b = binary.AppendUvarint(b, uint64(len(it.Dest)))
	for _, d := range it.Dest {
		b = putString(b, d)
	}
	b = binary.AppendUvarint(b, uint64(len(it.Meta)))
	for _, k := range slices.Sorted(maps.Keys(it.Meta)) {
		b = putString(putString(b, k), it.Meta[k])
	}
	b = binary.AppendUvarint(b, uint64(len(env)))
	return append(b, env...), nil
}

// MarshalBinary is AppendBinary to nothing.
func (it *Item) MarshalBinary() ([]byte, error) { return it.AppendBinary(nil) }

// UnmarshalBinary reads what AppendBinary wrote, all of b, and takes no more
// memory than a small multiple of it. An item that no Commit would have taken
// is refused: the error is [ErrCorrupt], and it is unchanged.
func (it *Item) UnmarshalBinary(b []byte) error {
	d := decoder{b: b}
	if d.byte() != itemVersion {
		return errItem
	}
	out := Item{ID: ID(d.string()), Class: d.string(), Created: d.time(), NotBefore: d.time(), WarnAt: d.time(), Expire: d.time()}
	for range d.count() {
		out.Dest = append(out.Dest, d.string())
	}
	out.Meta = d.meta()
	env := d.string()
	if d.bad || len(d.b) != 0 || out.Envelope.UnmarshalBinary([]byte(env)) != nil || out.ID == "" || out.check() != nil {
		return errItem
	}
	*it = out
	return nil
}

func putString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// putTime writes seconds and nanoseconds, since a time far away does not fit
// into nanoseconds alone; a single 0 is the zero time.
func putTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(b, 0)
	}
	b = binary.AppendVarint(append(b, 1), t.Unix())
	return binary.AppendUvarint(b, uint64(t.Nanosecond()))
}

// decoder takes pieces off b; after the first mistake it gives zeros.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) fail() { d.b, d.bad = nil, true }

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.fail()
		return 0
	}
	c := d.b[0]
	d.b = d.b[1:]
	return c
}

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

// count is how many elements follow: each has a byte at least, so a count
// cannot ask for more memory than the input has.
func (d *decoder) count() int {
	n := d.uint()
	if n > uint64(len(d.b)) {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *decoder) string() string {
	n := d.count()
	s := string(d.b[:n])
	d.b = d.b[n:]
	return s
}

func (d *decoder) time() time.Time {
	if d.byte() == 0 {
		return time.Time{}
	}
	sec, n := binary.Varint(d.b)
	if n <= 0 {
		d.fail()
		return time.Time{}
	}
	d.b = d.b[n:]
	nsec := d.uint()
	if nsec >= 1e9 {
		d.fail()
		return time.Time{}
	}
	return time.Unix(sec, int64(nsec)).UTC()
}

// meta wants its keys in order and none twice, so that no two inputs mean the
// same item.
func (d *decoder) meta() map[string]string {
	n := d.count()
	if n == 0 {
		return nil
	}
	m := make(map[string]string)
	last := ""
	for i := range n {
		k, v := d.string(), d.string()
		if d.bad || i > 0 && k <= last {
			d.fail()
			return nil
		}
		m[k], last = v, k
	}
	return m
}

package maildir

import (
	"encoding/binary"
	"errors"
	"hash/crc32"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

// The index of a mailbox is one file: a head and then frames, of which each is a
// change, whole or not there. What is in a frame are records.
//
//	head   magic 8, random 8, UIDVALIDITY 4, crc 4
//	frame  length 4, crc 4, records; the crc covers the random of the head as
//	       well, so that no frame of another file is taken for one of this
//
// Numbers of fixed length are big endian, the others are varints.
const (
	magic     = "pmdidx1\n"
	headLen   = 24
	frameHead = 8
	maxFrame  = 64 << 20
)

// The kinds of records.
const (
	recMessage byte = 'm' // a message, new or changed
	recExpunge byte = 'x' // UIDs that are gone
	recState   byte = 's' // UIDNext, HighestModSeq and others
	recStamp   byte = 't' // what directories looked like
	recMoved   byte = 'z' // a new file stands under the name of this one
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errRecord = errors.New("maildir: malformed record")

// head is how an index file begins.
type head struct {
	random   [8]byte
	validity uint32
}

// encode is the head as it stands in the file.
func (h head) encode() []byte {
	b := append([]byte(magic), h.random[:]...)
	b = binary.BigEndian.AppendUint32(b, h.validity)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// decodeHead reads a head; ok is false for one that is damaged or of another
// kind.
func decodeHead(b []byte) (h head, ok bool) {
	if len(b) < headLen || string(b[:8]) != magic {
		return h, false
	}
	copy(h.random[:], b[8:16])
	h.validity = binary.BigEndian.Uint32(b[16:])
	return h, h.validity != 0 && crc32.Checksum(b[:20], castagnoli) == binary.BigEndian.Uint32(b[20:])
}

// frame puts records into a frame.
func (h head) frame(records []byte) []byte {
	b := make([]byte, frameHead, frameHead+len(records))
	binary.BigEndian.PutUint32(b, uint32(len(records)))
	binary.BigEndian.PutUint32(b[4:], h.sum(records))
	return append(b, records...)
}

// sum is the checksum of records in a file of this head.
func (h head) sum(records []byte) uint32 {
	return crc32.Update(crc32.Checksum(h.random[:], castagnoli), castagnoli, records)
}

// split cuts the first frame off; ok is false if there is no whole one.
func (h head) split(b []byte) (records, rest []byte, ok bool) {
	if len(b) < frameHead {
		return nil, nil, false
	}
	n := binary.BigEndian.Uint32(b)
	if n > maxFrame || int(n) > len(b)-frameHead {
		return nil, nil, false
	}
	records = b[frameHead : frameHead+n]
	return records, b[frameHead+n:], h.sum(records) == binary.BigEndian.Uint32(b[4:])
}

// message is what the index has of a message: a record in the file.
type message struct {
	meta mailbox.Meta
	bits bits
	name string // of the file, with its flags
}

// bits say more of a message.
type bits uint8

const (
	inNew  bits = 1 << iota // the file is in new, else in cur
	bareLF                  // it has line ends without CR, which are put in when it is read
)

// state is what recState has.
type state struct {
	next      mailbox.UID // 0 after MaxUID
	seq       mailbox.ModSeq
	unclaimed mailbox.UID
	forgotten mailbox.ModSeq
}

// appendMessage writes a message that is new or other. The numbers are small for
// most, so they are varints.
func appendMessage(b []byte, m *message) []byte {
	b = append(b, recMessage, byte(m.bits))
	b = binary.AppendUvarint(b, uint64(m.meta.UID))
	b = binary.AppendUvarint(b, uint64(m.meta.Flags.Sys))
	b = binary.AppendUvarint(b, uint64(m.meta.ModSeq))
	b = binary.AppendVarint(b, m.meta.Size)
	b = binary.AppendVarint(b, m.meta.Received)
	b = binary.AppendVarint(b, m.meta.Saved)
	b = appendString(b, m.meta.Flags.Keywords)
	return appendString(b, m.name) // last, so that its place is known
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// appendExpunge writes the UIDs that went at a ModSeq.
func appendExpunge(b []byte, seq mailbox.ModSeq, uids mailbox.Set) []byte {
	b = binary.AppendUvarint(append(b, recExpunge), uint64(seq))
	b = binary.AppendUvarint(b, uint64(len(uids)))
	for _, r := range uids {
		b = binary.AppendUvarint(b, uint64(r.From))
		b = binary.AppendUvarint(b, uint64(r.To))
	}
	return b
}

func appendState(b []byte, s state) []byte {
	b = append(b, recState)
	for _, n := range []uint64{uint64(s.next), uint64(s.seq), uint64(s.unclaimed), uint64(s.forgotten)} {
		b = binary.AppendUvarint(b, n)
	}
	return b
}

// stamps are the times of new and cur in nanoseconds; 0 is not known.
type stamps [2]int64

func appendStamps(b []byte, s stamps) []byte {
	b = append(b, recStamp)
	return binary.AppendVarint(binary.AppendVarint(b, s[0]), s[1])
}

// decoder takes records apart. After a malformed one bad is set and all it gives
// is zero.
type decoder struct {
	b   []byte
	at  int64 // where b stands in the file
	bad bool
}

// skip goes on by n bytes, which must be there.
func (d *decoder) skip(n int) {
	if n <= 0 || n > len(d.b) {
		d.bad, d.b = true, nil
		return
	}
	d.b = d.b[n:]
	d.at += int64(n)
}

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.bad = true
		return 0
	}
	c := d.b[0]
	d.skip(1)
	return c
}

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.b)
	d.skip(n)
	return v
}

func (d *decoder) int() int64 {
	v, n := binary.Varint(d.b)
	d.skip(n)
	return v
}

// uid is a number that fits.
func (d *decoder) uid() mailbox.UID {
	v := d.uint()
	if v > uint64(mailbox.MaxUID) {
		d.bad = true
	}
	return mailbox.UID(v)
}

// bytes gives a string as it stands in the file.
func (d *decoder) bytes() []byte {
	n := d.uint()
	if d.bad || n > uint64(len(d.b)) {
		d.bad = true
		return nil
	}
	s := d.b[:n]
	if n > 0 {
		d.skip(int(n))
	}
	return s
}

// set is a list of ranges. Its length is not believed: it ends where the bytes
// do.
func (d *decoder) set() mailbox.Set {
	n := d.uint()
	var s mailbox.Set
	for range n {
		from, to := d.uid(), d.uid()
		if d.bad || from == 0 || from > to {
			d.bad = true
			return nil
		}
		s.AddRange(from, to)
	}
	return s
}

func (d *decoder) state() state {
	return state{d.uid(), mailbox.ModSeq(d.uint()), d.uid(), mailbox.ModSeq(d.uint())}
}

func (d *decoder) stamps() stamps { return stamps{d.int(), d.int()} }

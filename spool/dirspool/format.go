package dirspool

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/postilion-mail/postilion/spool"
)

// A file is one submission, and is named by an ID of its own:
//
//	header   64 bytes
//	body     as it was written
//	'E' ×n   one item each
//	'C'      all before it is complete
//	'A' 'S'  attempts begun, and what became of them, in any number
//
// Up to 'C' it never changes, and it has its name in q/ only when all of that
// is on the disk. A record is
//
//	kind 1 | length of the data 4 | base 4 | data | CRC-32C 4
//
// with numbers in big-endian order. base says up to where, from the first
// record, everything was known to be on the disk when the record was written. A
// bad record before the base of a later one is damage; any other is the trace
// of a crash. The CRC begins with the name of the file and a random number in
// its header, so that neither a record of another file passes, nor one that was
// made up by a peer whose reply is quoted in a record.
const (
	kindItem    = 'E'
	kindCommit  = 'C'
	kindAttempt = 'A'
	kindState   = 'S'
)

const (
	headerLen  = 64
	magic      = "spool\r\n\x1a"
	version    = 1
	recordHead = 9 // before the data
	recordMore = recordHead + 4
	maxRecords = 1 << 31 // bytes of records in one file, so that offsets fit
)

// castagnoli is read only. It is the polynomial for which processors have an
// instruction.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// fileName is the name of a file in q/: an ID, as bytes.
type fileName [26]byte

func (n fileName) String() string { return string(n[:]) }

// parseName reads a name that was found in a directory.
func parseName(s string) (n fileName, ok bool) {
	if _, err := spool.ParseID(s); err != nil {
		return n, false
	}
	copy(n[:], s)
	return n, true
}

// header is the beginning of a file.
type header struct {
	nonce   [8]byte // no two files have the same
	body    int64   // length
	sum     uint32  // CRC-32C of the body
	records uint32  // length of the records up to 'C'
}

var errHeader = fmt.Errorf("%w: malformed header", spool.ErrCorrupt)

func (h header) append(b []byte, name fileName) []byte {
	start := len(b)
	b = append(b, magic...)
	b = binary.BigEndian.AppendUint32(b, version)
	b = append(b, h.nonce[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(h.body))
	b = binary.BigEndian.AppendUint32(b, h.sum)
	b = binary.BigEndian.AppendUint32(b, h.records)
	b = append(b, make([]byte, headerLen-4-(len(b)-start))...)
	return binary.BigEndian.AppendUint32(b, headerSum(b[start:], name))
}

func headerSum(b []byte, name fileName) uint32 {
	return crc32.Update(crc32.Checksum(name[:], castagnoli), castagnoli, b)
}

// parseHeader reads the header of the file of this name, from its beginning.
func parseHeader(b []byte, name fileName) (h header, err error) {
	switch {
	case len(b) < headerLen || !bytes.HasPrefix(b, []byte(magic)):
		return h, errHeader
	case binary.BigEndian.Uint32(b[60:]) != headerSum(b[:60], name):
		return h, errHeader
	case binary.BigEndian.Uint32(b[8:]) != version:
		return h, fmt.Errorf("%w: version %d", errHeader, binary.BigEndian.Uint32(b[8:]))
	}
	copy(h.nonce[:], b[12:])
	h.body = int64(binary.BigEndian.Uint64(b[20:]))
	h.sum = binary.BigEndian.Uint32(b[28:])
	h.records = binary.BigEndian.Uint32(b[32:])
	if h.body < 0 || h.body > 1<<62 || h.records > maxRecords {
		return h, errHeader
	}
	return h, nil
}

// seed is what the CRC of every record of the file begins with.
func (h header) seed(name fileName) uint32 {
	return crc32.Update(crc32.Checksum(name[:], castagnoli), castagnoli, h.nonce[:])
}

// beginRecord appends the head of a record, whose data is to be appended next.
func beginRecord(b []byte, kind byte, base uint32) []byte {
	return binary.BigEndian.AppendUint32(append(b, kind, 0, 0, 0, 0), base)
}

// endRecord completes the record that begins at start and ends with b.
func endRecord(b []byte, start int, seed uint32) []byte {
	binary.BigEndian.PutUint32(b[start+1:], uint32(len(b)-start-recordHead))
	return binary.BigEndian.AppendUint32(b, crc32.Update(seed, castagnoli, b[start:]))
}

// record is one as it was read.
type record struct {
	kind byte
	base uint32
	data []byte
	size int // with head and sum
}

// parseRecord reads the record that b begins with; false if there is no whole
// and sound one.
func parseRecord(b []byte, seed uint32) (r record, ok bool) {
	if len(b) < recordMore {
		return r, false
	}
	n := uint64(binary.BigEndian.Uint32(b[1:])) + recordHead
	if n > uint64(len(b)-4) {
		return r, false
	}
	if binary.BigEndian.Uint32(b[n:]) != crc32.Update(seed, castagnoli, b[:n]) {
		return r, false
	}
	return record{b[0], binary.BigEndian.Uint32(b[5:]), b[recordHead:n], int(n) + 4}, true
}

package dirspool

import (
	"encoding/binary"
	"fmt"

	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/spool"
)

// state is the data of an 'S' record: where recipients of one item stand from
// now on. It says what is, not what changed, so that reading all of them in
// order and keeping the last is enough.
type state struct {
	item     int // its number in the file
	children []fileName
	rcpts    []rcptState
}

// rcptState is one recipient in a state. A recipient that is done has nothing
// else.
type rcptState struct {
	rcpt
	index  int
	result *smtp.Result // of the last attempt; nil leaves what an earlier record says
}

// attempt is the data of an 'A' record: who is being delivered to, by which
// process, and for how many times with this one.
type attempt struct {
	run   [8]byte
	item  int
	rcpts []tried
}

type tried struct {
	index    int
	attempts uint16
}

// commit is the data of the 'C' record.
type commit struct {
	items  int
	parent fileName // whose follow-up this is; zero of nobody
}

// The bits of a recipient in an 'S' record.
const (
	bitDone   = 1 << iota
	bitHeld   // not offered
	bitWarned // the sender was told of the delay
	bitResult // a result follows
	bitDSN    // Result.DSN
	bitsAll   = 1<<iota - 1
)

func (s state) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(s.item))
	b = binary.AppendUvarint(b, uint64(len(s.children)))
	for _, c := range s.children {
		b = append(b, c[:]...)
	}
	b = binary.AppendUvarint(b, uint64(len(s.rcpts)))
	for _, r := range s.rcpts {
		b = r.append(b)
	}
	return b
}

func (r rcptState) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(r.index))
	b = append(b, r.bits())
	if r.done {
		return b
	}
	b = binary.AppendUvarint(b, uint64(r.attempts))
	b = binary.AppendVarint(b, r.due)
	if r.result == nil {
		return b
	}
	b = append(b, byte(r.result.Status))
	b = binary.AppendUvarint(b, uint64(max(r.result.Reply.Code, 0)))
	for _, s := range [...]string{r.result.Reply.Enhanced, r.result.Reply.Text, r.result.Host} {
		s = s[:min(len(s), maxText)]
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	return b
}

func (r rcptState) bits() (bits byte) {
	set := func(bit byte, on bool) {
		if on {
			bits |= bit
		}
	}
	set(bitDone, r.done)
	set(bitHeld, r.held)
	set(bitWarned, r.warned)
	if r.result != nil && !r.done {
		set(bitResult, true)
		set(bitDSN, r.result.DSN)
	}
	return bits
}

// maxText is how much of a text in a result is kept: a reply in full, and no
// more, since each attempt adds one.
const maxText = 4 << 10

func (a attempt) append(b []byte) []byte {
	b = append(b, a.run[:]...)
	b = binary.AppendUvarint(b, uint64(a.item))
	b = binary.AppendUvarint(b, uint64(len(a.rcpts)))
	for _, t := range a.rcpts {
		b = binary.AppendUvarint(b, uint64(t.index))
		b = binary.AppendUvarint(b, uint64(t.attempts))
	}
	return b
}

func (c commit) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(c.items))
	if c.parent != (fileName{}) {
		b = append(b, c.parent[:]...)
	}
	return b
}

var errData = fmt.Errorf("%w: malformed record", spool.ErrCorrupt)

// decoder takes pieces off b; after the first mistake it gives zeros.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) fail() { d.b, d.bad = nil, true }

func (d *decoder) take(n int) []byte {
	if n > len(d.b) {
		d.fail()
		return make([]byte, min(n, len(fileName{})))
	}
	p := d.b[:n]
	d.b = d.b[n:]
	return p
}

func (d *decoder) byte() byte { return d.take(1)[0] }

// uint is a number up to limit.
func (d *decoder) uint(limit uint64) int {
	v, n := binary.Uvarint(d.b)
	if n <= 0 || v > limit {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return int(v)
}

func (d *decoder) int64() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

// count is how many elements follow, of so many bytes at least each: it cannot
// ask for more memory than the input has.
func (d *decoder) count(each int) int { return d.uint(uint64(len(d.b) / each)) }

func (d *decoder) string() string {
	n := d.count(1)
	return string(d.take(n))
}

// end is the error, if there is one or something is left.
func (d *decoder) end() error {
	if d.bad || len(d.b) != 0 {
		return errData
	}
	return nil
}

// The numbers of items in a file and of recipients in an item are below it.
const maxIndex = 1<<31 - 1

func parseState(b []byte) (s state, err error) {
	d := decoder{b: b}
	s.item = d.uint(maxIndex)
	for range d.count(len(fileName{})) {
		s.children = append(s.children, fileName(d.take(len(fileName{}))))
	}
	for range d.count(2) {
		s.rcpts = append(s.rcpts, d.rcpt())
	}
	return s, d.end()
}

func (d *decoder) rcpt() (r rcptState) {
	r.index = d.uint(maxIndex)
	bits := d.byte()
	r.done, r.held, r.warned = bits&bitDone != 0, bits&bitHeld != 0, bits&bitWarned != 0
	if bits > bitsAll || r.done && bits&(bitResult|bitDSN) != 0 {
		d.fail()
	}
	if r.done || d.bad {
		return r
	}
	r.attempts = uint16(d.uint(1<<16 - 1))
	r.due = d.int64()
	if bits&bitResult != 0 {
		r.result = &smtp.Result{Status: smtp.Status(d.byte()), DSN: bits&bitDSN != 0}
		r.result.Reply.Code = d.uint(maxIndex)
		r.result.Reply.Enhanced, r.result.Reply.Text, r.result.Host = d.string(), d.string(), d.string()
	}
	return r
}

func parseAttempt(b []byte) (a attempt, err error) {
	d := decoder{b: b}
	copy(a.run[:], d.take(len(a.run)))
	a.item = d.uint(maxIndex)
	for range d.count(2) {
		a.rcpts = append(a.rcpts, tried{d.uint(maxIndex), uint16(d.uint(1<<16 - 1))})
	}
	return a, d.end()
}

func parseCommit(b []byte) (c commit, err error) {
	d := decoder{b: b}
	c.items = d.uint(maxIndex)
	if len(d.b) > 0 {
		c.parent = fileName(d.take(len(fileName{})))
	}
	return c, d.end()
}

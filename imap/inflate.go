package imap

import (
	"errors"
	"io"
)

// inflater undoes DEFLATE (RFC 1951). Unlike the one of compress/flate it gives
// out whatever the octets that have come stand for before it waits for more: a
// peer may end its command with a Z_PARTIAL_FLUSH, behind which nothing comes
// until it was answered.
type inflater struct {
	src io.Reader
	err error

	in       []byte // read and not used; a symbol or header that is not whole stays
	buf      [4 << 10]byte
	hold     uint64 // bits taken from in, the next one lowest
	bits     uint
	window   [32 << 10]byte // the last octets given out, a ring
	at       int            // where the next octet goes
	full     bool           // all of the window was written
	unread   int            // octets before at that were not given out yet
	mode     inflateMode
	last     bool // no block comes behind this one
	stored   int  // octets left of a stored block
	lit, dst huffman
	length   int // of a match that was interrupted by a full window
	distance int
}

type inflateMode uint8

const (
	inHeader inflateMode = iota
	inStored
	inCodes
)

var (
	errDeflate  = errors.New("imap: compressed data are damaged")
	errMoreBits = errors.New("imap: more bits are needed")
)

func newInflater(src io.Reader) *inflater { return &inflater{src: src} }

// Read gives out decompressed octets, at least one.
func (f *inflater) Read(p []byte) (int, error) {
	for {
		if f.unread > 0 && len(p) > 0 {
			return f.give(p), nil
		}
		if f.err != nil {
			return 0, f.err
		}
		switch err := f.step(); {
		case err == errMoreBits:
			if f.unread == 0 {
				if err := f.fill(); err != nil {
					return 0, err
				}
			}
		case err != nil:
			f.err = err
		}
	}
}

// give copies octets that are ready.
func (f *inflater) give(p []byte) int {
	from := (f.at - f.unread + len(f.window)) % len(f.window)
	n := min(len(p), f.unread, len(f.window)-from)
	copy(p, f.window[from:from+n])
	f.unread -= n
	return n
}

// fill reads once. A timeout is no end: the next Read goes on.
func (f *inflater) fill() error {
	if len(f.in) == len(f.buf) {
		return errDeflate // no symbol and no header is that long
	}
	n := copy(f.buf[:], f.in)
	m, err := f.src.Read(f.buf[n:])
	f.in = f.buf[:n+m]
	switch {
	case m > 0:
		return nil
	case err == nil:
		err = io.ErrNoProgress
	}
	return err
}

// room is how many octets may be made before some are given out.
func (f *inflater) room() int { return len(f.window) - f.unread }

func (f *inflater) put(c byte) {
	f.window[f.at] = c
	if f.at++; f.at == len(f.window) {
		f.at, f.full = 0, true
	}
	f.unread++
}

// need makes sure that so many bits are held.
func (f *inflater) need(n uint) bool {
	for f.bits < n {
		if len(f.in) == 0 {
			return false
		}
		f.hold |= uint64(f.in[0]) << f.bits
		f.bits += 8
		f.in = f.in[1:]
	}
	return true
}

// take gives n bits, which must be held.
func (f *inflater) take(n uint) int {
	v := int(f.hold & (1<<n - 1))
	f.hold >>= n
	f.bits -= n
	return v
}

// place is where the input stands, to come back to.
type place struct {
	in   []byte
	hold uint64
	bits uint
}

func (f *inflater) place() place { return place{f.in, f.hold, f.bits} }
func (f *inflater) back(p place) { f.in, f.hold, f.bits = p.in, p.hold, p.bits }

// step goes on until something is ready, or more is needed.
func (f *inflater) step() error {
	switch f.mode {
	case inStored:
		return f.copyStored()
	case inCodes:
		return f.codes()
	}
	if f.last {
		return io.EOF
	}
	p := f.place()
	err := f.header()
	if err == errMoreBits {
		f.back(p)
	}
	return err
}

// header begins a block (RFC 1951 §3.2.3).
func (f *inflater) header() error {
	if !f.need(3) {
		return errMoreBits
	}
	last := f.take(1) == 1
	var err error
	switch f.take(2) {
	case 0:
		err = f.storedHeader()
	case 1:
		f.lit, f.dst = fixedCodes()
		f.mode = inCodes
	case 2:
		if err = f.dynamicHeader(); err == nil {
			f.mode = inCodes
		}
	default:
		err = errDeflate
	}
	if err == nil {
		f.last = last
	}
	return err
}

// storedHeader: the length, and its complement, at the next octet (RFC 1951
// §3.2.4).
func (f *inflater) storedHeader() error {
	f.take(f.bits % 8)
	if !f.need(32) {
		return errMoreBits
	}
	n := f.take(16)
	if f.take(16) != n^0xFFFF {
		return errDeflate
	}
	f.stored, f.mode = n, inStored
	return nil
}

func (f *inflater) copyStored() error {
	for f.stored > 0 && f.room() > 0 {
		if !f.need(8) {
			if f.unread > 0 {
				return nil
			}
			return errMoreBits
		}
		f.put(byte(f.take(8)))
		f.stored--
	}
	if f.stored == 0 {
		f.mode = inHeader
	}
	return nil
}

// codeOrder is how the lengths of the code for lengths are sent (RFC 1951
// §3.2.7).
var codeOrder = [19]int{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// dynamicHeader reads the codes of a block (RFC 1951 §3.2.7).
func (f *inflater) dynamicHeader() error {
	if !f.need(14) {
		return errMoreBits
	}
	nlit, ndist, ncode := f.take(5)+257, f.take(5)+1, f.take(4)+4
	if nlit > 286 || ndist > 30 {
		return errDeflate
	}
	var lengths [286 + 30]uint8
	for i := range ncode {
		if !f.need(3) {
			return errMoreBits
		}
		lengths[codeOrder[i]] = uint8(f.take(3))
	}
	var code huffman
	if !code.init(lengths[:19]) {
		return errDeflate
	}
	clear(lengths[:])
	for i := 0; i < nlit+ndist; {
		sym, err := f.symbol(&code)
		if err != nil {
			return err
		}
		if sym < 16 {
			lengths[i] = uint8(sym)
			i++
			continue
		}
		value, n, err := f.repeat(sym)
		if err != nil {
			return err
		}
		if sym == 16 {
			if i == 0 {
				return errDeflate
			}
			value = lengths[i-1]
		}
		if i+n > nlit+ndist {
			return errDeflate
		}
		for range n {
			lengths[i] = value
			i++
		}
	}
	if lengths[256] == 0 || !f.lit.init(lengths[:nlit]) || !f.dst.init(lengths[nlit:nlit+ndist]) {
		return errDeflate
	}
	return nil
}

// repeat reads how often a length is repeated.
func (f *inflater) repeat(sym int) (value uint8, n int, err error) {
	extra, base := uint(2), 3
	switch sym {
	case 17:
		extra = 3
	case 18:
		extra, base = 7, 11
	}
	if !f.need(extra) {
		return 0, 0, errMoreBits
	}
	return 0, f.take(extra) + base, nil
}

// The lengths and distances of matches (RFC 1951 §3.2.5).
var (
	lengthBase  = [29]int{3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258}
	lengthExtra = [29]uint{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0}
	distBase    = [30]int{1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577}
	distExtra   = [30]uint{0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13}
)

// codes decodes symbols.
func (f *inflater) codes() error {
	for f.room() > 0 {
		if f.length > 0 {
			f.match()
			continue
		}
		p := f.place()
		done, err := f.code()
		if err == errMoreBits {
			f.back(p)
			if f.unread > 0 {
				return nil
			}
		}
		if err != nil || done {
			return err
		}
	}
	return nil
}

// code decodes a literal octet, a match or the end of the block.
func (f *inflater) code() (done bool, err error) {
	sym, err := f.symbol(&f.lit)
	switch {
	case err != nil:
		return false, err
	case sym < 256:
		f.put(byte(sym))
		return false, nil
	case sym == 256:
		f.mode = inHeader
		return true, nil
	case sym > 285:
		return false, errDeflate
	}
	sym -= 257
	if !f.need(lengthExtra[sym]) {
		return false, errMoreBits
	}
	length := lengthBase[sym] + f.take(lengthExtra[sym])
	if sym, err = f.symbol(&f.dst); err != nil {
		return false, err
	}
	if sym > 29 {
		return false, errDeflate
	}
	if !f.need(distExtra[sym]) {
		return false, errMoreBits
	}
	f.distance = distBase[sym] + f.take(distExtra[sym])
	if !f.full && f.distance > f.at {
		return false, errDeflate
	}
	f.length = length
	return false, nil
}

// match repeats octets, as far as there is room.
func (f *inflater) match() {
	for f.length > 0 && f.room() > 0 {
		f.put(f.window[(f.at-f.distance+len(f.window))%len(f.window)])
		f.length--
	}
}

package imap

// symbol decodes one symbol.
func (f *inflater) symbol(h *huffman) (int, error) {
	code, first, index := 0, 0, 0
	for n := uint(1); n < maxCodeBits; n++ {
		if !f.need(n) {
			return 0, errMoreBits
		}
		code |= int(f.hold >> (n - 1) & 1)
		count := int(h.count[n])
		if code-count < first {
			f.take(n)
			return int(h.symbol[index+code-first]), nil
		}
		index += count
		first = (first + count) << 1
		code <<= 1
	}
	return 0, errDeflate
}

// maxCodeBits is one more than the longest code.
const maxCodeBits = 16

// huffman is a canonical code (RFC 1951 §3.2.2): how many codes there are of
// each length, and the symbols in the order of their codes.
type huffman struct {
	count  [maxCodeBits]uint16
	symbol [288]uint16
}

// init makes the code from the lengths. A code that is not complete is allowed
// only with one symbol (RFC 1951 §3.2.7).
func (h *huffman) init(lengths []uint8) bool {
	h.count = [maxCodeBits]uint16{}
	for _, n := range lengths {
		h.count[n]++
	}
	used := len(lengths) - int(h.count[0])
	h.count[0] = 0
	left := 1
	for n := 1; n < maxCodeBits; n++ {
		if left = left<<1 - int(h.count[n]); left < 0 {
			return false
		}
	}
	if left > 0 && used > 1 {
		return false
	}
	var at [maxCodeBits]uint16
	for n := 1; n < maxCodeBits-1; n++ {
		at[n+1] = at[n] + h.count[n]
	}
	for s, n := range lengths {
		if n > 0 {
			h.symbol[at[n]] = uint16(s)
			at[n]++
		}
	}
	return true
}

// fixedCodes are those of blocks without codes of their own (RFC 1951 §3.2.6).
func fixedCodes() (lit, dst huffman) {
	var lengths [288]uint8
	for i := range lengths {
		switch {
		case i < 144:
			lengths[i] = 8
		case i < 256:
			lengths[i] = 9
		case i < 280:
			lengths[i] = 7
		default:
			lengths[i] = 8
		}
	}
	lit.init(lengths[:])
	// 30 of 32 codes: the two that are missing never come.
	dst.count[5] = 30
	for i := range 30 {
		dst.symbol[i] = uint16(i)
	}
	return lit, dst
}

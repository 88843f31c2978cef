package mime

// base64Value maps a character to its six bits, and others to what they are:
// b64Space for line breaks and blanks, b64Pad for "=", b64Bad for the rest.
var base64Value = func() (t [256]uint8) {
	for i := range t {
		t[i] = b64Bad
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	for i := range len(alphabet) {
		t[alphabet[i]] = uint8(i)
	}
	for _, c := range " \t\r\n" {
		t[c] = b64Space
	}
	t['='] = b64Pad
	return t
}()

const (
	b64Space = 0x40
	b64Pad   = 0x41
	b64Bad   = 0x80
)

// base64Quad maps the character at each of the four places of a group to its
// bits in the group's 24, or to quadBad. One OR of four lookups decodes a
// group, and one comparison finds whether all four were in the alphabet.
var base64Quad = func() (t [4][256]uint32) {
	for place := range t {
		for c := range 256 {
			t[place][c] = quadBad
			if v := base64Value[c]; v <= 63 {
				t[place][c] = uint32(v) << (18 - 6*place)
			}
		}
	}
	return t
}()

const quadBad = 1 << 31

// base64Decoder decodes base64 (RFC 2045 §6.8) from anything: what is not in
// the alphabet is skipped, padding may be missing, and data after padding
// (base64 texts one after the other) is decoded too. The zero value is ready.
type base64Decoder struct {
	acc    uint32 // the bits of the group so far
	n      uint8  // characters in acc, 0 to 3
	pads   uint8  // "=" seen since the last complete group
	ended  bool   // padding has ended a group: data after it is suspicious
	read   int64  // octets of input before this call, for damage
	damage damage
}

// base64Size bounds the decoded size of src.
func base64Size(src []byte) int { return len(src)/4*3 + 3 }

// append decodes src and appends the octets to dst.
func (d *base64Decoder) append(dst, src []byte) []byte {
	i := 0
	for i < len(src) {
		if d.n == 0 && !d.ended {
			var n int
			dst, n = appendQuads(dst, src[i:])
			i += n
			if i == len(src) {
				break
			}
		}
		switch v := base64Value[src[i]]; v {
		case b64Space:
		case b64Pad:
			dst = d.pad(dst, d.read+int64(i))
		case b64Bad:
			d.damage.note(B64Junk, d.read+int64(i))
		default:
			dst = d.char(dst, v, d.read+int64(i))
		}
		i++
	}
	d.read += int64(len(src))
	return dst
}

// char takes one character of the alphabet.
func (d *base64Decoder) char(dst []byte, v uint8, off int64) []byte {
	if d.ended || d.pads > 0 {
		d.damage.note(B64AfterPad, off)
		d.ended, d.pads = false, 0
	}
	d.acc = d.acc<<6 | uint32(v)
	if d.n++; d.n == 4 {
		dst = append(dst, byte(d.acc>>16), byte(d.acc>>8), byte(d.acc))
		d.acc, d.n = 0, 0
	}
	return dst
}

// pad takes one "=".
func (d *base64Decoder) pad(dst []byte, off int64) []byte {
	switch {
	case d.n >= 2: // RFC 2045 §6.8: one or two octets end the text
		dst = d.tail(dst)
		d.pads, d.ended = 3-d.n, true // "xx=" awaits one more, "xxx=" none
		d.n, d.acc = 0, 0
	case d.pads > 0:
		d.pads--
	default:
		d.damage.note(B64Padding, off)
	}
	return dst
}

// tail writes the whole octets of an incomplete group.
func (d *base64Decoder) tail(dst []byte) []byte {
	switch d.n {
	case 2:
		return append(dst, byte(d.acc>>4))
	case 3:
		return append(dst, byte(d.acc>>10), byte(d.acc>>2))
	}
	return dst
}

// finish writes what an unpadded end left over.
func (d *base64Decoder) finish(dst, rest []byte) []byte {
	dst = d.append(dst, rest)
	switch {
	case d.n == 1: // six bits are no octet
		d.damage.note(B64Truncated, d.read)
	case d.n > 1 || d.pads > 0:
		d.damage.note(B64Padding, d.read)
	}
	dst = d.tail(dst)
	d.n, d.acc, d.pads = 0, 0, 0
	return dst
}

// cut allows any.
func (d *base64Decoder) cut(buf []byte) int { return len(buf) }

// flaw returns the first damage met.
func (d *base64Decoder) flaw() damage { return d.damage }

// appendQuads decodes whole groups from the start of src, stepping over line
// breaks that stand between groups, and stops before anything else. It is the
// loop in which attachments spend their time.
func appendQuads(dst, src []byte) ([]byte, int) {
	// One allocation, and a slice of fixed size to write to, so that the loop
	// has no bounds to check that it does not know.
	need := base64Size(src)
	if cap(dst)-len(dst) < need {
		dst = append(make([]byte, 0, len(dst)+max(need, cap(dst)/4)), dst...)
	}
	out := dst[len(dst) : len(dst)+need]
	i, o := 0, 0
	for {
		for i+8 <= len(src) && o+6 <= len(out) {
			s := src[i : i+8 : i+8]
			a := base64Quad[0][s[0]] | base64Quad[1][s[1]] | base64Quad[2][s[2]] | base64Quad[3][s[3]]
			b := base64Quad[0][s[4]] | base64Quad[1][s[5]] | base64Quad[2][s[6]] | base64Quad[3][s[7]]
			if (a|b)&quadBad != 0 {
				break
			}
			t := out[o : o+6 : o+6]
			t[0], t[1], t[2] = byte(a>>16), byte(a>>8), byte(a)
			t[3], t[4], t[5] = byte(b>>16), byte(b>>8), byte(b)
			i, o = i+8, o+6
		}
		if i+4 <= len(src) && o+3 <= len(out) {
			a := base64Quad[0][src[i]] | base64Quad[1][src[i+1]] | base64Quad[2][src[i+2]] | base64Quad[3][src[i+3]]
			if a&quadBad == 0 {
				out[o], out[o+1], out[o+2] = byte(a>>16), byte(a>>8), byte(a)
				i, o = i+4, o+3
			}
		}
		// A line break between two groups, as after every 76 characters, is
		// stepped over; anything else is for append to judge.
		start := i
		for i < len(src) && (src[i] == '\r' || src[i] == '\n') {
			i++
		}
		if i == start {
			return dst[:len(dst)+o], i
		}
	}
}

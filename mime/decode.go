package mime

// A transfer is a Content-Transfer-Encoding (RFC 2045 §6).
type transfer uint8

const (
	transferNone   transfer = iota // 7bit, 8bit, binary, or no field
	transferBase64                 // RFC 2045 §6.8
	transferQP                     // RFC 2045 §6.7
	transferUU                     // x-uuencode, never standardised
	transferOther                  // unknown: the octets stay as they are (RFC 2045 §6.4)
)

// parseTransfer reads a Content-Transfer-Encoding value. Comments, quotes and
// trailing junk, which senders add, are ignored.
func parseTransfer(value []byte) transfer {
	lex := lexer{b: value}
	lex.skipCFWS()
	word := lex.atomUntil(" \t\r\n;,(")
	word = trimQuotes(word)
	switch {
	case len(word) == 0, equalFold(word, "7bit"), equalFold(word, "8bit"), equalFold(word, "binary"),
		equalFold(word, "7-bit"), equalFold(word, "8-bit"):
		return transferNone
	case equalFold(word, "base64"), equalFold(word, "b64"), equalFold(word, "base-64"):
		return transferBase64
	case equalFold(word, "quoted-printable"), equalFold(word, "quoted"), equalFold(word, "quotedprintable"):
		return transferQP
	case equalFold(word, "x-uuencode"), equalFold(word, "uuencode"), equalFold(word, "x-uue"), equalFold(word, "uue"):
		return transferUU
	}
	return transferOther
}

// damage is the first flaw a decoder met, with its offset in the encoded text.
type damage struct {
	code Code
	off  int64
}

// note keeps the first flaw, except that a worse one replaces it.
func (d *damage) note(code Code, off int64) {
	if d.code == 0 || code.Severity() > d.code.Severity() {
		*d = damage{code, off}
	}
}

// A decoder turns encoded text into octets, piece by piece. Whoever has the
// text asks cut how much of it can be decoded already, gives that to append,
// keeps the rest in front of what follows, and gives the last rest to finish.
// A buffer of decodeChunk octets always allows a cut above zero.
type decoder interface {
	cut(buf []byte) int
	append(dst, src []byte) []byte
	finish(dst, rest []byte) []byte
	flaw() damage
}

// decodeChunk is the size of the buffers that encoded text passes through.
const decodeChunk = 32 << 10

// newDecoder returns the decoder of e, or nil where nothing is to be decoded.
func newDecoder(e transfer) decoder {
	switch e {
	case transferBase64:
		return new(base64Decoder)
	case transferQP:
		return new(qpDecoder)
	case transferUU:
		return new(uuDecoder)
	}
	return nil
}

// decodeAll decodes src at once and returns src itself where there is nothing
// to decode.
func decodeAll(e transfer, src []byte) ([]byte, damage) {
	switch e {
	case transferBase64: // the frequent ones without the interface
		var d base64Decoder
		out := d.finish(d.append(make([]byte, 0, base64Size(src)), src), nil)
		return out, d.damage
	case transferQP:
		var d qpDecoder
		n := d.cut(src)
		out := d.finish(d.append(make([]byte, 0, len(src)), src[:n]), src[n:])
		return out, d.damage
	case transferUU:
		var d uuDecoder
		n := d.cut(src)
		out := d.finish(d.append(make([]byte, 0, len(src)), src[:n]), src[n:])
		return out, d.damage
	}
	return src, damage{}
}

package mime

import (
	"bytes"
	"io"
)

// Open returns a reader of the body with its transfer encoding removed (RFC
// 2045 §6). Damage does not stop it: it gives what can be read, and Inspect
// tells what was wrong. A body without an encoding, or with one nobody knows,
// is given octet by octet. The reader fails only where reading the message
// fails; it is for one goroutine.
func (p Part) Open() io.Reader {
	body := p.BodySection()
	d := newDecoder(p.part().transfer)
	var r io.Reader = body
	if d != nil {
		r = &decodeReader{src: body, dec: d}
	}
	if p.Valid() && p.m.limits.Decoded > 0 {
		r = io.LimitReader(r, p.m.limits.Decoded)
	}
	return r
}

// Bytes returns what Open reads. Where there is nothing to decode, and the
// message was given to Parse, the octets are those of the message and must
// not be changed.
func (p Part) Bytes() []byte {
	if !p.Valid() {
		return nil
	}
	b, _ := p.decoded()
	return b
}

// decoded returns the decoded body, cut at the limit, and whether nobody else
// holds it.
func (p Part) decoded() (b []byte, own bool) {
	q := p.part()
	b, own = p.m.bytes(q.body, q.end)
	if q.transfer != transferNone && q.transfer != transferOther {
		b, _ = decodeAll(q.transfer, b)
		own = true
	}
	if limit := p.m.limits.Decoded; limit > 0 && int64(len(b)) > limit {
		b = b[:limit:limit]
	}
	return b, own
}

// Text returns the body of a text part, with transfer encoding and charset
// removed: always valid UTF-8, with the line breaks it was sent with. Octets
// the charset does not have become U+FFFD. Without a charset the text is read
// as UTF-8; with one that is unknown, or us-ascii, as UTF-8 where it is that,
// and else as windows-1252.
func (p Part) Text() string {
	if !p.Valid() {
		return ""
	}
	b, own := p.decoded()
	s, _ := decodeCharsetString(p.charset(b), b, own)
	return s
}

// TextIn is Text for a part that names no charset, or a wrong one: it reads
// the body in the charset of the label. ok is false, and the text that of
// Text, if nobody knows the label.
func (p Part) TextIn(label string) (text string, ok bool) {
	cs := lookupCharset([]byte(label))
	if cs.kind == charsetUnknown || cs.kind == charsetNone || !p.Valid() {
		return p.Text(), false
	}
	b, own := p.decoded()
	text, _ = decodeCharsetString(cs, b, own)
	return text, true
}

// charset returns the charset of a text part. HTML without one may say it in
// its first kilobyte.
func (p Part) charset(body []byte) charset {
	f, ok := p.Header().last(fieldContentType)
	if !ok {
		return charset{kind: charsetNone}
	}
	ps := paramScanner{lexer: lexer{b: f.value()}}
	head := ps.head()
	label, found := ps.charsetLabel()
	if !found && !isASCII(body) {
		if _, sub, _ := bytes.Cut(head, []byte("/")); equalFold(sub, "html") {
			label = []byte(htmlCharset(body))
		}
	}
	return lookupCharset(label)
}

// charsetLabel reads the charset parameter. It is not decoded: lookupCharset
// takes no notice of quotes and the like.
func (s *paramScanner) charsetLabel() ([]byte, bool) {
	start, count := s.i, s.count
	for {
		p, ok := s.next()
		switch {
		case !ok:
			return nil, false
		case equalFold(p.name, "charset"):
			return p.value, true
		case hasPrefixFold(p.name, "charset*"): // RFC 2231: in pieces
			s.i, s.count = start, count
			label, ok := s.find("charset")
			return []byte(label), ok
		}
	}
}

// A decodeReader decodes while it is read, in bounded memory.
type decodeReader struct {
	src io.Reader
	dec decoder
	in  []byte // encoded octets not decoded yet, at the start of a buffer
	out []byte // decoded octets not read yet
	buf []byte // what out is a part of
	err error  // of src
}

// Read gives what is decoded and decodes more when that is used up.
func (r *decodeReader) Read(p []byte) (int, error) {
	for len(r.out) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		r.fill()
	}
	n := copy(p, r.out)
	r.out = r.out[n:]
	return n, nil
}

// fill decodes the next piece of the source.
func (r *decodeReader) fill() {
	if cap(r.in) == 0 {
		r.in = make([]byte, 0, decodeChunk)
	}
	for empty := 0; len(r.in) < cap(r.in) && r.err == nil; {
		var n int
		n, r.err = r.src.Read(r.in[len(r.in):cap(r.in)])
		r.in = r.in[:len(r.in)+n]
		if n == 0 && r.err == nil {
			if empty++; empty == maxEmptyReads {
				r.err = io.ErrNoProgress
			}
		}
	}
	cut := r.dec.cut(r.in)
	r.buf = r.dec.append(r.buf[:0], r.in[:cut])
	r.in = r.in[:copy(r.in, r.in[cut:])]
	if r.err == io.EOF {
		r.buf = r.dec.finish(r.buf, r.in)
		r.in = r.in[:0]
	}
	r.out = r.buf
}

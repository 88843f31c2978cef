package mime

import (
	"bytes"
	"strings"
)

// endHeader ends the header of the current part before i, and decides by the
// Content-Type what the body is.
func (s *scan) endHeader(i int) {
	s.beginBody(i)
	p := &s.m.parts[s.cur]
	switch {
	case s.onlyHead:
		s.state = scanDone
		return
	case p.flags&partOpaque != 0:
		return
	}
	var value []byte
	if s.hdr.contentType >= 0 {
		value = s.value(s.hdr.contentType)
	}
	if s.hdr.transfer >= 0 {
		p.transfer = parseTransfer(s.value(s.hdr.transfer))
	}
	// Only what decides about the structure is read here; the parameters of a
	// leaf wait until someone asks for them.
	ps := paramScanner{lexer: lexer{b: value}}
	typ, sub, _ := bytes.Cut(ps.head(), []byte("/"))
	switch {
	case equalFold(typ, "multipart"):
		if equalFold(sub, "digest") {
			p.flags |= partDigest
		}
		s.beginMultipart(ps.boundary(), i)
	case equalFold(typ, "message") && (equalFold(sub, "rfc822") || equalFold(sub, "global")),
		len(typ) == 0 && s.inDigest(p): // RFC 2046 §5.1.5
		s.beginMessage(i)
	}
}

// inDigest reports whether p is a part of a multipart/digest.
func (s *scan) inDigest(p *part) bool {
	return p.parent >= 0 && s.m.parts[p.parent].flags&partDigest != 0
}

// beginMultipart opens the multipart whose header has just ended at i.
func (s *scan) beginMultipart(boundary string, i int) {
	p := &s.m.parts[s.cur]
	// RFC 2046 §5.1.1: a boundary does not end in white space, since transport
	// may add or remove some there.
	trimmed := strings.TrimRight(boundary, " \t\r\n")
	switch {
	case trimmed == "" || len(trimmed) > maxBoundary:
		s.defect(NoBoundaryParam, s.cur, i)
		return
	case int(p.depth)+1 >= s.limits.Depth:
		s.defect(DepthLimit, s.cur, i)
		return
	case len(trimmed) > 70: // RFC 2046 §5.1.1
		s.defect(BoundaryTooLong, s.cur, i)
	}
	if trimmed != boundary || !legalBoundary(trimmed) {
		s.defect(BoundaryIllegalChar, s.cur, i)
	}
	if p.transfer != transferNone { // RFC 2045 §6.4: not for a multipart
		s.defect(EncodedMultipart, s.cur, i)
		p.transfer = transferNone
	}
	p.kind = kindMultipart
	s.pushFrame(trimmed, s.cur)
}

// legalBoundary reports whether b has the characters of RFC 2046 §5.1.1 only.
func legalBoundary(b string) bool {
	for i := range len(b) {
		c := b[i]
		switch {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
		case strings.IndexByte("'()+_,-./:=? ", c) >= 0:
		default:
			return false
		}
	}
	return true
}

// beginMessage enters a message/rfc822 (RFC 2046 §5.2.1). One with a transfer
// encoding stays a leaf: it has no offsets of its own to give. Part.Message
// decodes it on demand.
func (s *scan) beginMessage(i int) {
	p := &s.m.parts[s.cur]
	switch {
	case p.transfer == transferBase64 || p.transfer == transferQP || p.transfer == transferUU:
		s.defect(EncodedMessage, s.cur, i)
		p.flags |= partEncodedMessage
	case int(p.depth)+1 >= s.limits.Depth:
		s.defect(DepthLimit, s.cur, i)
	default:
		p.kind = kindMessage
		s.newPart(s.cur, i)
	}
}

// A scanEvent is what a Scanner tells: a part begins, a run of its octets, a
// part ends.
type scanEvent struct {
	kind     EventKind
	part     int32
	from, to int64
}

// event notes something for a Scanner; other front ends have no use for it.
func (s *scan) event(kind EventKind, part int32, from, to int64) {
	if s.record {
		s.events = append(s.events, scanEvent{kind, part, from, to})
	}
}

// emit reports the octets of the current part up to offset to.
func (s *scan) emit(to int64) {
	if s.record && to > s.dataFrom {
		s.event(eventData, s.cur, s.dataFrom, to)
		s.dataFrom = to
	}
}

// flushData reports what of the piece surely belongs to the current part: not
// a line break that may turn out to be that of a delimiter.
func (s *scan) flushData(i int) {
	if s.state == inHeader || s.cur < 0 {
		return
	}
	to := s.base + int64(i)
	switch {
	case i == 0:
		return
	case !s.midLine:
		to -= s.breakLen
	case s.buf[i-1] == '\r':
		to--
	}
	s.emit(to)
}

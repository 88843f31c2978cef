package mime

import "slices"

// newPart opens a part at i, inside parent, or the message with parent -1.
func (s *scan) newPart(parent int32, i int) {
	off := s.base + int64(i)
	id := int32(len(s.m.parts))
	// The part ends where it begins, until something else is found: at the end
	// of the message all open parts are ended.
	p := part{begin: off, body: off, end: off, hdr: off, parent: parent, child: -1, next: -1, lastChild: -1, number: 1}
	if s.copyHeader {
		p.hdr = int64(len(s.m.hdrs))
	}
	p.fields[0] = int32(len(s.m.fields))
	p.fields[1] = p.fields[0]
	p.bodyLines, p.endLines = s.lines, s.lines
	if parent >= 0 { // a link from the last sibling keeps the order
		up := &s.m.parts[parent]
		p.depth = up.depth + 1
		if up.lastChild < 0 {
			up.child = id
		} else {
			s.m.parts[up.lastChild].next = id
			p.number = s.m.parts[up.lastChild].number + 1
		}
		up.lastChild = id
	}
	s.m.parts = append(roomy(s.m.parts), p)
	s.cur, s.state, s.epilogue = id, inHeader, false
	s.hdr = headerState{contentType: -1, transfer: -1}
	if len(s.m.parts) >= s.limits.Parts && parent >= 0 {
		s.defect(PartLimit, id, i)
		s.opaque(i)
	}
}

// roomy makes room for three times as many when a slice is full, and for once
// as many when it is large: growing is what many small parts would otherwise
// spend their time on.
func roomy[T any](s []T) []T {
	if n := len(s); n == cap(s) && n < 1024 {
		return slices.Grow(s, 3*n)
	} else if n == cap(s) {
		return slices.Grow(s, n)
	}
	return s
}

// dropPart takes back the part that a delimiter has opened at the very end of
// the message: there is nothing of it.
func (s *scan) dropPart() {
	id := s.cur
	up := &s.m.parts[s.m.parts[id].parent]
	if up.kind != kindMultipart {
		return
	}
	prev := int32(-1)
	for c := up.child; c != id; c = s.m.parts[c].next {
		prev = c
	}
	if up.lastChild = prev; prev < 0 {
		up.child = -1
	} else {
		s.m.parts[prev].next = -1
	}
	s.cur = s.m.parts[id].parent
	s.m.parts = s.m.parts[:id]
	s.state = inBody
}

// opaque makes all that follows i the body of the current part.
func (s *scan) opaque(i int) {
	p := &s.m.parts[s.cur]
	p.flags |= partOpaque
	s.beginBody(i)
	s.state = inOpaque
	// With no frames left, no delimiter counts any more.
	s.frames, s.index, s.epilogue = s.frames[:0], nil, false
}

// beginBody notes where the body of the current part begins.
func (s *scan) beginBody(i int) {
	p := &s.m.parts[s.cur]
	p.body = s.base + int64(i)
	p.bodyLines = s.lines
	p.fields[1] = int32(len(s.m.fields))
	s.state, s.midLine = inBody, false
	s.dataFrom = p.body
	s.event(eventBegin, s.cur, 0, 0)
}

// endPart ends the current part and goes back to the one around it.
func (s *scan) endPart(end int64, lines lineCount, byParent bool) {
	p := &s.m.parts[s.cur]
	s.emit(end)
	p.end, p.endLines = max(end, p.body), lines
	if n := len(s.frames) - 1; n >= 0 && s.frames[n].part == s.cur {
		s.popFrame()
		switch {
		case p.child < 0 && p.flags&partOpened != 0:
			s.defectAt(EmptyMultipart, s.cur, end)
		case p.child < 0: // RFC 2046 §5.1.1 asks for one part at least
			p.kind = kindLeaf
			s.defectAt(BoundaryNotFound, s.cur, p.body)
		case byParent:
			s.defectAt(ClosedByParent, s.cur, end)
		default:
			s.defectAt(NotClosed, s.cur, end)
		}
	}
	s.event(eventEnd, s.cur, 0, 0)
	s.dataFrom = end
	s.cur = p.parent
}

// finish ends all parts at the end of the message.
func (s *scan) finish() {
	if s.state == inHeader && s.cur > 0 && s.hdr.size == 0 && s.lines == s.m.parts[s.cur].bodyLines {
		s.dropPart()
	}
	for s.state == inHeader { // a message may announce one inside it
		s.endHeader(len(s.buf))
	}
	end := s.base + int64(len(s.buf))
	for s.cur >= 0 {
		s.endPart(end, s.lines, false)
	}
	s.state = scanDone
	s.m.size = end
}

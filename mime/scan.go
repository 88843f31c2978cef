package mime

import "bytes"

// A scan is the machine that finds the structure of a message: one pass, line
// by line, over offsets. It keeps a stack of the open multiparts and nothing
// of the text. Parse, ParseAt and Scanner feed it, at once or in pieces; it
// decides by content only, never by where a piece ends.
type scan struct {
	m      *Message
	limits Limits

	buf   []byte // the piece of this call of feed
	base  int64  // its offset
	final bool   // it is the last one

	state   scanState
	cur     int32            // the innermost open part
	frames  []frame          // the multiparts whose delimiters count now
	index   map[string]int32 // the innermost frame of each boundary, if there are many
	midLine bool             // the last piece ended inside a line of a body

	// Line breaks are counted over the whole message. What a part has is the
	// difference between the counts at its two ends, so that nested parts
	// cost nothing.
	breakLen int64 // of the last line break: 2 for CRLF, 1 for LF
	last     byte  // the last octet of the piece before
	lines    lineCount
	hdrTotal int64 // octets of all header sections

	hdr        headerState
	copyHeader bool // headers are copied to m.hdrs, since the input is not kept

	closed       string // the boundary of the multipart whose epilogue this is
	epilogue     bool
	flaggedText  bool // the text in this epilogue is reported already
	flaggedDelim bool // and what looks like a delimiter

	// For the Scanner: what happened in this piece, and from where on the
	// text of the current part is not yet reported.
	record   bool
	events   []scanEvent
	dataFrom int64
	onlyHead bool // stop after the header of the message
}

type scanState uint8

const (
	inHeader scanState = iota
	inBody             // of a leaf, or between the parts of a multipart
	inOpaque           // beyond a limit: nothing is looked at any more
	scanDone
)

// A frame is an open multipart.
type frame struct {
	boundary string
	part     int32
	outer    int32 // the frame of the same boundary around this one, in index
}

// A lineCount counts line breaks: all, and those of LF alone.
type lineCount struct{ lf, bare int64 }

// maxDelimiterLine bounds a delimiter with its padding: a boundary may have 70
// characters (RFC 2046 §5.1.1), 998 are accepted.
const (
	maxBoundary      = 998
	maxDelimiterLine = 2048
)

// indexFrames is the depth from which boundaries are looked up in a map.
const indexFrames = 8

// feed takes a piece of the message that begins at offset base, with what the
// call before left over, and returns how much of it is done with. At the end
// of the message, final, that is all of it.
func (s *scan) feed(buf []byte, base int64, final bool) int {
	s.buf, s.base, s.final = buf, base, final
	i, ok := 0, true
	for ok && i < len(buf) && s.state != scanDone {
		if s.state == inHeader {
			i, ok = s.headerLines(i)
		} else {
			i, ok = s.bodyLines(i)
		}
	}
	if final && s.state != scanDone {
		s.finish()
	} else if s.record {
		s.flushData(i)
	}
	s.buf = nil
	return i
}

// bodyLines reads lines of a body from i on. It returns where it stopped: at
// the end of the piece, at the start of a header, or, with ok false, at a line
// of which more is needed.
func (s *scan) bodyLines(i int) (next int, ok bool) {
	buf := s.buf
	for i < len(buf) {
		// One look at the first octet is what structure costs: nearly all
		// lines begin with something else.
		if !s.midLine && buf[i] == '-' && s.watching() {
			n, ok := s.delimiterLine(i)
			if !ok || n > i {
				return n, ok
			}
		}
		n := bytes.IndexByte(buf[i:], '\n')
		if s.epilogue && !s.flaggedText {
			s.epilogueText(i, n)
		}
		if n < 0 {
			s.midLine, s.last = true, buf[len(buf)-1]
			return len(buf), true
		}
		s.lineBreak(i, n)
		i += n + 1
	}
	return i, true
}

// epilogueText reports the first text after a closing delimiter, if the line
// of n octets at i has some; n is negative for a line that is not all there.
func (s *scan) epilogueText(i, n int) {
	line := s.buf[i:]
	if n >= 0 {
		line = line[:n]
	}
	for k, c := range line {
		if !isSpace(c) {
			s.defect(TextAfterClose, s.cur, i+k)
			s.flaggedText = true
			return
		}
	}
}

// watching reports whether lines that begin with "-" may mean something.
func (s *scan) watching() bool { return len(s.frames) > 0 && s.state == inBody || s.epilogue }

// lineBreak counts the break at the end of the line of n octets at i.
func (s *scan) lineBreak(i, n int) {
	before := s.last
	if n > 0 {
		before = s.buf[i+n-1]
	} else if !s.midLine {
		before = 0
	}
	s.lines.lf++
	s.breakLen = 2
	if before != '\r' {
		if s.lines.bare == 0 {
			s.defect(BareLF, s.cur, i+n)
		}
		s.lines.bare++
		s.breakLen = 1
	}
	s.midLine = false
}

// delimiterLine looks whether the line at i is a delimiter (RFC 2046 §5.1.1):
// "--", a boundary, perhaps "--", white space. It returns i if not, the start
// of the next line if so, and ok false if the line is not all there.
func (s *scan) delimiterLine(i int) (next int, ok bool) {
	line := s.buf[i:min(len(s.buf), i+maxDelimiterLine)]
	n := bytes.IndexByte(line, '\n')
	if len(line) >= 2 && line[1] != '-' {
		return i, true
	}
	if n < 0 {
		if len(line) == maxDelimiterLine { // too long to be one
			return i, true
		}
		if !s.final {
			return i, false
		}
		n = len(line)
	}
	if len(line) < 2 {
		return i, true
	}
	content := trimBlanks(line[2:n])
	f, closing := s.matchBoundary(content)
	if f < 0 {
		if s.epilogue && !s.flaggedDelim && isDelimiterOf(content, s.closed) {
			s.defect(DelimiterAfterClose, s.cur, i)
			s.flaggedDelim = true
		}
		return i, true
	}
	s.delimiter(f, closing, i)
	next = min(i+n+1, len(s.buf))
	if next > i+n {
		s.lineBreak(i, n)
	}
	s.afterDelimiter(closing, next)
	return next, true
}

// isDelimiterOf reports whether content is boundary, with or without "--".
func isDelimiterOf(content []byte, boundary string) bool {
	return string(content) == boundary || string(bytes.TrimSuffix(content, []byte("--"))) == boundary
}

// matchBoundary finds the innermost open multipart with the boundary. A
// boundary may itself end in "--", hence the whole text is tried first.
func (s *scan) matchBoundary(content []byte) (frame int, closing bool) {
	if f := s.lookup(content); f >= 0 {
		return f, false
	}
	if b, ok := bytes.CutSuffix(content, []byte("--")); ok {
		return s.lookup(b), true
	}
	return -1, false
}

// lookup finds the innermost frame of a boundary. Many frames are indexed, so
// that the time for a line does not depend on the depth.
func (s *scan) lookup(boundary []byte) int {
	if s.index != nil {
		if f, ok := s.index[string(boundary)]; ok {
			return int(f)
		}
		return -1
	}
	for f := len(s.frames) - 1; f >= 0; f-- {
		if string(boundary) == s.frames[f].boundary {
			return f
		}
	}
	return -1
}

// pushFrame opens a multipart.
func (s *scan) pushFrame(boundary string, part int32) {
	s.frames = append(s.frames, frame{boundary, part, -1})
	if s.index == nil && len(s.frames) > indexFrames {
		s.index = make(map[string]int32)
		for i := range s.frames {
			s.indexFrame(i)
		}
	} else if s.index != nil {
		s.indexFrame(len(s.frames) - 1)
	}
}

// indexFrame makes frame i the innermost of its boundary.
func (s *scan) indexFrame(i int) {
	f := &s.frames[i]
	if outer, ok := s.index[f.boundary]; ok {
		f.outer = outer
	}
	s.index[f.boundary] = int32(i)
}

// popFrame closes the innermost multipart.
func (s *scan) popFrame() {
	n := len(s.frames) - 1
	f := s.frames[n]
	s.frames = s.frames[:n]
	if s.index == nil {
		return
	}
	if f.outer >= 0 {
		s.index[f.boundary] = f.outer
	} else {
		delete(s.index, f.boundary)
	}
}

// delimiter ends the parts inside frame f at the delimiter that begins at i.
func (s *scan) delimiter(f int, closing bool, i int) {
	part := s.frames[f].part
	end, lines := s.endBefore(i)
	// Each part is ended once, however deep: all of them together cost no
	// more than there are parts.
	for len(s.frames)-1 > f || s.cur != part {
		s.endPart(end, lines, true)
	}
	s.emit(end)
	s.m.parts[part].flags |= partOpened
	s.epilogue, s.flaggedText, s.flaggedDelim = closing, false, false
	if closing {
		s.closed = s.frames[f].boundary
		s.popFrame()
		if s.m.parts[part].child < 0 {
			s.defect(EmptyMultipart, part, i)
		}
		s.m.parts[part].flags |= partClosed
	}
}

// afterDelimiter goes on after a delimiter: with a part or with an epilogue.
func (s *scan) afterDelimiter(closing bool, next int) {
	s.dataFrom = s.base + int64(next)
	if closing {
		s.state = inBody
		return
	}
	s.newPart(s.cur, next)
}

// endBefore returns where a body ends that the line at i follows. The line
// break before a delimiter belongs to it (RFC 2046 §5.1.1), unless it is the
// one that ended the header.
func (s *scan) endBefore(i int) (end int64, lines lineCount) {
	at := s.base + int64(i)
	p := &s.m.parts[s.cur]
	if at-s.breakLen < p.body || s.lines == p.bodyLines {
		return at, s.lines
	}
	lines = s.lines
	lines.lf--
	if s.breakLen == 1 {
		lines.bare--
	}
	return at - s.breakLen, lines
}

// defect reports a code at place i of the piece.
func (s *scan) defect(c Code, part int32, i int) { s.m.defects.add(c, int(part), s.base+int64(i)) }

// defectAt reports a code at an offset of the message.
func (s *scan) defectAt(c Code, part int32, off int64) { s.m.defects.add(c, int(part), off) }

package mime

import "bytes"

// headerState is what the scan knows of the header it is in.
type headerState struct {
	size int64 // octets so far

	// The last field of each that decides about the body, as an index into
	// the fields of the message, or -1.
	contentType, transfer int32

	seen     uint64 // known fields that have occurred, a bit for each fieldID
	reported uint64 // singletons of which a second one is reported
	flaws    uint8  // classes of odd octets that are reported

	// The boundary this header declares, which is looked up where a line of
	// the header begins with "--", and again only if the field has grown.
	declared string
	askedEnd uint32 // where the Content-Type ended then
}

// headerLines reads lines of a header from i on, until the body begins.
func (s *scan) headerLines(i int) (next int, ok bool) {
	for i < len(s.buf) && s.state == inHeader {
		n := bytes.IndexByte(s.buf[i:], '\n')
		size := n + 1 // with its break
		if n < 0 {
			// The line is not all there. If what is there is too long
			// already, the rest cannot change that.
			n, size = len(s.buf)-i, len(s.buf)-i
			if !s.final && !s.tooLong(size) {
				return i, false
			}
		}
		if s.tooLong(size) || int(s.fieldCount()) >= s.limits.Fields {
			s.defect(HeaderLimit, s.cur, i)
			s.m.parts[s.cur].flags |= partOpaque
			s.endHeader(i)
			return i, true
		}
		next, ok := s.headerLine(i, n, size)
		if !ok || s.state != inHeader {
			return next, ok
		}
		i = next
	}
	return i, true
}

// tooLong reports whether size octets more are over a limit.
func (s *scan) tooLong(size int) bool {
	return s.hdr.size+int64(size) > int64(s.limits.HeaderBytes) ||
		s.hdrTotal+int64(size) > int64(s.limits.HeaderBytes)*headerTotalFactor
}

// fieldCount counts the fields of this header so far.
func (s *scan) fieldCount() int32 { return int32(len(s.m.fields)) - s.m.parts[s.cur].fields[0] }

// headerLine reads the line of n octets at i, which takes size octets with its
// break.
func (s *scan) headerLine(i, n, size int) (next int, ok bool) {
	line := trimCR(s.buf[i : i+n])
	if len(line) == 0 && size > n { // RFC 5322 §2.1: an empty line ends the header
		s.takeLine(i, n, size)
		s.endHeader(i + size)
		return i + size, true
	}
	if len(line) >= 2 && line[0] == '-' && line[1] == '-' && s.atDelimiter(line) {
		s.defect(MissingSeparator, s.cur, i)
		s.endHeader(i)
		return i, true
	}
	// RFC 5322 §2.2.3: a line that begins with white space continues the one
	// before, if there is one. A line of nothing else is one too (§4.2).
	first := s.fieldCount() == 0
	if len(line) > 0 && (line[0] == ' ' || line[0] == '\t') && !first {
		s.takeLine(i, n, size)
		s.m.fields[len(s.m.fields)-1].end = uint32(s.hdr.size)
		return i + size, true
	}
	mark := s.byteOrderMark(line, first)
	if name, colon := fieldName(line[mark:]); name > 0 {
		s.takeLine(i, n, size)
		s.addField(i+mark, name, colon, size-mark)
		if mark > 0 {
			s.defect(ByteOrderMark, s.cur, i)
		}
		return i + size, true
	}
	return s.junkLine(i, n, size, first)
}

// byteOrderMark measures the mark that an editor has put in front of a message
// it took for a text.
func (s *scan) byteOrderMark(line []byte, first bool) int {
	if first && s.cur == 0 && s.hdr.size == 0 && bytes.HasPrefix(line, []byte("\uFEFF")) {
		return len("\uFEFF")
	}
	return 0
}

// fieldName measures the name that a line begins with. It returns 0 for a line
// that is no field. White space before the colon is allowed (RFC 5322 §4.5.1).
func fieldName(line []byte) (name, colon int) {
	for name < len(line) && octetClass[line[name]]&classNoName == 0 {
		name++
	}
	colon = name
	for colon < len(line) && (line[colon] == ' ' || line[colon] == '\t') {
		colon++
	}
	if name > 0xFFFF || colon == len(line) || line[colon] != ':' {
		return 0, 0
	}
	return name, colon
}

// junkLine reads a line that is no field. One such line stays in the header;
// from two on, or at its start, it is text, and the header ends before it.
func (s *scan) junkLine(i, n, size int, first bool) (next int, ok bool) {
	code := NoColon
	switch line := s.buf[i : i+n]; {
	case first && s.hdr.size == 0 && (bytes.HasPrefix(line, []byte("From ")) || bytes.HasPrefix(line, []byte(">From "))):
		code = FromLine
	case first && len(line) > 0 && isSpace(line[0]):
		code = LeadingContinuation
	default:
		text, ok := s.textFollows(i+size, first)
		if !ok {
			return i, false
		}
		if text {
			code = BodyInHeader
			if first {
				code = PartWithoutHeader
			}
			s.defect(code, s.cur, i)
			s.endHeader(i)
			return i, true
		}
	}
	s.defect(code, s.cur, i)
	s.takeLine(i, n, size)
	off := uint32(s.hdr.size) - uint32(size)
	s.m.fields = append(s.m.fields, field{off: off, value: off, end: uint32(s.hdr.size)})
	return i + size, true
}

// textFollows reports whether the line at i shows that the line before it is
// text as well: it is no field either. ok is false if the line is not there yet.
func (s *scan) textFollows(i int, first bool) (text, ok bool) {
	if i >= len(s.buf) {
		return first, s.final
	}
	n, size := bytes.IndexByte(s.buf[i:], '\n'), 0
	if size = n + 1; n < 0 {
		n, size = len(s.buf)-i, len(s.buf)-i
		if !s.final && !s.tooLong(size) {
			return false, false
		}
	}
	if s.tooLong(size) { // no field can be that long, whatever it is
		return true, true
	}
	line := trimCR(s.buf[i : i+n])
	if len(line) == 0 {
		return first, true
	}
	name, _ := fieldName(line)
	return name == 0 && (first || !isSpace(line[0])), true
}

// takeLine counts a line of the header and keeps its octets where the input is
// not kept.
func (s *scan) takeLine(i, n, size int) {
	line := s.buf[i : i+n]
	if size > n {
		s.lineBreak(i, n)
	} else {
		s.defect(Truncated, s.cur, i+n)
	}
	if s.copyHeader {
		s.m.hdrs = append(s.m.hdrs, s.buf[i:i+size]...)
	}
	s.hdr.size += int64(size)
	s.hdrTotal += int64(size)
	if odd := oddOctets(trimCR(line)); odd != 0 {
		s.reportOctets(odd, i)
	}
	if n > 1000 { // 998 and the CR, RFC 5322 §2.1.1
		s.once(LineTooLong, 1<<3, i)
	}
}

// oddOctets finds the classes that occur in a line. Most lines are passed
// eight octets at a time.
func oddOctets(line []byte) (odd uint8) {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	i := 0
	for ; i+8 <= len(line); i += 8 {
		w := load64(line, i)
		if (w|(w-ones*' '))&high == 0 { // no octet under 0x20 or over 0x7F
			continue
		}
		for _, c := range line[i : i+8] {
			odd |= octetClass[c]
		}
	}
	for _, c := range line[i:] {
		odd |= octetClass[c]
	}
	return odd & (classHigh | classNUL | classCR)
}

// reportOctets reports each class of odd octets once for a header, where it
// first occurs.
func (s *scan) reportOctets(odd uint8, i int) {
	if odd&classHigh != 0 {
		s.once(Raw8bit, classHigh, i)
	}
	if odd&classNUL != 0 {
		s.once(NUL, classNUL, i)
	}
	if odd&classCR != 0 {
		s.once(BareCR, classCR, i)
	}
}

// once reports a code at most once for a header.
func (s *scan) once(c Code, bit uint8, i int) {
	if s.hdr.flaws&bit == 0 {
		s.hdr.flaws |= bit
		s.defect(c, s.cur, i)
	}
}

// addField adds the field whose line of size octets at i has just been taken.
func (s *scan) addField(i, name, colon, size int) {
	off := s.hdr.size - int64(size)
	f := field{off: uint32(off), name: uint16(name), value: uint32(off) + uint32(colon) + 1, end: uint32(s.hdr.size)}
	f.id = fieldIDOf(s.buf[i : i+name])
	if name < colon {
		s.defect(SpaceBeforeColon, s.cur, i)
	}
	if s.hdr.flaws&classHigh != 0 && !isASCII(s.buf[i:i+name]) {
		s.defect(BadName, s.cur, i)
	}
	switch f.id {
	case fieldOther:
	case fieldContentType:
		s.hdr.contentType = int32(len(s.m.fields))
	case fieldTransferEncoding:
		s.hdr.transfer = int32(len(s.m.fields))
	}
	// Which of two fields counts differs between programs, and mail has been
	// smuggled past filters with that.
	if bit := uint64(1) << f.id; bit&singletons != 0 {
		if s.hdr.seen&bit != 0 && s.hdr.reported&bit == 0 {
			s.defect(DuplicateSingleton, s.cur, i)
			s.hdr.reported |= bit
		}
		s.hdr.seen |= bit
	}
	s.m.fields = append(roomy(s.m.fields), f)
}

// atDelimiter reports whether a line of the header is a delimiter: of a
// multipart around it, or the first one of the multipart it declares.
func (s *scan) atDelimiter(line []byte) bool {
	content := trimBlanks(line[2:])
	if f, _ := s.matchBoundary(content); f >= 0 {
		return true
	}
	if s.hdr.contentType < 0 {
		return false
	}
	if end := s.m.fields[s.hdr.contentType].end; s.hdr.askedEnd != end {
		s.hdr.askedEnd = end
		s.hdr.declared, _ = boundaryOf(s.value(s.hdr.contentType))
	}
	return s.hdr.declared != "" && isDelimiterOf(content, s.hdr.declared)
}

// value returns the value of a field of the current header.
func (s *scan) value(i int32) []byte {
	f := s.m.fields[i]
	h := s.m.hdrs[s.m.parts[s.cur].hdr:]
	return h[f.value:f.end]
}

// boundaryOf reads the boundary parameter of a Content-Type value. It is not
// decoded: "=?" is a good start for a boundary.
func boundaryOf(value []byte) (boundary string, flaws valueFlaws) {
	ps := paramScanner{lexer: lexer{b: value}}
	ps.head()
	return ps.boundary(), ps.flaws
}

// boundary reads the parameters up to the boundary.
func (s *paramScanner) boundary() string {
	start, count := s.i, s.count
	for {
		p, ok := s.next()
		if !ok {
			return ""
		}
		if equalFold(p.name, "boundary") {
			if p.quoted {
				p.value = unescape(p.value)
			}
			return string(p.value)
		}
		if hasPrefixFold(p.name, "boundary*") {
			s.i, s.count = start, count
			b, _ := s.find("boundary")
			return b
		}
	}
}

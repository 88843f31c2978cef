package authres

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
)

// Strip returns a reader of the message in r without the Authentication-Results
// fields that claim id, which no one outside may use (RFC 8601 §5). All else comes
// through as it is, including the error that ends r. A field of more than 64 KiB,
// or with an id that cannot be read, is taken out as well. At most that much is
// held in memory.
func Strip(r io.Reader, id string) io.Reader {
	return &stripper{in: bufio.NewReader(r), id: id}
}

type stripper struct {
	in   *bufio.Reader
	id   string
	out  []byte // ready for the caller
	err  error  // after out
	body bool   // the header is over

	inLine  bool   // the last piece did not end its line
	holding bool   // the field in hand is ours to judge
	field   []byte // of it, what was read so far
	long    bool   // of it, more than can be held
}

// Read hands the header on line by line, and then the body as it comes.
func (s *stripper) Read(p []byte) (int, error) {
	for len(s.out) == 0 {
		switch {
		case s.err != nil:
			return 0, s.err
		case s.body:
			return s.in.Read(p)
		}
		s.piece()
	}
	n := copy(p, s.out)
	s.out = s.out[n:]
	return n, nil
}

// piece takes in a line of the header, or a part of a long one.
func (s *stripper) piece() {
	s.out = s.out[:0]
	line, err := s.in.ReadSlice('\n')
	if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
		s.err = err
	}
	begins := !s.inLine && len(line) > 0
	s.inLine = !bytes.HasSuffix(line, []byte("\n"))
	if begins && line[0] != ' ' && line[0] != '\t' {
		s.judge()
		s.holding = named(line)
		// More than one CR before the LF is no empty line: others read on there.
		s.body = line[0] == '\n' || bytes.HasPrefix(line, []byte("\r\n"))
	}
	switch {
	case !s.holding:
		s.out = append(s.out, line...)
	case len(s.field)+len(line) > maxField:
		s.long, s.field = true, s.field[:0]
	default:
		s.field = append(s.field, line...)
	}
	if s.err != nil {
		s.judge()
	}
}

// judge lets the field in hand go on if it is somebody else's.
func (s *stripper) judge() {
	if s.holding && !s.long {
		_, value, _ := strings.Cut(string(s.field), ":")
		if !Claims(value, s.id) {
			s.out = append(s.out, s.field...)
		}
	}
	s.holding, s.long, s.field = false, false, s.field[:0]
}

// named says whether a line begins an Authentication-Results field. White space
// before the colon is obsolete, but read by many: RFC 5322 §4.5. There may be so
// much of it that the colon is not in the piece at hand.
func named(line []byte) bool {
	name, _, _ := bytes.Cut(line, []byte(":"))
	return strings.EqualFold(string(bytes.TrimRight(name, " \t\r\n")), Name)
}

package mime

import "strings"

// Flowed undoes format=flowed (RFC 3676 §4): lines that end in a space are
// joined with the next, as far as both are quoted alike. delSp is the
// parameter DelSp=yes, by which the space is not part of the text. Line breaks
// of the result are LF. Quoted paragraphs keep their ">" marks, with a space
// after them.
func Flowed(text string, delSp bool) string {
	var f flowedReader
	f.out.Grow(len(text))
	for line := range strings.Lines(text) {
		f.line(strings.TrimRight(line, "\r\n"), delSp)
	}
	if f.open {
		f.out.WriteByte('\n')
	}
	return f.out.String()
}

// A flowedReader joins lines to paragraphs.
type flowedReader struct {
	out   strings.Builder
	open  bool // a paragraph goes on
	depth int  // its quote depth
}

// line adds one line: to the paragraph that is open, or as a new one.
func (f *flowedReader) line(line string, delSp bool) {
	depth := 0
	for depth < len(line) && line[depth] == '>' { // RFC 3676 §4.5
		depth++
	}
	line = line[depth:]
	line = strings.TrimPrefix(line, " ") // RFC 3676 §4.4: space-stuffing
	signature := line == "-- "           // RFC 3676 §4.3: never flows
	if f.open && (depth != f.depth || signature) {
		f.out.WriteByte('\n')
		f.open = false
	}
	if !f.open {
		for range depth {
			f.out.WriteByte('>')
		}
		if depth > 0 && line != "" {
			f.out.WriteByte(' ')
		}
	}
	if signature || !strings.HasSuffix(line, " ") {
		f.out.WriteString(line)
		f.out.WriteByte('\n')
		f.open = false
		return
	}
	if delSp {
		line = line[:len(line)-1]
	}
	f.out.WriteString(line)
	f.open, f.depth = true, depth
}

// FlowedText returns Text with format=flowed undone, if the part is so
// marked, and Text as it is if not.
func (p Part) FlowedText() string {
	t := p.Type()
	if !t.Is("text", "plain") || !strings.EqualFold(t.Param("format"), "flowed") {
		return p.Text()
	}
	return Flowed(p.Text(), strings.EqualFold(t.Param("delsp"), "yes"))
}

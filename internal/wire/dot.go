package wire

import (
	"errors"
	"fmt"
	"io"
)

// DotReader reads the data of one message up to CRLF "." CRLF and undoes the
// dot transparency (RFC 5321 §4.5.2). It is a bulk scan without allocations;
// [DotReader.WriteTo] copies nothing.
//
// io.EOF comes only after a complete and acceptable message. An offence is told
// when the end has been read: until then the rest is read and dropped. When
// the connection ends first the error wraps io.ErrUnexpectedEOF.
type DotReader struct {
	Ends  Ends
	Limit int64 // octets of content; 0 none
	Line  int   // octets of a line with its CRLF; 0 none
	Flood int64 // octets after which even dropping ends, with ErrFlood; 0 never

	r     *Reader
	lines lines
	enc   Encoder // for NormalizeBare
	out   []byte
	run   []byte // read from the wire, not yet given out
	n     int64  // octets of content on the wire
	mute  bool   // nobody reads any more
	done  bool   // the end was read
	bad   error  // the first offence
	err   error  // the answer to every further read
}

// Reset prepares d for the next message from r.
func (d *DotReader) Reset(r *Reader) {
	*d = DotReader{Ends: d.Ends, Limit: d.Limit, Line: d.Line, Flood: d.Flood, r: r, out: d.out[:0]}
	d.lines.bol = true
	d.enc = NewEncoder(false)
}

// Size is how many octets of content have been read.
func (d *DotReader) Size() int64 { return d.n }

// Err is what is wrong with the message, known for sure when its end was read.
func (d *DotReader) Err() error { return d.bad }

// InSync reports whether the end of the data was read, so that the next line
// is a command.
func (d *DotReader) InSync() bool { return d.done }

// Read gives out content.
func (d *DotReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(d.run) == 0 {
		if d.err != nil {
			return 0, d.err
		}
		d.run = d.next()
	}
	n := copy(p, d.run)
	d.run = d.run[n:]
	return n, nil
}

// WriteTo hands the content to w as it lies in the buffer.
func (d *DotReader) WriteTo(w io.Writer) (n int64, err error) {
	for {
		if len(d.run) > 0 {
			m, err := w.Write(d.run)
			n += int64(m)
			d.run = d.run[m:]
			if err != nil {
				return n, err
			}
		}
		if d.err != nil {
			if d.err == io.EOF {
				return n, nil
			}
			return n, d.err
		}
		d.run = d.next()
	}
}

// Drain reads on to the end and drops what comes. Its error is nil if the
// reader is in step behind the end, whatever the message was worth.
func (d *DotReader) Drain() error {
	d.run, d.mute = nil, true
	for d.err == nil {
		d.next()
	}
	if d.done {
		return nil
	}
	return d.err
}

// next gives the next run of content, or none and perhaps sets err.
func (d *DotReader) next() []byte {
	d.r.Unwatch()
	if d.r.Buffered() == 0 && !d.fill() {
		return nil
	}
	if d.lines.bol && d.r.Peek()[0] == '.' && !d.dot() {
		return nil
	}
	w := d.r.Peek()
	run := w[:d.take(w)]
	// Lines behind a stuffed dot are moved up, so that a message full of dots
	// is not handed out line by line.
	for rest := w[len(run):]; isStuffed(rest); {
		d.r.Discard(1)
		d.lines.bol = false
		n := d.take(rest[1:])
		run = append(run, rest[1:1+n]...)
		rest = rest[1+n:]
	}
	if d.bad != nil || d.mute {
		return nil
	}
	if d.Ends == NormalizeBare {
		d.out = d.enc.Append(d.out[:0], run)
		return d.out
	}
	return run
}

// take consumes w up to the next dot that begins a line, and judges it.
func (d *DotReader) take(w []byte) int {
	n, bare := d.lines.scan(w, true)
	d.r.Discard(n)
	d.n += int64(n)
	d.judge(bare)
	return n
}

// isStuffed reports a dot at a line start that cannot be the end of the data.
func isStuffed(w []byte) bool {
	return len(w) >= 2 && w[1] != '\r' || len(w) >= 3 && w[2] != '\n'
}

// judge notes the first offence.
func (d *DotReader) judge(bare bool) {
	switch {
	case d.Flood > 0 && d.n > d.Flood:
		d.err = ErrFlood
		fallthrough
	case d.bad != nil:
	case bare && d.Ends == RejectBare:
		d.bad = ErrBareNewline
	case d.Limit > 0 && d.n > d.Limit:
		d.bad = ErrTooLarge
	case d.Line > 0 && d.lines.max > d.Line:
		d.bad = ErrTextLine
	}
}

// dot looks at a dot that begins a line. It drops a stuffed one and reports
// that content follows; at the end of the data it reports false.
func (d *DotReader) dot() bool {
	for {
		w := d.r.Peek()
		switch {
		case isStuffed(w):
			d.r.Discard(1)
			d.lines.bol = false
			return true
		case len(w) >= 3:
			d.r.Discard(3)
			d.finish()
			return false
		}
		if !d.fill() {
			return false
		}
	}
}

// finish is the end of the data.
func (d *DotReader) finish() {
	d.done = true
	d.err = io.EOF
	if d.bad != nil {
		d.err = d.bad
	}
}

func (d *DotReader) fill() bool {
	if err := d.r.Fill(largeBuffer); err != nil {
		d.err = Truncated(err)
		return false
	}
	return true
}

// Truncated is the error of data that ended before its end.
func Truncated(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return fmt.Errorf("%w: %w", io.ErrUnexpectedEOF, err)
}

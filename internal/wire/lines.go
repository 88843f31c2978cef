package wire

import (
	"bytes"
	"errors"
)

// What a body can have wrong. The rest of it is read and dropped, so that the
// dialogue stays in step, and the error comes where io.EOF would.
var (
	ErrBareNewline = errors.New("bare CR or LF in message")
	ErrTooLarge    = errors.New("message too large")
	ErrTextLine    = errors.New("text line too long")
	// ErrFlood ends the connection: the peer sends on far behind a limit.
	ErrFlood = errors.New("endless message")
)

// Ends is what becomes of a CR or LF that stands alone. None of them ever ends
// a message: only CRLF "." CRLF does (RFC 5321 §4.1.1.4).
type Ends uint8

const (
	RejectBare    Ends = iota // refuse the message (RFC 5321 §2.3.8)
	NormalizeBare             // make it CRLF
	KeepBare                  // leave the bytes as they are
)

// lines follows the line ends of a stream from block to block.
type lines struct {
	bol  bool // a true CRLF, or nothing, came before
	cr   bool // the last byte was a CR
	size int  // octets of the line so far
	max  int  // the longest line seen, its end included
}

// scan looks at w up to its end, or with dots up to the first dot that begins a
// line, and reports how far it came and whether a CR or LF stood alone.
//
// Each line costs one IndexByte, and all CRs are counted in one go: they are
// clean if there are as many as CRLFs, which no loop over the bytes can beat.
func (s *lines) scan(w []byte, dots bool) (n int, bare bool) {
	pairs, crs := 0, 0
	if s.cr {
		crs++
	}
	for n < len(w) {
		i := bytes.IndexByte(w[n:], '\n')
		if i < 0 {
			s.size += len(w) - n
			s.bol = false
			n = len(w)
			break
		}
		lf := n + i
		s.bol = lf > 0 && w[lf-1] == '\r' || lf == 0 && s.cr
		if s.bol {
			pairs++
		} else {
			bare = true
		}
		s.max = max(s.max, s.size+i+1)
		s.size = 0
		n = lf + 1
		if dots && s.bol && n < len(w) && w[n] == '.' {
			break
		}
	}
	s.max = max(s.max, s.size)
	crs += bytes.Count(w[:n], crByte)
	if s.cr = w[n-1] == '\r'; s.cr {
		pairs++
	}
	return n, bare || crs != pairs
}

var crByte = []byte{'\r'}

// Check follows the line ends of a body that is counted, not dot-ended.
type Check struct{ lines lines }

// NewCheck begins a message.
func NewCheck() Check { return Check{lines{bol: true}} }

// Scan looks at the next block and reports whether a CR or LF stood alone.
func (c *Check) Scan(b []byte) (bare bool) {
	if len(b) > 0 {
		_, bare = c.lines.scan(b, false)
	}
	return bare
}

// Longest is the longest line so far, its end included.
func (c *Check) Longest() int { return c.lines.max }

// End reports whether the body ended in a CR that stands alone.
func (c *Check) End() (bare bool) { return c.lines.cr }

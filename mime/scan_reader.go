package mime

import "io"

// An EventKind says what a Scanner has come to.
type EventKind uint8

const (
	// PartBegin stands at the end of a part's header: Part.Header and
	// Part.Type may be asked, and what follows is the body.
	PartBegin EventKind = iota + 1
	// PartData brings octets of the part's body, not decoded. For a multipart
	// they are what stands before the first part and after the last.
	PartData
	// PartEnd stands at the end of the body.
	PartEnd
)

const (
	eventBegin = PartBegin
	eventData  = PartData
	eventEnd   = PartEnd
)

// An Event is what Scanner.Next gives.
type Event struct {
	Kind EventKind
	Part Part
	Data []byte // of PartData; valid until the next call of Next
}

// A Scanner reads a message that streams by, part after part, in memory that
// depends on its headers only. It finds what Parse finds. It is for one
// goroutine.
type Scanner struct {
	m    Message
	scan scan
	feed feeder
	next int // the event to give next
	err  error
}

// Scan returns a Scanner of the message that r reads.
func Scan(r io.Reader) *Scanner { return Parser{}.Scan(r) }

// Scan is the function Scan with the limits of p.
func (p Parser) Scan(r io.Reader) *Scanner {
	s := new(Scanner)
	s.scan = p.scan(&s.m, readChunk)
	s.scan.copyHeader, s.scan.record = true, true
	s.feed = feeder{scan: &s.scan, r: r}
	return s
}

// Next goes on to the next event; ok is false at the end of the message, and
// where reading it failed, which Err tells.
func (s *Scanner) Next() (e Event, ok bool) {
	for s.next == len(s.scan.events) {
		if s.feed.done || s.err != nil {
			return Event{}, false
		}
		s.next, s.scan.events = 0, s.scan.events[:0]
		s.err = s.feed.step()
	}
	ev := s.scan.events[s.next]
	s.next++
	e = Event{Kind: ev.kind, Part: Part{&s.m, ev.part}}
	if ev.kind == PartData {
		e.Data = s.feed.buf[ev.from-s.feed.base : ev.to-s.feed.base]
	}
	return e, true
}

// Err returns the error that ended the scan, or nil at the end of the message.
func (s *Scanner) Err() error { return s.err }

// Message returns the index of what was read so far; after the last event it
// is that of the whole message. Its headers and offsets are there, its bodies
// are not: reading one fails with ErrNotKept.
func (s *Scanner) Message() *Message { return &s.m }

package mime

import "cmp"

// Limits bound what a message can make the parser do. Beyond a limit the
// parser goes on, in one opaque part, and reports a defect; it never fails.
// The zero value holds the defaults.
type Limits struct {
	// HeaderBytes bounds one header section; 0 means 1 MiB, and 1 GiB is the
	// most. All header sections of a message together may have 16 times as
	// much. What is over becomes the body of the part.
	HeaderBytes int

	// Fields bounds the fields of one header section; 0 means 10 000.
	Fields int

	// Parts bounds the parts of a message; 0 means 10 000. The last one
	// holds the rest of the message.
	Parts int

	// Depth bounds the nesting of multiparts and messages; 0 means 100. A
	// part at that depth is not entered.
	Depth int

	// Decoded bounds the octets that Part.Open and Part.Text give for one
	// part; 0 means no limit, since decoded text is never longer than a
	// small multiple of what was received.
	Decoded int64
}

const (
	defaultHeaderBytes = 1 << 20
	maxHeaderBytes     = 1 << 30 // offsets of fields have 32 bits
	headerTotalFactor  = 16
	defaultFields      = 10_000
	defaultParts       = 10_000
	defaultDepth       = 100
)

// withDefaults fills in what is zero.
func (l Limits) withDefaults() Limits {
	l.HeaderBytes = min(max(cmp.Or(l.HeaderBytes, defaultHeaderBytes), 1), maxHeaderBytes)
	l.Fields = max(cmp.Or(l.Fields, defaultFields), 1)
	l.Parts = max(cmp.Or(l.Parts, defaultParts), 1)
	l.Depth = max(cmp.Or(l.Depth, defaultDepth), 1)
	return l
}

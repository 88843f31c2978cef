package smtp

import (
	"encoding/binary"
	"errors"
	"time"
)

// envelopeVersion is the first byte of the binary form. A new field is added at
// the end under a new version; old versions stay readable.
const envelopeVersion = 1

var errEnvelope = errors.New("smtp: malformed binary envelope")

// AppendBinary appends the versioned binary form that every store uses. Times
// keep nanoseconds and lose their zone.
func (e Envelope) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, envelopeVersion)
	b = putString(b, e.ID)
	b = putPath(b, e.From)
	b = putMailParams(b, e.Params)
	b = binary.AppendUvarint(b, uint64(len(e.To)))
	for _, r := range e.To {
		b = putRecipient(b, r)
	}
	return putString(b, string(e.Prefix)), nil
}

// MarshalBinary is AppendBinary to nothing.
func (e Envelope) MarshalBinary() ([]byte, error) { return e.AppendBinary(nil) }

func putString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func putPath(b []byte, p Path) []byte { return putString(putString(b, p.local), p.domain) }

func putBools(b []byte, bits ...bool) []byte {
	var v byte
	for i, on := range bits {
		if on {
			v |= 1 << i
		}
	}
	return append(b, v)
}

// putTime writes seconds and nanoseconds, since a time far away does not fit
// into nanoseconds alone; a single 0 is the zero time.
func putTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(b, 0)
	}
	b = binary.AppendVarint(append(b, 1), t.Unix())
	return binary.AppendUvarint(b, uint64(t.Nanosecond()))
}

func putParams(b []byte, list []Param) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, p := range list {
		b = putString(putString(b, p.Name), p.Value)
	}
	return b
}

func putMailParams(b []byte, p MailParams) []byte {
	b = binary.AppendVarint(b, p.Size)
	b = append(b, byte(p.Body), byte(p.Priority))
	b = putBools(b, p.UTF8, p.RequireTLS, p.RetHeaders, p.RetFull, p.DeliverBy.Return, p.DeliverBy.Trace)
	b = putString(putString(b, p.EnvID), p.Auth)
	b = putTime(putTime(b, p.DeliverBy.Time), p.HoldUntil)
	return putParams(b, p.Other)
}

func putRecipient(b []byte, r Recipient) []byte {
	b = append(putPath(b, r.Path), byte(r.Notify))
	b = putBools(b, r.Expanded, r.ValidRelay, r.Delivered)
	b = putTime(putString(b, r.ORcpt), r.ValidSince)
	return putParams(b, r.Other)
}

// UnmarshalBinary reads what AppendBinary wrote, all of b. Every path is
// checked again, so a damaged store cannot put bytes on the wire.
func (e *Envelope) UnmarshalBinary(b []byte) error {
	d := decoder{b: b}
	if d.byte() != envelopeVersion {
		return errEnvelope
	}
	var out Envelope
	out.ID = d.string()
	out.From = d.path()
	out.Params = d.mailParams()
	for range d.count() {
		out.To = append(out.To, d.recipient())
	}
	if s := d.string(); s != "" {
		out.Prefix = []byte(s)
	}
	if d.bad || len(d.b) != 0 {
		return errEnvelope
	}
	*e = out
	return nil
}

// decoder takes pieces off b; after the first mistake it gives zeros.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) fail() { d.b, d.bad = nil, true }

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.fail()
		return 0
	}
	c := d.b[0]
	d.b = d.b[1:]
	return c
}

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) int() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

// count is how many elements follow: each has a byte at least, so a count
// cannot ask for more memory than the input has.
func (d *decoder) count() int {
	n := d.uint()
	if n > uint64(len(d.b)) {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *decoder) string() string {
	n := d.count()
	s := string(d.b[:n])
	d.b = d.b[n:]
	return s
}

func (d *decoder) time() time.Time {
	if d.byte() == 0 {
		return time.Time{}
	}
	sec, nsec := d.int(), d.uint()
	if nsec >= 1e9 {
		d.fail()
		return time.Time{}
	}
	return time.Unix(sec, int64(nsec)).UTC()
}

func (d *decoder) path() Path {
	p := Path{d.string(), d.string()}
	if q, err := ParsePath(p.String()); err != nil || q != p {
		d.fail()
		return Path{}
	}
	return p
}

func (d *decoder) params() []Param {
	var list []Param
	for range d.count() {
		list = append(list, Param{d.string(), d.string()})
	}
	return list
}

func (d *decoder) mailParams() MailParams {
	p := MailParams{Size: d.int(), Body: BodyType(d.byte()), Priority: int8(d.byte())}
	bits := d.byte()
	p.UTF8, p.RequireTLS, p.RetHeaders, p.RetFull = bits&1 != 0, bits&2 != 0, bits&4 != 0, bits&8 != 0
	p.DeliverBy.Return, p.DeliverBy.Trace = bits&16 != 0, bits&32 != 0
	p.EnvID, p.Auth = d.string(), d.string()
	p.DeliverBy.Time, p.HoldUntil = d.time(), d.time()
	p.Other = d.params()
	return p
}

func (d *decoder) recipient() Recipient {
	r := Recipient{Path: d.path(), Notify: Notify(d.byte())}
	bits := d.byte()
	r.Expanded, r.ValidRelay, r.Delivered = bits&1 != 0, bits&2 != 0, bits&4 != 0
	r.ORcpt, r.ValidSince = d.string(), d.time()
	r.Other = d.params()
	return r
}

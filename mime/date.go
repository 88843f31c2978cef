package mime

import (
	"bytes"
	"time"
)

// Date returns the date of the message (RFC 5322 §3.6.1): that of the first
// Date field that can be read. ok is false if there is none.
func (h Header) Date() (t time.Time, ok bool) {
	for _, f := range h.fields {
		if f.id != fieldDate {
			continue
		}
		if t, ok = (Field{h.raw, f}).Date(); ok {
			break
		}
	}
	return t, ok
}

// Date reads the value as a date. Of a field such as Received it reads what
// stands after the last semicolon.
func (f Field) Date() (t time.Time, ok bool) { return parseDate(f.value()) }

// ParseDate reads a date as mail carries it: RFC 5322 §3.3 and §4.3, with the
// comma, the seconds or the zone missing, months in full or as numbers, years
// of two or three digits, and the forms of asctime and RFC 3339. A zone that
// is unknown or "-0000" gives UTC. A date without a time of day is none.
func ParseDate(s string) (t time.Time, ok bool) { return parseDate([]byte(s)) }

// A dateParser collects the parts of a date in any order they make sense in.
type dateParser struct {
	lexer
	year, month, day     int // -1 until seen
	hour, minute, second int
	nano                 int
	timed, zoned         bool
	offset               int // seconds east
	pm, am               bool
}

// parseDate reads part by part until something is no part of a date. Fields
// such as Received have their date after the last semicolon (RFC 5321 §4.4).
func parseDate(value []byte) (time.Time, bool) {
	if i := bytes.LastIndexByte(value, ';'); i >= 0 {
		value = value[i+1:]
	}
	p := dateParser{lexer: lexer{b: value}, year: -1, month: -1, day: -1}
	for p.part() {
	}
	return p.result()
}

// part reads one part; it returns false at the end or at what is no date.
func (p *dateParser) part() bool {
	p.skipCFWS()
	if p.done() {
		return false
	}
	switch c := p.peek(); {
	case c >= '0' && c <= '9':
		return p.number()
	case c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z':
		p.word()
		return true
	// Before the time of day a sign divides numbers, as in 2026-11-23; after
	// it, it begins a zone.
	case (c == '+' || c == '-') && p.timed:
		p.zone()
		return true
	case c == ',' || c == '-' || c == '/' || c == '.' || c == '+' || c == '_':
		p.i++
		return true
	}
	return false
}

// digits reads a run of digits; more than nine are no number of a date.
func (p *dateParser) digits() (v, n int) {
	for !p.done() && p.peek() >= '0' && p.peek() <= '9' {
		if n < 9 {
			v = v*10 + int(p.peek()-'0')
		}
		n++
		p.i++
	}
	return v, n
}

// number reads a day, month, year or time of day.
func (p *dateParser) number() bool {
	// What a number means follows from how long it is, and from what is there
	// already: day before month before year, but after a year of four digits
	// in front the month comes first (RFC 3339 §5.6).
	v, n := p.digits()
	switch {
	case n > 9:
		return false
	case p.peek() == ':' && !p.timed:
		return p.timeOfDay(v)
	case p.day < 0 && p.year < 0 && n >= 3:
		p.year = fullYear(v, n)
	case p.year >= 0 && p.month < 0 && p.day < 0:
		p.month = v
	case p.day < 0 && !(n >= 3 && p.year < 0):
		p.day = v
	case p.month < 0 && n < 3:
		p.month = v
	case p.year < 0:
		p.year = fullYear(v, n)
	}
	return true
}

// fullYear applies RFC 5322 §4.3: two digits from 00 to 49 are of this
// century, others and three digits count from 1900.
func fullYear(v, digits int) int {
	switch {
	case digits <= 2 && v <= 49:
		return v + 2000
	case digits <= 3:
		return v + 1900
	}
	return v
}

// timeOfDay reads minute and second after an hour.
func (p *dateParser) timeOfDay(hour int) bool {
	p.i++
	minute, n := p.digits()
	if n == 0 {
		return false
	}
	p.hour, p.minute, p.timed = hour, minute, true
	if p.peek() != ':' {
		return true
	}
	p.i++
	if p.second, n = p.digits(); n == 0 {
		p.timed = false
		return false
	}
	if p.peek() == '.' || p.peek() == ',' {
		p.i++
		p.fraction()
	}
	return true
}

// fraction reads the decimals of a second.
func (p *dateParser) fraction() {
	start := p.i
	v, n := p.digits()
	if n == 0 {
		p.i = start
		return
	}
	for ; n < 9; n++ {
		v *= 10
	}
	p.nano = v
}

// word reads a month, a zone or a half of the day; days of the week and
// whatever else mean nothing.
func (p *dateParser) word() {
	start := p.i
	for !p.done() && (p.peek()|0x20 >= 'a' && p.peek()|0x20 <= 'z') {
		p.i++
	}
	w := p.b[start:p.i]
	if m := monthOf(w); m > 0 && p.month < 0 {
		p.month = m
		return
	}
	switch {
	case equalFold(w, "am"):
		p.am = true
		return
	case equalFold(w, "pm"):
		p.pm = true
		return
	}
	// A zone stands after the time. The letter T of RFC 3339 stands before it,
	// as do the days of the week.
	if !p.timed {
		return
	}
	if off, ok := zoneOffset(w); ok && !p.zoned {
		p.offset, p.zoned = off, true
		if p.peek() >= '0' && p.peek() <= '9' { // EST5EDT
			p.atomUntil(" \t\r\n(,")
		}
	}
}

// zone reads "+hhmm", "+hh:mm" or "+hh". It replaces a name before it, as in
// "GMT+0100".
func (p *dateParser) zone() {
	sign := 1
	if p.peek() == '-' {
		sign = -1
	}
	p.i++
	v, n := p.digits()
	switch {
	case n == 0:
		return
	case n <= 2:
		v *= 100
		if p.peek() == ':' {
			p.i++
			m, _ := p.digits()
			v += m
		}
	case n > 4:
		return
	}
	if v%100 > 59 || v > 2400 { // RFC 5322 §3.3: not a time of day
		return
	}
	p.offset, p.zoned = sign*(v/100*3600+v%100*60), true
}

// result checks the parts and puts them together.
func (p *dateParser) result() (time.Time, bool) {
	if p.pm && p.hour < 12 {
		p.hour += 12
	} else if p.am && p.hour == 12 {
		p.hour = 0
	}
	if !p.timed || p.year < 0 || p.month < 1 || p.month > 12 || p.day < 1 || p.day > 31 ||
		p.hour > 24 || p.minute > 59 || p.second > 60 || p.year > 9999 {
		return time.Time{}, false
	}
	// time.Date carries 24:00 and a leap second over to the next day or
	// minute, which is when they end.
	loc := time.UTC
	if p.offset != 0 {
		loc = time.FixedZone("", p.offset)
	}
	return time.Date(p.year, time.Month(p.month), p.day, p.hour, p.minute, p.second, p.nano, loc), true
}

var months = [...]string{"january", "february", "march", "april", "may", "june",
	"july", "august", "september", "october", "november", "december"}

// monthOf returns the number of a month, from its first three letters on, or 0.
func monthOf(w []byte) int {
	if len(w) < 3 {
		return 0
	}
	for i, name := range months {
		if len(w) <= len(name) && equalFold(w, name[:len(w)]) {
			return i + 1
		}
	}
	return 0
}

// zoneOffset returns the offset of a zone name in seconds east: those of RFC
// 5322 §4.3 and some that mean one thing only.
func zoneOffset(w []byte) (int, bool) {
	var buf [4]byte
	if len(w) > len(buf) || len(w) == 0 {
		return 0, false
	}
	for i, c := range w {
		buf[i] = toLower(c)
	}
	// RFC 5322 §4.3: the single letters were defined wrongly once, and mean
	// nothing but UTC; so does whatever else is not here.
	hours := 0
	switch string(buf[:len(w)]) {
	case "ut", "utc", "gmt", "z", "wet":
	case "est", "cdt":
		hours = -5
	case "edt":
		hours = -4
	case "cst", "mdt":
		hours = -6
	case "mst", "pdt":
		hours = -7
	case "pst":
		hours = -8
	case "cet", "met", "west":
		hours = 1
	case "cest", "mest", "eet":
		hours = 2
	case "eest", "msk":
		hours = 3
	case "jst", "kst":
		hours = 9
	default:
		return 0, false
	}
	return hours * 3600, true
}

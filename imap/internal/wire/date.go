package wire

import "time"

const (
	dateLayout     = "2-Jan-2006"
	dateTimeLayout = "_2-Jan-2006 15:04:05 -0700"
)

// Date takes the date of a search key (RFC 9051 §9: date): midnight UTC.
func (l *Lexer) Date() time.Time {
	quoted := l.Take('"')
	s := l.run(atomChar, "date")
	if quoted {
		l.Want('"')
	}
	t, err := time.Parse(dateLayout, titleMonth(s))
	if err != nil || len(s) < 10 || t.Year() < 1 {
		l.Fail("date")
		return time.Time{}
	}
	return t
}

// DateTime takes a date-time (RFC 9051 §9), always quoted.
func (l *Lexer) DateTime() time.Time {
	if l.Peek() != '"' {
		l.Fail("date and time")
		return time.Time{}
	}
	s := l.quoted()
	t, err := time.Parse(dateTimeLayout, titleMonth(s))
	if err != nil || len(s) != 26 {
		l.Fail("date and time")
		return time.Time{}
	}
	return t
}

// titleMonth writes the month as package time wants it: "jul" is "Jul".
func titleMonth(s []byte) string {
	b := []byte(string(s))
	first := true
	for i, c := range b {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		switch {
		case !letter:
			first = true
		case first:
			b[i] = c &^ 0x20
			first = false
		default:
			b[i] = c | 0x20
		}
	}
	return string(b)
}

// AppendDateTime appends a date-time, as INTERNALDATE has it. Lists of messages
// have one for each, so it goes without package time's layouts.
func AppendDateTime(dst []byte, t time.Time) []byte {
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	_, zone := t.Zone()
	if year < 1000 || year > 9999 {
		return append(t.AppendFormat(append(dst, '"'), dateTimeLayout), '"')
	}
	dst = append(dst, '"')
	if day < 10 {
		dst = append(dst, ' ', byte('0'+day))
	} else {
		dst = appendTwo(dst, day)
	}
	dst = append(append(append(dst, '-'), month.String()[:3]...), '-')
	dst = appendTwo(appendTwo(dst, year/100), year%100)
	dst = appendTwo(append(dst, ' '), hour)
	dst = appendTwo(append(dst, ':'), minute)
	dst = appendTwo(append(dst, ':'), second)
	sign := byte('+')
	if zone < 0 {
		sign, zone = '-', -zone
	}
	dst = appendTwo(append(dst, ' ', sign), zone/3600%100)
	return append(appendTwo(dst, zone/60%60), '"')
}

// appendTwo appends two digits.
func appendTwo(dst []byte, n int) []byte { return append(dst, byte('0'+n/10), byte('0'+n%10)) }

// AppendDate appends a date, as search keys have it.
func AppendDate(dst []byte, t time.Time) []byte { return t.AppendFormat(dst, dateLayout) }

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

// AppendDateTime appends a date-time, as INTERNALDATE has it.
func AppendDateTime(dst []byte, t time.Time) []byte {
	dst = append(dst, '"')
	dst = t.AppendFormat(dst, dateTimeLayout)
	return append(dst, '"')
}

// AppendDate appends a date, as search keys have it.
func AppendDate(dst []byte, t time.Time) []byte { return t.AppendFormat(dst, dateLayout) }

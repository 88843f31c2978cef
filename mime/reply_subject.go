package mime

import (
	"strings"
	"unicode/utf8"
)

// replyMarks are what programs in many languages put before the subject of an
// answer, and forwardMarks before that of a message passed on. Words of one
// letter are left out: they begin subjects of their own.
var (
	replyMarks = [...]string{"re", "aw", "antw", "antwort", "sv", "vs", "odp", "res", "rif", "ynt", "atb", "bls", "vá", "απ", "отв", "ответ", "回复", "回覆", "答复", "答覆"}

	forwardMarks = [...]string{"fwd", "fw", "wg", "tr", "rv", "enc", "vl", "vb", "vid", "doorst", "továbbítás", "ilt", "转发", "轉寄", "轉發"}
)

// maxSubject bounds the subject that is taken over.
const maxSubject = 1000

// replySubject puts prefix before the subject, which loses all marks of its
// kind first: they do not pile up (RFC 5322 §3.6.5). A mark behind the name of
// a list in brackets goes as well.
func replySubject(prefix, subject string, marks []string) string {
	subject = shorten(fit(subject), maxSubject)
	subject = cutMarks(subject, marks)
	if tag, rest, ok := cutTag(subject); ok {
		subject = tag + " " + cutMarks(rest, marks)
	}
	return strings.TrimSpace(prefix + " " + subject)
}

// cutMarks takes away all the marks that s begins with.
func cutMarks(s string, marks []string) string {
	for {
		s = strings.TrimSpace(s)
		rest, ok := cutMark(s, marks)
		if !ok {
			return s
		}
		s = rest
	}
}

// cutMark takes away one: a word, perhaps a count as in "Re[2]:", "Re^2:" or
// "Re (2):", and a colon, which may be one of full width.
func cutMark(s string, marks []string) (rest string, ok bool) {
	i := strings.IndexAny(s, ":：")
	if i < 0 || i > 40 {
		return s, false
	}
	word := strings.TrimRight(s[:i], " 0123456789[]()^*")
	_, colon := utf8.DecodeRuneInString(s[i:])
	for _, m := range marks {
		if strings.EqualFold(word, m) {
			return s[i+colon:], true
		}
	}
	return s, false
}

// cutTag splits "[team] Re: Lunch" behind the bracket.
func cutTag(s string) (tag, rest string, ok bool) {
	if !strings.HasPrefix(s, "[") {
		return "", s, false
	}
	i := strings.IndexByte(s, ']')
	if i < 0 || i > 60 {
		return "", s, false
	}
	return s[:i+1], strings.TrimSpace(s[i+1:]), true
}

// fit makes text of others fit for a header or a line: no control character
// and nothing that is not UTF-8.
func fit(s string) string {
	return strings.ToValidUTF8(strings.Map(func(r rune) rune {
		if isControl(r) {
			return ' '
		}
		return r
	}, s), "\ufffd")
}

// isControl reports what could end a line in anybody's eyes, and its like.
func isControl(r rune) bool {
	return r < ' ' || r >= 0x7f && r <= 0x9f || r == 0x2028 || r == 0x2029
}

// shorten cuts s to n octets, between characters.
func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	const dots = "…"
	n -= len(dots)
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + dots
}

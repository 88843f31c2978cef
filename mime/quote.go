package mime

import (
	"io"
	"strings"
	"unicode/utf8"
)

const (
	maxQuoted = 256 << 10 // octets of a text that are quoted
	quoteAt   = 76        // width of quoted lines, where they can be broken
	maxMarks  = 30        // depth of quotations; they stand on every line
)

// quoted is an answer with what it answers to.
func (m *Message) quoted(answer, attribution string) (string, error) {
	text, err := m.bodyText()
	text = dropSignature(text)
	var b strings.Builder
	if answer = strings.TrimRight(answer, "\r\n"); answer != "" {
		b.WriteString(answer + "\n\n")
	}
	if strings.TrimSpace(text) == "" {
		return b.String(), err
	}
	if attribution == "" {
		attribution = m.attribution()
	}
	b.WriteString(attribution + "\n")
	for line := range strings.Lines(strings.Trim(text, "\n")) {
		quoteLine(&b, strings.TrimSuffix(line, "\n"))
	}
	return b.String(), err
}

// attribution says who wrote when.
func (m *Message) attribution() string {
	who := "Somebody"
	if from := newAddressSet(nil).usable(m.Header().Addresses("From")); len(from) > 0 {
		who = from[0].String()
	}
	if date, ok := m.Header().Date(); ok {
		return "On " + date.Format("Mon, 2 Jan 2006 at 15:04") + ", " + who + " wrote:"
	}
	return who + " wrote:"
}

// quoteLine marks a line as quoted. What was quoted already gets one mark more
// in front of the others, without a space between (RFC 3676 §4.5), and a long
// line is broken at its spaces, each piece marked alike.
func quoteLine(b *strings.Builder, line string) {
	text := strings.TrimLeft(line, ">")
	marks := ">" + line[:min(len(line)-len(text), maxMarks)]
	text = strings.TrimRight(strings.TrimPrefix(text, " "), " \t")
	for {
		b.WriteString(marks)
		if text != "" {
			b.WriteByte(' ')
		}
		n := wrapAt(text, max(quoteAt-len(marks)-1, 20))
		b.WriteString(text[:n] + "\n")
		if text = strings.TrimLeft(text[n:], " "); text == "" {
			return
		}
	}
}

// wrapAt is where a line of at most width characters ends: at a space, or, if
// the first word is longer, behind it.
func wrapAt(s string, width int) int {
	space, chars, word := 0, 0, false
	for i := 0; i < len(s); chars++ {
		if s[i] != ' ' {
			word = true
		} else if word {
			space = i
		}
		if chars >= width && space > 0 {
			return space
		}
		_, size := utf8.DecodeRuneInString(s[i:])
		i += size
	}
	return len(s)
}

// dropSignature ends a text before its signature (RFC 3676 §4.3).
func dropSignature(text string) string {
	if strings.HasPrefix(text, "-- \n") {
		return ""
	}
	if i := strings.Index(text, "\n-- \n"); i >= 0 {
		return text[:i+1]
	}
	return text
}

// bodyText is the text of a message for people, with LF line ends and no
// control characters: its plain text, or what its HTML says.
func (m *Message) bodyText() (string, error) {
	var b strings.Builder
	for _, p := range m.TextBody() {
		if !p.IsText() {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		text, whole, err := p.quotable(max(maxQuoted-b.Len(), 0))
		if err != nil {
			return "", err
		}
		if b.WriteString(text); !whole {
			b.WriteString("\n[…]\n")
			break
		}
	}
	return b.String(), nil
}

// quotable reads at most limit octets of a text part, and tells whether these
// are all.
func (p Part) quotable(limit int) (text string, whole bool, err error) {
	raw, err := io.ReadAll(io.LimitReader(p.Open(), int64(limit)+1))
	whole = len(raw) <= limit
	raw = raw[:min(len(raw), limit)]
	text, _ = decodeCharsetString(p.charset(raw), raw, true)
	text = strings.Map(lineRune, unixLines(text))
	t := p.Type()
	switch {
	case t.Is("text", "html"):
		text = htmlText(text)
	case strings.EqualFold(t.Param("format"), "flowed"):
		text = Flowed(text, strings.EqualFold(t.Param("delsp"), "yes"))
	}
	return text, whole, err
}

// lineRune leaves LF the only control character of a text, beside tabs.
func lineRune(r rune) rune {
	switch {
	case r == '\n', r == '\t':
		return r
	case isControl(r):
		return ' '
	}
	return r
}

// unixLines makes every line end an LF.
func unixLines(s string) string {
	if strings.IndexByte(s, '\r') < 0 {
		return s
	}
	return strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s)
}

package smtptest

import (
	"bytes"
	"strconv"
	"strings"
)

// formatReply writes a reply exactly as asked for: no enhanced code is made up.
func formatReply(code int, enh, text string) []byte {
	var b []byte
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		b = strconv.AppendInt(b, int64(code), 10)
		if i < len(lines)-1 {
			b = append(b, '-')
		} else {
			b = append(b, ' ')
		}
		if enh != "" {
			b = append(append(b, enh...), ' ')
		}
		b = append(append(b, l...), '\r', '\n')
	}
	return b
}

// code reads the code of a reply, 0 if it is none.
func replyCode(b []byte) int {
	if len(b) < 3 {
		return 0
	}
	n, err := strconv.Atoi(string(b[:3]))
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// lastLine reports whether a line ends its reply (RFC 5321 §4.2.1).
func lastLine(l []byte) bool { return len(l) < 4 || l[3] != '-' }

// firstHalf breaks off in the middle of a line.
func firstHalf(b []byte) []byte {
	b = bytes.TrimRight(b, "\r\n")
	return b[:(len(b)+1)/2]
}

// advertise puts lines into an EHLO reply, each in the place of the line with
// the same keyword, or at the end.
func advertise(reply []byte, lines []string) []byte {
	if len(lines) == 0 || replyCode(reply) != 250 {
		return reply
	}
	var text []string
	for l := range strings.SplitSeq(strings.TrimSuffix(string(reply), "\r\n"), "\r\n") {
		text = append(text, l[4:])
	}
	for _, add := range lines {
		text = replaceKeyword(text, add)
	}
	return formatReply(250, "", strings.Join(text, "\n"))
}

func replaceKeyword(text []string, add string) []string {
	word, _, _ := strings.Cut(add, " ")
	for i, l := range text {
		if old, _, _ := strings.Cut(l, " "); i > 0 && equalFold(old, word) {
			text[i] = add
			return text
		}
	}
	return append(text, add)
}

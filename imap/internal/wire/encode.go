package wire

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxQuoted is the longest quoted string that is sent: it is part of a line,
// and lines have limits.
const maxQuoted = 1024

// Quotable reports whether a quoted string can hold s; utf8ok says that the
// peer takes UTF-8 in it.
func Quotable(s string, utf8ok bool) bool {
	if len(s) > maxQuoted {
		return false
	}
	for i := range len(s) {
		if c := s[i]; classes[c]&textChar == 0 || c >= 0x80 && (!utf8ok || !utf8.ValidString(s)) {
			return false
		}
	}
	return true
}

// AppendQuoted appends s, which must be [Quotable], as a quoted string.
func AppendQuoted(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, s[i])
	}
	return append(dst, '"')
}

// AppendString appends s quoted where that can hold it, else as a literal. So
// whatever s is, it stays a string: no line of it becomes a response. NUL,
// which neither can hold, is left out. A client sends literals otherwise: see
// [AppendLiteralHeader].
func AppendString(dst []byte, s string, utf8ok bool) []byte {
	if Quotable(s, utf8ok) {
		return AppendQuoted(dst, s)
	}
	s = strings.ReplaceAll(s, "\x00", "")
	return append(AppendLiteralHeader(dst, Literal{Size: int64(len(s))}), s...)
}

// AppendNString is [AppendString], with NIL for what is not there.
func AppendNString(dst []byte, s string, ok, utf8ok bool) []byte {
	if !ok {
		return append(dst, "NIL"...)
	}
	return AppendString(dst, s, utf8ok)
}

// AppendAString appends s as an atom where it is one; NIL is none.
func AppendAString(dst []byte, s string, utf8ok bool) []byte {
	if is(s, astringChar) && !EqualFold(s, "NIL") {
		return append(dst, s...)
	}
	return AppendString(dst, s, utf8ok)
}

// AppendMailbox appends a mailbox name: as it is to a peer that takes UTF-8, in
// modified UTF-7 to others.
func AppendMailbox(dst []byte, name string, utf8ok bool) []byte {
	if !utf8ok {
		name = EncodeUTF7(name)
	}
	return AppendAString(dst, name, utf8ok)
}

// AppendLiteralHeader appends the announcement of a literal with its CRLF.
func AppendLiteralHeader(dst []byte, l Literal) []byte {
	if l.Binary {
		dst = append(dst, '~')
	}
	dst = append(dst, '{')
	dst = strconv.AppendInt(dst, l.Size, 10)
	if l.NonSync {
		dst = append(dst, '+')
	}
	return append(dst, "}\r\n"...)
}

// AppendText appends s as resp-text: what would end the line becomes a space.
func AppendText(dst []byte, s string) []byte {
	for i := range len(s) {
		c := s[i]
		if classes[c]&textChar == 0 {
			c = ' '
		}
		dst = append(dst, c)
	}
	return dst
}

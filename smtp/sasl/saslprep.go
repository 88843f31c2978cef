package sasl

import (
	"errors"
	"sort"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

var (
	errNotUTF8    = errors.New("sasl: not UTF-8")
	errProhibited = errors.New("sasl: has a character that SASLprep prohibits")
	errBidi       = errors.New("sasl: mixes right-to-left and left-to-right as SASLprep prohibits")
	errUnassigned = errors.New("sasl: has a character that Unicode 3.2, and so SASLprep, does not know")
	errLong       = errors.New("sasl: too long to prepare")
)

// Prepare brings a user name or password that was typed in or received into
// the one form in which it can be compared, by SASLprep (RFC 4013) as a
// "query" string: characters newer than Unicode 3.2, emoji among them, may
// stand in it. The error never quotes the string. Strings longer than
// [MaxMessage] are refused.
func Prepare(s string) (string, error) { return prepare(s, false) }

// PrepareStored is [Prepare] for "stored" strings, in which characters newer
// than Unicode 3.2 are refused (RFC 3454 §7). RFC 5802 §2.2 takes passwords
// for SCRAM as such.
func PrepareStored(s string) (string, error) { return prepare(s, true) }

func prepare(s string, stored bool) (string, error) {
	switch {
	case len(s) > MaxMessage:
		return "", errLong
	case isPrintable(s): // nothing below changes it
		return s, nil
	case !utf8.ValidString(s):
		return "", errNotUTF8
	}
	mapped := strings.Map(mapRune, s)     // RFC 4013 §2.1
	if stored && unassigned.any(mapped) { // RFC 4013 §2.5; before NFKC, whose tables are newer
		return "", errUnassigned
	}
	out := norm.NFKC.String(mapped) // RFC 4013 §2.2
	switch {
	case prohibited.any(out): // RFC 4013 §2.3
		return "", errProhibited
	case !isBidi(out): // RFC 4013 §2.4
		return "", errBidi
	}
	return out, nil
}

func isPrintable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

func mapRune(r rune) rune {
	switch {
	case nothing.has(r):
		return -1
	case spaces.has(r):
		return ' '
	}
	return r
}

// isBidi is RFC 3454 §6: if there is a right-to-left character, none may be
// left-to-right, and the first and the last must be right-to-left.
func isBidi(s string) bool {
	if !rightToLeft.any(s) {
		return true
	}
	first, _ := utf8.DecodeRuneInString(s)
	last, _ := utf8.DecodeLastRuneInString(s)
	return !leftToRight.any(s) && rightToLeft.has(first) && rightToLeft.has(last)
}

func (t runeRanges) has(r rune) bool {
	i := sort.Search(len(t), func(i int) bool { return t[i].hi >= r })
	return i < len(t) && t[i].lo <= r
}

func (t runeRanges) any(s string) bool {
	for _, r := range s {
		if t.has(r) {
			return true
		}
	}
	return false
}

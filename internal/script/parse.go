package script

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// kind says what an item of a script does.
type kind uint8

const (
	comment kind = iota
	line         // a line with CRLF
	raw          // exact bytes
	startTLS
	closing
)

// side is the one who acts in an item.
type side byte

const (
	nobody side = 0
	client side = 'C'
	server side = 'S'
)

// item is one line of the file.
type item struct {
	kind kind
	by   side
	text string // pattern, or the unquoted bytes of one repetition
	n    int    // repetitions of raw bytes
	src  string // the line as it stands in the file
	line int    // its number, from 1
}

// Script is a parsed dialogue. It is never changed after Parse and safe for
// concurrent use; the zero Script is an empty dialogue.
type Script struct {
	name  string
	items []item
}

// ReadFile parses the dialogue in a file.
func ReadFile(path string) (*Script, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, string(b))
}

// Parse parses a dialogue; name is for error messages. Lines may end in LF or
// CRLF.
func Parse(name, text string) (*Script, error) {
	s := &Script{name: name}
	var ended [2]bool // which side has closed: client, server
	n := 0
	for src := range strings.Lines(text) {
		n++
		src = strings.TrimSuffix(strings.TrimSuffix(src, "\n"), "\r")
		it, err := parseItem(src)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, n, err)
		}
		it.src, it.line = src, n
		switch {
		case it.kind == comment:
		case it.kind == closing && !ended[index(it.by)]:
			ended[index(it.by)] = true
		case ended[0] || ended[1]:
			return nil, fmt.Errorf("%s:%d: %q after the connection was closed", name, n, src)
		}
		s.items = append(s.items, it)
	}
	return s, nil
}

func index(by side) int {
	if by == server {
		return 1
	}
	return 0
}

func parseItem(src string) (item, error) {
	switch {
	case strings.TrimSpace(src) == "", src[0] == '#':
		return item{}, nil
	case src == "+TLS":
		return item{kind: startTLS}, nil
	case src == "-C", src == "-S":
		return item{kind: closing, by: side(src[1])}, nil
	case len(src) < 2 || src[0] != byte(client) && src[0] != byte(server):
		return item{}, fmt.Errorf("%q is no line of a dialogue", src)
	}
	by, rest := side(src[0]), src[2:]
	switch src[1] {
	case '#':
		return item{}, nil
	case ':':
		return item{kind: line, by: by, text: strings.TrimPrefix(rest, " ")}, nil
	case '!':
		return parseRaw(by, strings.TrimSpace(rest))
	}
	return item{}, fmt.Errorf("%q is no line of a dialogue", src)
}

// maxRaw bounds what a repetition may ask for, in bytes.
const maxRaw = 64 << 20

func parseRaw(by side, s string) (item, error) {
	q, err := strconv.QuotedPrefix(s)
	if err != nil {
		return item{}, fmt.Errorf("%s: not a Go string literal", s)
	}
	text, err := strconv.Unquote(q)
	if err != nil {
		return item{}, err
	}
	n := 1
	if count := strings.TrimSpace(s[len(q):]); count != "" {
		n, err = strconv.Atoi(count)
		if err != nil || n < 1 || n > maxRaw/max(1, len(text)) {
			return item{}, fmt.Errorf("%q: not a count, or more than %d bytes", count, maxRaw)
		}
	}
	return item{kind: raw, by: by, text: text, n: n}, nil
}

// bytes is what an item puts on the wire.
func (it item) bytes() string {
	if it.kind == raw {
		return strings.Repeat(it.text, it.n)
	}
	return literal(it.text) + "\r\n"
}

package imaptest

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/postilion-mail/postilion/internal/fake"
)

// protocol is IMAP as the fake needs to know it.
var protocol = fake.Protocol{
	Client: clientUnit,
	Server: func(b []byte) int { return unit(b, 0, true) },
	Stage: func(u []byte) (string, string) {
		_, verb, arg := cut(u)
		return verb, arg
	},
	Status: func(command, _, u []byte) fake.Status {
		tag, _, _ := cut(command)
		switch {
		case bytes.HasPrefix(u, []byte("+")):
			return fake.Asks
		case bytes.HasPrefix(u, []byte(tag+" ")):
			return fake.Over
		}
		return fake.More
	},
	Shown: shown,
	Fill: func(command, text []byte) []byte {
		tag, _, _ := cut(command)
		return bytes.ReplaceAll(text, []byte("$TAG"), []byte(tag))
	},
	Upgrades: func(command, reply []byte) bool {
		tag, verb, _ := cut(command)
		return verb == "STARTTLS" && bytes.Contains(reply, []byte(tag+" OK"))
	},
	Last: func(command, reply []byte) bool {
		tag, verb, _ := cut(command)
		return verb == "LOGOUT" && bytes.Contains(reply, []byte(tag+" OK"))
	},
}

// shown hides what a login is made of.
func shown(command, u []byte, answer bool) string {
	tag, verb, arg := cut(command)
	switch {
	case verb != "LOGIN" && verb != "AUTHENTICATE":
		return string(u)
	case answer && string(u) == "*\r\n":
		return string(u)
	case answer:
		return "[hidden]\r\n"
	case verb == "LOGIN":
		return tag + " LOGIN [hidden]\r\n"
	}
	mechanism, _, more := strings.Cut(arg, " ")
	if more {
		return tag + " AUTHENTICATE " + mechanism + " [hidden]\r\n"
	}
	return string(u)
}

// cut takes a command apart; a UID before the verb is left out.
func cut(u []byte) (tag, verb, arg string) {
	line, _, _ := strings.Cut(string(u), "\r\n")
	tag, rest, _ := strings.Cut(line, " ")
	verb, arg, _ = strings.Cut(rest, " ")
	if strings.EqualFold(verb, "UID") {
		verb, arg, _ = strings.Cut(arg, " ")
	}
	return tag, strings.ToUpper(verb), arg
}

// clientUnit cuts commands, and behind a "+" what goes on from a literal.
func clientUnit(before, b []byte) int {
	n, _, ok := literal(before)
	if !ok {
		n = 0
	}
	return unit(b, n, false)
}

// unit gives the octets of skip octets and a line, with the literals in it. A
// literal that must be asked for ends the unit of a client.
func unit(b []byte, skip int, server bool) int {
	at := skip
	for at <= len(b) {
		i := bytes.IndexByte(b[at:], '\n')
		if i < 0 {
			return 0
		}
		at += i + 1
		n, unasked, ok := literal(b[:at])
		if !ok || !server && !unasked {
			return at
		}
		at += n
	}
	return 0
}

// literal reports the announcement of a literal at the end of b.
func literal(b []byte) (n int, unasked, ok bool) {
	b = bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r"))
	if !bytes.HasSuffix(b, []byte("}")) {
		return 0, false, false
	}
	open := bytes.LastIndexByte(b, '{')
	if open < 0 {
		return 0, false, false
	}
	digits, unasked := strings.CutSuffix(string(b[open+1:len(b)-1]), "+")
	n, err := strconv.Atoi(digits)
	return n, unasked, err == nil && n >= 0
}

package imap

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/postilion-mail/postilion/mime"
)

// kept is what a message's kept fields look like.
func kept(header string) []byte {
	f := makeForms(mime.Parse([]byte(header+"\r\n\r\nx")), false)
	b, _ := f.field(formHeader)
	return b
}

func TestSearchKeptFields(t *testing.T) {
	for _, tc := range []struct {
		header, text  string
		matches, sure bool
	}{
		{"Subject: Hello", "hell", true, true},
		{"SUBJECT: Hello", "HELLO", true, true},
		{"Subject: Hello", "help", false, true},
		{"Subject: Hello\r\nTo: help@example.org", "help", false, true},
		{"To: help@example.org", "", false, true},
		{"Subject:", "", true, true},
		{"Subject:", "x", false, true},
		{"Subject: one\r\nSubject: two", "two", true, true},
		{"Subject: Hello\r\n help", "help", false, false},
		{"Subject : Hello", "hell", false, false},
		{"Subject: =?utf-8?q?hell?=", "utf", false, false},
		{"Subject: caf\xc3\xa9", "caf", false, false},
		{"Subject: a\tb", "a", false, false},
		{"Subject: cafe", "caf\u00e9", false, true},
		{"Subjects: Hello", "hell", false, true},
	} {
		k := &key{kind: keyHeader, field: "Subject", text: tc.text, needle: newNeedle(tc.text)}
		matches, sure := k.inKept(kept(tc.header))
		assert.Equal(t, [2]bool{tc.matches, tc.sure}, [2]bool{matches, sure}, "%q in %q", tc.text, tc.header)
	}
	_, sure := (&key{field: "Subject"}).inKept(nil)
	assert.False(t, sure, "nothing is kept")
}

// FuzzSearchKept: what is found without parsing is what parsing finds.
func FuzzSearchKept(f *testing.F) {
	f.Add("Subject: Hello\r\nTo: joe@example.org", "hello")
	f.Add("subject: =?utf-8?q?x?=\nSubject: a\r\n b", "a b")
	f.Add("Subject\t: x\r\nSubject:\x00", "")
	f.Fuzz(func(t *testing.T, header, text string) {
		if strings.Contains(header, "\n\n") || strings.Contains(header, "\n\r\n") {
			return
		}
		k := &key{kind: keyHeader, field: "Subject", text: text, needle: newNeedle(text)}
		b := kept(header)
		if matches, sure := k.inKept(b); sure {
			assert.Equal(t, k.inField(mime.Parse(b).Header()), matches, "%q in %q", text, b)
		}
	})
}

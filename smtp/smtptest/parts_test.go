package smtptest

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestStageOf(t *testing.T) {
	for _, tc := range []struct {
		line string
		st   Stage
		arg  string
	}{
		{"EHLO crepes.fr", EHLO, "crepes.fr"},
		{"lhlo crepes.fr", EHLO, "crepes.fr"},
		{"HELO  crepes.fr ", HELO, "crepes.fr"},
		{"STARTTLS", STARTTLS, ""},
		{"AUTH PLAIN AGEAYg==", AUTH, "PLAIN AGEAYg=="},
		{"MAIL FROM:<alice@crepes.fr> SIZE=10", MAIL, "alice@crepes.fr> SIZE=10"},
		{"mail from: <alice@crepes.fr>", MAIL, "alice@crepes.fr>"},
		{"MAIL FROM:<>", MAIL, ">"},
		{"RCPT TO:<bob@hamburger.edu>", RCPT, "bob@hamburger.edu>"},
		{"RCPT", RCPT, ""},
		{"DATA", DATA, ""},
		{"BDAT 10 LAST", DATA, "10 LAST"},
		{"RSET", RSET, ""},
		{"NOOP hi", NOOP, "hi"},
		{"VRFY bob", VRFY, "bob"},
		{"EXPN staff", VRFY, "staff"},
		{"QUIT", QUIT, ""},
		{"QUIT ", QUIT, ""},
		{"QUITE", Other, "QUITE"},
		{"XFORWARD NAME=a", Other, "XFORWARD NAME=a"},
		{"", Other, ""},
	} {
		st, arg := stageOf(tc.line)
		assert.Equal(t, tc.st, st, tc.line)
		assert.Equal(t, tc.arg, arg, tc.line)
	}
}

func TestFits(t *testing.T) {
	for _, tc := range []struct {
		fault Fault
		st    Stage
		arg   string
		want  bool
	}{
		{Fault{stage: RCPT, left: -1}, RCPT, "bob@x>", true},
		{Fault{stage: RCPT, left: -1}, MAIL, "bob@x>", false},
		{Fault{stage: RCPT, left: 0}, RCPT, "bob@x>", false},
		{Fault{stage: RCPT, left: 1, prefix: "BOB@"}, RCPT, "bob@x>", true},
		{Fault{stage: RCPT, left: 1, prefix: "bob@x>"}, RCPT, "bob@x.y>", false},
		{Fault{stage: RCPT, left: 1, prefix: "bob@x.y>"}, RCPT, "bob", false},
		{Fault{stage: RCPT, left: 1, prefix: "\u017f"}, RCPT, "s", false}, // no folding beyond ASCII
		{Fault{stage: Body, left: -1}, Body, chaosOnly, false},
	} {
		assert.Equal(t, tc.want, tc.fault.fits(tc.st, tc.arg), "%+v %v %q", tc.fault, tc.st, tc.arg)
	}
}

func TestFormatReply(t *testing.T) {
	for _, tc := range []struct {
		code      int
		enh, text string
		want      string
	}{
		{250, "", "", "250 \r\n"},
		{250, "2.0.0", "OK", "250 2.0.0 OK\r\n"},
		{550, "5.1.1", "no\nsuch\nuser", "550-5.1.1 no\r\n550-5.1.1 such\r\n550 5.1.1 user\r\n"},
		{354, "", "go on", "354 go on\r\n"},
		{999, "", "what", "999 what\r\n"}, // exact, even where it is no reply
	} {
		assert.Equal(t, tc.want, string(formatReply(tc.code, tc.enh, tc.text)))
	}
}

func TestReplyCode(t *testing.T) {
	for in, want := range map[string]int{"250 ok": 250, "250": 250, "25": 0, "": 0, "abc": 0, "-12 x": 0, garbage: 0} {
		assert.Equal(t, want, replyCode([]byte(in)), in)
	}
}

func TestLastLine(t *testing.T) {
	for in, want := range map[string]bool{"250-more\r\n": false, "250 last\r\n": true, "250\r\n": true, "2": true} {
		assert.Equal(t, want, lastLine([]byte(in)), in)
	}
}

func TestFirstHalf(t *testing.T) {
	for in, want := range map[string]string{"250 OK\r\n": "250", "250-a\r\n250 b\r\n": "250-a\r", "": "", "\r\n": ""} {
		assert.Equal(t, want, string(firstHalf([]byte(in))), in)
	}
}

func TestAdvertiseReplaces(t *testing.T) {
	reply := formatReply(250, "", "mx.example.org greets you\nSIZE 1000\nAUTH PLAIN\nHELP")
	for _, tc := range []struct {
		add  []string
		want string
	}{
		{nil, "mx.example.org greets you\nSIZE 1000\nAUTH PLAIN\nHELP"},
		{[]string{"size 5"}, "mx.example.org greets you\nsize 5\nAUTH PLAIN\nHELP"},
		{[]string{"XNEW", "XNEW 2"}, "mx.example.org greets you\nSIZE 1000\nAUTH PLAIN\nHELP\nXNEW 2"},
		{[]string{"mx.example.org"}, "mx.example.org greets you\nSIZE 1000\nAUTH PLAIN\nHELP\nmx.example.org"},
	} {
		assert.Equal(t, string(formatReply(250, "", tc.want)), string(advertise(reply, tc.add)), "%q", tc.add)
	}
	refused := formatReply(502, "", "no")
	assert.Equal(t, refused, advertise(refused, []string{"XNEW"}))
}

func TestParseBDAT(t *testing.T) {
	for _, tc := range []struct {
		arg  string
		n    int64
		last bool
		ok   bool
	}{
		{"0", 0, false, true},
		{"10 LAST", 10, true, true},
		{"10 last ", 10, true, true},
		{"10 FIRST", 0, false, false},
		{"-1", -1, false, false},
		{"99999999999999999999", 0, false, false},
		{"", 0, false, false},
	} {
		n, last, ok := parseBDAT(tc.arg)
		assert.Equal(t, tc.ok, ok, tc.arg)
		if ok {
			assert.Equal(t, tc.n, n, tc.arg)
			assert.Equal(t, tc.last, last, tc.arg)
		}
	}
}

func TestRefuses(t *testing.T) {
	for text, want := range map[string]bool{"250 ok\r\n": false, "354 go\r\n": false, "451 no\r\n": true, "550 no\r\n": true, garbage: true, "": true} {
		a := action{output: scripted, text: []byte(text)}
		assert.Equal(t, want, a.refuses(), "%q", text)
	}
	assert.False(t, (&action{}).refuses())
	assert.False(t, (&action{output: half, ending: dropFIN}).refuses())
	assert.NoError(t, (*action)(nil).refusal())
	assert.EqualError(t, (&action{output: scripted, text: []byte("552 x\r\n")}).refusal(), "smtp: 552 refused by a fault of EndOfData")
	assert.ErrorContains(t, (&action{output: scripted, text: []byte(garbage)}).refusal(), "451")
}

// TestMisfortunes: chaos knows all its kinds, refuses nothing for good, and
// says nothing where nobody listens.
func TestMisfortunes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for st := Connect; st <= Other; st++ {
		kinds := map[string]bool{}
		for range 200 {
			a := misfortune(r, st)
			kinds[fmt.Sprint(a.output, a.ending, replyCode(a.text))] = true
			if code := replyCode(a.text); code != 0 {
				assert.Contains(t, []int{421, 451}, code)
			}
			if st == Connect || st == TLS || st == Body {
				assert.Equal(t, nothing, a.output, "%v", st)
			}
		}
		assert.GreaterOrEqual(t, len(kinds), 2, "%v", st)
	}
}

// TestTransferFollows: what counts is what the server took.
func TestTransferFollows(t *testing.T) {
	var m transfer
	m.follow(MAIL, "a@b.c> PRDR SIZE=1", true, true)
	assert.True(t, m.prdr)
	m.follow(RCPT, "d@e.f> NOTIFY=NEVER", true, true)
	m.follow(RCPT, "no@e.f>", true, false)
	assert.Equal(t, []string{"d@e.f"}, m.to)
	m.follow(RSET, "", true, false)
	assert.Len(t, m.to, 1)
	m.follow(RSET, "", true, true)
	assert.Empty(t, m.to)
	m.follow(MAIL, "prdr@b.c>", true, true)
	assert.False(t, m.prdr)
}

func TestDotScanner(t *testing.T) {
	for in, want := range map[string]int{
		".\r\n": 3, "\r\n.\r\n": 5, "a\r\n.\r\nb": 6, "..\r\n": -1, "\n.\n": -1, "\r.\r": -1, "\r\n.\n": -1, "\r\n.\r": -1,
		"\r\r\n.\r\n": 6, "\r\n.\r\r\n": -1, "\r\n.\r\n\r\n.\r\n": 5, ".\r.\r\n": -1, "": -1,
	} {
		var s dotScanner
		n, end := s.scan([]byte(in))
		if !end {
			n = -1
		}
		assert.Equal(t, want, n, "%q", in)
	}
}

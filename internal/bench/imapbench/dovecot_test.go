package imapbench

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/postilion-mail/postilion/imap"
	"github.com/postilion-mail/postilion/internal/bench/dovecot"
	"github.com/postilion-mail/postilion/smtp/sasl"
	"github.com/postilion-mail/postilion/spool/mailbox"
	"github.com/postilion-mail/postilion/spool/mailbox/memory"
)

// lines is a client that knows lines and literals, and nothing else.
type lines struct {
	conn net.Conn
	r    *bufio.Reader
	tag  int
}

func dialLines(t testing.TB, addr string, buffer int) *lines {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	l := &lines{conn: c, r: bufio.NewReaderSize(c, buffer)}
	_ = c.SetDeadline(time.Now().Add(5 * time.Minute))
	if _, err := l.response(); err != nil {
		t.Fatal(err)
	}
	return l
}

// response reads one response. Literals become quoted strings, so that it does
// not matter which of the two a server prefers.
func (l *lines) response() (string, error) {
	var b strings.Builder
	for {
		s, err := l.r.ReadString('\n')
		if err != nil {
			return "", err
		}
		s = strings.TrimSuffix(s, "\r\n")
		i := strings.LastIndexByte(s, '{')
		if i < 0 || !strings.HasSuffix(s, "}") {
			b.WriteString(s)
			return b.String(), nil
		}
		n, err := strconv.Atoi(s[i+1 : len(s)-1])
		if err != nil {
			b.WriteString(s)
			return b.String(), nil
		}
		octets := make([]byte, n)
		if _, err := io.ReadFull(l.r, octets); err != nil {
			return "", err
		}
		text := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(string(octets))
		b.WriteString(strings.TrimSuffix(s[:i], "~") + `"` + text + `"`)
	}
}

// do returns the untagged responses and the word of the reply.
func (l *lines) do(t testing.TB, command string) ([]string, string) {
	t.Helper()
	l.tag++
	tag := fmt.Sprintf("t%d ", l.tag)
	if _, err := io.WriteString(l.conn, tag+command+"\r\n"); err != nil {
		t.Fatal(err)
	}
	var out []string
	for {
		s, err := l.response()
		if err != nil {
			t.Fatalf("%s: %v", command[:min(len(command), 100)], err)
		}
		if rest, is := strings.CutPrefix(s, tag); is {
			word, _, _ := strings.Cut(rest, " ")
			return out, word
		}
		out = append(out, s)
	}
}

// ourServer serves a store in memory on a port.
func ourServer(t testing.TB, store mailbox.Store) string {
	t.Helper()
	s := &imap.Server{
		Auth:         &sasl.Authenticator{Password: func(context.Context, sasl.Login, string) error { return nil }},
		InsecureAuth: true,
		Open:         func(context.Context, string) (mailbox.Store, error) { return store, nil },
		Limits:       imap.Limits{Conns: -1, ConnsPerIP: -1},
		Now:          func() time.Time { return time.Now().UTC() },
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return l.Addr().String()
}

// A sample is a message and what it is called.
type sample struct {
	name string
	text []byte
}

// TestDovecotAgrees: both servers get the same mail and the same commands, and
// say the same, whatever form they say it in.
func TestDovecotAgrees(t *testing.T) {
	for _, d := range differences(t, mailOf(ownMail)) {
		t.Error(d)
	}
}

// A difference is a response of ours that is not Dovecot's.
type difference struct {
	command    string
	message    string // its sample, or "" where the response is about all
	ours, them string
}

func (d difference) String() string {
	return fmt.Sprintf("%s %.80s\n ours    %s\n Dovecot %s", d.message, d.command, clip(d.ours, d.them), clip(d.them, d.ours))
}

// differences gives both servers the mail and asks them all commands.
func differences(t *testing.T, mail []sample) (out []difference) {
	t.Helper()
	d := dovecot.Start(t)
	if err := os.MkdirAll(d.Mail, 0o755); err != nil {
		t.Fatal(err)
	}
	d.Give(t)
	theirs, ours := dialLines(t, d.IMAP, 1<<20), dialLines(t, ourServer(t, &memory.Store{MaxBytes: -1}), 1<<20)
	both := func(command string) {
		for _, l := range []*lines{theirs, ours} {
			if _, word := l.do(t, command); word != "OK" {
				t.Fatalf("%s: %s", command[:min(len(command), 60)], word)
			}
		}
	}
	both("LOGIN bob " + dovecot.Password)
	for i, m := range mail {
		both(fmt.Sprintf("APPEND INBOX \"%02d-Feb-2024 10:00:%02d +0000\" {%d+}\r\n%s", (i+1)%28+1, (i+1)%60, len(m.text), m.text))
	}
	both("SELECT INBOX")
	both(`STORE 2:4 +FLAGS (\Flagged $Work)`)
	both(`STORE 3:7 +FLAGS (\Seen)`)
	ask := func(command string) []string {
		got, word := ours.do(t, command)
		want, wanted := theirs.do(t, command)
		got, want = comparable(got), comparable(want)
		if word != wanted {
			t.Errorf("%s: %s, Dovecot %s", command, word, wanted)
		}
		if len(got) != len(want) {
			t.Errorf("%s: %d responses, Dovecot %d", command, len(got), len(want))
			return nil
		}
		for i := range got {
			if got[i] != want[i] {
				out = append(out, difference{command, named(got[i], mail), got[i], want[i]})
			}
		}
		return want
	}
	for _, command := range commandsToCompare {
		ask(command)
	}
	// Part 1.1 is there if part 1 is a multipart, and for nobody else: RFC 9051
	// §6.4.5.1, where Dovecot gives part 1 once more.
	var nested []string
	for _, r := range ask("FETCH 1:* BODY") {
		if number, _, is := strings.Cut(strings.TrimPrefix(r, "* "), " FETCH (BODY ((("); is {
			nested = append(nested, number)
		}
	}
	if len(nested) == 0 {
		t.Fatal("no multipart within one")
	}
	for _, section := range []string{"1.1", "1.1.MIME", "1.2", "1.2.MIME"} {
		ask("FETCH " + strings.Join(nested, ",") + " BODY.PEEK[" + section + "]")
	}
	t.Logf("%d messages, %d of them nested, %d differences", len(mail), len(nested), len(out))
	return out
}

// named is the message that a FETCH response is about, or "".
func named(response string, mail []sample) string {
	number, _, is := strings.Cut(strings.TrimPrefix(response, "* "), " FETCH ")
	n, err := strconv.Atoi(number)
	if !is || err != nil || n < 1 || n > len(mail) {
		return ""
	}
	return mail[n-1].name
}

// clip shows where two texts part.
func clip(a, b string) string {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	i = max(0, i-60)
	return fmt.Sprintf("%.20q … %.200q", a, a[i:])
}

// comparable leaves what is to be the same: no responses about the state of the
// mailbox, no case where it does not count.
func comparable(responses []string) (out []string) {
	for _, r := range responses {
		if strings.Contains(r, " FETCH ") || strings.Contains(r, "SEARCH") || strings.Contains(r, "SORT") || strings.Contains(r, "THREAD") {
			out = append(out, sameForm.Replace(spaces.ReplaceAllString(r, " ")))
		}
	}
	return out
}

// What servers may write either way: a day of one digit, a host that is missing,
// one language, a section that is not there; and what Dovecot makes of white
// space that was folded.
var (
	sameForm = strings.NewReplacer(`\Recent `, "", `" 1-`, `"01-`, `" 2-`, `"02-`, `" 3-`, `"03-`, `" 4-`, `"04-`, `" 5-`, `"05-`, `" 6-`, `"06-`, `" 7-`, `"07-`, `" 8-`, `"08-`, `" 9-`, `"09-`,
		` "MISSING_DOMAIN")`, ` "")`, ` "MISSING_MAILBOX"`, ` ""`, ` "en") `, ` ("en") `, "] NIL)", `] "")`, ` ("en") NIL)`, ` "en" NIL)`)
	spaces = regexp.MustCompile(`[ \t]+`)
)

var commandsToCompare = []string{
	"FETCH 1:* (UID RFC822.SIZE)",
	"FETCH 1:* INTERNALDATE",
	"FETCH 1:* ENVELOPE",
	"FETCH 1:* BODYSTRUCTURE",
	"FETCH 1:* BODY.PEEK[HEADER]",
	"FETCH 1:* BODY.PEEK[TEXT]",
	"FETCH 1:* BODY.PEEK[TEXT]<10.50>",
	"FETCH 1:* BODY.PEEK[HEADER.FIELDS (FROM TO SUBJECT DATE CC MESSAGE-ID)]",
	"FETCH 1:* BODY.PEEK[HEADER.FIELDS.NOT (RECEIVED TO FROM)]",
	"FETCH 1:* BODY.PEEK[1]",
	"FETCH 1:* BODY.PEEK[1.MIME]",
	"FETCH 1:* BODY.PEEK[2]",
	"FETCH 1:* BODY.PEEK[2.MIME]",
	"FETCH 1:* BODY.PEEK[2.HEADER]",
	"FETCH 1:* BODY.PEEK[2.TEXT]",
	"FETCH 1:* BODY.PEEK[]",
	"FETCH 1:* BODY.PEEK[]<0.100>",
	"SEARCH FROM a", "SEARCH TO example", "SEARCH SUBJECT re", "SEARCH CC a", "SEARCH TEXT hello", "SEARCH BODY the", "SEARCH HEADER Message-ID \"\"",
	"SEARCH 1:2 SENTSINCE 8-Feb-1994", "SEARCH 1:2 SENTBEFORE 8-Feb-1994", "SEARCH SINCE 10-Feb-2024", "SEARCH ON 3-Feb-2024", "SEARCH LARGER 2000 SMALLER 9000",
	"SEARCH OR SEEN FLAGGED", "SEARCH NOT KEYWORD $Work 1:10", "SEARCH RETURN (MIN MAX COUNT ALL) SEEN", "SEARCH RETURN (COUNT) TEXT nothinglikethis",
	"SEARCH CHARSET UTF-8 SUBJECT {2+}\r\nü",
	"SORT (SUBJECT) UTF-8 ALL", "SORT (DATE) UTF-8 ALL", "SORT (FROM) UTF-8 ALL", "SORT (TO) UTF-8 ALL", "SORT (CC) UTF-8 ALL", "SORT (REVERSE SIZE) UTF-8 ALL", "SORT (ARRIVAL) UTF-8 ALL",
	"SORT (DISPLAYFROM) UTF-8 ALL", "SORT (DISPLAYTO) UTF-8 ALL",
	"THREAD REFERENCES UTF-8 ALL",
	// A date that only one of the two can read makes the other's thread begin
	// with another message.
	"THREAD ORDEREDSUBJECT UTF-8 NOT HEADER DATE \"00:01+0000\"",
}

// mailOf gives texts the line ends of the wire.
func mailOf(texts []string) (out []sample) {
	for i, text := range texts {
		out = append(out, sample{strconv.Itoa(i), []byte(strings.ReplaceAll(text, "\n", "\r\n"))})
	}
	return out
}

// ownMail has what servers have told differently before.
var ownMail = []string{
	"Date: Mon, 7 Feb 1994 21:52:25 -0800\nFrom: Fred Foobar <foobar@blurdybloop.example>\nSubject: afternoon meeting\nTo: mooch@owatagu.example\nMessage-Id: <1@x>\n\nHello Joe\n",
	"Date: Tue, 8 Feb 1994 21:52:25 +0100\nFrom: \"A \\\"B\\\" C\" <a@b.example>\nSubject: Re: afternoon meeting\nTo: Group: x@y.example, z@y.example;, o@p.example\nCc: undisclosed:;\nMessage-Id: <2@x>\nReferences: <1@x>\n\nhello again\n",
	"From: a@b.example (Comment Name)\nSubject: [list] Fwd: other (fwd)\nMessage-Id: <3@x>\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\nContent-Type: message/rfc822\n\nSubject: inner\nFrom: i@n.example\n\ninner text\n--b--\n",
	"From: =?utf-8?q?J=C3=BCrgen?= <j@x.example>\nSubject: =?utf-8?b?R3LDvMOfZQ==?= aus\n =?utf-8?q?_K=C3=B6ln?=\nMessage-Id: <4@x>\nIn-Reply-To: <gone@x>\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\nhell=\no w=C3=B6rld\n",
	"From: x@y.example\nSubject: re: afternoon   meeting\nMessage-Id: <5@x>\nReferences: <gone@x>\nContent-Type: multipart/alternative; boundary=\"b b\"\n\n--b b\nContent-Type: text/plain; format=flowed; charset=\"us-ascii\"\nContent-Language: en\n\na\n--b b\nContent-Type: text/html\nContent-Disposition: inline; filename*=utf-8''x%20y\nContent-Id: <c@d>\nContent-Description: what\nContent-Md5: abc\nContent-Location: here\n\n<p>a\n--b b--\n",
	"Subject:\nFrom:\nTo: MAILER-DAEMON\nDate: nonsense\n\n",
	"From: <@route.example:a@b.example>\nTo: \"q p\"@r.example\nSubject: x\n\tfolded\nContent-Type: image/png; name=\"a;b\"\nContent-Transfer-Encoding: BASE64\n\nAAECAwQF\n",
	"From: a@b.example\nSubject: digest\nMIME-Version: 1.0\nContent-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: one\n\n1\n--b\n\nSubject: two\n\n2\n--b--\n",
	"From: a@b.example\nSubject: nested\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/alternative; boundary=c\n\n--c\n\none\n--c\nContent-Type: text/html\n\n<p>one\n--c--\n\n--b\nContent-Type: a/b; name*0=\"x \"; name*1=y\n\ntwo\n--b--\n",
}

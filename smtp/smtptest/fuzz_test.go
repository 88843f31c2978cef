package smtptest

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/postilion-mail/postilion/internal/memnet"
	"github.com/postilion-mail/postilion/internal/script"
)

// FuzzStage: a command belongs to one stage, whatever the case of its verb, and
// its argument stands in the line.
func FuzzStage(f *testing.F) {
	for _, l := range []string{"MAIL FROM:<a@b.c> SIZE=1", "rcpt to: <bob@x>", "BDAT 10 LAST", "EHLO x", "", " ", "MAIL", "AUTH PLAIN AGEAYg==", "XCLIENT ADDR=1"} {
		f.Add(l)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if strings.Contains(line, "\n") {
			return // that is two lines
		}
		st, arg := stageOf(line)
		if !strings.Contains(line, arg) {
			t.Errorf("%q: argument %q is not in it", line, arg)
		}
		verb, rest, ok := strings.Cut(line, " ")
		swapped := strings.Map(swapCase, verb)
		if ok {
			swapped += " " + rest
		}
		if again, other := stageOf(swapped); again != st || st != Other && other != arg {
			t.Errorf("%q is %v %q, but %q is %v %q", line, st, arg, swapped, again, other)
		}
		fault := &Fault{stage: st, prefix: arg, left: -1}
		if !fault.fits(st, arg) || (&Fault{stage: st, prefix: arg + "x", left: -1}).fits(st, arg) {
			t.Errorf("%q: %q does not fit itself, or fits what is longer", line, arg)
		}
	})
}

func swapCase(r rune) rune {
	switch {
	case 'a' <= r && r <= 'z':
		return r - 'a' + 'A'
	case 'A' <= r && r <= 'Z':
		return r - 'A' + 'a'
	}
	return r
}

// FuzzDotScanner: the end of a message is where CRLF "." CRLF first stands, in
// whatever pieces it comes.
func FuzzDotScanner(f *testing.F) {
	for _, s := range []string{".\r\n", "a\r\n.\r\nb", "\r\r\n.\r\n", "\n.\n", "..\r\n.\r\n", "\r\n.\r.\r\n"} {
		f.Add([]byte(s), uint8(1))
	}
	f.Fuzz(func(t *testing.T, b []byte, size uint8) {
		want := bytes.Index(append([]byte("\r\n"), b...), []byte("\r\n.\r\n"))
		if want >= 0 {
			want += len("\r\n.\r\n") - len("\r\n")
		}
		var s dotScanner
		at, step := 0, max(int(size), 1)
		for at < len(b) {
			n, end := s.scan(b[at:min(at+step, len(b))])
			if at += n; end {
				if at != want {
					t.Fatalf("%q ends at %d, not %d", b, at, want)
				}
				return
			}
		}
		if want >= 0 {
			t.Fatalf("%q ends at %d, which was not seen", b, want)
		}
	})
}

// FuzzTranscript: whatever a message holds, its transcript does not depend on
// the pieces it came in, and can be read and compared with itself.
func FuzzTranscript(f *testing.F) {
	f.Add([]byte("Subject: *\r\n\r\n** text\x00\xff\nno end"), uint8(3))
	f.Add([]byte("-C\r\n+TLS\r\n# no comment\r\n"), uint8(1))
	f.Fuzz(func(t *testing.T, b []byte, size uint8) {
		whole := notesOf(b, len(b)+1)
		if parts := notesOf(b, max(int(size), 1)); parts != whole {
			t.Fatalf("%q\nis not\n%q", parts, whole)
		}
		s, err := script.Parse("whole", whole)
		if err != nil {
			t.Fatal(err)
		}
		if err := script.Compare(s, whole); err != nil {
			t.Fatal(err)
		}
	})
}

func notesOf(b []byte, step int) string {
	var notes script.Transcript
	var body bodyNotes
	for len(b) > 0 {
		n := min(step, len(b))
		body.add(&notes, b[:n])
		b = b[n:]
	}
	body.end(&notes)
	return notes.String()
}

// FuzzAdvertise: a reply to EHLO stays a reply, and holds what was added.
func FuzzAdvertise(f *testing.F) {
	f.Add("mx\nSIZE 10\nPIPELINING", "SIZE 20")
	f.Add("mx", "X-NEW")
	f.Fuzz(func(t *testing.T, text, add string) {
		if strings.ContainsAny(text+add, "\r") || strings.Contains(add, "\n") {
			t.Skip()
		}
		got := advertise(formatReply(250, "", text), []string{add})
		lines := strings.SplitAfter(string(got), "\r\n")
		if lines[len(lines)-1] != "" {
			t.Fatalf("%q does not end in CRLF", got)
		}
		found := false
		for i, l := range lines[:len(lines)-1] {
			if replyCode([]byte(l)) != 250 || lastLine([]byte(l)) != (i == len(lines)-2) {
				t.Fatalf("%q: line %d", got, i)
			}
			found = found || strings.TrimSuffix(l[4:], "\r\n") == add
		}
		if !found {
			t.Fatalf("%q lacks %q", got, add)
		}
	})
}

// FuzzDialogue: whatever a client sends, the fake comes to an end with it, and
// its transcript can be read.
func FuzzDialogue(f *testing.F) {
	f.Add([]byte("EHLO a\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\nDATA\r\nhi\r\n.\r\nQUIT\r\n"), uint64(0))
	f.Add([]byte("EHLO a\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\nBDAT 3\r\nhi\nBDAT 0 LAST\r\n"), uint64(7))
	f.Add([]byte("EHLO a\r\nSTARTTLS\r\nNOOP\r\n"), uint64(1))
	f.Add([]byte("EHLO a\r\nSTARTTLS\r\n"), uint64(2))
	f.Fuzz(func(t *testing.T, sent []byte, seed uint64) {
		srv := NewPipe(t)
		srv.Chaos(seed, float64(seed%3)/10)
		srv.On(Body).At(int64(seed % 10)).Delay(time.Microsecond)
		c, err := srv.Dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			_, _ = c.Write(sent)
			_ = c.(*memnet.Conn).CloseWrite()
		}()
		_, _ = io.Copy(io.Discard, c)
		c.Close()
		for _, text := range srv.transcripts() {
			if _, err := script.Parse("transcript", text); err != nil {
				t.Fatal(err)
			}
		}
	})
}

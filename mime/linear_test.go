package mime

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// bombs make input that costs quadratic time somewhere, for a parameter n.
var bombs = []struct {
	name string
	n    int
	make func(n int) []byte
}{
	{"deep multiparts", 4000, func(n int) []byte {
		var b bytes.Buffer
		for i := range n {
			fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
		}
		return b.Bytes()
	}},
	{"deep messages", 20_000, func(n int) []byte {
		return bytes.Repeat([]byte("Content-Type: message/rfc822\r\n\r\n"), n)
	}},
	{"many parts", 50_000, func(n int) []byte {
		return append([]byte("Content-Type: multipart/mixed; boundary=b\r\n\r\n"), bytes.Repeat([]byte("--b\r\n\r\nx\r\n"), n)...)
	}},
	{"absent boundaries", 9_000, func(n int) []byte {
		var b bytes.Buffer
		b.WriteString("Content-Type: multipart/mixed; boundary=b\r\n\r\n")
		for i := range n {
			fmt.Fprintf(&b, "--b\r\nContent-Type: multipart/mixed; boundary=absent%d\r\n\r\ntext\r\n", i)
		}
		return b.Bytes()
	}},
	{"depth times lines", 200_000, func(n int) []byte {
		var b bytes.Buffer
		for i := range 99 {
			fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
		}
		b.WriteString("\r\n")
		b.Write(bytes.Repeat([]byte("--x\r\n"), n))
		return b.Bytes()
	}},
	{"header lines like delimiters", 30_000, func(n int) []byte {
		return append([]byte("Content-Type: multipart/mixed; x=\""+strings.Repeat("y", n)+"\"\r\n"), bytes.Repeat([]byte("--x: y\r\n"), n/2)...)
	}},
	{"addresses", 40_000, func(n int) []byte { return oneField("To", strings.Repeat("Bob <bob@hamburger.edu>, ", n)) }},
	{"addresses without commas", 40_000, func(n int) []byte { return oneField("To", strings.Repeat("bob@hamburger.edu ", n)) }},
	{"parentheses", 100_000, func(n int) []byte { return oneField("To", strings.Repeat("(", n)) }},
	{"backslashes and quotes", 100_000, func(n int) []byte { return oneField("To", strings.Repeat(`"\\`, n)) }},
	{"open brackets", 100_000, func(n int) []byte { return oneField("To", strings.Repeat("<", n)) }},
	{"domain literals", 300_000, func(n int) []byte { return oneField("To", strings.Repeat("[", n)) }},
	{"half words", 150_000, func(n int) []byte { return oneField("To", strings.Repeat("=?x?q?", n)) }},
	{"half words in a subject", 150_000, func(n int) []byte { return oneField("Subject", strings.Repeat("=?x?y?", n)) }},
	{"one-letter words", 50_000, func(n int) []byte { return oneField("Subject", strings.Repeat("=?utf-8?b?YQ?= ", n)) }},
	{"parameters in pieces", 60_000, func(n int) []byte { return oneField("Content-Type", "a/b"+strings.Repeat("; a*1=b", n)) }},
	{"parameters", 60_000, func(n int) []byte { return oneField("Content-Type", "a/b"+strings.Repeat("; a=b", n)) }},
	{"pieces", 60_000, func(n int) []byte { return oneField("Content-Type", "a/b"+strings.Repeat("; a*999999999=b", n)) }},
	{"words before a parameter", 200_000, func(n int) []byte { return oneField("Content-Type", "a/b; c="+strings.Repeat("d ", n)) }},
	{"message ids", 100_000, func(n int) []byte { return oneField("References", strings.Repeat("<a@b ", n)) }},
	{"date", 300_000, func(n int) []byte { return oneField("Date", strings.Repeat("1 ", n)) }},
	{"trace", 100_000, func(n int) []byte { return oneField("Received", strings.Repeat("from for with ", n)) }},
	{"blanks in quoted-printable", 1_000_000, func(n int) []byte {
		return append([]byte("Content-Transfer-Encoding: quoted-printable\r\n\r\n"), bytes.Repeat([]byte(" "), n)...)
	}},
	{"equal signs", 1_000_000, func(n int) []byte {
		return append([]byte("Content-Transfer-Encoding: quoted-printable\r\n\r\n"), bytes.Repeat([]byte("="), n)...)
	}},
	{"padding", 500_000, func(n int) []byte {
		return append([]byte("Content-Transfer-Encoding: base64\r\n\r\n"), bytes.Repeat([]byte("YQ=="), n)...)
	}},
}

func oneField(name, value string) []byte { return []byte(name + ": " + value + "\r\n\r\nbody\r\n") }

// useAll asks a message for all it can tell.
func useAll(m *Message) {
	m.Inspect()
	m.TextBody()
	m.Preview(0)
	m.AppendBodyStructure(nil, true)
	m.AppendEnvelope(nil)
	for _, p := range m.Walk() {
		h := p.Header()
		h.Groups("To")
		for range h.References() {
		}
		for range h.Received() {
		}
		p.Filename()
		io.Copy(io.Discard, p.Open())
	}
}

// TestLinearTime compares the time for n with that for 2n. A linear parser
// takes twice as long, a quadratic one four times; the best of some attempts
// counts, since other programs run as well.
func TestLinearTime(t *testing.T) {
	if testing.Short() {
		t.Skip("measures time")
	}
	limits := Limits{HeaderBytes: 64 << 20, Fields: 1 << 20}
	for _, bomb := range bombs {
		t.Run(bomb.name, func(t *testing.T) {
			one, two := bomb.make(bomb.n), bomb.make(2*bomb.n)
			measure := func(b []byte) time.Duration {
				start := time.Now()
				useAll(Parser{Limits: limits}.Parse(b))
				return time.Since(start)
			}
			var ratios []float64
			for range 30 {
				ratio := float64(measure(two)) / float64(max(measure(one), time.Millisecond))
				if ratio < 2.6 {
					return
				}
				ratios = append(ratios, ratio)
			}
			t.Errorf("twice the input takes %.1f times as long", slices.Min(ratios))
		})
	}
}

// TestLinearMemory checks that no bomb costs many times its size.
func TestLinearMemory(t *testing.T) {
	for _, bomb := range bombs {
		b := bomb.make(bomb.n)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		m := Parse(b)
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > uint64(8*len(b))+1<<20 {
			t.Errorf("%s: %d octets allocated for %d", bomb.name, used, len(b))
		}
		runtime.KeepAlive(m)
	}
}

// hugeMail reads as an attachment of any size without being one.
type hugeMail struct {
	head, tail string
	size       int64
}

const hugeLine = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0\r\n"

func (h hugeMail) ReadAt(p []byte, off int64) (int, error) {
	n := 0
	for n < len(p) {
		at := off + int64(n)
		var src string
		switch end := h.size - int64(len(h.tail)); {
		case at >= h.size:
			return n, io.EOF
		case at < int64(len(h.head)):
			src = h.head[at:]
		case at >= end:
			src = h.tail[at-end:]
		default:
			k := (at - int64(len(h.head))) % int64(len(hugeLine))
			src = hugeLine[k:]
			src = src[:min(int64(len(src)), end-at)]
		}
		n += copy(p[n:], src)
	}
	return n, nil
}

// TestHugeMessageInLittleMemory parses and decodes 50 MB within 2 MB.
func TestHugeMessageInLittleMemory(t *testing.T) {
	h := hugeMail{
		head: "Subject: big\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nhello\r\n" +
			"--b\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n",
		tail: "\r\n--b--\r\n",
	}
	h.size = int64(len(h.head)+len(h.tail)) + int64(len(hugeLine))*(50<<20/int64(len(hugeLine)))
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	m, err := ParseAt(h, h.size)
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, m.Attachments()[0].Open())
	if err != nil || n < 36<<20 {
		t.Fatal(n, err)
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 2<<20 { // all that was ever allocated, not only at once
		t.Errorf("%d octets allocated", used)
	}
}

// TestAllocations counts what parsing a small message allocates.
func TestAllocations(t *testing.T) {
	msg := []byte("From: Bob <bob@hamburger.edu>\r\nTo: alice@example.org\r\nSubject: hello\r\nDate: Mon, 23 Nov 2026 09:12:40 +0100\r\n" +
		"Message-ID: <1@hamburger.edu>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + strings.Repeat("some text\r\n", 160))
	if n := testing.AllocsPerRun(100, func() { Parse(msg) }); n > 8 {
		t.Errorf("%v allocations", n)
	} else {
		t.Logf("%v allocations for %d octets", n, len(msg))
	}
}

package mime

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"
)

// fingerprint writes all that a message's index says.
func fingerprint(m *Message) string {
	var b strings.Builder
	fmt.Fprintln(&b, m.Size(), m.Len())
	for path, p := range m.Walk() {
		fmt.Fprintf(&b, "%s %+v %s %v %v %d\n", path, p.Span(), p.Type(), p.IsMultipart(), p.IsMessage(), p.part().transfer)
		for f := range p.Header().Fields() {
			fmt.Fprintf(&b, "\t%q\n", f.Raw())
		}
	}
	fmt.Fprintln(&b, m.Defects())
	return b.String()
}

// scanAll runs a Scanner and puts the octets of each part together.
func scanAll(t testing.TB, s *Scanner) (m *Message, data map[int][]byte) {
	data = map[int][]byte{}
	begun, ended := map[int]bool{}, map[int]bool{}
	for e, ok := s.Next(); ok; e, ok = s.Next() {
		i := e.Part.Index()
		switch e.Kind {
		case PartBegin:
			if begun[i] {
				t.Fatalf("part %d begins twice", i)
			}
			begun[i] = true
		case PartData:
			if !begun[i] || ended[i] || len(e.Data) == 0 {
				t.Fatalf("part %d: %d octets out of place", i, len(e.Data))
			}
			data[i] = append(data[i], e.Data...)
		case PartEnd:
			if !begun[i] || ended[i] {
				t.Fatalf("part %d ends out of place", i)
			}
			ended[i] = true
		}
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	m = s.Message()
	if len(ended) != m.Len() {
		t.Fatalf("%d of %d parts ended", len(ended), m.Len())
	}
	return m, data
}

// checkMessage checks what must hold for any input.
func checkMessage(t testing.TB, b []byte) *Message {
	t.Helper()
	m := Parse(b)
	if m.Size() != int64(len(b)) || m.Len() == 0 {
		t.Fatalf("size %d of %d, %d parts", m.Size(), len(b), m.Len())
	}
	for _, p := range m.Walk() {
		checkPart(t, m, p, b)
	}
	if got := rejoin(m); !bytes.Equal(got, b) {
		t.Fatalf("parts and what is between them join to %q, not %q", got, b)
	}
	m.Inspect()
	m.Preview(0)
	m.AppendEnvelope(nil)
	m.AppendBodyStructure(nil, true)
	return m
}

func checkPart(t testing.TB, m *Message, p Part, b []byte) {
	t.Helper()
	s := p.Span()
	if s.Begin < 0 || s.Body < s.Begin || s.End < s.Body || s.End > int64(len(b)) {
		t.Fatalf("part %s: %+v in %d octets", p.Path(), s, len(b))
	}
	if up := p.Parent(); up.Valid() && (s.Begin < up.Span().Body || s.End > up.Span().End) {
		t.Fatalf("part %s: %+v in %+v", p.Path(), s, up.Span())
	}
	body := b[s.Body:s.End]
	lf, crlf := int64(bytes.Count(body, []byte("\n"))), int64(bytes.Count(body, []byte("\r\n")))
	if s.Lines != lf || s.CRLFOctets != int64(len(body))+lf-crlf {
		t.Fatalf("part %s: %+v, counted %d lines, %d bare", p.Path(), s, lf, lf-crlf)
	}
	for f := range p.Header().Fields() {
		if s := f.Text(); !utf8.ValidString(s) || strings.ContainsAny(s, "\r\n\x00\x7f\t") {
			t.Fatalf("text %q of %q", s, f.Raw())
		}
	}
	if p.IsMultipart() || p.IsMessage() {
		return
	}
	if s := p.Text(); !utf8.ValidString(s) {
		t.Fatalf("part %s: text is no UTF-8", p.Path())
	}
	read, err := io.ReadAll(p.Open())
	if err != nil || !bytes.Equal(read, p.Bytes()) {
		t.Fatalf("part %s: Open and Bytes differ (%v)\n%q\n%q", p.Path(), err, read, p.Bytes())
	}
	if name := p.SafeFilename(); name == "" || strings.ContainsAny(name, "/\\\x00") || len(name) > maxFilename {
		t.Fatalf("safe file name %q", name)
	}
}

// rejoin puts a message together from its parts and what stands between them.
func rejoin(m *Message) []byte {
	var out []byte
	at := int64(0)
	for _, p := range m.Walk() {
		if s := p.Span(); !p.IsMultipart() && !p.IsMessage() {
			out = append(out, m.b[at:s.Begin]...)
			out = append(out, p.Raw()...)
			at = s.End
		}
	}
	return append(out, m.b[at:]...)
}

// checkFrontEnds checks that the three ways to parse agree, however the input
// is cut.
func checkFrontEnds(t testing.TB, b []byte) {
	t.Helper()
	m := Parse(b)
	want := fingerprint(m)
	at, err := ParseAt(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	if got := fingerprint(at); got != want {
		t.Fatalf("ParseAt differs:\n%s\nParse:\n%s", got, want)
	}
	for _, chunk := range []int{0, 1, 7, 64} {
		s := Scan(bytes.NewReader(b))
		s.feed.chunk = chunk
		checkScan(t, s, m, want)
	}
	checkScan(t, Scan(iotest.HalfReader(bytes.NewReader(b))), m, want)
}

func checkScan(t testing.TB, s *Scanner, m *Message, want string) {
	t.Helper()
	got, data := scanAll(t, s)
	if f := fingerprint(got); f != want {
		t.Fatalf("Scan (chunk %d) differs:\n%s\nParse:\n%s", s.feed.chunk, f, want)
	}
	for _, p := range m.Walk() {
		if !p.IsMultipart() && !p.IsMessage() && !bytes.Equal(data[p.Index()], p.RawBody()) {
			t.Fatalf("Scan (chunk %d), part %s: %q, not %q", s.feed.chunk, p.Path(), data[p.Index()], p.RawBody())
		}
	}
}

// TestCorpora is the gate: all mail there is, whole and cut at every 64th
// octet, with its own line breaks and with those of both kinds. Without
// POSTILION_LONG there are fewer cuts, and with it, the pieces of messages over
// 64 KB are parsed at each of them and read in full at 1,024.
func TestCorpora(t *testing.T) {
	mail := corpusMail(t)
	if len(mail) < 250 {
		t.Fatalf("%d messages only", len(mail))
	}
	long := os.Getenv("POSTILION_LONG") != ""
	for name, b := range mail {
		for form, b := range map[string][]byte{"raw": b, "LF": withLF(b), "CRLF": withCRLF(b)} {
			t.Run(name+"/"+form, func(t *testing.T) {
				t.Parallel()
				checkMessage(t, b)
				checkFrontEnds(t, b)
				step := max(64, len(b)/1024/64*64)
				if !long {
					step = max(64, len(b)/12/64*64)
				}
				for n := 0; long && n < len(b); n += 64 {
					if m := Parse(b[:n]); !bytes.Equal(rejoin(m), b[:n]) {
						t.Fatalf("cut at %d: the parts do not join", n)
					}
				}
				for n := 0; n < len(b); n += step {
					checkMessage(t, b[:n])
					// All ways to cut what is cut cost much more.
					if long && n < 8<<10 || n%(step*8) == 0 && n < 128<<10 {
						checkFrontEnds(t, b[:n])
					}
				}
			})
		}
	}
}

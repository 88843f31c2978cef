package wire

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// cutConn gives out its bytes in pieces of the sizes in cuts, over and over.
type cutConn struct {
	net.Conn
	data []byte
	cuts []int
	i    int
}

func (c *cutConn) Read(p []byte) (int, error) {
	if len(c.data) == 0 {
		return 0, io.EOF
	}
	n := max(1, c.cuts[c.i%len(c.cuts)])
	c.i++
	n = copy(p[:min(n, len(p))], c.data)
	c.data = c.data[n:]
	return n, nil
}

func (c *cutConn) SetReadDeadline(time.Time) error { return nil }

func reader(s string, cuts ...int) *Reader {
	if len(cuts) == 0 {
		cuts = []int{1 << 20}
	}
	return NewReader(&cutConn{data: []byte(s), cuts: cuts})
}

func TestReadLine(t *testing.T) {
	for _, cut := range []int{1, 2, 3, 5, 1 << 20} {
		r := reader("NOOP\r\n\r\nbare\nlonger than ten\r\n0123456789\r\nrest", cut)
		for _, want := range []struct {
			line string
			err  error
		}{{"NOOP", nil}, {"", nil}, {"bare", ErrBareLF}, {"", ErrLineTooLong}, {"0123456789", nil}, {"", io.EOF}} {
			line, err := r.ReadLine(10)
			assert.Equal(t, want.line, string(line), "cut %d", cut)
			assert.ErrorIs(t, err, want.err)
		}
	}
}

// An endless line is skipped in constant memory and the next one is read.
func TestEndlessLineKeepsSync(t *testing.T) {
	r := reader(strings.Repeat("x", 1<<20) + "\r\nNOOP\r\n")
	_, err := r.ReadLine(512)
	require.ErrorIs(t, err, ErrLineTooLong)
	assert.LessOrEqual(t, len(r.buf), smallBuffer)
	line, err := r.ReadLine(512)
	require.NoError(t, err)
	assert.Equal(t, "NOOP", string(line))
}

func TestLongLinesUseTheLargeBuffer(t *testing.T) {
	r := reader(strings.Repeat("x", 12288)+"\r\nNOOP\r\n", 1000)
	line, err := r.ReadLine(12288)
	require.NoError(t, err)
	assert.Len(t, line, 12288)
	line, err = r.ReadLine(12288)
	require.NoError(t, err)
	assert.Equal(t, "NOOP", string(line))
}

func TestNoBufferWhileIdle(t *testing.T) {
	for _, network := range []string{"tcp", "pipe"} {
		t.Run(network, func(t *testing.T) {
			us, peer := connPair(t, network)
			r := NewReader(us)
			go func() { _, _ = io.WriteString(peer, "ONE\r\nTWO\r\n") }()
			for _, want := range []string{"ONE", "TWO"} {
				line, err := r.ReadLine(100)
				require.NoError(t, err)
				assert.Equal(t, want, string(line))
			}
			waiting := make(chan struct{})
			r.Deadline = func() time.Time { close(waiting); return time.Time{} }
			got := make(chan string)
			go func() {
				line, _ := r.ReadLine(100)
				got <- string(line)
			}()
			<-waiting
			_, err := io.WriteString(peer, "THREE\r\n")
			require.NoError(t, err)
			r.Deadline = nil
			assert.Equal(t, "THREE", <-got)
		})
	}
}

// oracle is the reference: one state machine, one byte at a time.
func oracle(in string, ends Ends) (content, rest string, bare, done bool) {
	var out []byte
	prev2, prev := byte('\r'), byte('\n') // as if a CRLF came before
	for i := 0; i < len(in); i++ {
		c := in[i]
		bol := prev2 == '\r' && prev == '\n'
		if c == '.' && bol {
			if strings.HasPrefix(in[i:], ".\r\n") {
				return string(out), in[i+3:], bare, true
			}
			prev2, prev = 0, 0
			if len(in)-i < 3 && strings.HasPrefix(".\r\n", in[i:]) {
				return string(out), "", bare, false // nobody knows yet
			}
			continue
		}
		if c == '\n' && prev != '\r' || c != '\n' && prev == '\r' {
			bare = true
		}
		out = append(out, c)
		prev2, prev = prev, c
	}
	return string(out), "", bare, false
}

func normalized(s string) string {
	var out []byte
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\n':
			out = append(out, "\r\n"...)
		case s[i] == '\r':
			for i+1 < len(s) && s[i+1] == '\r' {
				i++
			}
			if i+1 < len(s) && s[i+1] == '\n' {
				i++
			}
			out = append(out, "\r\n"...)
		default:
			out = append(out, s[i])
		}
	}
	return string(out)
}

func checkDot(t *testing.T, in string, ends Ends, cuts []int, viaRead bool) {
	t.Helper()
	content, rest, bare, done := oracle(in, ends)
	r := reader(in, cuts...)
	d := &DotReader{Ends: ends}
	d.Reset(r)
	var got bytes.Buffer
	var err error
	if viaRead {
		_, err = got.ReadFrom(iotest.OneByteReader(d))
	} else {
		_, err = d.WriteTo(&got)
	}
	switch {
	case !done:
		assert.ErrorIs(t, err, io.ErrUnexpectedEOF, "%q", in)
		return
	case bare && ends == RejectBare:
		assert.ErrorIs(t, err, ErrBareNewline, "%q", in)
	default:
		assert.NoError(t, err, "%q", in)
		want := content
		if ends == NormalizeBare {
			want = normalized(content)
		}
		assert.Equal(t, want, got.String(), "%q", in)
	}
	assert.True(t, d.InSync())
	left, _ := io.ReadAll(r)
	assert.Equal(t, rest, string(left), "rest of %q", in)
}

// The cross product of line endings around the dot, cut at every boundary.
func TestSmugglingCrossProduct(t *testing.T) {
	ends := []string{"\r", "\n", "\r\n", "\r\r\n", "\n\r", "\x00", "\r\n\x00", ""}
	for _, before := range ends {
		for _, after := range ends {
			for _, dots := range []string{".", "..", ".\r", "x."} {
				in := "hello" + before + dots + after + "MAIL FROM:<x@y>\r\n.\r\nQUIT\r\n"
				for cut := range len(in) {
					for e := RejectBare; e <= KeepBare; e++ {
						checkDot(t, in, e, []int{cut + 1, 1 << 20}, false)
					}
				}
				checkDot(t, in, RejectBare, []int{1}, true)
			}
		}
	}
}

func TestDotReader(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{".\r\n", ""},
		{"\r\n.\r\n", "\r\n"},
		{"a\r\n..b\r\n.\r\n", "a\r\n.b\r\n"},
		{"..\r\n.\r\n", ".\r\n"},
		{".x\r\n.\r\n", "x\r\n"},
		{"...\r\n.\r\n", "..\r\n"},
		{"a.\r\n.\r\n", "a.\r\n"},
		{"\x00\r\n.\r\n", "\x00\r\n"},
	} {
		for cut := 1; cut < 6; cut++ {
			d := &DotReader{}
			d.Reset(reader(c.in+"NEXT", cut))
			got, err := io.ReadAll(d)
			require.NoError(t, err, "%q", c.in)
			assert.Equal(t, c.want, string(got), "%q", c.in)
			_, err = d.Read(make([]byte, 1))
			assert.Equal(t, io.EOF, err)
		}
	}
}

func TestLimitsKeepSync(t *testing.T) {
	big := strings.Repeat("0123456789abcde\r\n", 1000)
	for _, c := range []struct {
		name string
		d    DotReader
		in   string
		want error
	}{
		{"size", DotReader{Limit: 100}, big, ErrTooLarge},
		{"line", DotReader{Line: 1000}, strings.Repeat("x", 999) + "\r\n", ErrTextLine},
		{"bare", DotReader{}, "a\nb\r\n" + big, ErrBareNewline},
		{"fits", DotReader{Limit: int64(len(big)), Line: 17}, big, nil},
	} {
		r := reader(c.in+".\r\nNOOP\r\n", 700)
		c.d.Reset(r)
		_, err := io.Copy(io.Discard, &c.d)
		assert.ErrorIs(t, err, c.want, c.name)
		line, err := r.ReadLine(100)
		require.NoError(t, err)
		assert.Equal(t, "NOOP", string(line), c.name)
	}
}

func TestFlood(t *testing.T) {
	d := &DotReader{Limit: 100, Flood: 1000}
	d.Reset(reader(strings.Repeat("x\r\n", 1000), 100))
	_, err := io.Copy(io.Discard, d)
	assert.ErrorIs(t, err, ErrFlood)
	assert.False(t, d.InSync())
}

func TestDrain(t *testing.T) {
	r := reader("a\r\n.\r\nNOOP\r\n", 1)
	d := &DotReader{}
	d.Reset(r)
	_, err := d.Read(make([]byte, 1))
	require.NoError(t, err)
	require.NoError(t, d.Drain())
	line, _ := r.ReadLine(10)
	assert.Equal(t, "NOOP", string(line))

	d.Reset(reader("a\r\n"))
	assert.ErrorIs(t, d.Drain(), io.ErrUnexpectedEOF)
}

func TestEncoder(t *testing.T) {
	for in, want := range map[string]string{
		"":                "",
		"a":               "a\r\n",
		".":               "..\r\n",
		".\n.\r\n.\r.":    "..\r\n..\r\n..\r\n..\r\n",
		"a\r\r\nb":        "a\r\nb\r\n",
		"a\r":             "a\r\n",
		"\r\n.\r\n":       "\r\n..\r\n",
		"a\n\nb":          "a\r\n\r\nb\r\n",
		"a\n\r.b":         "a\r\n\r\n..b\r\n",
		"x\r\n.\r\nMAIL.": "x\r\n..\r\nMAIL.\r\n",
	} {
		for cut := 1; cut <= len(in)+1; cut++ {
			e := NewEncoder(true)
			var out []byte
			for i := 0; i < len(in); i += cut {
				out = e.Append(out, []byte(in[i:min(i+cut, len(in))]))
			}
			assert.Equal(t, want+".\r\n", string(e.Close(out)), "%q by %d", in, cut)
		}
	}
}

// Hostile line ends cost no more than others: the work is linear.
func BenchmarkEncoder(b *testing.B) {
	for name, line := range map[string]string{
		"base64": strings.Repeat("QUFB", 19) + "\r\n", "dots": ".\r\n", "cr": "\ra", "lf": strings.Repeat("a", 76) + "\n",
	} {
		src := []byte(strings.Repeat(line, 64<<10/len(line)))
		b.Run(name, func(b *testing.B) {
			dst := make([]byte, 0, 3*len(src))
			b.SetBytes(int64(len(src)))
			b.ReportAllocs()
			for b.Loop() {
				e := NewEncoder(true)
				dst = e.Close(e.Append(dst[:0], src))
			}
		})
	}
}

type loopConn struct {
	net.Conn
	data []byte
	off  int
}

func (c *loopConn) Read(p []byte) (int, error) {
	n := copy(p, c.data[c.off:])
	if c.off += n; c.off == len(c.data) {
		c.off = 0
	}
	return n, nil
}

func BenchmarkDotReader(b *testing.B) {
	for name, line := range map[string]string{
		"base64": strings.Repeat("QUFB", 19) + "\r\n", "short": "a b\r\n", "dots": "..\r\n",
		"long": strings.Repeat("x", 1<<20) + "\r\n", "bare": "a\nb\r\n",
	} {
		body := strings.Repeat(line, max(1, 1<<20/len(line)))
		b.Run(name, func(b *testing.B) {
			r := NewReader(&loopConn{data: []byte(body + ".\r\n")})
			d := &DotReader{}
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				d.Reset(r)
				if _, err := d.WriteTo(io.Discard); err != nil && !errors.Is(err, ErrBareNewline) {
					b.Fatal(err)
				}
			}
		})
	}
}

func FuzzDotReader(f *testing.F) {
	f.Add("a\r\n..b\r\n.\r\nrest", uint8(0), []byte{1, 3})
	f.Add("a\n.\nb\r\r\n.\r\n", uint8(1), []byte{2})
	f.Add(".\r\n", uint8(2), []byte{1})
	f.Fuzz(func(t *testing.T, in string, ends uint8, cuts []byte) {
		sizes := []int{1}
		for _, c := range cuts {
			sizes = append(sizes, int(c))
		}
		checkDot(t, in, Ends(ends%3), sizes, len(cuts)%2 == 0)
	})
}

// FuzzEncoder: what is encoded reads back as the normalised text, and holds no
// end of data before its own.
func FuzzEncoder(f *testing.F) {
	f.Add("a\n.\r\n.b\r", uint8(1))
	f.Add("x\r\n.\r\nMAIL FROM:<>\r\n", uint8(3))
	f.Fuzz(func(t *testing.T, in string, cut uint8) {
		e := NewEncoder(true)
		var out []byte
		for i, n := 0, max(1, int(cut)); i < len(in); i += n {
			piece := in[i:min(i+n, len(in))]
			before := len(out)
			out = e.Append(out, []byte(piece))
			if grown := len(out) - before; grown > 2*len(piece)+2 {
				t.Errorf("%q grew to %d", piece, grown)
			}
		}
		out = e.Close(out)
		content, rest, bare, done := oracle(string(out), RejectBare)
		want := normalized(in)
		if want != "" && !strings.HasSuffix(want, "\r\n") {
			want += "\r\n"
		}
		if !done || bare || rest != "" || content != want {
			t.Errorf("%q -> %q: content %q rest %q bare %v", in, out, content, rest, bare)
		}
	})
}

package mime

import (
	"bytes"
	"encoding/base64"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
)

// TestDecoders holds what decoders must survive, with the damage they report.
func TestDecoders(t *testing.T) {
	long := strings.Repeat(" ", maxPadding+1)
	for _, c := range []struct {
		name     string
		e        transfer
		in, want string
		damage   damage
	}{
		{"base64", transferBase64, "aGVsbG8=", "hello", damage{}},
		{"lines", transferBase64, "aGVs\r\nbG8g\r\nd29y\nbGQ=\r\n", "hello world", damage{}},
		{"lines cut anywhere", transferBase64, "a\r\nGVsb\r\nG8\r\n=", "hello", damage{}},
		{"junk", transferBase64, "aG-Vs*bG8=", "hello", damage{B64Junk, 2}},
		{"8 bit junk", transferBase64, "\xffaGVsbG8=", "hello", damage{B64Junk, 0}},
		{"no padding", transferBase64, "aGVsbG8", "hello", damage{B64Padding, 7}},
		{"half padding", transferBase64, "YQ=", "a", damage{B64Padding, 3}},
		{"extra padding", transferBase64, "aGVsbG8==", "hello", damage{B64Padding, 8}},
		{"padding alone", transferBase64, "====", "", damage{B64Padding, 0}},
		{"one after the other", transferBase64, "YQ==Yg==", "ab", damage{B64AfterPad, 4}},
		{"text after padding", transferBase64, "YQ==\r\n-- \r\nfooter", "a~\x8a-z", damage{B64AfterPad, 11}},
		{"six bits", transferBase64, "aGVsb", "hel", damage{B64Truncated, 5}},
		{"empty", transferBase64, "", "", damage{}},
		{"QP", transferQP, "a=3Db", "a=b", damage{}},
		{"lower case", transferQP, "=c3=bc", "ü", damage{}},
		{"soft break", transferQP, "a=\r\nb", "ab", damage{}},
		{"soft break with blanks", transferQP, "a= \t\r\nb", "ab", damage{}},
		{"soft break by LF", transferQP, "a=\nb\n", "ab\n", damage{}},
		{"soft break at the end", transferQP, "a=", "a", damage{QPSoftAtEnd, 1}},
		{"blanks at the end of a line", transferQP, "a  \r\nb\t\r\n", "a\r\nb\r\n", damage{}},
		{"blanks at the end", transferQP, "a  ", "a", damage{}},
		{"encoded blank stays", transferQP, "a=20\r\n", "a \r\n", damage{}},
		{"bad escape", transferQP, "a=xZb", "a=xZb", damage{QPBadEscape, 1}},
		{"half escape", transferQP, "a=3", "a=3", damage{QPBadEscape, 1}},
		{"equal signs", transferQP, "==3D=", "==", damage{QPBadEscape, 0}},
		{"8 bit", transferQP, "\xfc", "\xfc", damage{}},
		{"CR CR LF", transferQP, "a=\r\r\nb", "ab", damage{}},
		{"very many blanks", transferQP, "a" + long + "\r\nb", "a" + long + "\r\nb", damage{}},
		{"uuencode", transferUU, "begin 644 x\r\n#86)C\r\n`\r\nend\r\nmore", "abc", damage{}},
		{"uuencode alone", transferUU, "#86)C\n", "abc", damage{}},
		{"uuencode without end", transferUU, "begin 644 x\n#86)C", "abc", damage{}},
		{"uuencode cut", transferUU, "begin 644 x\n#86)", "ab", damage{UUBad, 12}},
		{"uuencode junk", transferUU, "begin 644 x\n~~~\n#86)C\n", "abc", damage{UUBad, 12}},
		{"none", transferNone, "a=3D\r", "a=3D\r", damage{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, flaw := decodeAll(c.e, []byte(c.in))
			assert.Equal(t, c.want, string(got))
			assert.Equal(t, c.damage, flaw)
		})
	}
}

func TestBase64AgainstTheStandardLibrary(t *testing.T) {
	for n := range 200 {
		raw := bytes.Repeat([]byte{0, 1, 0xFE, 'x', 0x80, 7}, n)[:n]
		enc := base64.StdEncoding.EncodeToString(raw)
		for _, width := range []int{1, 3, 4, 7, 76, 1000} {
			var folded strings.Builder
			for i := 0; i < len(enc); i += width {
				folded.WriteString(enc[i:min(i+width, len(enc))] + "\r\n")
			}
			got, flaw := decodeAll(transferBase64, []byte(folded.String()))
			assert.Equal(t, raw, append([]byte{}, got...))
			assert.Zero(t, flaw)
		}
	}
}

func TestTransferNames(t *testing.T) {
	for in, want := range map[string]transfer{
		"": transferNone, "7bit": transferNone, "8BIT": transferNone, "binary": transferNone, "7-bit": transferNone,
		"base64": transferBase64, "BASE64": transferBase64, "\"base64\"": transferBase64, "base64;": transferBase64,
		"base64 (really)": transferBase64, "(really) base64": transferBase64, "\r\n base64": transferBase64,
		"quoted-printable": transferQP, "Quoted-Printable\r\n": transferQP,
		"x-uuencode": transferUU, "uuencode": transferUU, "x-uue": transferUU,
		"x-yenc": transferOther, "base 64": transferOther, "rot13": transferOther,
	} {
		assert.Equal(t, want, parseTransfer([]byte(in)), in)
	}
}

// TestOpenStreams: what Open gives does not depend on how it is read, and
// large bodies pass through buffers of one size.
func TestOpenStreams(t *testing.T) {
	body := strings.Repeat("a line with =3D and a soft =\r\nbreak  \t \r\n", 5000)
	msg := "Content-Transfer-Encoding: quoted-printable\r\n\r\n" + body
	want := strings.Repeat("a line with = and a soft break\r\n", 5000)
	at, err := ParseAt(strings.NewReader(msg), int64(len(msg)))
	assert.NoError(t, err)
	for _, m := range []*Message{Parse([]byte(msg)), at} {
		one, err := io.ReadAll(iotest.OneByteReader(m.Root().Open()))
		assert.NoError(t, err)
		assert.True(t, want == string(one))
		assert.True(t, want == string(m.Root().Bytes()))
		assert.True(t, want == m.Root().Text())
	}
}

// failingAt reads up to an offset.
type failingAt struct {
	r  io.ReaderAt
	at int64
}

func (f failingAt) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > f.at {
		return 0, io.ErrClosedPipe
	}
	return f.r.ReadAt(p, off)
}

// TestErrorsOfTheMedium are the only ones there are.
func TestErrorsOfTheMedium(t *testing.T) {
	msg := "A: b\r\nContent-Transfer-Encoding: base64\r\n\r\n" + strings.Repeat("aGVsbG8g\r\n", 20000)
	_, err := ParseAt(failingAt{strings.NewReader(msg), 1000}, int64(len(msg)))
	assert.ErrorIs(t, err, io.ErrClosedPipe)
	_, err = ParseAt(strings.NewReader(msg), int64(len(msg))+1)
	assert.ErrorIs(t, err, io.ErrUnexpectedEOF)

	at, err := ParseAt(strings.NewReader(msg), int64(len(msg)))
	assert.NoError(t, err)
	at.r = failingAt{at.r, 100_000}
	n, err := io.Copy(io.Discard, at.Root().Open())
	assert.ErrorIs(t, err, io.ErrClosedPipe)
	assert.Positive(t, n)

	s := Scan(io.MultiReader(strings.NewReader(msg[:100]), iotest.ErrReader(io.ErrClosedPipe)))
	for _, ok := s.Next(); ok; _, ok = s.Next() {
	}
	assert.ErrorIs(t, s.Err(), io.ErrClosedPipe)

	_, rest, err := ReadHeader(io.MultiReader(strings.NewReader("A: b\r\n"), iotest.ErrReader(io.ErrClosedPipe)))
	assert.ErrorIs(t, err, io.ErrClosedPipe)
	b, err := io.ReadAll(rest)
	assert.Equal(t, "A: b\r\n", string(b))
	assert.ErrorIs(t, err, io.ErrClosedPipe)
}

// TestScannerKeepsNoBodies: its Message says where bodies are, not what.
func TestScannerKeepsNoBodies(t *testing.T) {
	m, _ := scanAll(t, Scan(strings.NewReader("A: b\r\n\r\nbody")))
	_, err := m.Root().Open().Read(make([]byte, 1))
	assert.ErrorIs(t, err, ErrNotKept)
	assert.Equal(t, "b", m.Header().Get("A"))
	assert.Equal(t, "", m.Root().Text())
}

// TestHeaderOfASlowStream: the header is given as soon as its end is there.
func TestHeaderOfASlowStream(t *testing.T) {
	r, w := io.Pipe()
	go w.Write([]byte("Subject: hello\r\n\r\n")) // and no more
	h, _, err := ReadHeader(r)
	assert.NoError(t, err)
	assert.Equal(t, "hello", h.Subject())
	r.Close()
}

// emptyReader gives nothing, for ever.
type emptyReader struct{}

func (emptyReader) Read([]byte) (int, error)          { return 0, nil }
func (emptyReader) ReadAt([]byte, int64) (int, error) { return 0, nil }

func TestReaderWithoutProgress(t *testing.T) {
	_, _, err := ReadHeader(emptyReader{})
	assert.ErrorIs(t, err, io.ErrNoProgress)
	_, err = ParseAt(emptyReader{}, 10)
	assert.ErrorIs(t, err, io.ErrNoProgress)
	m := Parse([]byte("Content-Transfer-Encoding: base64\r\n\r\naGVsbG8="))
	m.r = emptyReader{}
	_, err = m.Root().Open().Read(make([]byte, 1))
	assert.ErrorIs(t, err, io.ErrNoProgress)
}

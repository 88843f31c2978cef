package imap

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func deflated(t testing.TB, text []byte, level int, flushAt ...int) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, level)
	require.NoError(t, err)
	for _, n := range flushAt {
		n = min(n, len(text))
		_, _ = w.Write(text[:n])
		require.NoError(t, w.Flush())
		text = text[n:]
	}
	_, _ = w.Write(text)
	require.NoError(t, w.Close())
	return b.Bytes()
}

// What was compressed comes out again, whatever the level, the pieces and the
// size of reads.
func TestInflate(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 200_000)
	for i := range noise {
		noise[i] = byte(r.IntN(256))
	}
	for name, text := range map[string][]byte{
		"empty": nil, "one": []byte("x"), "lines": []byte(strings.Repeat("a1 NOOP\r\n", 20_000)), "noise": noise,
		"zeros": make([]byte, 300_000), "text": []byte(strings.Repeat(textOf(7), 500)),
	} {
		for _, level := range []int{-2, 0, 1, 6, 9} {
			z := deflated(t, text, level, 1, 100, 5000)
			for how, src := range map[string]io.Reader{"whole": bytes.NewReader(z), "octets": iotest.OneByteReader(bytes.NewReader(z)), "halves": iotest.HalfReader(bytes.NewReader(z))} {
				got, err := io.ReadAll(newInflater(src))
				require.NoError(t, err, "%s, level %d, %s", name, level, how)
				require.True(t, bytes.Equal(text, got), "%s, level %d, %s", name, level, how)
			}
		}
	}
}

// pieces gives out one piece for each Read, and then says that it would wait.
type pieces struct{ list [][]byte }

var errWaits = fmt.Errorf("would wait")

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.list) == 0 {
		return 0, errWaits
	}
	n := copy(b, p.list[0])
	if p.list[0] = p.list[0][n:]; len(p.list[0]) == 0 {
		p.list = p.list[1:]
	}
	return n, nil
}

// Octets whose codes are here are given out before more is waited for, and a
// wait that fails is no end.
func TestInflateGivesWhatIsThere(t *testing.T) {
	text := []byte(strings.Repeat("a NOOP\r\nb CHECK\r\n", 50))
	for _, level := range []int{-2, 0, 1, 9} {
		z := deflated(t, text, level)
		src := &pieces{}
		f := newInflater(src)
		var got []byte
		buf := make([]byte, 64)
		for i := range z {
			src.list = append(src.list, z[i:i+1])
			for {
				n, err := f.Read(buf)
				got = append(got, buf[:n]...)
				if err != nil {
					if i < len(z)-1 {
						require.ErrorIs(t, err, errWaits)
					}
					break
				}
			}
		}
		require.Equal(t, string(text), string(got))
	}
}

func TestInflateRefusesDamage(t *testing.T) {
	for name, z := range map[string]string{
		"block of no type":    "\x07",
		"stored length":       "\x00\x01\x00\x01\x00",
		"distance too far":    "\x03\x02",
		"too many lengths":    "\xfd\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
		"no code for the end": "\x05\xc0\x81\x00\x00\x00\x00\x00\x10\xff\x55\xff\xff\xff\xff",
	} {
		_, err := io.ReadAll(newInflater(strings.NewReader(z + strings.Repeat("\xff", 100))))
		assert.Error(t, err, name)
		assert.NotErrorIs(t, err, io.EOF, name)
	}
}

// FuzzInflate: what compress/flate takes is taken, with the same result.
func FuzzInflate(f *testing.F) {
	for _, level := range []int{-2, 0, 1, 9} {
		f.Add(deflated(f, []byte(strings.Repeat(textOf(3), 3)), level, 5, 70))
	}
	f.Fuzz(func(t *testing.T, z []byte) {
		want, errWant := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(z)), 1<<20))
		got, errGot := io.ReadAll(io.LimitReader(newInflater(bytes.NewReader(z)), 1<<20))
		if errWant == nil && (errGot != nil || !bytes.Equal(want, got)) {
			t.Errorf("%d octets and %v, want %d", len(got), errGot, len(want))
		}
	})
}

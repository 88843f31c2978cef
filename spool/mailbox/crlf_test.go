package mailbox

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// crlf is what CRLF does, the simplest way.
func crlf(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\n", "\r\n")
}

func TestCRLF(t *testing.T) {
	for _, s := range []string{
		"", "\n", "\r", "\r\n", "a", "a\n", "a\nb\n\nc", "a\r\nb\n", "\r\r\n", "\n\r\n\r", "a\rb\n",
		strings.Repeat("a line\n", 2000), strings.Repeat("a", 4095) + "\r\n", strings.Repeat("a", 4096) + "\n",
	} {
		got, err := io.ReadAll(CRLF(strings.NewReader(s)))
		require.NoError(t, err)
		assert.Equal(t, crlf(s), string(got), "%q", s)
		got, err = io.ReadAll(iotest.OneByteReader(CRLF(iotest.HalfReader(strings.NewReader(s)))))
		require.NoError(t, err)
		assert.Equal(t, crlf(s), string(got), "%q in small pieces", s)
	}
}

func TestCRLFError(t *testing.T) {
	broken := errors.New("broken")
	got, err := io.ReadAll(CRLF(io.MultiReader(strings.NewReader("a\nb"), iotest.ErrReader(broken))))
	assert.ErrorIs(t, err, broken)
	assert.Equal(t, "a\r\nb", string(got), "what came before is given out")
}

// FuzzCRLF: no LF stands alone, and a second time changes nothing.
func FuzzCRLF(f *testing.F) {
	f.Add("a\r\n\nb\r")
	f.Fuzz(func(t *testing.T, s string) {
		once, err := io.ReadAll(iotest.HalfReader(CRLF(iotest.OneByteReader(strings.NewReader(s)))))
		require.NoError(t, err)
		require.Equal(t, crlf(s), string(once))
		twice, err := io.ReadAll(CRLF(strings.NewReader(string(once))))
		require.NoError(t, err)
		require.Equal(t, once, twice)
	})
}

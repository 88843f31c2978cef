package script_test

import (
	"net"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/postilion-mail/postilion/internal/script"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func rewrite(t *testing.T, y toy, text string) (string, error) {
	t.Helper()
	s, err := script.Parse("rewrite.txt", text)
	require.NoError(t, err)
	b, err := script.Player{}.Rewrite(t.Context(), dialPipe(y), s)
	return string(b), err
}

func TestRewrite(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"what fits stays", "# top\nS: 220 *\n\nC: NOOP\nS: 250 *\nC: QUIT\nC# end\nS: 221 *\n-S\n", ""},
		{"what differs is replaced", "S: 220 x\nC: NOOP\n# why\nS: 251 *\n-C\n", "S: 220 toy.example ready\nC: NOOP\n# why\nS: 250 ok\n-C\n"},
		{"more lines than before", "S: 220 *\nC: EHLO x\nS: 250-toy.*\nS: 250 SIZE *\n-C\n", "S: 220 *\nC: EHLO x\nS: 250-toy.*\nS: 250-EXTRA 5****\nS: 250 SIZE *\n-C\n"},
		{"fewer lines than before", "S: 220 *\nC: QUIT\nS: 221-gone\n# kept\nS: 221 *\n-S\n", "S: 220 *\nC: QUIT\n# kept\nS: 221 *\n-S\n"},
		{"raw bytes keep the count", "S: 220 *\nC: UNTAGGED\nS: x\nS: y\nS! \"raw\\n\"\nS: 250 *\n-C\n", "S: 220 *\nC: UNTAGGED\nS: * 3 EXISTS\nS: * FLAGS (\\Seen \\**)\nS! \"raw\\n\"\nS: 250 *\n-C\n"},
		{"a batch", "S: 220 *\nC: NOOP\nC: NOOP\nS: 250 ok\nS: 251 ok\n-C\n", "S: 220 *\nC: NOOP\nC: NOOP\nS: 250 ok\nS: 250 ok\n-C\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // the pauses are of virtual time
				got, err := rewrite(t, toy{extra: true}, c.text)
				require.NoError(t, err)
				if c.want == "" {
					c.want = c.text
				}
				assert.Equal(t, c.want, got)
				again, err := rewrite(t, toy{extra: true}, got)
				require.NoError(t, err)
				assert.Equal(t, got, again, "a rewritten file is at rest")
			})
		})
	}
}

func TestRewriteFails(t *testing.T) {
	_, err := rewrite(t, toy{}, "S: 220 *\nC: QUIT\nS: 221 *\nS! \"more\"\n")
	var diff *script.Error
	require.ErrorAs(t, err, &diff)
	assert.Equal(t, 4, diff.Line)
}

func TestDirUpdates(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.txt")
	require.NoError(t, os.WriteFile(path, []byte("S: 220 old\nC: NOOP\nS: 250 *\n-C\n"), 0o600))
	dial := func(*testing.T, string) net.Conn { return dialPipe(toy{}) }
	script.Dir(t, filepath.Join(dir, "*.txt"), script.Player{}, true, dial)
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "S: 220 toy.example ready\nC: NOOP\nS: 250 *\n-C\n", string(b))
	script.Dir(t, filepath.Join(dir, "*.txt"), script.Player{}, false, dial)
}

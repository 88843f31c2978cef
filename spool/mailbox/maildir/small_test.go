package maildir

import (
	"context"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

func FuzzMend(f *testing.F) {
	for _, s := range []string{"", "\n", "\r\n", "a\nb\r\nc", "\r\r\n\n\r", "\n\n\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		want := strings.ReplaceAll(strings.ReplaceAll(src, "\r\n", "\n"), "\n", "\r\n")
		dst := make([]byte, len(want)+1)
		n := mend(dst, []byte(src))
		assert.Equal(t, want, string(dst[:n]))
		assert.Equal(t, len(src)+bareLFs([]byte(src), 0), n)
		if len(want) > 0 {
			assert.Equal(t, len(want)-1, mend(dst[:len(want)-1], []byte(src)), "no more than there is room")
		}
	})
}

// TestSmallAndLarge: messages are the same whether they are read at once or as
// they are asked for, with line ends of either kind.
func TestSmallAndLarge(t *testing.T) {
	tree := newTree(t)
	for name, text := range map[string]string{
		"1.small": "Subject: x\n\nhello\n",
		"2.crlf":  "Subject: x\r\n\r\nhello\r\n",
		"3.large": "Subject: x\n\n" + strings.Repeat("hello\n", maxSmall/6),
		"4.edge":  "Subject: x\n\n" + strings.Repeat("x", maxSmall-17) + "\n\n",
	} {
		require.NoError(t, os.MkdirAll(bobs(tree, "new"), 0o700))
		require.NoError(t, os.WriteFile(bobs(tree, "new", name), []byte(text), 0o600))
	}
	m := openInbox(t, openBob(t, tree))
	for i, text := range []string{
		"Subject: x\r\n\r\nhello\r\n", "Subject: x\r\n\r\nhello\r\n",
		"Subject: x\r\n\r\n" + strings.Repeat("hello\r\n", maxSmall/6),
		"Subject: x\r\n\r\n" + strings.Repeat("x", maxSmall-17) + "\r\n\r\n",
	} {
		b, err := m.Message(bg, mailbox.UID(i+1))
		require.NoError(t, err)
		_, small := b.(*smallBlob)
		assert.Equal(t, i < 2, small)
		assert.Equal(t, int64(len(text)), b.Size())
		got, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size()+1))
		require.NoError(t, err)
		require.Equal(t, text, string(got))
		p := make([]byte, 5)
		n, err := b.ReadAt(p, b.Size()-2)
		assert.Equal(t, "\r\n", string(p[:n]))
		assert.ErrorIs(t, err, io.EOF)
		_, err = b.ReadAt(p, -1)
		assert.Error(t, err)
		require.NoError(t, b.Close())
		assert.ErrorIs(t, b.Close(), fs.ErrClosed)
		_, err = b.ReadAt(p, 0)
		assert.ErrorIs(t, err, fs.ErrClosed)
	}
}

// TestSmallChanged: a file that is not as it was is found out, and one that is
// no file is not waited for.
func TestSmallChanged(t *testing.T) {
	tree := newTree(t)
	m := openInbox(t, openBob(t, tree))
	text := "Subject: x\r\n\r\nhello\r\n"
	uids, err := m.Append(bg, mailbox.One(&mailbox.Incoming{Body: strings.NewReader(text)}))
	require.NoError(t, err)
	file := theFile(t, bobs(tree, "new"))
	for _, other := range []string{text + "x", text[1:], ""} {
		require.NoError(t, os.WriteFile(file, []byte(other), 0o600))
		_, err := m.Message(bg, uids[0])
		require.Error(t, err)
		var e *mailbox.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, "CORRUPTION", e.Code)
	}
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	ctx, cancel := context.WithCancel(bg)
	b, err := m.Message(ctx, uids[0])
	require.NoError(t, err)
	defer b.Close()
	cancel()
	_, err = b.ReadAt(make([]byte, 5), 0)
	assert.ErrorIs(t, err, context.Canceled)
}

// theFile is the one file of a directory.
func theFile(t *testing.T, dir string) string {
	t.Helper()
	all, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, all, 1)
	return dir + "/" + all[0].Name()
}

func openInbox(tb testing.TB, s mailbox.Store) mailbox.Mailbox {
	tb.Helper()
	m, err := mailbox.OpenName(bg, s, mailbox.Inbox)
	require.NoError(tb, err)
	tb.Cleanup(func() { m.Close() })
	return m
}

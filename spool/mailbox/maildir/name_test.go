package maildir

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

func TestFolderDir(t *testing.T) {
	for name, dir := range map[string]string{
		"INBOX": ".", "Work": ".Work", "Work/Projects": ".Work.Projects", "INBOX/x": ".INBOX.x", "v1.2": ".v1%2E2",
		".hidden": ".%2Ehidden", "100%": ".100%25", "a&b": ".a&-b", "Entwürfe": ".Entw&APw-rfe", "日本語": ".&ZeVnLIqe-",
		"👋": ".&2D3cSw-", `a\b`: ".a%5Cb", "~peter/mail/台北/日本語": ".~peter.mail.&U,BTFw-.&ZeVnLIqe-",
	} {
		got, err := folderDir(name)
		require.NoError(t, err)
		assert.Equal(t, dir, got)
		if dir != "." {
			back, ok := folderName(dir)
			assert.True(t, ok, dir)
			assert.Equal(t, name, back)
		}
	}
	_, err := folderDir(strings.Repeat("x", 300))
	assert.ErrorIs(t, err, mailbox.ErrCannot)
}

// TestForeignDirs: directories that no mailbox would be kept in are none.
func TestForeignDirs(t *testing.T) {
	for _, dir := range []string{
		"", ".", "..", "cur", "...", ".a.", ".a..b", ".INBOX", ".inbox.x", ".a%2", ".a%2F", ".a%41", ".a%2e", ".%", ".&AGE-", ".&A-",
		".&AGF", ".&-&", ".ä", ".\x01", ".&AAA-", ".&AC8-", ".a&APw-&APw-", "." + strings.Repeat("x", 255), ".&2D0-", ".&IAA-\\",
	} {
		name, ok := folderName(dir)
		assert.False(t, ok, "%q is %q", dir, name)
	}
}

func TestUserDir(t *testing.T) {
	for user, dir := range map[string]string{
		"bob": "bob", "bob@hamburger.edu": "bob@hamburger.edu", "..": "%2E.", ".x": "%2Ex", "a/b": "a%2Fb", "ü": "%C3%BC",
		"a%b": "a%25b", "nul\x00": "nul%00", "a b": "a%20b",
	} {
		got, err := userDir(user)
		require.NoError(t, err)
		assert.Equal(t, dir, got)
	}
	for _, user := range []string{"", strings.Repeat("x", 256)} {
		_, err := userDir(user)
		assert.ErrorIs(t, err, mailbox.ErrNotExist)
	}
}

// FuzzFolderDir: a directory is a mailbox and back, and stays in its place.
func FuzzFolderDir(f *testing.F) {
	f.Add("Work/Projects", ".a%2Eb")
	f.Add("日本語/&", ".&ZeVnLIqe-")
	f.Fuzz(func(t *testing.T, name, dir string) {
		if n, err := mailbox.CheckName(name); err == nil {
			if d, err := folderDir(n); err == nil && d != "." {
				assert.NotContains(t, d, "/")
				assert.NotContains(t, d, "\x00")
				back, ok := folderName(d)
				assert.True(t, ok, d)
				assert.Equal(t, n, back)
			}
		}
		if n, ok := folderName(dir); ok {
			d, err := folderDir(n)
			require.NoError(t, err)
			assert.Equal(t, dir, d)
		}
	})
}

//go:build linux

package maildir

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

// dovecotDir names the directory of the test below when it runs as a user that is
// not root: Dovecot gives root no access to mail.
const (
	dovecotDir = "MAILDIR_DOVECOT"
	nobody     = 65534
)

const dovecotConf = `
base_dir = %[1]s/run
log_path = %[1]s/log
mail_location = maildir:%[1]s/mail/bob
`

// TestDovecot: Dovecot, where it is installed, reads what we deliver and changes
// what we read, in one Maildir at the same time.
func TestDovecot(t *testing.T) {
	program, err := exec.LookPath("doveadm")
	if err != nil {
		t.Skip("Dovecot is not installed")
	}
	if dir := os.Getenv(dovecotDir); dir != "" {
		withDovecot(t, program, dir)
		return
	}
	if os.Geteuid() != 0 {
		withDovecot(t, program, t.TempDir())
		return
	}
	dir, err := os.MkdirTemp("", "maildir")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	self, err := os.ReadFile(os.Args[0])
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "test"), self, 0o755))
	require.NoError(t, os.Chown(dir, nobody, nobody))
	cmd := exec.Command(filepath.Join(dir, "test"), "-test.run", "^TestDovecot$", "-test.v")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), dovecotDir+"="+dir, "TMPDIR="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	if !strings.Contains(string(out), "--- PASS") {
		t.Skipf("%s", out)
	}
}

// withDovecot works beside Dovecot in a directory.
func withDovecot(t *testing.T, program, dir string) {
	conf := filepath.Join(dir, "conf")
	require.NoError(t, os.WriteFile(conf, fmt.Appendf(nil, dovecotConf, dir), 0o600))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "mail"), 0o700))
	dovecot := func(stdin string, args ...string) string {
		t.Helper()
		cmd := exec.Command(program, append([]string{"-c", conf}, args...)...)
		cmd.Env = append(os.Environ(), "USER=bob", "HOME="+dir)
		cmd.Stdin = strings.NewReader(stdin)
		out, err := cmd.CombinedOutput()
		if strings.Contains(string(out), "not allowed") {
			t.Skipf("Dovecot does not run here: %s", out)
		}
		require.NoError(t, err, "doveadm %v: %s", args, out)
		return string(out)
	}
	ahead := time.Duration(0)
	tree := &Tree{Dir: filepath.Join(dir, "mail"), Now: func() time.Time { return time.Now().Add(ahead) }}
	require.NoError(t, tree.Create("bob"))
	t.Cleanup(func() { tree.Close() })
	s := openBob(t, tree)
	m := inbox(t, s)

	// We deliver, it reads.
	require.NoError(t, put(s, "Subject: ours\r\n\r\nline\r\n"))
	got := dovecot("", "fetch", "uid flags size.virtual hdr.subject", "mailbox", "INBOX", "all")
	assert.Contains(t, got, "hdr.subject: ours")
	assert.Contains(t, got, "size.virtual: 23")

	// It flags and delivers, we see it.
	dovecot("", "flags", "add", `\Seen Work`, "mailbox", "INBOX", "all")
	dovecot("Subject: theirs\n\none\ntwo\n", "save", "-m", "INBOX")
	ahead += unsure
	d := changes(t, m, 0)
	require.Len(t, d.Messages, 2)
	assert.Equal(t, `\Seen Work`, d.Messages[0].Flags.String())
	assert.Equal(t, "Subject: theirs\r\n\r\none\r\ntwo\r\n", body(must(dumpBox(m)).msgs[d.Messages[1].UID]))
	assert.EqualValues(t, 29, d.Messages[1].Size)

	// We flag both, it sees it.
	_, err := m.SetFlags(bg, everything(), mailbox.AddFlags, flags(t, `\Flagged Play`), 0)
	require.NoError(t, err)
	got = dovecot("", "fetch", "flags", "mailbox", "INBOX", "all")
	assert.Equal(t, 2, strings.Count(got, `\Flagged`), got)
	assert.Equal(t, 2, strings.Count(got, "Play"), got)
	assert.Equal(t, 1, strings.Count(got, "Work"), got)

	// Mailboxes and subscriptions of both.
	_, err = s.Create(bg, "Lists/go")
	require.NoError(t, err)
	require.NoError(t, s.Subscribe(bg, "Lists/go", true))
	dovecot("", "mailbox", "create", "-s", "Entwürfe")
	assert.Contains(t, dovecot("", "mailbox", "list"), "Lists.go")
	assert.Contains(t, dovecot("", "mailbox", "list", "-s"), "Lists.go")
	i, err := mailbox.Find(bg, s, "Entwürfe")
	require.NoError(t, err)
	assert.True(t, i.Subscribed)

	// It removes one, we the other.
	dovecot("", "expunge", "mailbox", "INBOX", "subject", "ours")
	ahead += unsure
	d = changes(t, m, 0)
	require.Len(t, d.Messages, 1)
	require.NoError(t, m.Expunge(bg, everything()))
	assert.NotContains(t, dovecot("", "fetch", "uid", "mailbox", "INBOX", "all"), "uid:")
}

func everything() mailbox.Set { return mailbox.Set{{From: 1, To: mailbox.MaxUID}} }

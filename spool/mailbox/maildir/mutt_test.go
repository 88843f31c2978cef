//go:build linux

package maildir

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

// muttConf has mutt ask nothing.
const muttConf = "set quit=yes delete=yes confirmappend=no confirmcreate=no copy=no wait_key=no sleep_time=0 mark_old=no move=no editor=true\n"

// mutt types keys into mutt, which has a Maildir open, at a terminal of script.
func mutt(t *testing.T, dir, keys string) {
	t.Helper()
	conf := filepath.Join(t.TempDir(), "conf")
	require.NoError(t, os.WriteFile(conf, fmt.Appendf(nil, "%sset folder='%s'\npush '%s'\n", muttConf, filepath.Dir(conf), keys), 0o600))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "script", "-qec", fmt.Sprintf("mutt -n -F '%s' -f '%s'", conf, dir), "/dev/null")
	cmd.Env = append(os.Environ(), "TERM=xterm", "HOME="+filepath.Dir(conf))
	cmd.WaitDelay = time.Second
	// script types an end of file, which would be a key like others.
	never, err := cmd.StdinPipe()
	require.NoError(t, err)
	defer never.Close()
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%q", out)
}

// TestMutt: a user sits at mutt, where it is installed, while a session has the
// mailbox open: each sees what the other does.
func TestMutt(t *testing.T) {
	for _, program := range []string{"mutt", "script"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(program, "is not installed")
		}
	}
	tree := newTree(t)
	var ahead atomic.Int64 // stamps of directories get old at once
	tree.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	tree.Poll = 10 * time.Millisecond
	s := openBob(t, tree)
	m := inbox(t, s)
	dir := bobs(tree)
	rung := make(chan struct{}, 1)
	defer m.Watch(func() {
		select {
		case rung <- struct{}{}:
		default:
		}
	})()
	since := mailbox.ModSeq(1)
	// news is what the session is told without asking for it.
	news := func(what string) mailbox.Delta {
		t.Helper()
		ahead.Add(int64(unsure))
		for {
			if d := changes(t, m, since); len(d.Messages) > 0 || len(d.Vanished) > 0 {
				since = d.State.HighestModSeq
				return d
			}
			select {
			case <-rung:
			case <-time.After(30 * time.Second):
				t.Fatal("no news: " + what)
			}
		}
	}
	require.NoError(t, put(s, "From: alice@crepes.fr\r\nSubject: one\r\n\r\nhello\r\n"))
	require.NoError(t, put(s, "From: alice@crepes.fr\r\nSubject: two\r\n\r\nhello\r\n"))
	news("what we deliver ourselves")

	mutt(t, dir, "<first-entry><flag-message><quit>")
	d := news("a flag")
	require.Len(t, d.Messages, 1)
	flagged := d.Messages[0].UID
	assert.Equal(t, `\Flagged`, d.Messages[0].Flags.String())

	send := exec.CommandContext(t.Context(), "mutt", "-n", "-F", "/dev/null", "-e", "set sendmail=true copy=yes confirmappend=no folder="+dir+" record="+dir, "-s", "three", "alice@crepes.fr")
	send.Stdin = strings.NewReader("of mutt\n")
	out, err := send.CombinedOutput()
	require.NoError(t, err, "%s", out)
	d = news("a message")
	require.Len(t, d.Messages, 1, "and nothing of the others")
	assert.EqualValues(t, 3, d.Messages[0].UID)
	assert.Contains(t, body(must(dumpBox(m)).msgs[3]), "of mutt\r\n")

	_, err = m.SetFlags(bg, mailbox.SetOf(flagged), mailbox.RemoveFlags, mailbox.Flags{Sys: mailbox.Flagged}, 0)
	require.NoError(t, err)
	news("what we flag ourselves")
	mutt(t, dir, "<first-entry><delete-message><sync-mailbox><quit>")
	d = news("a message that went")
	require.Len(t, d.Vanished, 1)
	all := changes(t, m, 0)
	assert.Len(t, all.Messages, 2)
	assert.EqualValues(t, 4, all.State.UIDNext)
}

package imap

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/internal/testcert"
)

// Clients of others do what their users do. Where one is not installed its test
// is skipped.

// listen serves three messages, with a certificate that is in a file.
func listen(t *testing.T) (addr, ca string) {
	t.Helper()
	authority, err := testcert.New()
	require.NoError(t, err)
	store := testStore()
	put(t, store, "INBOX", 1, 2, 3)
	s := serverOf(store)
	s.InsecureAuth, s.TLSConfig = false, authority.Server()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go s.Serve(l)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	file := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(file, authority.PEM(), 0o600))
	return l.Addr().String(), file
}

// run runs a program and returns what it says.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return string(out)
}

func TestCurl(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("no curl")
	}
	addr, ca := listen(t)
	_, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	curl := func(url string, args ...string) string {
		return run(t, "curl", append([]string{"-sS", "--ssl-reqd", "--cacert", ca, "-u", "alice:secret", "--login-options", "AUTH=PLAIN", "imap://localhost:" + port + url}, args...)...)
	}
	assert.Contains(t, curl("/"), `* LIST (\HasNoChildren) "/" INBOX`)
	assert.Equal(t, textOf(2), curl("/INBOX;UID=2"))
	assert.Contains(t, curl("/INBOX;UID=2;SECTION=HEADER.FIELDS%20(SUBJECT)"), "Subject: afternoon meeting 2")
	assert.Contains(t, curl("/INBOX?SUBJECT%20%22meeting%203%22"), "* SEARCH 3")
	message := filepath.Join(t.TempDir(), "m")
	require.NoError(t, os.WriteFile(message, []byte(textOf(4)), 0o600))
	curl("/INBOX", "-T", message)
	assert.Equal(t, textOf(4), curl("/INBOX;UID=4"))
	assert.Contains(t, curl("/INBOX", "-X", "STORE 4 +FLAGS (\\Flagged)"), `FETCH (FLAGS (\Seen \Flagged`)
}

// imaplibScript is what Python's imaplib does.
const imaplibScript = `
import imaplib, ssl, sys
m = imaplib.IMAP4("localhost", int(sys.argv[1]))
m.starttls(ssl.create_default_context(cafile=sys.argv[2]))
m.login("alice", "secret")
assert m.enable("UTF8=ACCEPT")[0] == "OK"
assert m.select()[1] == [b"3"], m.select()
assert m.search(None, "SUBJECT", "meeting")[1] == [b"1 2 3"]
kind, data = m.fetch("1:2", "(UID FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
assert data[0][1] == b"Subject: afternoon meeting 1\r\n\r\n", data
assert m.append("INBOX", "\\Draft", imaplib.Time2Internaldate(0), b"a: b\r\n\r\nc")[0] == "OK"
assert m.store("4", "+FLAGS", "\\Deleted")[0] == "OK"
assert m.expunge()[1] == [b"4"]
assert m.create("Work")[0] == "OK"
assert m.copy("1", "Work")[0] == "OK"
assert m.status("Work", "(MESSAGES)")[1] == [b"Work (MESSAGES 1)"]
assert m.sort("REVERSE DATE", "UTF-8", "ALL")[1] == [b"3 2 1"]
assert m.thread("REFERENCES", "UTF-8", "ALL")[0] == "OK"
assert m.getquotaroot("INBOX")[0] == "OK"
assert m.myrights("INBOX")[0] == "OK"
m.close()
m.logout()
`

func TestImaplib(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("no python3")
	}
	if exec.CommandContext(context.Background(), "python3", "-c", "import imaplib, ssl").Run() != nil {
		t.Skip("python3 has no imaplib")
	}
	addr, ca := listen(t)
	_, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	assert.Empty(t, run(t, "python3", "-c", imaplibScript, port, ca))
}

package pop3

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// foreignMessages are n messages in which lines begin with dots, are empty, or
// have octets above 127, of sizes around those of the blocks.
func foreignMessages(n int) []string {
	rnd := rand.New(rand.NewPCG(1, 2))
	all := make([]string, n)
	for i := range all {
		var b strings.Builder
		fmt.Fprintf(&b, "From: a@crepes.fr\r\nTo: mrose@hamburger.edu\r\nSubject: %d\r\nMessage-ID: <%d@crepes.fr>\r\nDate: Fri, 02 Jan 2026 03:04:05 +0000\r\n\r\n", i, i)
		for range rnd.IntN(40) {
			switch rnd.IntN(6) {
			case 0:
				b.WriteString(".\r\n")
			case 1:
				b.WriteString("..dots.\r\n")
			case 2:
				b.WriteString("\r\n")
			case 3:
				b.WriteString("cr\xc3\xaape\r\n")
			default:
				b.WriteString(strings.Repeat("x", rnd.IntN(200)) + "\r\n")
			}
		}
		if i%100 == 0 {
			b.WriteString(strings.Repeat(strings.Repeat(".", 70)+"\r\n", 1000))
		}
		all[i] = b.String()
	}
	return all
}

func digest(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

// tool skips the test where a program is not installed.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed", name)
	}
	return path
}

func run(t *testing.T, in, name string, args ...string) []byte {
	t.Helper()
	c := exec.CommandContext(t.Context(), name, args...)
	c.Stdin = strings.NewReader(in)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	require.NoError(t, c.Run(), "%s\n%.2000s\n%.2000s", name, errs.String(), out.String())
	return out.Bytes()
}

// Python's poplib downloads 1,000 messages over STLS, byte for byte.
func TestForeignPoplib(t *testing.T) {
	python := tool(t, "python3")
	messages := foreignMessages(1000)
	ca := authority(t)
	s := serverOf(storeOf(t, messages...))
	s.TLSConfig, s.InsecureAuth = ca.Server(), false
	addr := listen(t, s, false)
	pem := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(pem, ca.PEM(), 0o600))
	out := run(t, `
import hashlib, poplib, ssl, sys
host, port = sys.argv[1].rsplit(":", 1)
p = poplib.POP3(host, int(port), timeout=60)
assert b"STLS" in b" ".join(str(k).encode() for k in p.capa())
p.stls(ssl.create_default_context(cafile=sys.argv[2]))
p.user("mrose"); p.pass_("tanstaaf")
n, size = p.stat()
assert len(p.list()[1]) == n and len(p.uidl()[1]) == n
for i in range(1, n + 1):
    lines = p.retr(i)[1]
    print(hashlib.md5(b"\r\n".join(lines) + b"\r\n").hexdigest())
p.dele(1)
p.quit()
`, python, "-", addr, pem)
	got := strings.Fields(string(out))
	require.Len(t, got, len(messages))
	for i, m := range messages {
		require.Equal(t, digest(m), got[i], "message %d", i+1)
	}
}

// curl lists and downloads over implicit TLS, and logs in by SASL.
func TestForeignCurl(t *testing.T) {
	curl := tool(t, "curl")
	messages := foreignMessages(101)
	ca := authority(t)
	s := serverOf(storeOf(t, messages...))
	s.TLSConfig, s.InsecureAuth = ca.Server(), false
	addr := listen(t, s, true)
	pem := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(pem, ca.PEM(), 0o600))
	base := []string{"-sS", "--cacert", pem, "-u", "mrose:tanstaaf"}
	list := run(t, "", curl, append(base, "pop3s://"+addr+"/")...)
	assert.Equal(t, len(messages), strings.Count(string(list), "\r\n"))
	for _, i := range []int{1, 2, 50, 101} {
		got := run(t, "", curl, append(base, fmt.Sprintf("pop3s://%s/%d", addr, i))...)
		require.Equal(t, messages[i-1], string(got), "message %d", i)
	}
	for _, mechanism := range []string{"PLAIN", "LOGIN", "CRAM-MD5"} {
		run(t, "", curl, append(base, "--login-options", "AUTH="+mechanism, "pop3s://"+addr+"/1")...)
	}
}

// fetchmail fetches messages and hands each to a program, which takes it 15 ms
// each: 1,000 under POSTILION_LONG=1, else 100.
func TestForeignFetchmail(t *testing.T) {
	fetchmail := tool(t, "fetchmail")
	n := 100
	if os.Getenv("POSTILION_LONG") != "" {
		n = 1000
	}
	messages := foreignMessages(n)
	store := storeOf(t, messages...)
	addr := listen(t, serverOf(store), false)
	host, port, _ := strings.Cut(addr, ":")
	dir := t.TempDir()
	box := filepath.Join(dir, "box")
	rc := filepath.Join(dir, "rc")
	require.NoError(t, os.WriteFile(rc, []byte(fmt.Sprintf(
		"set no bouncemail\npoll %s protocol pop3 service %s auth password no envelope\n  user mrose password tanstaaf sslproto '' fetchall no keep no rewrite mimedecode mda \"cat >>%s; echo =END= >>%s\"\n",
		host, port, box, box)), 0o600))
	c := exec.CommandContext(t.Context(), fetchmail, "-f", rc, "--idfile", filepath.Join(dir, "ids"), "--pidfile", filepath.Join(dir, "pid"), "--invisible", "--norewrite")
	c.Env = append(os.Environ(), "HOME="+dir, "LC_ALL=C")
	out, err := c.CombinedOutput()
	require.NoError(t, err, "%.2000s", out)
	b, err := os.ReadFile(box)
	require.NoError(t, err)
	got := strings.Split(strings.TrimSuffix(string(b), "=END=\n"), "=END=\n")
	require.Len(t, got, len(messages))
	for i, m := range messages {
		require.Equal(t, strings.ReplaceAll(m, "\r\n", "\n"), got[i], "message %d", i+1)
	}
	uids, _ := left(t, store)
	assert.Empty(t, uids, "fetched messages are deleted")
}

// mpop speaks to us by its own parser, pipelined.
func TestForeignMpop(t *testing.T) {
	mpop := tool(t, "mpop")
	messages := foreignMessages(1000)
	ca := authority(t)
	s := serverOf(storeOf(t, messages...))
	s.TLSConfig = ca.Server()
	addr := listen(t, s, false)
	host, port, _ := strings.Cut(addr, ":")
	dir := t.TempDir()
	pem := filepath.Join(dir, "ca.pem")
	require.NoError(t, os.WriteFile(pem, ca.PEM(), 0o600))
	rc := filepath.Join(dir, "rc")
	require.NoError(t, os.WriteFile(rc, []byte(fmt.Sprintf(
		"account default\nhost %s\nport %s\nuser mrose\npassword tanstaaf\ntls on\ntls_starttls on\ntls_trust_file %s\nkeep on\ndelivery mbox %s\nuidls_file %s\nreceived_header off\n",
		host, port, pem, filepath.Join(dir, "box"), filepath.Join(dir, "uidls"))), 0o600))
	run(t, "", mpop, "-C", rc, "-q")
	b, err := os.ReadFile(filepath.Join(dir, "box"))
	require.NoError(t, err)
	for i, m := range messages {
		require.True(t, bytes.Contains(b, []byte(strings.ReplaceAll(m, "\r\n", "\n"))), "message %d", i+1)
	}
}

package main

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/mime"
	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/smtp/smtptest"
)

// call runs the program and gives its exit code and what it printed.
func call(t *testing.T, in string, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(t.Context(), args, "password", strings.NewReader(in), &o, &e)
	return code, o.String(), e.String()
}

func write(t *testing.T, name string, content []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(file, content, 0o600))
	return file
}

func TestThroughServer(t *testing.T) {
	srv := smtptest.New(t, func(s *smtp.Server) { s.Profile = smtp.Submission })
	ca := write(t, "ca.pem", srv.CA)
	big := write(t, "big.bin", bytes.Repeat([]byte("postilion"), 200_000))
	html := write(t, "letter.html", []byte("<p>At <b>noon</b>?</p>"))
	code, out, errs := call(t, "At noon?\n", "-from", "Alice <alice@crepes.fr>", "-to", "bob@hamburger.edu, carol@hamburger.edu",
		"-bcc", "dave@hamburger.edu", "-subject", "Crêpes", "-html", html, "-attach", big, "-server", srv.Addr, "-user", "alice", "-ca", ca)
	require.Zero(t, code, errs)
	assert.Contains(t, out, strings.Repeat("=", width))
	assert.Equal(t, 3, strings.Count(out, "accepted: 250"), out)
	got := srv.Wait(1)[0]
	m := mime.Parse(got.Data)
	assert.Equal(t, "Crêpes", m.Header().Subject())
	assert.Len(t, m.Attachments(), 1)
	assert.Equal(t, "At noon?\r\n", m.TextBody()[0].Text())
	assert.NotContains(t, string(got.Data), "dave@")
	assert.Len(t, got.Envelope.To, 3)
}

func TestSomeAreRefused(t *testing.T) {
	srv := smtptest.New(t)
	srv.On(smtptest.RCPT).Arg("nobody@").Reply(550, "5.1.1", "no such user")
	code, out, errs := call(t, "", "-from", "a@crepes.fr", "-to", "bob@hamburger.edu,nobody@hamburger.edu",
		"-server", srv.Addr, "-ca", write(t, "ca.pem", srv.CA), "Hello")
	assert.Equal(t, 1, code)
	assert.Contains(t, out, "<bob@hamburger.edu> accepted")
	assert.Contains(t, errs, "<nobody@hamburger.edu> permanent: 550 5.1.1 no such user")
}

// Straight to the mail hosts: the first one of the domain is down.
func TestDirect(t *testing.T) {
	srv := smtptest.New(t)
	_, port, err := net.SplitHostPort(srv.Addr)
	require.NoError(t, err)
	zone := write(t, "zone", []byte(`
hamburger.edu     MX 10 mx1.hamburger.edu
hamburger.edu     MX 20 mx2.hamburger.edu
mx1.hamburger.edu A 127.0.0.2
mx2.hamburger.edu A 127.0.0.1
null.example      MX 0 .
`))
	code, out, errs := call(t, "At noon?", "-from", "alice@crepes.fr", "-to", "bob@hamburger.edu,x@null.example,y@nowhere.example", "-zone", zone, "-port", port)
	assert.Equal(t, 1, code)
	assert.Contains(t, out, "<bob@hamburger.edu> accepted: 250", errs)
	assert.Contains(t, errs, "<x@null.example> permanent: 556 5.1.10")
	assert.Contains(t, errs, "<y@nowhere.example> permanent: 550 5.1.2")
	assert.Contains(t, string(srv.Wait(1)[0].Data), "At noon?")
}

func TestMistakes(t *testing.T) {
	srv := smtptest.New(t)
	for name, tc := range map[string]struct {
		args []string
		code int
		want string
	}{
		"nothing":        {nil, 2, "From"},
		"no recipient":   {[]string{"-from", "a@b.example", "text"}, 2, "recipient"},
		"bad address":    {[]string{"-from", "a@b.example", "-to", "x y z", "text"}, 2, "To"},
		"injection":      {[]string{"-from", "a@b.example", "-to", "c@d.example", "-subject", "x\r\nBcc: e@f.example", "text"}, 2, "Subject"},
		"no file":        {[]string{"-from", "a@b.example", "-to", "c@d.example", "-attach", "/nowhere/x", "text"}, 2, "/nowhere/x"},
		"bad mode":       {[]string{"-from", "a@b.example", "-to", "c@d.example", "-tls", "perhaps", "text"}, 2, "starttls"},
		"nobody listens": {[]string{"-from", "a@b.example", "-to", "c@d.example", "-server", "127.0.0.1:1", "text"}, 1, "connecting"},
		"not trusted":    {[]string{"-from", "a@b.example", "-to", "c@d.example", "-server", srv.Addr, "text"}, 1, "certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			code, _, errs := call(t, "", tc.args...)
			assert.Equal(t, tc.code, code)
			assert.Contains(t, errs, tc.want)
			assert.NotContains(t, errs, "password\n")
		})
	}
}

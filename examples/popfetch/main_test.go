package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/internal/testcert"
	"github.com/postilion-mail/postilion/pop3"
	"github.com/postilion-mail/postilion/smtp/sasl"
	"github.com/postilion-mail/postilion/spool/mailbox"
	"github.com/postilion-mail/postilion/spool/mailbox/memory"
)

// serve runs a server over bob's mailbox, and gives its address and the file of
// its authority.
func serve(t *testing.T, store mailbox.Store) (addr, ca string) {
	t.Helper()
	authority, err := testcert.New("127.0.0.1")
	require.NoError(t, err)
	ca = filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(ca, authority.PEM(), 0o600))
	s := &pop3.Server{
		Auth: &sasl.Authenticator{Password: func(_ context.Context, l sasl.Login, password string) error {
			if l.User != "bob" || password != "secret" {
				return sasl.ErrCredentials
			}
			return nil
		}},
		Open:      func(context.Context, string) (mailbox.Store, error) { return store, nil },
		TLSConfig: authority.Server(),
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- s.ServeTLS(l) }()
	t.Cleanup(func() { s.Close(); require.NoError(t, <-done) })
	return l.Addr().String(), ca
}

func deliver(t *testing.T, store mailbox.Store, subject string) {
	t.Helper()
	require.NoError(t, mailbox.Deliver(t.Context(), store, mailbox.Delivery{ReturnPath: "alice@crepes.fr", Body: strings.NewReader("Subject: " + subject + "\r\n\r\n.dot\r\n")}))
}

func TestFetchesWhatIsNew(t *testing.T) {
	store := &memory.Store{User: "bob"}
	deliver(t, store, "one")
	deliver(t, store, "two")
	addr, ca := serve(t, store)
	dir := t.TempDir()
	fetch := func(more ...string) string {
		var out, errs bytes.Buffer
		code := run(t.Context(), append(more, "-user", "bob", "-dir", dir, "-ca", ca, addr), "secret", &out, &errs)
		assert.Zero(t, code, errs.String())
		return out.String()
	}
	out := fetch()
	assert.Contains(t, out, strings.Repeat("=", width)+"] 2 of 2 messages")
	assert.True(t, strings.HasSuffix(out, "\n2 new\n"), out)
	deliver(t, store, "three")
	assert.Equal(t, "1 new\n", fetch("-quiet", "-delete"))
	files, err := filepath.Glob(filepath.Join(dir, "*.eml"))
	require.NoError(t, err)
	require.Len(t, files, 3)
	b, err := os.ReadFile(files[2])
	require.NoError(t, err)
	assert.Equal(t, "Return-Path: <alice@crepes.fr>\r\nSubject: three\r\n\r\n.dot\r\n", string(b))
	assert.Equal(t, "0 new\n", fetch("-quiet"))
	m, err := mailbox.OpenName(t.Context(), store, mailbox.Inbox)
	require.NoError(t, err)
	defer m.Close()
	d, err := m.Changes(t.Context(), 0)
	require.NoError(t, err)
	assert.Len(t, d.Messages, 2, "only what that call downloaded was deleted")
}

func TestFails(t *testing.T) {
	addr, ca := serve(t, &memory.Store{User: "bob"})
	for name, tc := range map[string]struct {
		args     []string
		password string
		code     int
		want     string
	}{
		"no host":        {[]string{"-user", "bob"}, "", 2, "usage"},
		"no user":        {[]string{addr}, "", 2, "usage"},
		"bad mode":       {[]string{"-user", "bob", "-tls", "maybe", addr}, "", 2, "implicit, starttls or none"},
		"bad CA":         {[]string{"-user", "bob", "-ca", "/nowhere", addr}, "", 2, "/nowhere"},
		"wrong password": {[]string{"-user", "bob", "-ca", ca, addr}, "guess", 1, "[AUTH]"},
		"not trusted":    {[]string{"-user", "bob", addr}, "secret", 1, "certificate"},
		"nobody there":   {[]string{"-user", "bob", "-ca", ca, "127.0.0.1:1"}, "secret", 1, "connecting"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errs bytes.Buffer
			assert.Equal(t, tc.code, run(t.Context(), append([]string{"-dir", t.TempDir()}, tc.args...), tc.password, &out, &errs))
			assert.Contains(t, errs.String(), tc.want)
			assert.NotContains(t, errs.String(), "secret")
		})
	}
}

// What a server calls its messages never leads out of the folder.
func TestFileNamesAreSafe(t *testing.T) {
	for uid, want := range map[string]string{
		"":              "message-7.eml",
		"1.2":           "1.2.eml",
		"../../etc/x":   "_2e._2f.._2fetc_2fx.eml",
		".hidden":       "_2ehidden.eml",
		"a b\x1b[2J~\\": "a_20b_1b_5b2J_7e_5c.eml",
	} {
		assert.Equal(t, want, fileName(pop3.Message{Number: 7, UID: uid}))
	}
}

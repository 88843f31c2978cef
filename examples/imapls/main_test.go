package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/imap/imaptest"
)

func caFile(t *testing.T, srv *imaptest.Server) string {
	file := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(file, srv.CA, 0o600))
	return file
}

func TestLists(t *testing.T) {
	srv := imaptest.NewTLS(t)
	_, err := srv.Store.Create(t.Context(), "Crêpes/Verschickt", `\Sent`)
	require.NoError(t, err)
	srv.Deliver("INBOX", "From: a@crepes.fr\r\nSubject: one\r\n\r\nx\r\n", "From: =?utf-8?q?Zo=C3=AB?= <z@crepes.fr>\r\nSubject: two\r\n\r\nx\r\n", "Subject: three\r\n\r\nx\r\n")
	var out, errs bytes.Buffer
	code := run(t.Context(), []string{"-user", "bob", "-ca", caFile(t, srv), "-n", "2", srv.Addr}, "secret", &out, &errs)
	require.Zero(t, code, errs.String())
	text := out.String()
	assert.Regexp(t, `INBOX +3 messages, 3 unseen`, text)
	assert.Regexp(t, `Crêpes/Verschickt +0 messages, 0 unseen \\Sent`, text)
	assert.Contains(t, text, "Zoë")
	assert.NotContains(t, text, "one")
	assert.Less(t, strings.Index(text, "three"), strings.Index(text, "two"), "the newest first")
	assert.NotContains(t, srv.Transcript(), " SELECT ", "listing changes nothing")
}

// lines hands on what a program prints, line by line.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
	got chan string
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf.Write(b)
	for {
		line, err := l.buf.ReadString('\n')
		if err != nil {
			l.buf.WriteString(line)
			return len(b), nil
		}
		l.got <- line
	}
}

func TestWatches(t *testing.T) {
	srv := imaptest.NewTLS(t)
	ctx, stop := context.WithCancel(t.Context())
	out := &lines{got: make(chan string, 100)}
	done := make(chan int)
	go func() {
		done <- run(ctx, []string{"-user", "bob", "-ca", caFile(t, srv), "-watch", srv.Addr}, "secret", out, io.Discard)
	}()
	for _, subject := range []string{"first", "second"} {
		srv.AwaitIdle(1)
		srv.Deliver("INBOX", "Subject: "+subject+"\r\n\r\nx\r\n")
		for line := range out.got {
			if strings.Contains(line, subject) {
				break
			}
		}
	}
	srv.AwaitIdle(1)
	stop()
	assert.Zero(t, <-done)
}

func TestFails(t *testing.T) {
	srv := imaptest.NewTLS(t)
	ca := caFile(t, srv)
	srv.On(imaptest.EXAMINE).Arg("nowhere").No("NONEXISTENT", "no such folder")
	for name, tc := range map[string]struct {
		args []string
		code int
		want string
	}{
		"no host":     {[]string{"-user", "bob"}, 2, "usage"},
		"bad mode":    {[]string{"-user", "bob", "-tls", "maybe", srv.Addr}, 2, "starttls"},
		"bad CA":      {[]string{"-user", "bob", "-ca", "/nowhere", srv.Addr}, 2, "/nowhere"},
		"not trusted": {[]string{"-user", "bob", srv.Addr}, 1, "certificate"},
		"no folder":   {[]string{"-user", "bob", "-ca", ca, "-folder", "nowhere", srv.Addr}, 1, "NONEXISTENT"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errs bytes.Buffer
			assert.Equal(t, tc.code, run(t.Context(), tc.args, "secret", &out, &errs))
			assert.Contains(t, errs.String(), tc.want)
			assert.NotContains(t, errs.String(), "secret")
		})
	}
}

package pop3

import (
	"context"
	"flag"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/internal/script"
	"github.com/postilion-mail/postilion/internal/testcert"
)

var update = flag.Bool("update", false, "rewrite testdata/*.txt with what the server says")

// TestGoldenDialogues plays testdata/*.txt against the server. The first line
// of each file sets the server up: its name, then options, see goldenOptions.
func TestGoldenDialogues(t *testing.T) {
	ca := authority(t)
	p := script.Player{TLS: ca.Client()}
	script.Dir(t, "testdata/*.txt", p, *update, func(t *testing.T, name string) net.Conn {
		c, s := net.Pipe()
		srv := goldenServer(t, filepath.Join("testdata", name+".txt"), ca)
		go srv.ServeConn(context.Background(), s)
		t.Cleanup(func() { srv.Close() })
		return c
	})
}

// goldenServer makes the server that a file asks for.
func goldenServer(t testing.TB, path string, ca *testcert.Authority) *Server {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	first, _, _ := strings.Cut(string(b), "\n")
	spec, ok := strings.CutPrefix(first, "# server: ")
	require.True(t, ok, "%s does not begin with # server:", path)
	words := strings.Fields(spec)
	s := serverOf(storeOf(t))
	s.Name, s.InsecureAuth = words[0], false
	for _, w := range words[1:] {
		key, value, _ := strings.Cut(w, "=")
		set, ok := goldenOptions[key]
		require.True(t, ok, "%s: no option %s", path, key)
		set(t, s, value, ca)
	}
	return s
}

type option func(t testing.TB, s *Server, value string, ca *testcert.Authority)

// goldenOptions are what a file may say about its server.
var goldenOptions = map[string]option{
	"insecure": func(_ testing.TB, s *Server, _ string, _ *testcert.Authority) { s.InsecureAuth = true },
	"tls":      func(_ testing.TB, s *Server, _ string, ca *testcert.Authority) { s.TLSConfig = ca.Server() },
	"apop":     func(_ testing.TB, s *Server, _ string, _ *testcert.Authority) { s.APOP = true },
	"noauth":   func(_ testing.TB, s *Server, _ string, _ *testcert.Authority) { s.Auth = nil },
	"nopass":   func(_ testing.TB, s *Server, _ string, _ *testcert.Authority) { s.Auth.Password = nil },
	"sizes": func(t testing.TB, s *Server, v string, _ *testcert.Authority) {
		var messages []string
		for _, n := range strings.Split(v, ",") {
			size, err := strconv.Atoi(n)
			require.NoError(t, err)
			messages = append(messages, sized(size))
		}
		s.Open = serverOf(storeOf(t, messages...)).Open
	},
	"dots": func(t testing.TB, s *Server, _ string, _ *testcert.Authority) {
		s.Open = serverOf(storeOf(t, ".\r\n..\r\n.x\r\ny.\r\n\r\n.\r\nlast")).Open
	},
	"top": func(t testing.TB, s *Server, _ string, _ *testcert.Authority) {
		s.Open = serverOf(storeOf(t, "Subject: a\r\nTo: b\r\n\r\none\r\n.two\r\nthree\r\n", "Subject: no body\r\n")).Open
	},
	"utf8": func(t testing.TB, s *Server, _ string, _ *testcert.Authority) {
		s.Open = serverOf(storeOf(t, "Subject: Crêpes\r\n\r\nAt noon?\r\n", "Subject: Cr\xeapes\r\n\r\nold\r\n")).Open
	},
	"without": func(_ testing.TB, s *Server, v string, _ *testcert.Authority) { s.Without = strings.Split(v, ",") },
	"delay": func(t testing.TB, s *Server, v string, _ *testcert.Authority) {
		d, err := time.ParseDuration(v)
		require.NoError(t, err)
		s.LoginDelay = d
	},
	"expire": func(t testing.TB, s *Server, v string, _ *testcert.Authority) {
		d, err := time.ParseDuration(v)
		require.NoError(t, err)
		s.Expire = d
	},
	"name": func(_ testing.TB, s *Server, v string, _ *testcert.Authority) { s.Implementation = v },
}

// Every command, and every capability, has a dialogue.
func TestEveryCommandHasADialogue(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	var all string
	for _, f := range files {
		b, err := os.ReadFile(f)
		require.NoError(t, err)
		all += string(b)
	}
	for _, c := range commands {
		assert.True(t, strings.Contains(all, "\nC: "+c.verb), c.verb)
	}
	for _, c := range capabilities {
		assert.True(t, strings.Contains(all, "\nS: "+c.keyword), c.keyword)
	}
}

// Each command is refused in the states that the table does not list.
func TestCommandsInWrongState(t *testing.T) {
	for _, row := range commands {
		t.Run(row.verb, func(t *testing.T) {
			s := serverOf(storeOf(t))
			s.TLSConfig = authority(t).Server()
			if row.states&authorization == 0 {
				dial(t, s).do(row.verb, "-ERR Log in first")
			}
			if row.states&transaction == 0 {
				in(t, s).do(row.verb, "-ERR You are logged in already")
			}
		})
	}
}

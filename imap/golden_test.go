package imap

import (
	"context"
	"flag"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/internal/script"
	"github.com/postilion-mail/postilion/internal/testcert"
	"github.com/postilion-mail/postilion/spool/mailbox"
	"github.com/postilion-mail/postilion/spool/mailbox/memory"
)

var update = flag.Bool("update", false, "rewrite testdata/*.txt with what the server says")

// TestGoldenDialogues plays testdata/*.txt against the server. The first line
// of each file sets it up: see goldenOptions.
func TestGoldenDialogues(t *testing.T) {
	ca, err := testcert.New()
	require.NoError(t, err)
	p := script.Player{TLS: ca.Client()}
	script.Dir(t, "testdata/*.txt", p, *update, func(t *testing.T, name string) net.Conn { return goldenDial(t, name, ca) })
}

// TestGoldenChunks plays them again, octet by octet and in other pieces: how the
// network cuts a command changes nothing.
func TestGoldenChunks(t *testing.T) {
	ca, err := testcert.New()
	require.NoError(t, err)
	sizes := []int{1, 3}
	if os.Getenv("POSTILION_LONG") != "" {
		sizes = []int{1, 2, 3, 4, 5, 7, 11, 13, 64, 1000}
	}
	for _, n := range sizes {
		p := script.Player{TLS: ca.Client(), Chunk: n}
		script.Dir(t, "testdata/*.txt", p, false, func(t *testing.T, name string) net.Conn { return goldenDial(t, name, ca) })
	}
}

func goldenDial(t *testing.T, name string, ca *testcert.Authority) net.Conn {
	c, s := net.Pipe()
	srv := goldenServer(t, filepath.Join("testdata", name+".txt"), ca)
	go srv.ServeConn(context.Background(), s)
	t.Cleanup(func() { srv.Close() })
	return c
}

func goldenServer(t testing.TB, path string, ca *testcert.Authority) *Server {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	first, _, _ := strings.Cut(string(b), "\n")
	spec, is := strings.CutPrefix(first, "# server:")
	require.True(t, is, "%s does not begin with # server:", path)
	store := testStore()
	s := serverOf(store)
	s.InsecureAuth = false
	for _, w := range strings.Fields(spec) {
		key, value, _ := strings.Cut(w, "=")
		set, known := goldenOptions[key]
		require.True(t, known, "%s: no option %s", path, key)
		set(t, s, store, value, ca)
	}
	return s
}

// goldenOptions are what a file may say about its server.
var goldenOptions = map[string]func(t testing.TB, s *Server, store *memory.Store, value string, ca *testcert.Authority){
	"tls": func(_ testing.TB, s *Server, _ *memory.Store, _ string, ca *testcert.Authority) {
		s.TLSConfig = ca.Server()
	},
	"insecure": func(_ testing.TB, s *Server, _ *memory.Store, _ string, _ *testcert.Authority) { s.InsecureAuth = true },
	"without": func(_ testing.TB, s *Server, _ *memory.Store, v string, _ *testcert.Authority) {
		s.Without = strings.Split(v, ",")
	},
	"size": func(_ testing.TB, s *Server, _ *memory.Store, _ string, _ *testcert.Authority) {
		s.Limits.MessageBytes = 1000
	},
	"limit": func(_ testing.TB, s *Server, _ *memory.Store, _ string, _ *testcert.Authority) { s.Limits.Messages = 2 },
	"mail": func(t testing.TB, _ *Server, store *memory.Store, v string, _ *testcert.Authority) {
		goldenMail[v](t, store)
	},
	"plain": func(_ testing.TB, s *Server, store *memory.Store, _ string, _ *testcert.Authority) { // without optional interfaces
		s.Open = func(context.Context, string) (mailbox.Store, error) { return struct{ mailbox.Store }{store}, nil }
	},
}

// goldenMail fills the account.
var goldenMail = map[string]func(t testing.TB, s *memory.Store){
	"three": func(t testing.TB, s *memory.Store) { put(t, s, "INBOX", 1, 2, 3) },
	"mime": func(t testing.TB, s *memory.Store) {
		require.NoError(t, s.Put(context.Background(), "INBOX", mailbox.Flags{}, goldenMIME))
	},
	"threads": func(t testing.TB, s *memory.Store) {
		for i, m := range goldenThreads {
			text := "Date: Mon, 7 Feb 1994 21:52:0" + string(rune('0'+i)) + " +0000\r\n" + m + "\r\n\r\nx\r\n"
			require.NoError(t, s.Put(context.Background(), "INBOX", mailbox.Flags{}, text))
		}
	},
	"tree": func(t testing.TB, s *memory.Store) {
		for _, name := range []string{"Archive", "Work", "Work/Projects", "Work/Projects/Old", "Täglich", "Lists/Lemonade", "Lists/Im2000"} {
			_, err := s.Create(context.Background(), name)
			require.NoError(t, err)
		}
		_, err := s.Create(context.Background(), "Sent", `\Sent`)
		require.NoError(t, err)
		for _, name := range []string{"Work/Projects", "Lists/Lemonade", "Gone"} {
			require.NoError(t, s.Subscribe(context.Background(), name, true))
		}
		put(t, s, "Work", 1, 2)
	},
}

// goldenMIME has all that BODYSTRUCTURE can tell: a message within a message, an
// attachment, a group of addresses.
const goldenMIME = "Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\nFrom: Terry Gray <gray@cac.washington.edu>\r\nSubject: IMAP4rev2 WG mtg summary\r\n" +
	"To: friends: imap@cac.washington.edu, \"John \\\"K\\\"\" <klensin@mit.edu>;\r\nMessage-Id: <B27397-0100000@cac.washington.edu>\r\n" +
	"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"b1\"\r\n\r\npreamble\r\n" +
	"--b1\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe\r\n" +
	"--b1\r\nContent-Type: message/rfc822\r\nContent-Description: forwarded\r\n\r\nSubject: inner\r\nFrom: a@b.example\r\nMIME-Version: 1.0\r\n" +
	"Content-Type: multipart/alternative; boundary=b2\r\n\r\n--b2\r\n\r\ninner text\r\n--b2\r\nContent-Type: text/html\r\n\r\n<p>inner</p>\r\n--b2--\r\n\r\n" +
	"--b1\r\nContent-Type: application/octet-stream; name=\"x.bin\"\r\nContent-Transfer-Encoding: base64\r\n" +
	"Content-Disposition: attachment; filename=\"x.bin\"\r\n\r\nAAECAwQF\r\n--b1--\r\n"

// goldenThreads are messages of three conversations.
var goldenThreads = []string{
	"Subject: hello\r\nFrom: Zoe <b@x.example>\r\nTo: c@y.example\r\nMessage-Id: <1@x>",
	"Subject: Re: hello\r\nFrom: Anna <z@x.example>\r\nTo: b@y.example\r\nMessage-Id: <2@x>\r\nReferences: <1@x>",
	"Subject: [list] Fwd: other (fwd)\r\nFrom: m@x.example\r\nTo: a@y.example\r\nMessage-Id: <3@x>",
	"Subject: hello again\r\nFrom: m@x.example\r\nMessage-Id: <4@x>\r\nIn-Reply-To: <1@x>",
	"Subject: re: other\r\nFrom: c@x.example\r\nMessage-Id: <5@x>\r\nReferences: <gone@x>",
	"Subject: Re: Hello\r\nFrom: d@x.example\r\nMessage-Id: <6@x>\r\nReferences: <1@x> <2@x>",
}

// TestCapabilitiesHaveDialogues: what is offered is shown. Each capability is
// named by a comment "# capability: NAME …" of a dialogue.
func TestCapabilitiesHaveDialogues(t *testing.T) {
	shown := map[string]bool{}
	paths, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	for _, path := range paths {
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		for l := range strings.Lines(string(b)) {
			if names, is := strings.CutPrefix(l, "# capability: "); is {
				for _, n := range strings.Fields(names) {
					shown[n] = true
				}
			}
		}
	}
	for _, row := range capabilities {
		assert.True(t, shown[row.name], "no dialogue shows %s", row.name)
		delete(shown, row.name)
	}
	assert.Empty(t, shown, "dialogues of what is not offered")
}

// TestCommandsHaveDialogues: each verb is spoken in some dialogue.
func TestCommandsHaveDialogues(t *testing.T) {
	spoken := map[string]bool{}
	paths, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	for _, path := range paths {
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		for l := range strings.Lines(string(b)) {
			said, is := strings.CutPrefix(strings.TrimSpace(l), "C: ")
			words := strings.Fields(strings.ToUpper(said))
			if !is || len(words) < 2 {
				continue
			}
			spoken[words[1]] = true
			if len(words) > 2 {
				spoken[words[1]+" "+words[2]] = true
			}
		}
	}
	for _, row := range commands {
		assert.True(t, spoken[row.verb], "no dialogue has %s", row.verb)
	}
}

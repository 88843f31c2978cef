package smtp

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/internal/script"
	"github.com/postilion-mail/postilion/internal/testcert"
	"github.com/postilion-mail/postilion/smtp/sasl"
)

var update = flag.Bool("update", false, "rewrite testdata/*.txt with what the server says")

// goldenNow is the clock of the servers of all dialogues.
var goldenNow = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// TestGoldenDialogues plays testdata/*.txt against the server. The first line
// of each file sets the server up: its name, then options, see goldenOptions.
func TestGoldenDialogues(t *testing.T) { playGolden(t, "testdata/*.txt") }

// TestGoldenClientDialogues plays the dialogues of the client against the
// server, so that both are known to go together; see TestGoldenReplay.
func TestGoldenClientDialogues(t *testing.T) { playGolden(t, "testdata/client/*.txt") }

func playGolden(t *testing.T, glob string) {
	ca, err := testcert.New()
	require.NoError(t, err)
	client, err := ca.Issue(testcert.Leaf{CommonName: "alice", Emails: []string{"alice@crepes.fr"}})
	require.NoError(t, err)
	p := script.Player{TLS: ca.Client(client)}
	script.Dir(t, glob, p, *update, func(t *testing.T, name string) net.Conn {
		c, s := net.Pipe()
		srv := goldenServer(t, filepath.Join(filepath.Dir(glob), name+".txt"), ca)
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
	s := &Server{Name: words[0], Now: func() time.Time { return goldenNow }}
	for _, w := range words[1:] {
		key, value, _ := strings.Cut(w, "=")
		set, ok := goldenOptions[key]
		require.True(t, ok, "%s: no option %s", path, key)
		set(s, value, ca)
	}
	return s
}

// goldenOptions are what a file may say about its server.
var goldenOptions = map[string]func(s *Server, value string, ca *testcert.Authority){
	"lmtp":       func(s *Server, _ string, _ *testcert.Authority) { s.Profile = LMTP },
	"submission": func(s *Server, _ string, _ *testcert.Authority) { s.Profile = Submission },
	"tls":        func(s *Server, _ string, ca *testcert.Authority) { s.TLSConfig = ca.MutualServer() },
	"insecure":   func(s *Server, _ string, _ *testcert.Authority) { s.InsecureAuth = true },
	"without": func(s *Server, v string, _ *testcert.Authority) {
		s.Without = append(s.Without, strings.Split(v, ",")...)
	},
	"ext": func(s *Server, v string, _ *testcert.Authority) {
		for _, name := range strings.Split(v, ",") {
			s.Extensions |= goldenExtensions[name]
		}
	},
	"auth":   func(s *Server, _ string, _ *testcert.Authority) { s.Auth = goldenAuth() },
	"minby":  func(s *Server, v string, _ *testcert.Authority) { s.MinBy, _ = time.ParseDuration(v) },
	"size":   func(s *Server, _ string, _ *testcert.Authority) { s.Limits.MessageBytes = 1000 },
	"refuse": func(s *Server, v string, _ *testcert.Authority) { s.Handler.Rcpt = refuseUsers(v) },
	"full":   func(s *Server, v string, _ *testcert.Authority) { s.Handler.Message = fullMailbox(v) },
	"know":   func(s *Server, v string, _ *testcert.Authority) { s.Handler.Verify = knowUser(v) },
}

var goldenExtensions = map[string]Extensions{
	"DSN": ExtDSN, "SMTPUTF8": ExtSMTPUTF8, "REQUIRETLS": ExtRequireTLS, "DELIVERBY": ExtDeliverBy,
	"FUTURERELEASE": ExtFutureRelease, "PRDR": ExtPRDR, "BINARYMIME": ExtBinaryMIME,
	"MT-PRIORITY": ExtMTPriority, "RRVS": ExtRRVS,
}

// goldenAuth knows the user of the examples of RFC 4954 §4.1.
func goldenAuth() *sasl.Authenticator {
	return &sasl.Authenticator{
		Password: func(_ context.Context, l sasl.Login, password string) error {
			if l.User != "test" || password != "1234" {
				return sasl.ErrCredentials
			}
			return nil
		},
		Secret: func(context.Context, sasl.Login) (sasl.Secret, error) { return sasl.Secret{}, sasl.ErrCredentials },
		Certificate: func(_ context.Context, l sasl.Login) (string, error) {
			return l.TLS.PeerCertificates[0].Subject.CommonName, nil
		},
		SaltKey: []byte("golden"),
	}
}

func refuseUsers(list string) func(context.Context, *Transaction, *Recipient) error {
	return func(_ context.Context, _ *Transaction, r *Recipient) error {
		for _, user := range strings.Split(list, ",") {
			if strings.EqualFold(r.Path.Local(), user) {
				return Reject(550, "5.1.1", "No such user here")
			}
			if !r.ValidSince.IsZero() && r.ValidSince.Before(goldenNow.AddDate(-5, 0, 0)) {
				return Reject(550, "5.7.17", r.Path.Address()+" is no longer valid") // RFC 7293 §5.1
			}
		}
		return nil
	}
}

// fullMailbox refuses the message for one recipient only.
func fullMailbox(user string) func(context.Context, *Transaction, io.Reader) error {
	return func(_ context.Context, t *Transaction, body io.Reader) error {
		if _, err := io.Copy(io.Discard, body); err != nil {
			return err
		}
		results := Failed(len(t.To), nil)
		for i, r := range t.To {
			if r.Path.Local() == user {
				results[i] = Failed(1, Reject(452, "4.2.2", "<"+r.Path.Address()+"> is temporarily over quota"))[0]
			}
		}
		return results.Err()
	}
}

func knowUser(name string) func(context.Context, *Session, string) (Reply, error) {
	return func(_ context.Context, _ *Session, arg string) (Reply, error) {
		if !strings.EqualFold(arg, name) {
			return Reply{}, Reject(550, "5.1.1", "String does not match anything.")
		}
		return Reply{250, "2.1.5", "Mark Crispin <Admin.MRC@foo.com>"}, nil // RFC 5321 appendix D.4
	}
}

// goldenStates are the files state-*.txt, one for each state of the server.
var goldenStates = map[string]state{
	"fresh": fresh, "greeted": greeted, "mail": inMail, "rcpt": inRcpt, "bdat": inBdat,
}

// TestGoldenStatesAreComplete: each verb of the server's table is tried in each
// state, under a comment of its own, and is answered as the table says.
func TestGoldenStatesAreComplete(t *testing.T) {
	for name, st := range goldenStates {
		b, err := os.ReadFile("testdata/state-" + name + ".txt")
		require.NoError(t, err)
		sections := goldenSections(string(b))
		for _, row := range commands {
			replies, ok := sections[row.verb]
			if !assert.True(t, ok, "%s is not tried in state %s", row.verb, name) {
				continue
			}
			switch out := strings.HasPrefix(replies, "503"); {
			case row.states&st == 0:
				assert.True(t, out || row.verb == "LHLO", "%s in state %s: %s", row.verb, name, replies)
			case row.verb != "BDAT": // which looks for itself
				assert.False(t, out, "%s in state %s: %s", row.verb, name, replies)
			}
		}
	}
	assert.Equal(t, anyState, func() (all state) {
		for _, st := range goldenStates {
			all |= st
		}
		return all
	}(), "there is a state without a file")
}

// goldenSections gives the first reply behind each comment "# VERB", which the
// verb itself must follow.
func goldenSections(text string) map[string]string {
	out := map[string]string{}
	verb, seen := "", false
	for l := range strings.Lines(text) {
		l = strings.TrimSpace(l)
		if v, ok := strings.CutPrefix(l, "# "); ok && v == strings.ToUpper(v) {
			verb, seen = v, false
			continue
		}
		if said, ok := strings.CutPrefix(l, "C: "); ok && verb != "" && !seen {
			if word, _, _ := strings.Cut(said, " "); word == verb {
				seen = true
			}
		}
		if reply, ok := strings.CutPrefix(l, "S: "); ok && seen && out[verb] == "" {
			out[verb] = reply
		}
	}
	return out
}

// goldenSends are what the client does in the dialogues of testdata/client.
var goldenSends = map[string]func(ctx context.Context, c *Conn) error{
	"chunking":     goldenSend(golden{}),
	"data":         goldenSend(golden{}),
	"stepwise":     goldenSend(golden{}),
	"helo":         goldenSend(golden{}),
	"odd-replies":  goldenSend(golden{}),
	"lmtp":         goldenSend(golden{lmtp: true, to: []string{"pat@foo.edu", "jones@foo.edu", "green@foo.edu"}}),
	"dots":         goldenSend(golden{body: ".\r\n..\r\nbare\nLF and\rCR\r\n."}),
	"starttls":     goldenSend(golden{tls: true, auth: true}),
	"smtputf8":     goldenSend(golden{to: []string{"пользователь@example.org"}}),
	"all-refused":  goldenSend(golden{to: []string{"nsb@thumper.bellcore.com", "galvin@tis.com"}}),
	"some-refused": goldenSend(golden{to: []string{"Jones@foo.com", "Green@foo.com", "Brown@foo.com"}}),
	"parameters": goldenSend(golden{edit: func(e *Envelope) {
		e.Params = MailParams{EnvID: "QQ314159+", RetHeaders: true, Priority: -3, Body: Body8BitMIME}
		e.To[0].Notify, e.To[0].ORcpt = NotifySuccess|NotifyDelay, "rfc822;Bob=1@Example.COM"
	}}),
	"prdr": goldenSend(golden{to: []string{"pat@foo.edu", "green@foo.edu"}}),
}

// golden is what differs between the dialogues of the client.
type golden struct {
	lmtp, tls, auth bool
	to              []string
	body            string
	edit            func(*Envelope)
}

func goldenSend(g golden) func(context.Context, *Conn) error {
	return func(ctx context.Context, c *Conn) error {
		if err := c.Hello(ctx, "crepes.fr"); err != nil {
			return err
		}
		if g.tls {
			if err := c.StartTLS(ctx, goldenTrust(ctx)); err != nil {
				return err
			}
			if err := c.Hello(ctx, "crepes.fr"); err != nil {
				return err
			}
		}
		if g.auth {
			if err := c.Auth(ctx, &sasl.Credentials{User: "test", Password: "1234", Mechanisms: []string{"PLAIN"}}); err != nil {
				return err
			}
		}
		if len(g.to) == 0 {
			g.to = []string{"bob@hamburger.edu"}
		}
		if g.body == "" {
			g.body = "Do you like ketchup?\r\nHow about pickles?\r\n"
		}
		env, err := NewEnvelope("alice@crepes.fr", g.to...)
		if err != nil {
			return err
		}
		if g.edit != nil {
			g.edit(&env)
		}
		_, err = c.Send(ctx, env, strings.NewReader(g.body))
		if _, partial := errors.AsType[*PartialError](err); err != nil && !partial {
			return err
		}
		return c.Quit(ctx)
	}
}

type goldenTrustKey struct{}

func goldenTrust(ctx context.Context) *tls.Config {
	return ctx.Value(goldenTrustKey{}).(*tls.Config)
}

// TestGoldenReplay plays the same files, and those of servers unlike ours, as a
// fake server to the real client, which must say exactly what they have.
func TestGoldenReplay(t *testing.T) {
	ca, err := testcert.New()
	require.NoError(t, err)
	played := map[string]bool{}
	for _, glob := range []string{"testdata/client/*.txt", "testdata/fake/*.txt"} {
		script.Replay(t, glob, script.Player{TLS: ca.Server()}, func(t *testing.T, name string, nc net.Conn) {
			use, ok := goldenSends[name]
			require.True(t, ok, "nobody plays the client of %s", name)
			played[name] = true
			ctx := context.WithValue(t.Context(), goldenTrustKey{}, ca.Client())
			c, err := NewConn(ctx, nc, name == "lmtp", Timeouts{})
			require.NoError(t, err)
			assert.NoError(t, use(ctx, c))
		})
	}
	assert.Len(t, played, len(goldenSends), "a dialogue has no file")
}

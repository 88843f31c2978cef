package smtptest_test

import (
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/smtp/sasl"
	"github.com/postilion-mail/postilion/smtp/smtptest"
)

// letter is what the foreign clients send: with dots, eight bits, and no odd
// line end.
const letter = "From: Alice <alice@crepes.fr>\r\nTo: Bob <bob@hamburger.edu>\r\nSubject: Ketchup\r\n\r\n" +
	"Do you like ketchup?\r\n.\r\n..How about pickles?\r\nCrêpes\r\n"

// mechanisms limits the server to some ways to log in, by one user.
func mechanisms(names ...string) func(*smtp.Server) {
	return func(s *smtp.Server) {
		auth := &sasl.Authenticator{
			Password: func(_ context.Context, l sasl.Login, password string) error {
				if l.User != "user" || password != "password" {
					return sasl.ErrCredentials
				}
				return nil
			},
			Secret: func(_ context.Context, l sasl.Login) (sasl.Secret, error) {
				if l.User != "user" {
					return sasl.Secret{}, sasl.ErrCredentials
				}
				return sasl.Secret{Plain: "password"}, nil
			},
		}
		for _, m := range []string{"PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512",
			"SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-512-PLUS"} {
			if !contains(names, m) {
				auth.Disable = append(auth.Disable, m)
			}
		}
		s.Auth = auth
	}
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

// foreign runs a client that is not ours, or skips where it is not installed.
type foreign struct {
	t    *testing.T
	name string
	dir  string
}

func newForeign(t *testing.T, name string) *foreign {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("%s is not installed", name)
	}
	return &foreign{t, name, t.TempDir()}
}

// file writes a file for the client to read.
func (f *foreign) file(name, content string) string {
	f.t.Helper()
	path := filepath.Join(f.dir, name)
	require.NoError(f.t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

// try runs the client and gives what it says.
func (f *foreign) try(input string, args ...string) (string, error) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, f.name, args...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// run is try that must work; srv may be nil.
func (f *foreign) run(srv *smtptest.Server, input string, args ...string) {
	f.t.Helper()
	out, err := f.try(input, args...)
	if srv != nil {
		out += "\n" + srv.Transcript()
	}
	require.NoError(f.t, err, out)
}

// arrived checks that the letter came once and as it was sent.
func arrived(t *testing.T, srv *smtptest.Server, user, protocol string) {
	t.Helper()
	got := srv.Wait(1)
	require.Len(t, got, 1)
	assert.Equal(t, letter, withoutTrace(string(got[0].Data)))
	assert.Equal(t, "alice@crepes.fr", got[0].Envelope.From.Address())
	assert.Equal(t, "bob@hamburger.edu", got[0].Envelope.To[0].Path.Address())
	assert.Equal(t, user, got[0].User)
	assert.Equal(t, protocol, got[0].Protocol)
}

// withoutTrace takes off what some clients put in front.
func withoutTrace(data string) string {
	if i := strings.Index(data, "From: "); i >= 0 {
		return data[i:]
	}
	return data
}

func TestCurl(t *testing.T) {
	send := func(t *testing.T, srv *smtptest.Server, scheme string, more ...string) {
		f := newForeign(t, "curl")
		args := []string{"--silent", "--show-error", "--url", scheme + "://" + srv.Addr + "/crepes.fr",
			"--mail-from", "alice@crepes.fr", "--mail-rcpt", "bob@hamburger.edu", "--upload-file", f.file("letter", letter),
			"--cacert", f.file("ca.pem", string(srv.CA))}
		f.run(srv, "", append(args, more...)...)
	}
	t.Run("plain", func(t *testing.T) {
		srv := smtptest.New(t)
		send(t, srv, "smtp")
		arrived(t, srv, "", "ESMTP")
	})
	for _, m := range []string{"PLAIN", "LOGIN", "CRAM-MD5"} {
		t.Run("STARTTLS "+m, func(t *testing.T) {
			srv := smtptest.New(t, mechanisms(m))
			send(t, srv, "smtp", "--ssl-reqd", "--user", "user:password")
			arrived(t, srv, "user", "ESMTPSA")
		})
	}
	t.Run("implicit TLS", func(t *testing.T) {
		srv := smtptest.NewTLS(t)
		send(t, srv, "smtps", "--user", "user:password")
		arrived(t, srv, "user", "ESMTPSA")
	})
	t.Run("refused", func(t *testing.T) {
		srv := smtptest.New(t)
		srv.On(smtptest.RCPT).Reply(550, "5.1.1", "no such user")
		f := newForeign(t, "curl")
		out, err := f.try("", "--silent", "--show-error", "--url", "smtp://"+srv.Addr, "--mail-from", "alice@crepes.fr",
			"--mail-rcpt", "bob@hamburger.edu", "--upload-file", f.file("letter", letter))
		require.Error(t, err)
		assert.Contains(t, out, "550")
		assert.Empty(t, srv.Messages())
	})
}

// TestForeignClientsOfTheRealServer goes without the fake, which would take the
// commands of a pipeline apart.
func TestForeignClientsOfTheRealServer(t *testing.T) {
	for _, profile := range []smtp.Profile{smtp.MTA, smtp.LMTP} {
		got := make(chan string, 2)
		addr := serve(t, &smtp.Server{Profile: profile, Handler: smtp.Handler{
			Message: func(_ context.Context, _ *smtp.Transaction, body io.Reader) error {
				b, err := io.ReadAll(body)
				if err == nil {
					got <- withoutTrace(string(b))
				}
				return err
			},
		}})
		host, port, err := net.SplitHostPort(addr)
		require.NoError(t, err)
		if profile == smtp.LMTP {
			t.Run("smtplib over LMTP", func(t *testing.T) {
				f := newForeign(t, "python3")
				f.run(nil, "", "-c", smtplibScript, host, port, "lmtp", f.file("ca.pem", ""), f.file("letter", letter))
				assert.Equal(t, letter, <-got)
			})
			continue
		}
		t.Run("curl", func(t *testing.T) {
			f := newForeign(t, "curl")
			f.run(nil, "", "--silent", "--show-error", "--url", "smtp://"+addr, "--mail-from", "alice@crepes.fr",
				"--mail-rcpt", "bob@hamburger.edu", "--upload-file", f.file("letter", letter))
			assert.Equal(t, letter, <-got)
		})
		t.Run("swaks, pipelined", func(t *testing.T) {
			f := newForeign(t, "swaks")
			f.run(nil, "", "--server", host, "--port", port, "--from", "alice@crepes.fr", "--to", "bob@hamburger.edu", "--pipeline",
				"--data", "@"+f.file("letter", strings.ReplaceAll(letter, "\r\n", "\n")))
			assert.Contains(t, <-got, "Do you like ketchup?\r\n.\r\n..How about pickles?\r\n")
		})
	}
}

// smtplibScript sends the letter with Python's smtplib.
const smtplibScript = `
import smtplib, ssl, sys
host, port, mode, ca, path = sys.argv[1:6]
context = ssl.create_default_context(cafile=ca) if mode in ("starttls", "implicit") else None
if mode == "lmtp":
    c = smtplib.LMTP(host, int(port), local_hostname="crepes.fr")
elif mode == "implicit":
    c = smtplib.SMTP_SSL(host, int(port), local_hostname="crepes.fr", context=context)
else:
    c = smtplib.SMTP(host, int(port), local_hostname="crepes.fr")
if mode == "starttls":
    c.starttls(context=context)
if mode in ("starttls", "implicit"):
    c.login("user", "password")
data = open(path, "rb").read()
assert c.sendmail("alice@crepes.fr", ["bob@hamburger.edu"], data, mail_options=["BODY=8BITMIME"]) == {}
assert c.noop()[0] == 250
assert c.rset()[0] == 250
c.quit()
`

func TestPythonSmtplib(t *testing.T) {
	send := func(t *testing.T, srv *smtptest.Server, mode string) {
		f := newForeign(t, "python3")
		host, port, err := net.SplitHostPort(srv.Addr)
		require.NoError(t, err)
		f.run(srv, "", "-c", smtplibScript, host, port, mode, f.file("ca.pem", string(srv.CA)), f.file("letter", letter))
	}
	t.Run("plain", func(t *testing.T) {
		srv := smtptest.New(t)
		send(t, srv, "plain")
		arrived(t, srv, "", "ESMTP")
		assert.Equal(t, smtp.Body8BitMIME, srv.Messages()[0].Envelope.Params.Body)
	})
	for _, m := range []string{"PLAIN", "LOGIN", "CRAM-MD5"} {
		t.Run("STARTTLS "+m, func(t *testing.T) {
			srv := smtptest.New(t, mechanisms(m))
			send(t, srv, "starttls")
			arrived(t, srv, "user", "ESMTPSA")
			assert.Contains(t, srv.Transcript(), "C: AUTH "+m)
		})
	}
	t.Run("implicit TLS", func(t *testing.T) {
		srv := smtptest.NewTLS(t)
		send(t, srv, "implicit")
		arrived(t, srv, "user", "ESMTPSA")
	})
	t.Run("LMTP", func(t *testing.T) {
		srv := smtptest.NewLMTP(t)
		send(t, srv, "lmtp")
		arrived(t, srv, "", "LMTP")
	})
}

func TestMsmtp(t *testing.T) {
	send := func(t *testing.T, srv *smtptest.Server, more ...string) {
		f := newForeign(t, "msmtp")
		host, port, err := net.SplitHostPort(srv.Addr)
		require.NoError(t, err)
		args := []string{"--host=" + host, "--port=" + port, "--from=alice@crepes.fr", "--domain=crepes.fr", "--timeout=20"}
		args = append(args, more...)
		if srv.CA != nil {
			args = append(args, "--tls-trust-file="+f.file("ca.pem", string(srv.CA)))
		}
		// msmtp takes lines that end in LF.
		f.run(srv, strings.ReplaceAll(letter, "\r\n", "\n"), append(args, "bob@hamburger.edu")...)
	}
	t.Run("plain", func(t *testing.T) {
		srv := smtptest.New(t)
		send(t, srv, "--tls=off", "--auth=off")
		arrived(t, srv, "", "ESMTP")
	})
	for _, m := range []string{"PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"} {
		t.Run("STARTTLS "+m, func(t *testing.T) {
			srv := smtptest.New(t, mechanisms(m))
			send(t, srv, "--tls=on", "--tls-starttls=on", "--auth="+strings.ToLower(m), "--user=user", "--passwordeval=echo password")
			arrived(t, srv, "user", "ESMTPSA")
		})
	}
	t.Run("implicit TLS", func(t *testing.T) {
		srv := smtptest.NewTLS(t)
		send(t, srv, "--tls=on", "--tls-starttls=off", "--auth=plain", "--user=user", "--passwordeval=echo password")
		arrived(t, srv, "user", "ESMTPSA")
	})
	t.Run("LMTP", func(t *testing.T) {
		srv := smtptest.NewLMTP(t)
		send(t, srv, "--protocol=lmtp", "--tls=off", "--auth=off")
		arrived(t, srv, "", "LMTP")
	})
}

func TestSwaks(t *testing.T) {
	inClear := func(s *smtp.Server) { s.InsecureAuth = true }
	send := func(t *testing.T, srv *smtptest.Server, more ...string) {
		f := newForeign(t, "swaks")
		host, port, err := net.SplitHostPort(srv.Addr)
		require.NoError(t, err)
		args := []string{"--server", host, "--port", port, "--helo", "crepes.fr", "--from", "alice@crepes.fr", "--to", "bob@hamburger.edu",
			"--data", "@" + f.file("letter", strings.ReplaceAll(letter, "\r\n", "\n")), "--timeout", "20"}
		f.run(srv, "", append(args, more...)...)
	}
	arrives := func(t *testing.T, srv *smtptest.Server, user, protocol string) {
		t.Helper()
		got := srv.Wait(1)
		assert.Contains(t, string(got[0].Data), "Do you like ketchup?\r\n.\r\n..How about pickles?\r\n")
		assert.Equal(t, user, got[0].User)
		assert.Equal(t, protocol, got[0].Protocol)
	}
	t.Run("plain", func(t *testing.T) {
		srv := smtptest.New(t)
		send(t, srv)
		arrives(t, srv, "", "ESMTP")
	})
	for _, m := range []string{"PLAIN", "LOGIN", "CRAM-MD5"} {
		t.Run(m, func(t *testing.T) {
			srv := smtptest.New(t, mechanisms(m), inClear)
			send(t, srv, "--auth", m, "--auth-user", "user", "--auth-password", "password")
			arrives(t, srv, "user", "ESMTPA")
		})
	}
	t.Run("pipelined", func(t *testing.T) {
		srv := smtptest.New(t)
		send(t, srv, "--pipeline")
		arrives(t, srv, "", "ESMTP")
	})
	t.Run("PRDR", func(t *testing.T) {
		srv := smtptest.New(t, func(s *smtp.Server) { s.Extensions |= smtp.ExtPRDR })
		srv.On(smtptest.EndOfData).Arg("carl@").Reply(550, "5.7.1", "not to me")
		f := newForeign(t, "swaks")
		host, port, err := net.SplitHostPort(srv.Addr)
		require.NoError(t, err)
		out, err := f.try("", "--server", host, "--port", port, "--from", "alice@crepes.fr", "--to", "bob@hamburger.edu,carl@hamburger.edu", "--prdr")
		assert.Contains(t, out, "353", "%v", err)
		assert.Contains(t, out, "550 5.7.1 not to me")
		assert.Len(t, srv.Wait(1)[0].Envelope.To, 1)
	})
	t.Run("LMTP", func(t *testing.T) {
		srv := smtptest.NewLMTP(t)
		send(t, srv, "--protocol", "LMTP")
		arrives(t, srv, "", "LMTP")
	})
}

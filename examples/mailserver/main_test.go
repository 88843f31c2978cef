package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
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

	"github.com/postilion-mail/postilion/imap"
	"github.com/postilion-mail/postilion/pop3"
	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/smtp/sasl"
	"github.com/postilion-mail/postilion/spool"
	"github.com/postilion-mail/postilion/spool/dirspool"
)

// world is a server that runs for one test.
type world struct {
	t    *testing.T
	dir  string
	addr map[string]string
	stop func() error
}

// serve starts the program, on free ports, with bob and carol of hamburger.edu.
func serve(t *testing.T, args ...string) *world {
	t.Helper()
	return serveIn(t, t.TempDir(), args...)
}

func serveIn(t *testing.T, dir string, args ...string) *world {
	t.Helper()
	all := []string{"-dir", dir, "-hostname", "mail.hamburger.edu", "-domain", "hamburger.edu", "-domain", "example.org", "-user", "bob:secret", "-user", "carol:hidden"}
	for _, s := range services {
		all = append(all, "-"+s.name, "127.0.0.1:0")
	}
	c, err := parse(append(all, args...), io.Discard)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- run(ctx, c, w); w.Close() }()
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		cancel()
		t.Fatal(<-done)
	}
	x := &world{t: t, dir: dir, addr: make(map[string]string)}
	require.True(t, strings.HasPrefix(line, "ready "), line)
	for _, f := range strings.Fields(line)[1:] {
		name, addr, _ := strings.Cut(f, "=")
		x.addr[name] = addr
	}
	stopped := false
	x.stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-done
	}
	t.Cleanup(func() { assert.NoError(t, x.stop()) })
	return x
}

// trust is what clients need to know of the server's certificate.
func (x *world) trust() *tls.Config {
	pem, err := os.ReadFile(filepath.Join(x.dir, "ca.pem"))
	require.NoError(x.t, err)
	pool := x509.NewCertPool()
	require.True(x.t, pool.AppendCertsFromPEM(pem))
	return &tls.Config{RootCAs: pool}
}

var bob = &sasl.Credentials{User: "bob@hamburger.edu", Password: "secret"}

// submit sends as bob, over submission with STARTTLS.
func (x *world) submit(from string, to ...string) error {
	return x.send(&smtp.Client{Addr: x.addr["submission"], TLSConfig: x.trust(), Auth: bob}, from, "submitted", to...)
}

// strange sends from outside.
func (x *world) strange(from, subject string, to ...string) error {
	return x.send(&smtp.Client{Addr: x.addr["smtp"], TLS: smtp.TLSNone}, from, subject, to...)
}

func (x *world) send(c *smtp.Client, from, subject string, to ...string) error {
	defer c.Close()
	env, err := smtp.NewEnvelope(from, to...)
	require.NoError(x.t, err)
	_, err = c.Send(x.t.Context(), env, strings.NewReader("From: "+from+"\nTo: "+strings.Join(to, ", ")+"\nSubject: "+subject+"\n\nAt noon?\n"))
	return err
}

// inbox waits for n messages in a mailbox, by IMAP, and gives their subjects.
func (x *world) inbox(user, password string, n uint32) (subjects []string) {
	x.t.Helper()
	ctx, cancel := context.WithTimeout(x.t.Context(), 20*time.Second)
	defer cancel()
	c := &imap.Client{Addr: x.addr["imaps"], TLS: imap.TLSImplicit, TLSConfig: x.trust(), Auth: &sasl.Credentials{User: user, Password: password}}
	conn, err := c.Connect(ctx)
	require.NoError(x.t, err)
	defer conn.Close()
	sel, err := conn.Select(ctx, "INBOX")
	require.NoError(x.t, err)
	if sel.Messages < n {
		require.NoError(x.t, conn.Idle(ctx, func() bool { return conn.Selected().Messages < n }))
	}
	for m, err := range conn.Fetch(ctx, imap.AllUIDs(), imap.Items{Envelope: true}) {
		require.NoError(x.t, err)
		subjects = append(subjects, m.Envelope.Subject)
	}
	return subjects
}

func code(err error) int { return smtp.ReplyTo(err).Code }

// A message goes in by submission and comes out by IMAP and POP3, with the
// fields that servers add.
func TestMailGoesThrough(t *testing.T) {
	x := serve(t)
	require.NoError(t, x.submit("bob@hamburger.edu", "carol@example.org"))
	assert.Equal(t, []string{"submitted"}, x.inbox("carol", "hidden", 1))
	c := &pop3.Client{Addr: x.addr["pop3"], TLSConfig: x.trust(), Auth: &sasl.Credentials{User: "carol@example.org", Password: "hidden"}}
	conn, err := c.Connect(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	body, err := conn.Retrieve(t.Context(), 1)
	require.NoError(t, err)
	b, err := io.ReadAll(body)
	require.NoError(t, err)
	for _, field := range []string{"Return-Path: <bob@hamburger.edu>", "Delivered-To: carol@example.org", "with ESMTPSA", "Message-ID: <", "Date: "} {
		assert.Contains(t, string(b), field)
	}
	require.NoError(t, conn.Quit(t.Context()))
}

// It is not an open relay, whatever way is tried.
func TestNoOpenRelay(t *testing.T) {
	t.Parallel()
	x := serve(t)
	for _, to := range []string{"victim@elsewhere.example", "victim%elsewhere.example@hamburger.edu", `"victim@elsewhere.example"@hamburger.edu`, "victim@[192.0.2.1]"} {
		for _, from := range []string{"spammer@elsewhere.example", "bob@hamburger.edu", ""} {
			err := x.strange(from, "spam", to)
			assert.Equal(t, 550, code(err), "%s to %s: %v", from, to, err)
		}
	}
	// Not over the submission port either, without a login, or as somebody else.
	err := x.send(&smtp.Client{Addr: x.addr["submission"], TLSConfig: x.trust()}, "bob@hamburger.edu", "x", "victim@elsewhere.example")
	assert.Equal(t, 530, code(err), "%v", err)
	err = x.send(&smtp.Client{Addr: x.addr["submission"], TLS: smtp.TLSNone}, "bob@hamburger.edu", "x", "victim@elsewhere.example")
	assert.Equal(t, 530, code(err), "%v", err)
	err = x.submit("carol@hamburger.edu", "victim@elsewhere.example")
	assert.Equal(t, 550, code(err), "%v", err)
	wrong := &sasl.Credentials{User: "bob", Password: "guess"}
	err = x.send(&smtp.Client{Addr: x.addr["submissions"], TLS: smtp.TLSImplicit, TLSConfig: x.trust(), Auth: wrong}, "bob@hamburger.edu", "x", "victim@elsewhere.example")
	assert.Error(t, err)
}

// Who is here, and who is not.
func TestRecipients(t *testing.T) {
	x := serve(t)
	for to, want := range map[string]int{
		"bob@hamburger.edu": 0, "BOB@EXAMPLE.ORG": 0, "bob+lists@hamburger.edu": 0,
		"postmaster@hamburger.edu": 0, "Postmaster@example.org": 0,
		"nobody@hamburger.edu": 550, "root@hamburger.edu": 550,
	} {
		err := x.strange("alice@crepes.fr", to, to)
		if want == 0 {
			assert.NoError(t, err, to)
		} else {
			assert.Equal(t, want, code(err), to)
		}
	}
	nc, err := net.Dial("tcp", x.addr["smtp"]) // Postmaster without a domain, as RFC 5321 §4.5.1 has it
	require.NoError(t, err)
	defer nc.Close()
	_, err = io.WriteString(nc, "EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<Postmaster>\r\nDATA\r\nSubject: short\r\n\r\n.\r\nQUIT\r\n")
	require.NoError(t, err)
	all, err := io.ReadAll(nc)
	require.NoError(t, err)
	assert.Equal(t, 5, strings.Count(string(all), "\r\n250 ")+strings.Count(string(all), "\r\n354 "), "%s", all)
	assert.Len(t, x.inbox("bob", "secret", 6), 6)
}

func TestAliasesListsAndBounces(t *testing.T) {
	dir := t.TempDir()
	aliases := filepath.Join(dir, "aliases")
	require.NoError(t, os.WriteFile(aliases, []byte("team: bob, carol\nabroad: someone@elsewhere.example\n"), 0o600))
	zone := filepath.Join(dir, "zone")
	require.NoError(t, os.WriteFile(zone, []byte("null.example MX 0 .\n"), 0o600))
	x := serve(t, "-aliases", aliases, "-list", "news", "-zone", zone)
	require.NoError(t, x.strange("alice@crepes.fr", "to all", "team@hamburger.edu"))
	assert.Equal(t, []string{"to all"}, x.inbox("bob", "secret", 1))
	assert.Equal(t, []string{"to all"}, x.inbox("carol", "hidden", 1))
	// Carol joins the list by mail: she is asked back.
	require.NoError(t, x.send(&smtp.Client{Addr: x.addr["submission"], TLSConfig: x.trust(), Auth: &sasl.Credentials{User: "carol", Password: "hidden"}},
		"carol@hamburger.edu", "subscribe", "news-request@hamburger.edu"))
	assert.Len(t, x.inbox("carol", "hidden", 2), 2)
	// Bob writes to a domain that takes no mail, and is told.
	require.NoError(t, x.submit("bob@hamburger.edu", "x@null.example"))
	got := x.inbox("bob", "secret", 2)
	require.Len(t, got, 2)
	assert.NotEqual(t, "submitted", got[1])
}

func TestScanner(t *testing.T) {
	script := filepath.Join(t.TempDir(), "scan.sh")
	require.NoError(t, os.WriteFile(script, []byte("#!/bin/sh\nif grep -q VIRUS; then exit 1; fi\nexit 0\n"), 0o700))
	x := serve(t, "-scan", script)
	assert.NoError(t, x.strange("alice@crepes.fr", "clean", "bob@hamburger.edu"))
	assert.Equal(t, 550, code(x.strange("alice@crepes.fr", "VIRUS", "bob@hamburger.edu")))
	assert.Equal(t, 550, code(x.send(&smtp.Client{Addr: x.addr["submission"], TLSConfig: x.trust(), Auth: bob}, "bob@hamburger.edu", "VIRUS", "carol@hamburger.edu")))
	assert.Equal(t, []string{"clean"}, x.inbox("bob", "secret", 1))
	broken := serve(t, "-scan", filepath.Join(t.TempDir(), "no such program"))
	assert.Equal(t, 451, code(broken.strange("alice@crepes.fr", "x", "bob@hamburger.edu")))
}

func TestSPF(t *testing.T) {
	zone := filepath.Join(t.TempDir(), "zone")
	require.NoError(t, os.WriteFile(zone, []byte("bank.example TXT \"v=spf1 -all\"\ncrepes.fr TXT \"v=spf1 ip4:127.0.0.1 -all\"\n"), 0o600))
	x := serve(t, "-zone", zone, "-spf", "reject")
	assert.Equal(t, 550, code(x.strange("boss@bank.example", "x", "bob@hamburger.edu")))
	assert.NoError(t, x.strange("alice@crepes.fr", "x", "bob@hamburger.edu"))
	x = serve(t, "-zone", zone, "-spf", "mark")
	assert.NoError(t, x.strange("boss@bank.example", "x", "bob@hamburger.edu"))
}

// Nobody logs in without TLS, from a network that may not, or as nobody.
func TestLogins(t *testing.T) {
	t.Parallel()
	x := serve(t)
	plain := &sasl.Credentials{User: "bob", Password: "secret", Cleartext: true}
	_, err := (&pop3.Client{Addr: x.addr["pop3"], TLS: pop3.TLSNone, Auth: plain}).Connect(t.Context())
	assert.Error(t, err)
	_, err = (&imap.Client{Addr: x.addr["imap"], TLS: imap.TLSNone, Auth: plain}).Connect(t.Context())
	assert.Error(t, err)
	for _, user := range []string{"nobody", "bob@elsewhere.example", "", "bob@"} {
		_, err = (&imap.Client{Addr: x.addr["imap"], TLSConfig: x.trust(), Auth: &sasl.Credentials{User: user, Password: "secret"}}).Connect(t.Context())
		assert.Error(t, err, user)
	}
	x = serve(t, "-allow", "192.0.2.0/24")
	_, err = (&imap.Client{Addr: x.addr["imaps"], TLS: imap.TLSImplicit, TLSConfig: x.trust(), Auth: bob}).Connect(t.Context())
	assert.Error(t, err)
	assert.NoError(t, x.strange("alice@crepes.fr", "x", "bob@hamburger.edu"), "mail from outside is for everybody")
}

// What was accepted is there after a restart, and so is the certificate.
func TestRestart(t *testing.T) {
	dir := t.TempDir()
	x := serveIn(t, dir)
	require.NoError(t, x.strange("alice@crepes.fr", "before", "bob@hamburger.edu"))
	require.NoError(t, x.stop())
	x = serveIn(t, dir)
	assert.Equal(t, []string{"before"}, x.inbox("bob", "secret", 1))
}

// What is held in the queue waits for an operator, who lets it go with -release.
func TestRelease(t *testing.T) {
	dir := t.TempDir()
	q, err := dirspool.Open(filepath.Join(dir, "spool"), dirspool.Options{})
	require.NoError(t, err)
	env, err := smtp.NewEnvelope("alice@crepes.fr", "bob@hamburger.edu")
	require.NoError(t, err)
	_, err = spool.Put(t.Context(), q, strings.NewReader("Subject: held\r\n\r\n"), env)
	require.NoError(t, err)
	_, err = q.Apply(t.Context(), spool.Filter{}, spool.Hold)
	require.NoError(t, err)
	require.NoError(t, q.Close())
	x := serveIn(t, dir)
	require.NoError(t, x.strange("alice@crepes.fr", "later", "bob@hamburger.edu"))
	assert.Equal(t, []string{"later"}, x.inbox("bob", "secret", 1))
	require.NoError(t, x.stop())
	x = serveIn(t, dir, "-release")
	assert.Equal(t, []string{"later", "held"}, x.inbox("bob", "secret", 2))
}

func TestMistakes(t *testing.T) {
	for name, args := range map[string][]string{
		"no domain":   {"-user", "a:b"},
		"no user":     {"-domain", "a.example"},
		"no password": {"-domain", "a.example", "-user", "bob"},
		"bad SPF":     {"-domain", "a.example", "-user", "a:b", "-spf", "perhaps"},
		"bad network": {"-domain", "a.example", "-user", "a:b", "-allow", "x"},
		"no aliases":  {"-domain", "a.example", "-user", "a:b", "-aliases", "/nowhere"},
		"no zone":     {"-domain", "a.example", "-user", "a:b", "-zone", "/nowhere"},
		"no cert":     {"-domain", "a.example", "-user", "a:b", "-cert", "/nowhere", "-key", "/nowhere"},
	} {
		_, err := parse(append(args, "-dir", t.TempDir()), io.Discard)
		assert.Error(t, err, name)
	}
	var help bytes.Buffer
	_, err := parse([]string{"-h"}, &help)
	assert.ErrorIs(t, err, flag.ErrHelp)
	assert.Contains(t, help.String(), "-max-conns-per-ip")
}

// Programs of others send and read: Python's smtplib, imaplib and poplib, and
// curl, all over TLS with the server's own authority.
func TestForeignPrograms(t *testing.T) {
	t.Parallel()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not installed")
	}
	x := serve(t)
	script := `
import imaplib, poplib, smtplib, ssl, sys, time
ca, host, submission, submissions, pop3s, imaps = sys.argv[1:]
tls = ssl.create_default_context(cafile=ca)
s = smtplib.SMTP(host, int(submission)); s.starttls(context=tls); s.login("bob", "secret")
s.sendmail("bob@hamburger.edu", ["carol@hamburger.edu"], "Subject: one\r\n\r\n.dot\r\n"); s.quit()
s = smtplib.SMTP_SSL(host, int(submissions), context=tls); s.login("bob@hamburger.edu", "secret")
s.sendmail("bob@hamburger.edu", ["carol@example.org"], "Subject: two\r\n\r\nx\r\n"); s.quit()
m = imaplib.IMAP4_SSL(host, int(imaps), ssl_context=tls); m.login("carol", "hidden")
for i in range(100):
    n = int(m.select("INBOX")[1][0])
    if n == 2: break
    time.sleep(0.1)
assert n == 2, n
assert any(b"Subject: one" in m.fetch(i, "(BODY.PEEK[])")[1][0][1] for i in "12")
m.logout()
p = poplib.POP3_SSL(host, int(pop3s), context=tls); p.user("carol"); p.pass_("hidden")
assert p.stat()[0] == 2 and any(b".dot" in p.retr(i)[1] for i in (1, 2))
p.quit()
print("fine")
`
	port := func(name string) string { _, p, _ := net.SplitHostPort(x.addr[name]); return p }
	out, err := exec.Command(python, "-c", script, filepath.Join(x.dir, "ca.pem"), "127.0.0.1", port("submission"), port("submissions"), port("pop3s"), port("imaps")).CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Equal(t, "fine\n", string(out))

	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("curl is not installed")
	}
	letter := filepath.Join(t.TempDir(), "letter.eml")
	require.NoError(t, os.WriteFile(letter, []byte("Subject: by curl\r\n\r\nx\r\n"), 0o600))
	out, err = exec.Command(curl, "-sS", "--cacert", filepath.Join(x.dir, "ca.pem"), "--ssl-reqd", "-u", "bob:secret", "--mail-from", "bob@hamburger.edu",
		"--mail-rcpt", "bob@hamburger.edu", "-T", letter, fmt.Sprintf("smtp://%s", x.addr["submission"])).CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Equal(t, []string{"by curl"}, x.inbox("bob", "secret", 1))
}

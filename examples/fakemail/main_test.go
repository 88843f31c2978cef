package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/imap"
	"github.com/postilion-mail/postilion/mime"
	"github.com/postilion-mail/postilion/pop3"
	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/smtp/sasl"
)

// fake is the program, running for one test.
type fake struct {
	t    *testing.T
	addr map[string]string
	ca   string
	url  string
}

// start runs the program on free ports.
func start(t *testing.T, args ...string) *fake {
	t.Helper()
	f := &fake{t: t, addr: make(map[string]string), ca: filepath.Join(t.TempDir(), "ca.pem")}
	all := []string{"-ca", f.ca}
	for _, s := range services {
		all = append(all, "-"+s.name, "127.0.0.1:0")
	}
	ctx, cancel := context.WithCancel(context.Background())
	r, w := io.Pipe()
	var errs bytes.Buffer
	done := make(chan int, 1)
	go func() { done <- run(ctx, append(all, args...), w, &errs); w.Close() }()
	line, err := bufio.NewReader(r).ReadString('\n')
	t.Cleanup(func() {
		cancel()
		assert.Zero(t, <-done, errs.String())
	})
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(line, "ready "), line)
	for _, x := range strings.Fields(line)[1:] {
		name, addr, _ := strings.Cut(x, "=")
		f.addr[name] = addr
	}
	f.url = "http://" + f.addr["http"]
	return f
}

func (f *fake) trust() *tls.Config {
	pem, err := os.ReadFile(f.ca)
	require.NoError(f.t, err)
	pool := x509.NewCertPool()
	require.True(f.t, pool.AppendCertsFromPEM(pem))
	return &tls.Config{RootCAs: pool}
}

// send sends a short message in the clear.
func (f *fake) send(subject string, to ...string) error {
	return f.sendText("From: Alice <alice@crepes.fr>\nTo: "+strings.Join(to, ", ")+"\nSubject: "+subject+"\n\nAt noon?\n", to...)
}

func (f *fake) sendText(text string, to ...string) error {
	c := &smtp.Client{Addr: f.addr["smtp"], TLS: smtp.TLSNone}
	defer c.Close()
	env, err := smtp.NewEnvelope("alice@crepes.fr", to...)
	require.NoError(f.t, err)
	_, err = c.Send(f.t.Context(), env, strings.NewReader(text))
	return err
}

// do asks over HTTP and gives status and body.
func (f *fake) do(method, path string, header ...string) (*http.Response, string) {
	f.t.Helper()
	r, err := http.NewRequestWithContext(f.t.Context(), method, f.url+path, nil)
	require.NoError(f.t, err)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
		if header[i] == "Host" {
			r.Host = header[i+1]
		}
	}
	res, err := http.DefaultClient.Do(r)
	require.NoError(f.t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	require.NoError(f.t, err)
	return res, string(b)
}

// get asks for JSON that must be there.
func (f *fake) get(path string, v any) {
	f.t.Helper()
	res, body := f.do("GET", path)
	require.Equal(f.t, 200, res.StatusCode, body)
	require.NoError(f.t, json.Unmarshal([]byte(body), v))
}

func (f *fake) list(query string) (subjects []string) {
	f.t.Helper()
	var l struct{ Messages []summary }
	f.get("/api/messages"+query, &l)
	for _, m := range l.Messages {
		subjects = append(subjects, m.Subject)
	}
	return subjects
}

func (f *fake) imap(user string) *imap.Conn {
	f.t.Helper()
	c := &imap.Client{Addr: f.addr["imaps"], TLS: imap.TLSImplicit, TLSConfig: f.trust(), Auth: &sasl.Credentials{User: user, Password: "any"}}
	conn, err := c.Connect(f.t.Context())
	require.NoError(f.t, err)
	f.t.Cleanup(func() { conn.Close() })
	return conn
}

// inbox gives the subjects that a login sees by IMAP.
func (f *fake) inbox(user string) (subjects []string) {
	f.t.Helper()
	conn := f.imap(user)
	_, err := conn.Select(f.t.Context(), "INBOX")
	require.NoError(f.t, err)
	for m, err := range conn.Fetch(f.t.Context(), imap.AllUIDs(), imap.Items{Envelope: true}) {
		require.NoError(f.t, err)
		subjects = append(subjects, m.Envelope.Subject)
	}
	return subjects
}

func code(err error) int {
	if err == nil {
		return 250
	}
	return smtp.ReplyTo(err).Code
}

// Each recipient has a mailbox, and a login that is none sees all.
func TestMailboxes(t *testing.T) {
	f := start(t)
	require.NoError(t, f.send("to both", "bob@hamburger.edu", "Carol@Example.org"))
	require.NoError(t, f.send("to carol", "carol@example.org", "CAROL@example.org"))
	assert.Equal(t, []string{"to both"}, f.inbox("bob@hamburger.edu"))
	assert.Equal(t, []string{"to both", "to carol"}, f.inbox("carol@example.ORG"), "one copy of each")
	assert.Equal(t, []string{"to both", "to carol"}, f.inbox("all"))
	assert.Equal(t, []string{"to both", "to carol"}, f.list(""))

	c := &pop3.Client{Addr: f.addr["pop3"], TLSConfig: f.trust(), Auth: &sasl.Credentials{User: "bob@hamburger.edu", Password: "any"}}
	conn, err := c.Connect(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	body, err := conn.Retrieve(t.Context(), 1)
	require.NoError(t, err)
	text, err := io.ReadAll(body)
	require.NoError(t, err)
	_, source := f.do("GET", "/api/messages/1/source")
	assert.Equal(t, source, string(text), "the same octets everywhere")
	assert.True(t, strings.HasPrefix(source, "Return-Path: <alice@crepes.fr>\r\nReceived: from "), source)
	assert.True(t, strings.HasSuffix(source, "\r\n\r\nAt noon?\r\n"), source)
	require.NoError(t, conn.Delete(t.Context(), 1))
	require.NoError(t, conn.Quit(t.Context()))
	assert.Empty(t, f.inbox("bob@hamburger.edu"))
	assert.Equal(t, []string{"to both", "to carol"}, f.inbox("all"), "what bob deletes is his own")
	assert.Len(t, f.list(""), 2)
}

// All ways to connect and log in, with and without TLS.
func TestWaysIn(t *testing.T) {
	f := start(t)
	login := &sasl.Credentials{User: "anyone", Password: "anything", Cleartext: true}
	for _, c := range []*smtp.Client{
		{Addr: f.addr["smtp"], TLS: smtp.TLSNone, Auth: login},
		{Addr: f.addr["smtp"], TLSConfig: f.trust(), Auth: login},
		{Addr: f.addr["smtps"], TLS: smtp.TLSImplicit, TLSConfig: f.trust(), Auth: login},
	} {
		env, err := smtp.NewEnvelope("", "bob@hamburger.edu")
		require.NoError(t, err)
		_, err = c.Send(t.Context(), env, strings.NewReader("Subject: x\n\n"))
		require.NoError(t, err)
		require.NoError(t, c.Close())
	}
	var l struct{ Messages []summary }
	f.get("/api/messages", &l)
	require.Len(t, l.Messages, 3)
	assert.Equal(t, "ESMTPA", l.Messages[0].Protocol)
	assert.Equal(t, "ESMTPSA", l.Messages[1].Protocol)
	for _, m := range l.Messages {
		assert.Equal(t, "anyone", m.User)
		assert.Empty(t, m.From, "the null path")
	}
	for _, c := range []*pop3.Client{
		{Addr: f.addr["pop3"], TLS: pop3.TLSNone, Auth: login},
		{Addr: f.addr["pop3s"], TLS: pop3.TLSImplicit, TLSConfig: f.trust(), Auth: login},
	} {
		conn, err := c.Connect(t.Context())
		require.NoError(t, err)
		n, _, err := conn.Stat(t.Context())
		require.NoError(t, err)
		assert.Equal(t, 3, n)
		conn.Close()
	}
	for _, c := range []*imap.Client{
		{Addr: f.addr["imap"], TLS: imap.TLSNone, Auth: login},
		{Addr: f.addr["imap"], TLSConfig: f.trust(), Auth: login},
	} {
		conn, err := c.Connect(t.Context())
		require.NoError(t, err)
		conn.Close()
	}
}

// Who idles in a mailbox that was emptied is told of the next message.
func TestIdleOutlivesClear(t *testing.T) {
	f := start(t)
	require.NoError(t, f.send("one", "bob@hamburger.edu"))
	conn := f.imap("bob@hamburger.edu")
	_, err := conn.Select(t.Context(), "INBOX")
	require.NoError(t, err)
	res, _ := f.do("DELETE", "/api/messages")
	require.Equal(t, 200, res.StatusCode)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	require.NoError(t, conn.Noop(ctx))
	require.Zero(t, conn.Selected().Messages)
	sent := make(chan error, 1)
	go func() { sent <- f.send("two", "bob@hamburger.edu") }()
	require.NoError(t, conn.Idle(ctx, func() bool { return conn.Selected().Messages == 0 }))
	require.NoError(t, <-sent)
}

// The program stops although somebody waits, and takes its ports along.
func TestStop(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, []string{"-smtp", "127.0.0.1:0", "-http", "[::1]:0", "-smtps", "", "-pop3", "", "-pop3s", "", "-imap", "", "-imaps", ""}, w, io.Discard)
	}()
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Skip("no IPv6 here")
	}
	words := strings.Fields(line)
	require.Len(t, words, 3, "ready, smtp and http: the others are off")
	web := strings.TrimPrefix(words[2], "http=")
	events, err := http.Get("http://" + web + "/api/events") //nolint:noctx // ended by the server
	require.NoError(t, err)
	defer events.Body.Close()
	cancel()
	select {
	case code := <-done:
		assert.Zero(t, code)
	case <-time.After(20 * time.Second):
		t.Fatal("it does not stop")
	}
	_, err = net.Dial("tcp", web)
	assert.Error(t, err)
}

func TestMistakes(t *testing.T) {
	for name, args := range map[string][]string{
		"not loopback": {"-smtp", "0.0.0.0:0"},
		"all":          {"-http", ":8025"},
		"a name":       {"-imap", "mail.example.org:143"},
		"no port":      {"-pop3", "127.0.0.1"},
		"no messages":  {"-keep", "0"},
		"no fault":     {"-fault", "explode"},
		"argument":     {"bob"},
		"no flag":      {"-nonsense"},
		"no folder":    {"-ca", "/nowhere/at/all/ca.pem"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errs bytes.Buffer
			assert.Equal(t, 2, run(t.Context(), args, &out, &errs))
			assert.Empty(t, out.String())
			assert.NotEmpty(t, errs.String())
		})
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	var errs bytes.Buffer
	assert.Equal(t, 1, run(t.Context(), []string{"-smtp", taken.Addr().String()}, io.Discard, &errs))
	assert.Contains(t, errs.String(), "fakemail: ")
}

// smtplibScript sends over STARTTLS with Python, and asks for what came over
// HTTP, with its standard library alone.
const smtplibScript = `
import json, smtplib, ssl, sys, urllib.request
from email.message import EmailMessage
host, port = sys.argv[1].rsplit(":", 1)
m = EmailMessage()
m["From"], m["To"], m["Subject"] = "alice@crepes.fr", "bob@hamburger.edu", "grüße by smtplib"
m.set_content("Confirm: https://app.example/confirm?t=1&u=2 .\n")
m.add_attachment(b"\x00\x01", maintype="application", subtype="octet-stream", filename="a.bin")
with smtplib.SMTP(host, int(port)) as s:
    s.starttls(context=ssl.create_default_context(cafile=sys.argv[2]))
    s.login("anyone", "anything")
    s.send_message(m)
    try:
        s.sendmail("alice@crepes.fr", ["reject-550-5.1.1@hamburger.edu"], "x")
        sys.exit("not refused")
    except smtplib.SMTPRecipientsRefused as e:
        assert list(e.recipients.values())[0][0] == 550, e
got = json.load(urllib.request.urlopen(sys.argv[3] + "/api/wait?to=bob@hamburger.edu&timeout=10s"))
assert got["subject"] == "grüße by smtplib", got
assert got["links"] == ["https://app.example/confirm?t=1&u=2"], got
assert urllib.request.urlopen(sys.argv[3] + "/api/messages/%d/parts/%d" % (got["id"], got["parts"][0]["part"])).read() == b"\x00\x01"
`

func TestPython(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil || exec.CommandContext(t.Context(), python, "-c", "import smtplib, ssl").Run() != nil {
		t.Skip("python3 with smtplib is not installed")
	}
	f := start(t)
	out, err := exec.CommandContext(t.Context(), python, "-c", smtplibScript, f.addr["smtp"], f.ca, f.url).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// letter is a message with everything: text, HTML, an inline image and a file.
func letter(t *testing.T) string {
	t.Helper()
	b := mime.Builder{
		From: mime.To("Alice <alice@crepes.fr>"), To: mime.To("bob@hamburger.edu"), Subject: "The minutes",
		Text:  "See https://app.example/minutes.\n",
		HTML:  `<p>See <a href="https://app.example/minutes?a=1&amp;b=2">the minutes</a>. <img src="cid:dot@crepes.fr" alt="dot"></p>`,
		Files: []mime.File{mime.AttachBytes("minutes.txt", []byte("agreed")), mime.AttachBytes("dot.png", dot).Inline("dot@crepes.fr")},
	}
	d, err := b.Build()
	require.NoError(t, err)
	text, err := io.ReadAll(d.Reader())
	require.NoError(t, err)
	return string(text)
}

// dot is a PNG of one pixel.
var dot = []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89\x00\x00\x00\rIDATx\x9cc\xf8\xcf\xc0\xf0\x1f\x00\x05\x00\x01\xff\x89\x99=\x1d\x00\x00\x00\x00IEND\xaeB`\x82")

func Example() {
	ctx, cancel := context.WithCancel(context.Background())
	r, w := io.Pipe()
	done := make(chan int)
	go func() {
		done <- run(ctx, []string{"-smtp", "127.0.0.1:0", "-http", "127.0.0.1:0", "-smtps", "", "-pop3", "", "-pop3s", "", "-imap", "", "-imaps", ""}, w, io.Discard)
	}()
	line, _ := bufio.NewReader(r).ReadString('\n')
	addr := strings.Fields(strings.NewReplacer("smtp=", "", "http=", "").Replace(line))

	// The program under test sends …
	client := &smtp.Client{Addr: addr[1], TLS: smtp.TLSNone}
	env, _ := smtp.NewEnvelope("shop@crepes.fr", "bob@hamburger.edu")
	_, err := client.Send(ctx, env, strings.NewReader("Subject: Welcome\n\nHello Bob\n"))
	fmt.Println("sent:", err)
	client.Close()

	// … and the test waits for what comes.
	res, _ := http.Get("http://" + addr[2] + "/api/wait?to=bob") //nolint:noctx // an example
	var m struct{ Subject, Text string }
	_ = json.NewDecoder(res.Body).Decode(&m)
	res.Body.Close()
	fmt.Printf("%s: %s", m.Subject, m.Text)
	cancel()
	<-done
	// Output:
	// sent: <nil>
	// Welcome: Hello Bob
}

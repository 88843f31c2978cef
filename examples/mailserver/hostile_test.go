package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/imap"
	"github.com/postilion-mail/postilion/pop3"
	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/smtp/sasl"
)

// attack is a dialogue before it is mutated. $USER and $AUTH in it stand for a user
// and his SASL PLAIN.
type attack struct {
	service string // a listener
	tls     bool   // it is one that speaks TLS from the first octet
	lines   []string
	reached string // what the server says if all of it is understood
}

var mailLines = []string{
	"MAIL FROM:<bob+x@hamburger.edu> BODY=8BITMIME SIZE=300 RET=HDRS ENVID=q+2B1", "RCPT TO:<sink@hamburger.edu> NOTIFY=FAILURE ORCPT=rfc822;a@b.example",
	"DATA", "From: bob@hamburger.edu", "Subject: =?utf-8?q?x?=", "", "..dot", "text", ".",
	"NOOP x", "VRFY bob", "HELP", "RSET", "MAIL FROM:<> SMTPUTF8", `RCPT TO:<"si\nk"@hamburger.edu>`, "RCPT TO:<sink@hamburger.edu>",
	"BDAT 6", "x: y", "BDAT 2 LAST", "", "QUIT",
}

var popLines = []string{
	"CAPA", "UTF8", "STAT", "LIST", "LIST 1", "UIDL", "UIDL 1", "RETR 1", "TOP 1 2", "NOOP", "LANG en", "DELE 2", "RSET", "DELE 3", "RETR 99999", "QUIT",
}

var imapLines = []string{
	"a1 CAPABILITY", `a2 ID ("name" "x")`, "a3 ENABLE CONDSTORE UTF8=ACCEPT", `a4 LIST (SUBSCRIBED) "" (% "*") RETURN (STATUS (MESSAGES UIDNEXT))`,
	"a5 SELECT INBOX (CONDSTORE)", "a6 FETCH 1:3 (FLAGS ENVELOPE BODYSTRUCTURE BODY.PEEK[HEADER.FIELDS (Subject)]<0.20> RFC822.SIZE)",
	`a7 UID SEARCH RETURN (MIN MAX COUNT) OR (SUBJECT "x" NOT SEEN) (SINCE 1-Jan-2020 LARGER 1)`, "a8 STORE 1 (UNCHANGEDSINCE 1) +FLAGS.SILENT (\\Seen $x)",
	"a9 APPEND INBOX (\\Draft) \"01-Jan-2025 10:00:00 +0000\" {12+}", "Subject: x", "", "a10 UID FETCH 1:* BODY[1.MIME]", "a11 CREATE \"Work/Ünter\"", "a12 COPY 1 \"Work/Ünter\"",
	"a13 SORT (REVERSE DATE) UTF-8 ALL", "a14 THREAD REFERENCES UTF-8 SUBJECT {1+}", "x", "a15 STATUS {5+}", "INBOX (UIDNEXT)", "a16 IDLE", "DONE",
	"a17 DELETE \"Work/Ünter\"", "a18 STORE 3 FLAGS \\Deleted", "a19 EXPUNGE", "a20 LOGOUT",
}

func attacks() map[string][]attack {
	mail := func(hello ...string) []string { return append(hello, mailLines...) }
	pop := append([]string{"USER $USER", "PASS secret"}, popLines...)
	im := append([]string{"a0 AUTHENTICATE PLAIN $AUTH"}, imapLines...)
	return map[string][]attack{
		"SMTP":       {{"smtp", false, mail("EHLO x"), "221 "}, {"smtp", false, mail("HELO x", "STARTTLS"), ""}},
		"submission": {{"submissions", true, mail("EHLO x", "AUTH PLAIN $AUTH"), "235 "}, {"submission", false, mail("EHLO x", "AUTH PLAIN", "$AUTH", "*", "STARTTLS"), ""}},
		"LMTP":       {{"lmtp", false, mail("LHLO x"), "221 "}},
		"POP3":       {{"pop3s", true, pop, "Subject: letter"}, {"pop3", false, append([]string{"CAPA", "AUTH PLAIN $AUTH", "APOP $USER x", "STLS"}, pop...), ""}},
		"IMAP":       {{"imaps", true, im, "a20 OK"}, {"imap", false, append([]string{"a LOGIN $USER {6}", "secret", "b STARTTLS"}, im...), ""}},
	}
}

// text is the dialogue as octets, for one user.
func (a attack) text(user string) []byte {
	plain := base64.StdEncoding.EncodeToString([]byte("\x00" + user + "\x00secret"))
	return []byte(strings.NewReplacer("$USER", user, "$AUTH", plain).Replace(strings.Join(a.lines, "\r\n") + "\r\n"))
}

// mutate spoils a dialogue in one to five ways.
func mutate(rnd *rand.Rand, b []byte) []byte {
	odd := []string{"\x00", "\r", "\n", "\r\n.\r\n", "\n.\r\n", "\xff\xfe", "{0}", "{99999999999}", "{4294967296+}", "{-1}", "\"", "(", ")", "<", ">", "*", "%", "\\",
		"18446744073709551616", "-1", "0", "\x1b[2J", "é", "BDAT 9223372036854775807\r\n", "DATA\r\n", "STARTTLS\r\n", strings.Repeat("(", 3000), strings.Repeat("A", 70_000)}
	for range 1 + rnd.IntN(5) {
		lines := bytes.SplitAfter(b, []byte("\n"))
		i, j := rnd.IntN(len(lines)), rnd.IntN(len(lines))
		at := rnd.IntN(len(b) + 1)
		switch rnd.IntN(8) {
		case 0: // an octet
			if at < len(b) {
				b[at] = byte(rnd.IntN(256))
			}
		case 1: // something put in
			b = bytes.Join([][]byte{b[:at], []byte(odd[rnd.IntN(len(odd))]), b[at:]}, nil)
		case 2: // something left out
			b = append(b[:at:at], b[min(len(b), at+1+rnd.IntN(40)):]...)
		case 3: // the end left out
			if rnd.IntN(4) == 0 {
				b = b[:at]
			}
		case 4: // two lines in the other order
			lines[i], lines[j] = lines[j], lines[i]
			b = bytes.Join(lines, nil)
		case 5: // a line many times
			lines[i] = bytes.Repeat(lines[i], 1+rnd.IntN(30))
			b = bytes.Join(lines, nil)
		case 6: // a line left out
			b = bytes.Join(append(lines[:i:i], lines[i+1:]...), nil)
		case 7: // another end of a line
			b = bytes.Replace(b, []byte("\r\n"), []byte("\n"), 1+rnd.IntN(3))
		}
	}
	return b
}

// patience is how long the server may take for one dialogue that is over.
const patience = 20 * time.Second

// speak sends a dialogue, in pieces, says that this was all, and gives the
// beginning of what came back. The server must end it.
func (p *process) speak(rnd *rand.Rand, a attack, trust *tls.Config, b []byte) (string, error) {
	nc, err := net.Dial("tcp", p.addr[a.service])
	if err != nil {
		return "", err
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(patience))
	rw := nc.(interface {
		io.ReadWriter
		CloseWrite() error
	})
	if a.tls {
		secure := tls.Client(nc, trust)
		if err := secure.Handshake(); err != nil {
			return "", err
		}
		rw = secure
	}
	go func() { // the peer may hang up at any time: that is no error
		for len(b) > 0 {
			n := min(len(b), 1+rnd.IntN(4000))
			if _, err := rw.Write(b[:n]); err != nil {
				return
			}
			b = b[n:]
		}
		rw.CloseWrite()
	}()
	var heard bytes.Buffer
	_, err = io.Copy(&heard, io.LimitReader(rw, 64<<10))
	if err == nil {
		_, err = io.Copy(io.Discard, rw)
	}
	if ne, ok := err.(net.Error); ok && ne.Timeout() {
		return heard.String(), err
	}
	return heard.String(), nil // a reset is an end too
}

// TestHostile speaks mutated dialogues with the server, the same in every run:
// it stays up, its memory is bounded, and others are served meanwhile.
func TestHostile(t *testing.T) {
	t.Parallel()
	count := 2000
	if long() {
		count = 100_000
	}
	const workers = 16
	args := []string{"-user", "carol:hidden", "-user", "sink:secret", "-max-size", "65536", "-auth-failures", "1000000000", "-max-conns-per-ip", "1000"}
	for w := range workers {
		args = append(args, "-user", fmt.Sprintf("bob%d:secret", w))
	}
	p := newProcess(t, memoryDir(t), args...)
	p.start()
	pid := p.cmd.Process.Pid
	trust := p.trust()
	trust.ServerName = "127.0.0.1"
	trust.ClientSessionCache = tls.NewLRUClientSessionCache(100)
	for w := range workers {
		for range 3 {
			require.NoError(t, p.strange("alice@crepes.fr", "letter", fmt.Sprintf("bob%d@hamburger.edu", w)))
		}
		p.inbox(fmt.Sprintf("bob%d", w), "secret", 3)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan int, 1)
	go func() { done <- p.witness(ctx) }()

	number := uint64(0)
	for _, name := range []string{"SMTP", "submission", "LMTP", "POP3", "IMAP"} {
		number++
		all := attacks()[name]
		for _, a := range all {
			heard, err := p.speak(rand.New(rand.NewPCG(0, 0)), a, trust, a.text("bob0"))
			require.NoError(t, err, "%s, as it should be:\n%s", name, heard)
			require.True(t, strings.Contains(heard, a.reached), "%s, as it should be:\n%s", name, heard)
		}
		begin := time.Now()
		var wg sync.WaitGroup
		for w := range workers {
			wg.Go(func() {
				for i := w; i < count; i += workers {
					rnd := rand.New(rand.NewPCG(number, uint64(i)))
					a := all[i/workers%len(all)]
					b := mutate(rnd, a.text(fmt.Sprintf("bob%d", w)))
					if heard, err := p.speak(rnd, a, trust, bytes.Clone(b)); err != nil {
						t.Errorf("%s, dialogue %d: %v\n%.2000q\n%.2000q", name, i, err, b, heard)
						return
					}
				}
			})
		}
		wg.Wait()
		t.Logf("%d dialogues of %s in %v; %d MiB resident at most", count, name, time.Since(begin).Round(time.Millisecond), p.resident()>>20)
		assert.Less(t, p.resident(), int64(maxResident))
	}
	cancel()
	served := <-done
	t.Logf("%d sessions of others were served meanwhile", served)
	assert.NotZero(t, served)
	require.Equal(t, pid, p.cmd.Process.Pid)
	p.end()
}

// maxResident is what the server may take, however long it is spoken to: the
// program itself, the buffers of its connections, the cache of parsed messages
// (32 MiB at most), and as much again until it is collected. The race detector
// takes several times that.
const maxResident = 256 << 20

// witness is somebody who sends himself mail and reads it, by POP3 and IMAP, and
// must never be disturbed. He says how often it went well.
func (p *process) witness(ctx context.Context) (n int) {
	login := &sasl.Credentials{User: "carol", Password: "hidden"}
	client := &smtp.Client{Addr: p.addr["submission"], TLSConfig: p.trust(), Auth: login}
	defer client.Close()
	env, err := smtp.NewEnvelope("carol@hamburger.edu", "carol@hamburger.edu")
	assert.NoError(p.t, err)
	for ; ctx.Err() == nil; n++ {
		if !assert.NoError(p.t, p.attest(client, env, login), "after %d sessions", n) {
			return n
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond): // he is not the one to be measured
		}
	}
	return n
}

func (p *process) attest(client *smtp.Client, env smtp.Envelope, login *sasl.Credentials) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, err := client.Send(ctx, env, strings.NewReader("Subject: still here\n\nYes.\n")); err != nil {
		return err
	}
	im, err := (&imap.Client{Addr: p.addr["imap"], TLSConfig: p.trust(), Auth: login}).Connect(ctx)
	if err != nil {
		return err
	}
	defer im.Close()
	if _, err := im.Select(ctx, "INBOX"); err != nil {
		return err
	}
	if im.Selected().Messages == 0 {
		if err := im.Idle(ctx, func() bool { return im.Selected().Messages == 0 }); err != nil {
			return err
		}
	}
	pop, err := (&pop3.Client{Addr: p.addr["pop3"], TLSConfig: p.trust(), Auth: login}).Connect(ctx)
	if err != nil {
		return err
	}
	defer pop.Close()
	list, err := pop.List(ctx)
	if err != nil {
		return err
	}
	for _, m := range list {
		if err := pop.Delete(ctx, m.Number); err != nil {
			return err
		}
	}
	return pop.Quit(ctx)
}

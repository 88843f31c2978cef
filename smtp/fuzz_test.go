package smtp

import (
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// scripted is a peer that has said everything before it hangs up.
type scripted struct {
	net.Conn
	in  *strings.Reader
	out bytes.Buffer
}

func (c *scripted) Read(p []byte) (int, error)       { return c.in.Read(p) }
func (c *scripted) Write(p []byte) (int, error)      { return c.out.Write(p) }
func (c *scripted) Close() error                     { return nil }
func (c *scripted) LocalAddr() net.Addr              { return nil }
func (c *scripted) RemoteAddr() net.Addr             { return nil }
func (c *scripted) SetReadDeadline(time.Time) error  { return nil }
func (c *scripted) SetWriteDeadline(time.Time) error { return nil }

// oneAtATime gives its bytes out singly.
type oneAtATime struct{ *scripted }

func (c oneAtATime) Read(p []byte) (int, error) { return c.in.Read(p[:1]) }

// FuzzServer says anything, from each state on. The laws: the server answers in
// well-formed replies, does not depend on how its input is cut, takes no more
// messages than there are ends of one, and never a bare CR or LF.
func FuzzServer(f *testing.F) {
	f.Add(uint8(0), "EHLO c\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n")
	f.Add(uint8(1), "MAIL FROM:<a@b.c> SIZE=5 BODY=BINARYMIME\r\nRCPT TO:<d@e.f> NOTIFY=NEVER\r\nBDAT 3\r\nabcNOOP\r\nBDAT 2 LAST\r\n\r\nRSET\r\n")
	f.Add(uint8(2), "DATA\r\na\n.\nb\r\n.\r\nNOOP\r\n")
	f.Add(uint8(2), "BDAT 5\r\nhello\r\nEHLO x\r\n")
	f.Add(uint8(3), "still\r\n..\r\n.\r\nMAIL FROM:<>\r\n")
	f.Add(uint8(4), "more\r\nBDAT 0 LAST\r\nVRFY x\r\nXCLIENT ADDR=1.2.3.4 LOGIN=x\r\n")
	f.Add(uint8(5), "AGFubgBzZXNhbWU=\r\nAUTH LOGIN\r\n*\r\n")
	f.Fuzz(func(t *testing.T, state uint8, in string) {
		begin := []string{"", "EHLO c\r\n", "EHLO c\r\n" + mailRcpt, "EHLO c\r\n" + mailRcpt + "DATA\r\n", "EHLO c\r\n" + mailRcpt + "BDAT 3\r\nabc", "EHLO c\r\nAUTH PLAIN\r\n"}
		in = begin[int(state)%len(begin)] + in
		whole, mail := converse(in, false)
		cut, mail2 := converse(in, true)
		if whole != cut || strings.Join(mail, "|") != strings.Join(mail2, "|") {
			t.Errorf("depends on how it is cut: %q:\n%q\n%q", in, whole, cut)
		}
		if ends := strings.Count(in, ".\r\n") + strings.Count(strings.ToUpper(in), "BDAT"); len(mail) > ends {
			t.Errorf("%d messages out of %q", len(mail), in)
		}
		for _, m := range mail {
			if left := strings.ReplaceAll(m, "\r\n", ""); strings.ContainsAny(left, "\r\n") {
				t.Errorf("bare line end in %q", m)
			}
		}
		for line := range strings.Lines(whole) {
			text := strings.TrimSuffix(line, "\r\n")
			if len(text) < 4 || len(text) > maxReplyLine || strings.ContainsAny(text, "\r\n\x00") || text[0] < '2' || text[0] > '5' || text[3] != ' ' && text[3] != '-' {
				t.Errorf("malformed reply %q", line)
			}
		}
	})
}

// converse says in to a server and gives its replies and the messages it took.
func converse(in string, bytewise bool) (replies string, mail []string) {
	h := Handler{Message: func(_ context.Context, _ *Transaction, body io.Reader) error {
		all, err := io.ReadAll(body)
		if err == nil {
			mail = append(mail, string(all))
		}
		return err
	}}
	s := &Server{Handler: h, Extensions: (1<<31 - 1) &^ ExtBinaryMIME, Auth: users(), InsecureAuth: true, XClient: anybody, Now: clock,
		Limits: Limits{MessageBytes: 10000, TextLine: 1000}, Timeouts: Timeouts{Command: -1, DataBlock: -1, Handler: -1}}
	c := &scripted{in: strings.NewReader(in)}
	var nc net.Conn = c
	if bytewise {
		nc = oneAtATime{c}
	}
	_ = s.ServeConn(context.Background(), nc)
	return c.out.String(), mail
}

// FuzzParams: parameters that are accepted say the same when they are written
// again by a client, and none brings a control character along.
func FuzzParams(f *testing.F) {
	for _, s := range []string{"SIZE=1 BODY=8BITMIME", "ENVID=a+2Bb RET=FULL", "BY=-5;NT", "HOLDFOR=60", "MT-PRIORITY=-3", "AUTH=<>", "XP=1 XQ", "NOTIFY=SUCCESS,DELAY ORCPT=utf-8;\\x{E9}", "RRVS=2026-01-01T00:00:00Z;R"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		prdr := false
		c := &paramContext{offers: func(string) bool { return true }, private: func(name string) bool { return name[0] == 'X' }, trusted: true, now: clock(), maxHold: time.Hour, prdr: &prdr}
		var p MailParams
		var r Recipient
		if c.setMail(s, &p) == nil {
			checkValues(t, p.Other, p.EnvID, p.Auth)
			if p.Priority < -9 || p.Priority > 9 || p.Size < 0 || !p.HoldUntil.IsZero() && p.HoldUntil.Sub(clock()) > time.Hour {
				t.Errorf("%q -> %+v", s, p)
			}
		}
		if c.setRcpt(s, &r) == nil {
			checkValues(t, r.Other, r.ORcpt)
			if r.Notify&NotifyNever != 0 && r.Notify != NotifyNever {
				t.Errorf("%q -> %v", s, r.Notify)
			}
			if r.ORcpt != "" {
				back, err := parseORcpt(string(appendORcpt(nil, r.ORcpt, false)))
				if err != nil || back != r.ORcpt {
					t.Errorf("%q -> %q -> %q, %v", s, r.ORcpt, back, err)
				}
			}
		}
	})
}

func checkValues(t *testing.T, other []Param, values ...string) {
	for _, p := range other {
		values = append(values, p.Name, p.Value)
	}
	for _, v := range values {
		if strings.ContainsAny(v, "\r\n\x00") {
			t.Errorf("%q", v)
		}
	}
}

// FuzzProxy: a header is read to its last octet and no further, and gives
// addresses of one family or none.
func FuzzProxy(f *testing.F) {
	f.Add("PROXY TCP4 192.0.2.1 192.0.2.2 7 25\r\nEHLO")
	f.Add(proxyV2 + "\x21\x11\x00\x0c\xc0\x00\x02\x01\xc0\x00\x02\x02\x00\x07\x00\x19EHLO")
	f.Add("PROXY UNKNOWN\r\n")
	f.Fuzz(func(t *testing.T, in string) {
		r := strings.NewReader(in)
		remote, local, err := parseProxy(r)
		if err != nil {
			return
		}
		read := in[:len(in)-r.Len()]
		if strings.HasPrefix(in, "PROXY ") && (strings.Index(read, "\r\n") != len(read)-2 || len(read) > 107) {
			t.Errorf("read %q", read)
		}
		if remote.IsValid() != local.IsValid() || remote.Addr().Is4In6() {
			t.Errorf("%q -> %v %v", in, remote, local)
		}
	})
}

// FuzzXClient: what is accepted leaves the session with printable words.
func FuzzXClient(f *testing.F) {
	f.Add("ADDR=192.0.2.1 PORT=7 HELO=a+20b LOGIN=[UNAVAILABLE]")
	f.Fuzz(func(t *testing.T, arg string) {
		replies, _ := converse("EHLO c\r\nXCLIENT "+strings.NewReplacer("\r", "", "\n", "").Replace(arg)+"\r\nNOOP\r\n", false)
		if !strings.HasSuffix(replies, "250 2.0.0 OK\r\n") && !strings.HasSuffix(replies, "250 OK\r\n") {
			t.Errorf("%q: %q", arg, replies)
		}
	})
}

package pop3

import (
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/postilion-mail/postilion/spool/mailbox/memory"
)

// lines is a peer that has said everything before it hangs up.
type lines struct {
	net.Conn
	in  *strings.Reader
	out bytes.Buffer
}

func (c *lines) Read(p []byte) (int, error)       { return c.in.Read(p) }
func (c *lines) Write(p []byte) (int, error)      { return c.out.Write(p) }
func (c *lines) Close() error                     { return nil }
func (c *lines) LocalAddr() net.Addr              { return nil }
func (c *lines) RemoteAddr() net.Addr             { return nil }
func (c *lines) SetDeadline(time.Time) error      { return nil }
func (c *lines) SetReadDeadline(time.Time) error  { return nil }
func (c *lines) SetWriteDeadline(time.Time) error { return nil }

// singly gives its bytes out one at a time.
type singly struct{ *lines }

func (c singly) Read(p []byte) (int, error) { return c.in.Read(p[:1]) }

// FuzzServer says anything, before the login and after. The laws: the server
// answers in well-formed lines, does not depend on how its input is cut, and
// removes messages only if QUIT was said.
func FuzzServer(f *testing.F) {
	f.Add(false, "CAPA\r\nUSER mrose\r\nPASS tanstaaf\r\nSTAT\r\nQUIT\r\n")
	f.Add(true, "LIST\r\nUIDL\r\nRETR 1\r\nTOP 2 1\r\nDELE 1\r\nRSET\r\nDELE 2\r\nQUIT\r\n")
	f.Add(true, "DELE 1\r\nDELE 1\r\nLIST 1\r\nNOOP\r\n")
	f.Add(false, "AUTH PLAIN\r\n*\r\nAUTH PLAIN AG1yb3NlAHRhbnN0YWFm\r\nLANG\r\nSTLS\r\n")
	f.Add(false, "AUTH SCRAM-SHA-1 biwsbj11c2VyLHI9eA==\r\nbad\r\nUTF8\r\nGET / HTTP/1.1\r\n")
	f.Fuzz(func(t *testing.T, in bool, text string) {
		if in {
			text = "USER mrose\r\nPASS tanstaaf\r\n" + text
		}
		whole, n := converse(t, text, false)
		cut, m := converse(t, text, true)
		if whole != cut || n != m {
			t.Errorf("depends on how it is cut: %q:\n%q\n%q", text, whole, cut)
		}
		if n != 2 && !strings.Contains(strings.ToUpper(text), "QUIT") {
			t.Errorf("messages are gone: %q", text)
		}
		if strings.Contains(strings.ReplaceAll(whole, "\r\n", ""), "\n") || !strings.HasSuffix(whole, "\r\n") {
			t.Errorf("bare line end in %q", whole)
		}
	})
}

// converse says in to a server with two messages, and gives its answers and how
// many messages are left.
func converse(t *testing.T, in string, bytewise bool) (out string, n int) {
	store := &memory.Store{User: "mrose", Now: clock}
	fill(t, store, "Subject: 1\r\n\r\n.dot\r\n", "Subject: 2\r\n\r\none\r\ntwo\r\n")
	s := serverOf(store)
	s.Auth.Rand = zeros{}
	s.Timeouts = Timeouts{Login: -1, Command: -1, Store: -1}
	c := &lines{in: strings.NewReader(in)}
	var nc net.Conn = c
	if bytewise {
		nc = singly{c}
	}
	_ = s.ServeConn(context.Background(), nc)
	uids, _ := left(t, store)
	return c.out.String(), len(uids)
}

// FuzzClient reads anything a server may say. The laws: no hang, no panic, no
// control character in what comes out as text, and a body ends with io.EOF only
// behind its dot.
func FuzzClient(f *testing.F) {
	f.Add(ready + "+OK\r\nUSER\r\nSASL PLAIN\r\n.\r\n+OK\r\n1 10\r\n2 20\r\n.\r\n+OK\r\n1 a\r\n2 b\r\n.\r\n+OK 10 octets\r\nSubject: x\r\n\r\n..\r\n.\r\n+OK bye\r\n")
	f.Add("-ERR [IN-USE] x\r\n")
	f.Add(ready + "-ERR\r\n+OK\r\n.\r\n-ERR\r\n")
	f.Add("+OK <1896.697170952@dbc.mtview.ca.us>\r\n")
	f.Fuzz(func(t *testing.T, in string) {
		nc := &lines{in: strings.NewReader(in)}
		conn, err := NewConn(context.Background(), nc, Timeouts{Command: -1})
		if err != nil {
			checkText(t, err.Error())
			return
		}
		checkText(t, conn.Greeting())
		ctx := context.Background()
		caps, _ := conn.Capabilities(ctx)
		for k, v := range caps {
			checkText(t, k+v)
		}
		list, err := conn.List(ctx)
		for _, m := range list {
			checkText(t, m.UID)
			if m.Size < 0 || m.Number < 0 {
				t.Errorf("%+v", m)
			}
		}
		if err != nil {
			checkText(t, err.Error())
		}
		if body, err := conn.Retrieve(ctx, 1); err == nil {
			b, err := io.ReadAll(body)
			if err == nil && !strings.Contains(in, ".\r\n") {
				t.Errorf("%q ended by itself in %q", b, in)
			}
		}
		_ = conn.Quit(ctx)
	})
}

func checkText(t *testing.T, s string) {
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		t.Errorf("control character in %q", s)
	}
}

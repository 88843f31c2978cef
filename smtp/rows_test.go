package smtp

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Row 8 and 9: a path is parsed by its grammar, and keeps what quoting means.
func TestRow09_QuotedLocalPart(t *testing.T) {
	for in, want := range map[string]string{
		`<"a b"@d.example>`:                      `a b`,
		`<"x@y"@d.example>`:                      `x@y`,
		`<"a\"b"@d.example>`:                     `a"b`,
		`<"x@evil> NOTIFY=NEVER"@d.example>`:     `x@evil> NOTIFY=NEVER`,
		`<@relay.example,@other.example:a@d.ex>`: `a`,
		`<PostMaster>`:                           `PostMaster`,
	} {
		var b box
		onBoth(t, func() *Server { return &Server{Handler: b.handler(), Extensions: ExtDSN} }, func(t *testing.T, p *peer) {
			p.hello()
			p.want("MAIL FROM:<>", "250")
			p.want("RCPT TO:"+in, "250")
			p.send(bdatOf("x", true))
			p.expect("250")
			e := b.envelopes()
			r := e[len(e)-1].To[0]
			assert.Equal(t, want, r.Path.Local())
			assert.Zero(t, r.Notify)
			back, err := ParsePath(r.Path.String())
			require.NoError(t, err)
			assert.Equal(t, r.Path, back)
		})
	}
}

func TestRow08_MalformedCommands(t *testing.T) {
	onBoth(t, func() *Server { return &Server{Limits: Limits{Errors: -1}, Extensions: ExtDSN | ExtSMTPUTF8} }, func(t *testing.T, p *peer) {
		p.hello()
		for _, line := range []string{
			"MAIL FROM:<a@b.example\x00>", "MAIL FROM:<a\r@b.example>", "MAIL FROM:<a@b.example", "MAIL FROM:a@b.example",
			"MAIL FROM:<a b@c.example>", "MAIL FROM:<a@b@c.example>", "MAIL FROM:<a@b.example>x", "MAIL FROM:<a@b.example>SIZE=1",
			"MAIL FROM:<a@b.example> SIZE", "MAIL FROM:<a@b.example> SIZE=", "MAIL FROM:<a@b.example> SIZE=1 SIZE=1",
			"MAIL FROM:<a@b.example> SIZE=-1", "MAIL FROM:<a@b.example> =1", "MAIL FROM:<a@\x7f>", "MAIL FROM:<\x01@b.example>",
			"MAIL FROM:<a@b.example> ENVID=+0D+0A", "MAIL FROM:<a@b.example> BODY=9BIT", "MAIL FROM:<postmaster>", "MAIL TO:<a@b.example>",
			"MAIL", "MAIL FROM:", "MAIL FROM:<\xff@b.example> SMTPUTF8", "MAIL FROM:<\u0085@b.example> SMTPUTF8", "EHLO", "EHLO a\rb", "EHLO a\x00",
			"EHLO a\u0085b", "EHLO " + strings.Repeat("a", 300), "HELO a b",
		} {
			p.want(line, "501")
		}
		p.want("MAIL FROM:<a@b.example> XUNKNOWN=1", "555 5.5.4")
		p.want("MAIL FROM:<a@b.example>", "250")
		for _, line := range []string{"RCPT TO:<>", "RCPT TO:<a>", "RCPT TO:<a@b.example> NOTIFY=NEVER,DELAY", "RCPT FROM:<a@b.example>", "RCPT TO:<a@b.example> ORCPT=rfc822"} {
			p.want(line, "501")
		}
		p.inStep()
	})
}

// Row 10: nothing a handler says can end a line or a reply.
func TestRow10_ReplySplitting(t *testing.T) {
	var s Server
	s.Handler.Mail = func(_ context.Context, t *Transaction) error {
		return Reject(550, "5.7.1\r\n250", "x\r\n250 ok\r250 ok\x00\x1b[2J\n"+strings.Repeat("é", 1000))
	}
	s.Handler.Rcpt = func(context.Context, *Transaction, *Recipient) error { return Reject(250, "", "no refusal") }
	s.Handler.Verify = func(context.Context, *Session, string) (Reply, error) {
		return Reply{252, "2.1.5", strings.Repeat("line\n", 10000)}, nil
	}
	s.Handler.Expand = func(context.Context, *Session, string) (Reply, error) { return Reply{}, nil }
	onBoth(t, func() *Server { return &Server{Handler: s.Handler} }, func(t *testing.T, p *peer) {
		p.hello()
		r := p.want("MAIL FROM:<a@b.example>", "550-5.0.0 x")
		for line := range strings.SplitSeq(r, "\n") {
			assert.True(t, strings.HasPrefix(line, "550-5.0.0 ") || strings.HasPrefix(line, "550 5.0.0 "), line)
			assert.NotContains(t, line, "\x1b")
		}
		r = p.want("VRFY x", "252-2.1.5")
		assert.Equal(t, maxReplyLines, strings.Count(r, "\n")+1)
		p.want("EXPN x", "451")
		p.inStep()
	})
}

// Row 12: what is too much is refused, and the dialogue goes on.
func TestRow12_Exhaustion(t *testing.T) {
	mk := func() *Server {
		return &Server{Limits: Limits{MessageBytes: 1000, Recipients: 2, Messages: 3, Errors: 5}, Private: []Extension{{Mail: []string{"XP"}}}}
	}
	onBoth(t, mk, func(t *testing.T, p *peer) {
		p.hello()
		p.want("NOOP "+strings.Repeat("x", 1<<20), "500 5.5.6") // an endless line
		p.want("MAIL FROM:<a@b.example> SIZE=1001", "552 5.3.4")
		p.want("MAIL FROM:<a@b.example> SIZE=99999999999999999999", "552 5.3.4")
		var many strings.Builder
		for i := range 40 {
			fmt.Fprintf(&many, " X%d=1", i)
		}
		p.want("MAIL FROM:<a@b.example>"+many.String(), "555")
		p.mail()
		p.want("RCPT TO:<e@f.example>", "250")
		p.want("RCPT TO:<g@h.example>", "452 4.5.3")
		p.want("DATA", "354")
		p.want(strings.Repeat("x\r\n", 5000)+".", "552 5.3.4")
		p.mail()
		p.want("DATA", "354")
		p.want(strings.Repeat("x", 999)+"\r\n.", "552 5.3.4") // 1001 with its CRLF
		p.mail()
		p.want("DATA", "354")
		p.want(strings.Repeat("x", 998)+"\r\n.", "250")
		p.want("MAIL FROM:<a@b.example>", "421") // the fourth
		p.over()
	})
	onBoth(t, mk, func(t *testing.T, p *peer) {
		p.hello()
		p.over421(t)
	})
	// A peer that sends on and on behind the limit is cut off.
	onBoth(t, mk, func(t *testing.T, p *peer) {
		p.hello()
		p.mail()
		p.want("DATA", "354")
		p.send(strings.Repeat(strings.Repeat("x", 998)+"\r\n", 80<<10)) // and no end: 64 MiB is what is read of it
		// The reply may be lost, since TCP resets what is closed while it sends.
		if r := p.reply(); r != "" {
			assert.Equal(t, "552 5.3.4 Message too large", r)
		}
		p.over()
	})
}

// Mistakes count until a message is accepted: a connection that is used for
// long may err now and then.
func TestErrorsAreForgivenAfterMail(t *testing.T) {
	onBoth(t, func() *Server { return &Server{Limits: Limits{Errors: 3}} }, func(t *testing.T, p *peer) {
		p.hello()
		for range 5 {
			p.want("XJUNK", "500")
			p.want("XJUNK", "500")
			p.mail()
			p.want("DATA", "354")
			p.want(".", "250")
		}
		p.over421(t)
	})
}

// Row 14: long lines are refused whole, and never split.
func TestRow14_LongLines(t *testing.T) {
	var b box
	mk := func() *Server { return &Server{Handler: b.handler(), Limits: Limits{TextLine: 1000}} }
	onBoth(t, mk, func(t *testing.T, p *peer) {
		p.hello()
		for _, n := range []int{2049, 65537, 1 << 20} {
			p.want("NOOP "+strings.Repeat("x", n), "500 5.5.6")
			p.want("NOOP", "250")
		}
		for n, want := range map[int]string{998: "250", 999: "554 5.6.0", 2001: "554 5.6.0", 65537: "554 5.6.0"} {
			p.mail()
			p.want("DATA", "354")
			p.want(strings.Repeat("x", n)+"\r\n.", want)
			p.mail()
			p.send(bdatOf(strings.Repeat("x", n)+"\r\n", true))
			p.expect(want)
			p.inStep()
			p.want("RSET", "250")
		}
	})
}

// Row 15: other protocols are cut off at their first line.
func TestRow15_CrossProtocol(t *testing.T) {
	for _, attack := range []string{
		"POST / HTTP/1.1\r\nHost: mx.example\r\n\r\nEHLO x\r\nMAIL FROM:<evil@evil.example>\r\n",
		"get / HTTP/1.0\r\n\r\n", "CONNECT mx.example:25 HTTP/1.1\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "Host: x\r\nEHLO x\r\n", "X-Forwarded-For: x\r\n",
	} {
		onBoth(t, func() *Server { return &Server{} }, func(t *testing.T, p *peer) {
			p.expect("220")
			p.send(attack)
			p.expect("554")
			p.over()
		})
	}
}

// Row 17: 421 is a promise to hang up, also where a handler says it.
func TestRow17_421Closes(t *testing.T) {
	bye := Reject(421, "4.3.2", "later")
	for name, s := range map[string]*Server{
		"hello":   {Handler: Handler{Hello: func(context.Context, *Session) error { return bye }}},
		"mail":    {Handler: Handler{Mail: func(context.Context, *Transaction) error { return bye }}},
		"rcpt":    {Handler: Handler{Rcpt: func(context.Context, *Transaction, *Recipient) error { return bye }}},
		"data":    {Handler: Handler{Data: func(context.Context, *Transaction) error { return bye }}},
		"message": {Handler: Handler{Message: func(context.Context, *Transaction, io.Reader) error { return bye }}},
		"verify":  {Handler: Handler{Verify: func(context.Context, *Session, string) (Reply, error) { return Reply{}, bye }}},
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func() *Server { return &Server{Handler: s.Handler} }, func(t *testing.T, p *peer) {
				p.expect("220")
				p.send("EHLO c\r\n")
				for _, line := range []string{"VRFY x", "MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>", "DATA", ".", "NOOP"} {
					if r := p.reply(); strings.HasPrefix(r, "421 ") {
						p.over()
						return
					}
					p.send(line + "\r\n")
				}
				t.Error("no 421")
			})
		})
	}
}

// Row 18: PROXY and XCLIENT count from trusted peers only, PROXY as the very
// first bytes only.
func TestRow18_Spoofing(t *testing.T) {
	onBoth(t, func() *Server { return &Server{} }, func(t *testing.T, p *peer) {
		p.expect("220")
		p.want("PROXY TCP4 192.0.2.1 192.0.2.2 1 25", "500")
		p.want("EHLO c", "250")
		p.want("XCLIENT ADDR=192.0.2.1", "550")
	})
	all := func(netip.Addr) bool { return true }
	onBoth(t, func() *Server { return &Server{Proxy: all} }, func(t *testing.T, p *peer) {
		p.send("PROXY TCP4 192.0.2.1 192.0.2.2 1 25\r\n")
		p.expect("220")
		p.want("PROXY TCP4 192.0.2.9 192.0.2.2 1 25", "500")
	})
	// The client of a proxy is not the proxy: what the one may, the other may not.
	inside := netip.MustParsePrefix("127.0.0.0/8")
	s := &Server{Proxy: inside.Contains, XClient: inside.Contains}
	p := serveTCP(t, s)
	p.send("PROXY TCP4 192.0.2.1 192.0.2.2 1 25\r\n")
	assert.NotContains(t, p.hello(), "XCLIENT")
	p.want("XCLIENT LOGIN=admin", "550")
}

// Row 19: only ASCII letters have two cases.
func TestRow19_CaseFolding(t *testing.T) {
	var b box
	onBoth(t, func() *Server { return &Server{Handler: b.handler()} }, func(t *testing.T, p *peer) {
		p.expect("220")
		p.want("eHlO c", "250-")
		p.want("R\u017fET", "500") // long s
		p.want("R\u017fe t", "500")
		p.want("mAiL fRoM:<A@B.Example> sIzE=1 bOdY=8bItMiMe", "250")
		p.want("rcpt to:<PostMaster>", "250")
		p.want("RCPT TO:<po\u017ftmaster>", "501")
		p.want("rcpt TO:<A@\u212a.example>", "553") // Kelvin sign: not ASCII, so SMTPUTF8 is missing
		p.want("bDaT 1 lA\u017fT", "501")
		p.over()
	})
}

// Row 20: UTF-8 in paths needs SMTPUTF8, and must be UTF-8.
func TestRow20_SMTPUTF8(t *testing.T) {
	onBoth(t, func() *Server { return &Server{Extensions: ExtSMTPUTF8} }, func(t *testing.T, p *peer) {
		assert.Contains(t, p.hello(), "SMTPUTF8")
		p.want("MAIL FROM:<ü@b.example>", "550 5.6.7")
		p.want("MAIL FROM:<a@ü.example>", "550 5.6.7")
		p.want("MAIL FROM:<a@b.example>", "250")
		p.want("RCPT TO:<ü@d.example>", "553 5.6.7")
		p.want("RCPT TO:<\xfc@d.example>", "501")
		p.want("RSET", "250")
		p.want("MAIL FROM:<ü@ü.example> SMTPUTF8", "250")
		p.want("RCPT TO:<ü@d.example>", "250")
	})
	onBoth(t, func() *Server { return &Server{} }, func(t *testing.T, p *peer) {
		assert.NotContains(t, p.hello(), "SMTPUTF8")
		p.want("MAIL FROM:<ü@b.example> SMTPUTF8", "555")
	})
}

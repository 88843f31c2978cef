package smtp

import (
	"context"
	"crypto/tls"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The pitfalls of the field, by their number in the study of it, and the tests
// that show that this package has none of them.
var pitfalls = map[int][]string{
	1:  {"TestRow01_SMTPSmuggling"},
	2:  {"TestClientCannotSmuggle", "TestHalfMessageIsNeverEnded"},
	3:  {"TestRow03_BDATKeepsStep", "TestRow03_BDATTruncated", "TestRow03_MalformedBDATCloses", "TestRow03_BDATSizes", "TestRow03_LaterChunkIsNotTheMessage"},
	4:  {"TestRow04_STARTTLSInjection", "TestRow04_ValuesFromPlaintextAreForgotten"},
	5:  {"TestResponseInjectionBehindSTARTTLS"},
	6:  {"TestStripTLS"},
	7:  {"TestRow07_AUTH", "TestCredentialsNeverShow"},
	8:  {"TestRow08_MalformedCommands", "TestParameterInjection"},
	9:  {"TestRow09_QuotedLocalPart"},
	10: {"TestRow10_ReplySplitting"},
	11: {"TestRow11_HeaderInjection"},
	12: {"TestRow12_Exhaustion", "TestEndlessReplies"},
	13: {"TestRow13_Slowloris", "TestRow13_SlowChunks", "TestRow13_PauseBetweenChunks", "TestRow13_SteadySender"},
	14: {"TestRow14_LongLines"},
	15: {"TestRow15_CrossProtocol"},
	16: {"TestRow16_RepliesBeforeTheChunk", "TestEarlyRefusalWhileSending"},
	17: {"TestRow17_421Closes", "TestLostReplyIsUnknown"},
	18: {"TestRow18_Spoofing"},
	19: {"TestRow19_CaseFolding"},
	20: {"TestRow20_SMTPUTF8", "TestSMTPUTF8OnlyWhenNeeded"},
}

func TestEveryPitfallHasATest(t *testing.T) {
	files, err := filepath.Glob("*_test.go")
	require.NoError(t, err)
	tests := map[string]bool{}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil {
				tests[f.Name.Name] = true
			}
		}
	}
	for n := 1; n <= 20; n++ {
		assert.NotEmpty(t, pitfalls[n], "row %d has no test", n)
		for _, name := range pitfalls[n] {
			assert.True(t, tests[name], "row %d: %s does not exist", n, name)
		}
	}
	for name := range tests {
		if row, ok := strings.CutPrefix(name, "TestRow"); ok {
			n := int(row[0]-'0')*10 + int(row[1]-'0')
			assert.Contains(t, pitfalls[n], name, "not registered")
		}
	}
	if study, err := os.ReadFile("../../shared/design/smtp.md"); err == nil {
		for n := 1; n <= 20; n++ {
			assert.Contains(t, string(study), fmt.Sprintf("\n| %d | ", n))
		}
		assert.NotContains(t, string(study), "\n| 21 | ")
	}
}

// An extension's test connects to a server that has everything on.
var extensionTests = map[string]func(t *testing.T, p *peer, b *box){
	"PIPELINING": func(_ *testing.T, p *peer, _ *box) {
		p.send(mailRcpt + "RSET\r\n")
		p.expect("250 2.1.0")
		p.expect("250 2.1.5")
		p.expect("250 2.0.0")
	},
	"SIZE": func(_ *testing.T, p *peer, _ *box) {
		p.want("MAIL FROM:<a@b.example> SIZE=26214401", "552 5.3.4")
		p.want("MAIL FROM:<a@b.example> SIZE=26214400", "250")
	},
	"8BITMIME": param("BODY=8bitmime", "", func(t *testing.T, e Envelope) { assert.Equal(t, Body8BitMIME, e.Params.Body) }),
	"ENHANCEDSTATUSCODES": func(_ *testing.T, p *peer, _ *box) {
		p.want("NOOP", "250 2.0.0")
		p.want("XJUNK", "500 5.5.1")
	},
	"CHUNKING": func(t *testing.T, p *peer, b *box) {
		p.mail()
		p.send(bdatOf("a\r\n", false) + bdatOf(".\r\n", false) + bdatOf("b", true))
		p.expect("250 2.0.0 3 octets")
		p.expect("250 2.0.0 3 octets")
		p.expect("250 2.0.0 OK")
		assert.Equal(t, []string{"a\r\n.\r\nb"}, b.got())
	},
	"BINARYMIME": func(t *testing.T, p *peer, b *box) {
		p.want("MAIL FROM:<a@b.example> BODY=BINARYMIME", "250")
		p.want("RCPT TO:<c@d.example>", "250")
		p.want("DATA", "503")
		p.send(bdatOf("\x00\n\r\r\xff", true))
		p.expect("250")
		assert.Equal(t, []string{"\x00\n\r\r\xff"}, b.got())
	},
	"SMTPUTF8": param("SMTPUTF8", "", func(t *testing.T, e Envelope) { assert.True(t, e.Params.UTF8) }),
	"STARTTLS": nil, // it is gone where everything is on; see TestRow04
	"AUTH": func(_ *testing.T, p *peer, _ *box) {
		p.want("MAIL FROM:<a@b.example> AUTH=x@y.example", "250")
		p.want("RSET", "250")
		p.want("AUTH PLAIN AGFubgBzZXNhbWU=", "235")
	},
	"DSN": param("RET=HDRS ENVID=a+2Bb", "NOTIFY=SUCCESS,DELAY ORCPT=rfc822;x+2By@z.example", func(t *testing.T, e Envelope) {
		assert.True(t, e.Params.RetHeaders)
		assert.Equal(t, "a+b", e.Params.EnvID)
		assert.Equal(t, NotifySuccess|NotifyDelay, e.To[0].Notify)
		assert.Equal(t, "rfc822;x+y@z.example", e.To[0].ORcpt)
	}),
	"REQUIRETLS": param("REQUIRETLS", "", func(t *testing.T, e Envelope) { assert.True(t, e.Params.RequireTLS) }),
	"DELIVERBY": func(t *testing.T, p *peer, b *box) {
		p.want("MAIL FROM:<a@b.example> BY=59;R", "552 5.4.7") // under MinBy
		p.want("MAIL FROM:<a@b.example> BY=0;R", "501")
		p.want("MAIL FROM:<a@b.example> BY=5", "501")
		param("BY=+120;RT", "", func(t *testing.T, e Envelope) {
			assert.Equal(t, DeliverBy{clock().Add(2 * time.Minute), true, true}, e.Params.DeliverBy)
		})(t, p, b)
	},
	"FUTURERELEASE": func(t *testing.T, p *peer, b *box) {
		for _, bad := range []string{"HOLDFOR=0", "HOLDFOR=-1", "HOLDFOR=999999999", "HOLDUNTIL=2026-01-01", "HOLDUNTIL=2099-01-01T00:00:00Z", "HOLDUNTIL=2026-01-01T00:00:00+01:00", "HOLDFOR=1 HOLDUNTIL=2026-01-02T00:00:00Z"} {
			p.want("MAIL FROM:<a@b.example> "+bad, "501 5.5.4")
		}
		param("HOLDUNTIL=2026-01-02T00:00:00Z", "", func(t *testing.T, e Envelope) {
			assert.Equal(t, clock().Add(24*time.Hour), e.Params.HoldUntil)
		})(t, p, b)
	},
	"MT-PRIORITY": func(t *testing.T, p *peer, b *box) {
		for _, bad := range []string{"10", "-0", "+1", "01", "-", "x", "-10"} {
			p.want("MAIL FROM:<a@b.example> MT-PRIORITY="+bad, "501")
		}
		param("MT-PRIORITY=-9", "", func(t *testing.T, e Envelope) { assert.EqualValues(t, -9, e.Params.Priority) })(t, p, b)
	},
	"RRVS": param("", "RRVS=2026-01-01T00:00:00Z;C", func(t *testing.T, e Envelope) {
		assert.Equal(t, clock(), e.To[0].ValidSince.UTC())
		assert.True(t, e.To[0].ValidRelay)
	}),
	"PRDR":   func(_ *testing.T, p *peer, _ *box) { p.want("MAIL FROM:<a@b.example> PRDR", "250") }, // and TestPartialResults
	"LIMITS": func(_ *testing.T, p *peer, _ *box) { p.want("NOOP", "250") },                         // and TestRow12_Exhaustion
	"HELP":   func(t *testing.T, p *peer, _ *box) { assert.Contains(t, p.want("HELP", "214"), "XCLIENT") },
	"VRFY":   func(_ *testing.T, p *peer, _ *box) { p.want("VRFY ann", "252 2.1.5 <ann>"); p.want("VRFY", "501") },
	"EXPN":   func(_ *testing.T, p *peer, _ *box) { p.want("EXPN list", "250 2.1.5 <list>") },
	"XCLIENT": func(_ *testing.T, p *peer, _ *box) {
		p.want("XCLIENT ADDR=192.0.2.1", "220")
		p.want("EHLO c", "250-")
	},
}

func clock() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

// param sends a message with parameters and looks at its envelope.
func param(mail, rcpt string, check func(t *testing.T, e Envelope)) func(*testing.T, *peer, *box) {
	return func(t *testing.T, p *peer, b *box) {
		p.want(strings.TrimSpace("MAIL FROM:<a@b.example> "+mail), "250")
		p.want(strings.TrimSpace("RCPT TO:<c@d.example> "+rcpt), "250")
		p.want("DATA", "354")
		p.want(".", "250")
		check(t, b.envelopes()[0])
	}
}

// Each row of the EHLO table does what it says; withheld, it is neither told
// nor accepted.
func TestEveryExtension(t *testing.T) {
	mk := func(b *box, without ...string) *Server {
		h := b.handler()
		h.Verify = func(_ context.Context, _ *Session, arg string) (Reply, error) {
			return Reply{252, "2.1.5", "<" + arg + ">"}, nil
		}
		h.Expand = func(_ context.Context, _ *Session, arg string) (Reply, error) {
			return Reply{250, "2.1.5", "<" + arg + ">"}, nil
		}
		return &Server{Handler: h, Auth: users(), Extensions: 1<<31 - 1, Profile: Submission, InsecureAuth: true,
			MinBy: time.Minute, XClient: anybody, Now: clock, Without: without}
	}
	for _, k := range keywords {
		check, ok := extensionTests[k.name]
		if !assert.True(t, ok, "%s has no test", k.name) || check == nil {
			continue
		}
		t.Run(k.name, func(t *testing.T) {
			noLeaks(t)
			var b box
			connect := func(s *Server) (*peer, string) {
				var client *tls.Config
				s.TLSConfig, client = bothTLS(t)
				p := serveTCP(t, s)
				p.hello()
				p.want("STARTTLS", "220")
				p.startTLS(client)
				list := p.want("EHLO c", "250-")
				if k.name != "AUTH" {
					p.want("XCLIENT LOGIN=ann", "220")
					list += p.want("EHLO c", "250-")
				}
				return p, list
			}
			s := mk(&b)
			if k.name == "AUTH" {
				s.Profile = MTA
			}
			p, list := connect(s)
			assert.Contains(t, list, k.name)
			check(t, p, &b)
			p.close()
			if k.name == "XCLIENT" {
				return
			}
			_, list = connect(mk(&b, k.name))
			for line := range strings.SplitSeq(list, "\n") {
				assert.False(t, strings.HasPrefix(line[4:], k.name+" ") || line[4:] == k.name, line)
			}
		})
	}
	for name := range extensionTests {
		found := false
		for _, k := range keywords {
			found = found || k.name == name
		}
		assert.True(t, found, "%s is no keyword", name)
	}
}

// A parameter without its extension is unknown (RFC 5321 §4.1.1.11).
func TestParametersNeedTheirExtension(t *testing.T) {
	noLeaks(t)
	p := serveTCP(t, &Server{Limits: Limits{Errors: -1}, Without: []string{"SIZE", "8BITMIME"}})
	p.hello()
	for _, row := range mailParams {
		p.want("MAIL FROM:<a@b.example> "+row.name+"=1", "555 5.5.4")
	}
	p.mail()
	for _, row := range rcptParams {
		p.want("RCPT TO:<a@b.example> "+row.name+"=1", "555 5.5.4")
	}
}

// Extensions of the program's own.
func TestPrivateExtensions(t *testing.T) {
	var b box
	x := Extension{Keyword: "XTHING one two", Verb: "xthing", Mail: []string{"XM"}, Rcpt: []string{"XR"},
		Command: func(_ context.Context, _ *Session, arg string) (Reply, error) {
			switch arg {
			case "none":
				return Reply{}, nil
			case "no":
				return Reply{}, Reject(550, "5.7.1", "no")
			}
			return Reply{250, "2.0.0", "thing " + arg}, nil
		}}
	onBoth(t, func() *Server { return &Server{Handler: b.handler(), Private: []Extension{x}} }, func(t *testing.T, p *peer) {
		assert.Contains(t, p.hello(), "250 XTHING one two")
		p.want("XTHING a", "250 2.0.0 thing a")
		p.want("xThInG no", "550 5.7.1")
		p.want("XTHING none", "451")
		p.want("MAIL FROM:<a@b.example> XM=1 XM=2", "501")
		p.want("MAIL FROM:<a@b.example> XR=1", "555")
		p.want("MAIL FROM:<a@b.example> xm=1", "250")
		p.want("RCPT TO:<c@d.example> XR", "250")
		p.want("DATA", "354")
		p.want(".", "250")
		e := b.envelopes()[0]
		assert.Equal(t, []Param{{"XM", "1"}}, e.Params.Other)
		assert.Equal(t, []Param{{"XR", ""}}, e.To[0].Other)
	})
}

// The peer's address is what a trusted proxy, or XCLIENT, says it is.
func TestProxyAndXClient(t *testing.T) {
	var last Session
	closed := make(chan struct{}, 1)
	mk := func() *Server {
		return &Server{Proxy: anybody, XClient: anybody, Handler: Handler{
			Connect: func(_ context.Context, s *Session) error { last = *s; return nil },
			Close:   func(*Session, error) { closed <- struct{}{} },
		}}
	}
	v2 := func(head byte, family byte, body string) string {
		return proxyV2 + string([]byte{head, family, byte(len(body) >> 8), byte(len(body))}) + body
	}
	four := "\xc0\x00\x02\x01\xc0\x00\x02\x02\x00\x07\x00\x19"
	six := "\x20\x01\x0d\xb8" + strings.Repeat("\x00", 11) + "\x01" + "\x20\x01\x0d\xb8" + strings.Repeat("\x00", 11) + "\x02\x00\x07\x00\x19"
	for header, want := range map[string]string{
		"PROXY TCP4 192.0.2.1 192.0.2.2 7 25\r\n":               "192.0.2.1:7",
		"PROXY TCP6 2001:db8::1 2001:db8::2 7 25\r\n":           "[2001:db8::1]:7",
		"PROXY TCP6 ::ffff:192.0.2.1 ::ffff:192.0.2.2 7 25\r\n": "192.0.2.1:7",
		"PROXY UNKNOWN\r\n":                                     "invalid AddrPort",
		"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n":                 "invalid AddrPort",
		v2(0x21, 0x11, four):                                    "192.0.2.1:7",
		v2(0x21, 0x11, four+"\x04\x00\x01x"):                    "192.0.2.1:7", // with a TLV
		v2(0x21, 0x21, six):                                     "[2001:db8::1]:7",
		v2(0x20, 0x00, ""):                                      "invalid AddrPort", // LOCAL
		"PROXY TCP4 192.0.2.1 192.0.2.2 7 25\n":                 "",
		"PROXY TCP4 192.0.2.1 192.0.2.2 7 65536\r\n":            "",
		"PROXY TCP4 2001:db8::1 192.0.2.2 7 25\r\n":             "",
		"PROXY TCP4 192.0.2.1 192.0.2.2 +7 25\r\n":              "",
		"PROXY TCP5 192.0.2.1 192.0.2.2 7 25\r\n":               "",
		"EHLO client.example\r\n":                               "",
		"PROXY TCP4 " + strings.Repeat("1", 200) + "\r\n":       "",
		v2(0x21, 0x11, four[:8]):                                "",
		v2(0x31, 0x11, four):                                    "",
		v2(0x22, 0x11, four):                                    "",
		proxyV2 + "\x21\x11\xff\xff":                            "",
	} {
		inTime(t, mk(), func(t *testing.T, p *peer) {
			p.send(header)
			if want == "" {
				p.over()
				<-closed
				return
			}
			p.hello()
			assert.Equal(t, want, last.Remote.String(), "%q", header)
			p.want("QUIT", "221")
			<-closed
		})
	}
	s := mk()
	s.Proxy, s.Auth, s.InsecureAuth = nil, users(), true
	inTime(t, s, func(t *testing.T, p *peer) {
		p.hello()
		for _, bad := range []string{"", "ADDR", "ADDR=x", "PORT=70000", "WHAT=1", "HELO=a+", "ADDR=1.2.3.4+0D", "LOGIN=a+1Bb", "HELO=+C2+85"} {
			p.want("XCLIENT "+bad, "501")
		}
		p.want("AUTH PLAIN AGFubgBzZXNhbWU=", "235")
		p.want("XCLIENT ADDR=IPV6:2001:db8::5 PORT=7 NAME=[UNAVAILABLE] HELO=x+20y", "220")
		assert.Equal(t, "[2001:db8::5]:7", last.Remote.String())
		assert.Empty(t, last.User, "the proxy's login is not its client's")
		p.want("MAIL FROM:<a@b.example>", "503") // begins anew
		p.want("EHLO c", "250-")
		p.want("XCLIENT ADDR=192.0.2.9 LOGIN=bob", "220")
		assert.Equal(t, "bob", last.User)
		assert.Equal(t, netip.MustParseAddr("192.0.2.9"), last.Remote.Addr())
		p.want("EHLO c", "250-")
		p.mail()
		p.want("XCLIENT ADDR=192.0.2.9", "503")
		p.want("QUIT", "221")
		<-closed
	})
}

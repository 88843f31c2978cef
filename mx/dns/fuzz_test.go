package dns_test

import (
	"context"
	"net"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/postilion-mail/postilion/mx/dns"
)

// FuzzAnswer puts any message before the Client. Whatever it takes for an answer
// must hold only records of the type asked for, at the end of the chain, with
// names that can be asked for again, and the same message must give the same.
func FuzzAnswer(f *testing.F) {
	q := dnsmessage.Message{Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName("a.test."), Type: dnsmessage.TypeMX, Class: dnsmessage.ClassINET}}}
	f.Add(pack(answerTo(q, resource("a.test.", &dnsmessage.MXResource{Pref: 1, MX: dnsmessage.MustNewName("b.test.")}))), uint16(dns.MX))
	f.Add(pack(answerTo(q, resource("a.test.", &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName("b.test.")}),
		resource("b.test.", &dnsmessage.MXResource{MX: dnsmessage.MustNewName(".")}))), uint16(dns.MX))
	q.Questions[0].Type = dnsmessage.TypeTXT
	f.Add(pack(answerTo(q, resource("a.test.", text("v=spf1 -all")))), uint16(dns.TXT))
	q.Questions[0].Type = dnsmessage.TypeA
	f.Add(pack(answerTo(q, resource("a.test.", address(1)))), uint16(dns.A))
	f.Add(pack(answerTo(q))[:20], uint16(dns.A))
	f.Fuzz(func(t *testing.T, msg []byte, typ uint16) {
		if len(msg) < 2 || len(msg) > 4000 {
			return
		}
		c := &dns.Client{Servers: []string{"192.0.2.53"}, Attempts: 1, Timeout: time.Second,
			Rand: constant{}, Dial: func(_ context.Context, network, _ string) (net.Conn, error) {
				return &oneAnswer{msg: msg, tcp: network == "tcp"}, nil
			}}
		msg[0], msg[1] = 0, 0
		a, err := c.Lookup(t.Context(), "a.test", dns.Type(typ))
		b, err2 := c.Lookup(t.Context(), "a.test", dns.Type(typ))
		if (err == nil) != (err2 == nil) || len(a.RRs) != len(b.RRs) {
			t.Fatalf("not the same twice: %v, %v", err, err2)
		}
		if err != nil {
			return
		}
		for _, rr := range a.RRs {
			if rr.Type != dns.Type(typ) || !dns.EqualNames(rr.Name, a.Canonical("a.test")) {
				t.Errorf("%+v is no answer to %v", rr, dns.Type(typ))
			}
		}
		if a.RCode != dns.NoError && (a.RCode != dns.NXDomain || len(a.RRs) > 0) || len(a.CNAMEs) > 16 || a.TTL < 0 {
			t.Errorf("%+v", a)
		}
	})
}

type constant struct{}

func (constant) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// oneAnswer is a connection that has msg to say, then nothing more.
type oneAnswer struct {
	net.Conn
	msg []byte
	tcp bool
}

func (c *oneAnswer) Write(b []byte) (int, error) { return len(b), nil }
func (c *oneAnswer) Close() error                { return nil }
func (c *oneAnswer) Read(b []byte) (int, error) {
	if c.tcp {
		c.msg, c.tcp = append([]byte{byte(len(c.msg) >> 8), byte(len(c.msg))}, c.msg...), false
	}
	if len(c.msg) == 0 {
		return 0, net.ErrClosed
	}
	n := copy(b, c.msg)
	c.msg = c.msg[n:]
	return n, nil
}

// FuzzName: what CheckName takes can be folded, compared and is then stable.
func FuzzName(f *testing.F) {
	for _, s := range []string{"a.test", "A..", ".", "", "xn--a.test.", "\xff.B"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		folded := dns.Fold(s)
		if dns.CheckName(s) == nil && (!dns.EqualNames(s, folded) || dns.CheckName(folded) != nil || dns.Fold(folded) != folded) {
			t.Errorf("%q folds to %q", s, folded)
		}
	})
}

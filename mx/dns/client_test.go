package dns_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/postilion-mail/postilion/mx/dns"
	"github.com/postilion-mail/postilion/mx/dns/dnstest"
)

// scripted is a Client whose server is a func: it gets the query and returns the
// datagrams to send back, in order.
func scripted(answer func(q dnsmessage.Message, network string) [][]byte) *dns.Client {
	return &dns.Client{
		Servers: []string{"192.0.2.53"}, Attempts: 1, Timeout: time.Second,
		Dial: func(_ context.Context, network, _ string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go func() {
				buf := make([]byte, 4096)
				n, err := theirs.Read(buf)
				if err != nil {
					return
				}
				skip := 0
				if network == "tcp" {
					skip = 2
				}
				var q dnsmessage.Message
				if q.Unpack(buf[skip:n]) != nil {
					return
				}
				for _, msg := range answer(q, network) {
					if network == "tcp" {
						msg = append([]byte{byte(len(msg) >> 8), byte(len(msg))}, msg...)
					}
					if _, err := theirs.Write(msg); err != nil {
						return
					}
				}
			}()
			return ours, nil
		},
	}
}

// answerTo starts an answer to a query.
func answerTo(q dnsmessage.Message, rrs ...dnsmessage.Resource) dnsmessage.Message {
	return dnsmessage.Message{
		Header:    dnsmessage.Header{ID: q.ID, Response: true, RecursionAvailable: true},
		Questions: q.Questions, Answers: rrs,
	}
}

func pack(m dnsmessage.Message) []byte {
	b, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return b
}

func resource(owner string, body dnsmessage.ResourceBody) dnsmessage.Resource {
	return dnsmessage.Resource{
		Header: dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName(owner), Class: dnsmessage.ClassINET, TTL: 60}, Body: body,
	}
}

func address(last byte) *dnsmessage.AResource {
	return &dnsmessage.AResource{A: [4]byte{192, 0, 2, last}}
}

func text(s string) *dnsmessage.TXTResource { return &dnsmessage.TXTResource{TXT: []string{s}} }

func TestClientRefusesForeignRecords(t *testing.T) {
	c := scripted(func(q dnsmessage.Message, _ string) [][]byte {
		return [][]byte{pack(answerTo(q,
			resource("wrongowner.test.", text("foreign")),
			resource("a.test.", text("ours"))))}
	})
	assert.Equal(t, []string{"ours"}, data(lookup(t, c, "a.test", dns.TXT)))
}

// RFC 5452 §9.1: what does not repeat id and question was sent by somebody else,
// and the true answer may still come.
func TestClientPassesForgedAnswersOver(t *testing.T) {
	c := scripted(func(q dnsmessage.Message, _ string) [][]byte {
		wrongID := answerTo(q, resource("a.test.", address(66)))
		wrongID.ID++
		wrongName := answerTo(q, resource("b.test.", address(66)))
		wrongName.Questions = []dnsmessage.Question{{Name: dnsmessage.MustNewName("b.test."), Type: q.Questions[0].Type, Class: dnsmessage.ClassINET}}
		wrongType := answerTo(q, resource("a.test.", address(66)))
		wrongType.Questions = []dnsmessage.Question{{Name: q.Questions[0].Name, Type: dnsmessage.TypeMX, Class: dnsmessage.ClassINET}}
		twice := answerTo(q, resource("a.test.", address(66)))
		twice.Questions = append(twice.Questions[:1:1], q.Questions[0])
		query := answerTo(q, resource("a.test.", address(66)))
		query.Response = false
		return [][]byte{[]byte("junk"), pack(wrongID), pack(wrongName), pack(wrongType), pack(twice), pack(query),
			pack(answerTo(q, resource("a.test.", address(1))))}
	})
	assert.Equal(t, []string{"192.0.2.1"}, data(lookup(t, c, "a.test", dns.A)))
}

func TestClientIDsAreRandomAndInjectable(t *testing.T) {
	var ids []uint16
	c := scripted(func(q dnsmessage.Message, _ string) [][]byte {
		ids = append(ids, q.ID)
		return [][]byte{pack(answerTo(q, resource("a.test.", address(1))))}
	})
	c.Rand = bytes.NewReader([]byte{0x12, 0x34, 0xab, 0xcd})
	lookup(t, c, "a.test", dns.A)
	lookup(t, c, "a.test", dns.A)
	assert.Equal(t, []uint16{0x1234, 0xabcd}, ids)
	_, err := c.Lookup(t.Context(), "a.test", dns.A)
	assert.Error(t, err, "without randomness nothing is sent")
}

func TestClientAsksOverTCPWhenTruncated(t *testing.T) {
	var b strings.Builder
	for range 59 {
		b.WriteString(`big.test TXT "` + strings.Repeat("y", 60) + "\"\n")
	}
	c, z := serve(t, b.String()+`small.test TRUNCATE
small.test A 192.0.2.1
`)
	assert.Len(t, lookup(t, c, "big.test", dns.TXT).RRs, 59)
	assert.Equal(t, []string{"192.0.2.1"}, data(lookup(t, c, "small.test", dns.A)))
	var networks []string
	for _, q := range z.Queries() {
		networks = append(networks, q.Network)
	}
	assert.Equal(t, []string{"udp", "tcp", "udp", "tcp"}, networks)
}

// A server that sends more than it was asked to is heard over TCP.
func TestClientOversizedDatagram(t *testing.T) {
	long := strings.Repeat("x", 250)
	c := scripted(func(q dnsmessage.Message, _ string) [][]byte {
		return [][]byte{pack(answerTo(q, resource("a.test.", &dnsmessage.TXTResource{
			TXT: []string{long, long, long, long, long, long, long, long, long, long},
		})))}
	})
	assert.Equal(t, []string{strings.Repeat(long, 10)}, data(lookup(t, c, "a.test", dns.TXT)))
}

func TestClientTruncatedEvenOverTCP(t *testing.T) {
	c := scripted(func(q dnsmessage.Message, _ string) [][]byte {
		m := answerTo(q)
		m.Truncated = true
		return [][]byte{pack(m)}
	})
	_, err := c.Lookup(t.Context(), "a.test", dns.TXT)
	assert.ErrorIs(t, err, dns.ErrTruncated)
}

// RFC 6891 §7: a server that knows nothing of EDNS is asked without it.
func TestClientWithoutEDNS(t *testing.T) {
	for _, rc := range []dnsmessage.RCode{dnsmessage.RCodeFormatError, dnsmessage.RCodeNotImplemented} {
		queries := 0
		c := scripted(func(q dnsmessage.Message, _ string) [][]byte {
			queries++
			if len(q.Additionals) > 0 {
				m := answerTo(q)
				m.Questions, m.RCode = nil, rc
				return [][]byte{pack(m)}
			}
			return [][]byte{pack(answerTo(q, resource("a.test.", address(1))))}
		})
		assert.Equal(t, []string{"192.0.2.1"}, data(lookup(t, c, "a.test", dns.A)))
		assert.Equal(t, 2, queries)
	}
}

// A BADVERS looks like an empty answer to who does not read the OPT record.
func TestClientReadsExtendedRCode(t *testing.T) {
	c := scripted(func(q dnsmessage.Message, _ string) [][]byte {
		m := answerTo(q)
		var h dnsmessage.ResourceHeader
		_ = h.SetEDNS0(512, dnsmessage.RCode(23), false) // BADCOOKIE
		m.Additionals = []dnsmessage.Resource{{Header: h, Body: &dnsmessage.OPTResource{}}}
		m.Authoritative = true
		return [][]byte{pack(m)}
	})
	_, err := c.Lookup(t.Context(), "a.test", dns.A)
	var e *dns.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, dns.RCode(16), e.RCode&^0xf)
}

func TestClientFollowsAnOpenChain(t *testing.T) {
	c := scripted(func(q dnsmessage.Message, _ string) [][]byte {
		name := q.Questions[0].Name.String()
		if name == "a.test." {
			return [][]byte{pack(answerTo(q, resource(name, &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName("b.test.")})))}
		}
		return [][]byte{pack(answerTo(q, resource(name, address(7))))}
	})
	a := lookup(t, c, "a.test", dns.A)
	assert.Equal(t, []string{"192.0.2.7"}, data(a))
	assert.Equal(t, []string{"b.test"}, a.CNAMEs)
	assert.Equal(t, time.Minute, a.TTL, "an answer in two messages may be kept like one in one")
}

func TestClientCNAMELoop(t *testing.T) {
	in := func(names ...string) *dns.Client {
		return scripted(func(q dnsmessage.Message, _ string) [][]byte {
			var rrs []dnsmessage.Resource
			for i, n := range names {
				rrs = append(rrs, resource(n, &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName(names[(i+1)%len(names)])}))
			}
			return [][]byte{pack(answerTo(q, rrs...))}
		})
	}
	for _, c := range []*dns.Client{in("a.test."), in("a.test.", "b.test.", "c.test.")} {
		_, err := c.Lookup(t.Context(), "a.test", dns.A)
		assert.ErrorIs(t, err, dns.ErrLoop)
	}
	// A new alias with each answer must come to an end too.
	c := scripted(func(q dnsmessage.Message, _ string) [][]byte {
		name := q.Questions[0].Name.String()
		return [][]byte{pack(answerTo(q, resource(name, &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName("x" + name)})))}
	})
	_, err := c.Lookup(t.Context(), "a.test", dns.A)
	assert.ErrorIs(t, err, dns.ErrLoop)
}

func TestClientNegativeTTL(t *testing.T) {
	c, _ := serve(t, `
t.test 600 SOA ns.t.test host.t.test 1 2 3 4 30
t.test A 192.0.2.1
old.test A 192.0.2.1
`)
	assert.Equal(t, 30*time.Second, lookup(t, c, "t.test", dns.MX).TTL)
	assert.Equal(t, 30*time.Second, lookup(t, c, "no.t.test", dns.MX).TTL)
	assert.Equal(t, 5*time.Minute, lookup(t, c, "old.test", dns.MX).TTL)
}

func TestClientMalformed(t *testing.T) {
	c := scripted(func(q dnsmessage.Message, _ string) [][]byte {
		b := pack(answerTo(q, resource("a.test.", address(1))))
		return [][]byte{b[:len(b)-3]}
	})
	_, err := c.Lookup(t.Context(), "a.test", dns.A)
	assert.ErrorIs(t, err, dns.ErrMalformed)
}

// One unreadable record must not hide the others.
func TestClientKeepsTheRestBesideABadRecord(t *testing.T) {
	c := scripted(func(q dnsmessage.Message, _ string) [][]byte {
		bad := dnsmessage.UnknownResource{Type: dnsmessage.TypeMX, Data: []byte{0, 5, 3, 'a', '.', 'b', 0}}
		good := dnsmessage.MXResource{Pref: 10, MX: dnsmessage.MustNewName("mx.test.")}
		return [][]byte{pack(answerTo(q, resource("a.test.", &bad), resource("a.test.", &good)))}
	})
	a := lookup(t, c, "a.test", dns.MX)
	assert.Equal(t, []string{"", "mx.test"}, data(a))

	c = scripted(func(q dnsmessage.Message, _ string) [][]byte {
		bad := dnsmessage.UnknownResource{Type: dnsmessage.TypeA, Data: []byte{1, 2, 3}}
		return [][]byte{pack(answerTo(q, resource("a.test.", &bad), resource("a.test.", address(2))))}
	})
	assert.Equal(t, []string{"192.0.2.2"}, data(lookup(t, c, "a.test", dns.A)))
}

func TestClientTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dials []string
		c := &dns.Client{Servers: []string{"192.0.2.1", "192.0.2.2"}, Timeout: 2 * time.Second, Attempts: 3,
			Dial: func(_ context.Context, _, addr string) (net.Conn, error) {
				dials = append(dials, addr)
				ours, theirs := net.Pipe()
				go func() { _, _ = theirs.Read(make([]byte, 512)) }()
				return ours, nil
			}}
		start := time.Now()
		_, err := c.Lookup(t.Context(), "a.test", dns.A)
		assert.Equal(t, 12*time.Second, time.Since(start))
		assert.Len(t, dials, 6)
		assert.ErrorIs(t, err, dns.ErrTimeout)
		assert.True(t, os.IsTimeout(err))

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = c.Lookup(ctx, "a.test", dns.A)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.True(t, os.IsTimeout(err))
	})
}

func TestClientNames(t *testing.T) {
	c, z := serve(t, "")
	for _, n := range []string{"", "a..b", ".a", strings.Repeat("a", 64) + ".test", strings.Repeat("a.", 127) + "bb"} {
		_, err := c.Lookup(t.Context(), n, dns.A)
		assert.ErrorIs(t, err, dns.ErrName, n)
		var e *dns.Error
		require.True(t, errors.As(err, &e))
		assert.False(t, e.Temporary())
	}
	assert.Empty(t, z.Queries())
	lookup(t, c, ".", dns.NS)
	lookup(t, c, strings.Repeat("a", 63)+".test", dns.A)
	lookup(t, c, strings.Repeat("a.", 126)+"b", dns.A)
}

func TestClientResolvConf(t *testing.T) {
	z := dnstest.New(t, `a.test A 192.0.2.1`)
	z.Authentic = true
	addr := z.Start(t)
	file := filepath.Join(t.TempDir(), "resolv.conf")
	write := func(s string) { require.NoError(t, os.WriteFile(file, []byte(s), 0o600)) }
	write("# comment\nsearch evil.test\nnameserver 192.0.2.53\nnameserver 2001:db8::53\noptions timeout:1 attempts:1 trust-ad ndots:5\n")
	var asked []string
	c := &dns.Client{ResolvConf: file, Dial: func(ctx context.Context, network, a string) (net.Conn, error) {
		asked = append(asked, a)
		return new(net.Dialer).DialContext(ctx, network, addr)
	}}
	assert.True(t, lookup(t, c, "a.test", dns.A).Authentic)
	write("nameserver 192.0.2.77\nnameserver 192.0.2.78\n")
	assert.False(t, lookup(t, c, "a.test", dns.A).Authentic)
	require.NoError(t, os.Remove(file))
	lookup(t, c, "a.test", dns.A)
	c.ResolvConf = file + "none"
	assert.Equal(t, []string{"192.0.2.53:53", "192.0.2.77:53", "192.0.2.77:53"}, asked)

	asked = nil
	c = &dns.Client{ResolvConf: file, Dial: c.Dial}
	lookup(t, c, "a.test", dns.A)
	assert.Equal(t, []string{"127.0.0.1:53"}, asked)
}

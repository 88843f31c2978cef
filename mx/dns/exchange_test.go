package dns_test

import (
	"context"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/postilion-mail/postilion/mx/dns"
	"github.com/postilion-mail/postilion/mx/dns/dnstest"
)

// silent is a Client whose servers never say a word, over either protocol.
func silent(truncate bool) *dns.Client {
	c := scripted(func(q dnsmessage.Message, network string) [][]byte {
		if network == "udp" && truncate {
			m := answerTo(q)
			m.Truncated = true
			return [][]byte{pack(m)}
		}
		return nil
	})
	c.Timeout = time.Hour
	return c
}

// Cancelling returns at the very moment, whatever the lookup waits for: a datagram,
// a stream, a connection. The clock is the test's, so nothing is rounded.
func TestCancellationIsImmediate(t *testing.T) {
	dialling := &dns.Client{Servers: []string{"192.0.2.53"}, Timeout: time.Hour,
		Dial: func(ctx context.Context, _, _ string) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() }}
	for name, c := range map[string]*dns.Client{"udp": silent(false), "tcp": silent(true), "dial": dialling} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			start := time.Now()
			time.AfterFunc(20*time.Millisecond, cancel)
			_, err := c.Lookup(ctx, "a.test", dns.TXT)
			assert.ErrorIs(t, err, context.Canceled, name)
			assert.Equal(t, 20*time.Millisecond, time.Since(start), name)
		})
	}
}

// A context that is done before sends nothing.
func TestCancelledBefore(t *testing.T) {
	c, z := serve(t, `a.test A 192.0.2.1`)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := c.Lookup(ctx, "a.test", dns.A)
	assert.ErrorIs(t, err, context.Canceled)
	assert.Empty(t, z.Queries())
}

// RFC 5452 §9.2: each query leaves from a port of its own.
func TestEachQueryHasItsOwnPort(t *testing.T) {
	z := dnstest.New(t, `a.test A 192.0.2.1`)
	addr := z.Start(t)
	var mu sync.Mutex
	ports := map[string]bool{}
	c := &dns.Client{Servers: []string{addr}, Dial: func(ctx context.Context, network, a string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, a)
		if err == nil {
			mu.Lock()
			ports[conn.LocalAddr().String()] = true
			mu.Unlock()
		}
		return conn, err
	}}
	for range 20 {
		lookup(t, c, "a.test", dns.A)
	}
	assert.Greater(t, len(ports), 15) // one may come twice, by chance
}

// The query as a server sees it.
func TestQueryOnTheWire(t *testing.T) {
	var got dnsmessage.Message
	c := scripted(func(q dnsmessage.Message, _ string) [][]byte {
		got = q
		return [][]byte{pack(answerTo(q, resource("a.test.", address(1))))}
	})
	c.TrustAD = true
	lookup(t, c, "A.Test", dns.A)
	assert.True(t, got.RecursionDesired)
	assert.True(t, got.AuthenticData, "asks for the AD bit: RFC 6840 §5.7")
	assert.False(t, got.Response)
	require.Len(t, got.Questions, 1)
	assert.Equal(t, "a.test.", got.Questions[0].Name.String())
	require.Len(t, got.Additionals, 1)
	assert.Equal(t, dnsmessage.TypeOPT, got.Additionals[0].Header.Type)
	assert.EqualValues(t, 1232, got.Additionals[0].Header.Class, "the size that passes everywhere")
	c.TrustAD = false
	lookup(t, c, "a.test", dns.A)
	assert.False(t, got.AuthenticData)
}

// RFC 7766 §5: what does not fit comes over TCP, however it is cut into segments.
func TestTCPInPieces(t *testing.T) {
	var whole []byte
	c := &dns.Client{Servers: []string{"192.0.2.53"}, Attempts: 1, Timeout: time.Second,
		Dial: func(_ context.Context, network, _ string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go func() {
				buf := make([]byte, 512)
				n, err := theirs.Read(buf)
				if err != nil {
					return
				}
				skip := map[string]int{"udp": 0, "tcp": 2}[network]
				var q dnsmessage.Message
				if q.Unpack(buf[skip:n]) != nil {
					return
				}
				m := answerTo(q, resource("a.test.", text(strings.Repeat("z", 200))))
				m.Truncated = network == "udp"
				whole = pack(m)
				if network == "udp" {
					_, _ = theirs.Write(whole)
					return
				}
				for _, b := range append([]byte{byte(len(whole) >> 8), byte(len(whole))}, whole...) {
					if _, err := theirs.Write([]byte{b}); err != nil {
						return
					}
				}
			}()
			return ours, nil
		}}
	assert.Equal(t, []string{strings.Repeat("z", 200)}, data(lookup(t, c, "a.test", dns.TXT)))
}

func TestTCPFailures(t *testing.T) {
	for name, answer := range map[string]func(m dnsmessage.Message) []byte{
		"another id":   func(m dnsmessage.Message) []byte { m.ID++; return pack(m) },
		"cut off":      func(m dnsmessage.Message) []byte { return pack(m)[:14] },
		"other answer": func(m dnsmessage.Message) []byte { m.Questions = nil; return pack(m) },
	} {
		c := scripted(func(q dnsmessage.Message, network string) [][]byte {
			m := answerTo(q, resource("a.test.", text("x")))
			if network == "udp" {
				m.Truncated, m.Answers = true, nil
				return [][]byte{pack(m)}
			}
			return [][]byte{answer(m)}
		})
		_, err := c.Lookup(t.Context(), "a.test", dns.TXT)
		assert.ErrorIs(t, err, dns.ErrMalformed, name)
	}
	c := scripted(func(q dnsmessage.Message, network string) [][]byte {
		m := answerTo(q)
		m.Truncated = true
		if network == "udp" {
			return [][]byte{pack(m)}
		}
		return nil
	})
	c.Timeout = 20 * time.Millisecond
	_, err := c.Lookup(t.Context(), "a.test", dns.TXT)
	assert.ErrorIs(t, err, dns.ErrTimeout)
}

// A peer that never stops talking, over UDP of other things and over TCP in drops,
// has no more time than one that is silent.
func TestEndlessTalkers(t *testing.T) {
	c := &dns.Client{Servers: []string{"192.0.2.53"}, Attempts: 1, Timeout: 50 * time.Millisecond}
	for name, talk := range map[string]func(conn net.Conn, network string, query []byte) error{
		"other ids": func(conn net.Conn, _ string, query []byte) error {
			other := slices.Clone(query)
			other[0] ^= 1
			other[2] |= 0x80
			_, err := conn.Write(other)
			return err
		},
		"echo": func(conn net.Conn, _ string, query []byte) error { _, err := conn.Write(query); return err },
		"drops": func(conn net.Conn, network string, query []byte) error {
			if network == "tcp" {
				_, err := conn.Write([]byte{0xff})
				time.Sleep(time.Millisecond)
				return err
			}
			query[2] |= 0x82 // an answer, truncated
			_, err := conn.Write(query)
			return err
		},
	} {
		var ended sync.WaitGroup
		c.Dial = func(_ context.Context, network, _ string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			ended.Go(func() {
				buf := make([]byte, 512)
				n, err := theirs.Read(buf)
				for err == nil {
					err = talk(theirs, network, buf[:n])
				}
			})
			return ours, nil
		}
		_, err := c.Lookup(t.Context(), "a.test", dns.A)
		assert.ErrorIs(t, err, dns.ErrTimeout, name)
		ended.Wait() // the connections are closed, or this would hang
	}
}

// Names that point at themselves or forward, records of other classes, and a
// question that was not ours.
func TestHostileMessages(t *testing.T) {
	header := func(id uint16, answers byte) []byte {
		return []byte{byte(id >> 8), byte(id), 0x81, 0x80, 0, 1, 0, answers, 0, 0, 0, 0}
	}
	asked := "\x01a\x04test\x00\x00\x01\x00\x01"
	a := "\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x01"
	for name, c := range map[string]struct {
		answers byte
		text    string
		want    error
	}{
		"name pointing at itself":    {1, asked + "\xc0\x18" + a, dns.ErrMalformed},
		"names pointing at another":  {1, asked + "\xc0\x1a\xc0\x18" + a, dns.ErrMalformed},
		"name pointing behind":       {1, asked + "\xc0\xff" + a, dns.ErrMalformed},
		"more records than there":    {200, asked + "\xc0\x0c" + a, dns.ErrMalformed},
		"longer record than message": {1, asked + "\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\xff\xff\xc0", dns.ErrMalformed},
		"question of another class":  {1, "\x01a\x04test\x00\x00\x01\x00\x03\xc0\x0c" + a, dns.ErrTimeout},
		"question of another type":   {1, "\x01a\x04test\x00\x00\x1c\x00\x01\xc0\x0c" + a, dns.ErrTimeout},
		"record of another class":    {1, asked + "\xc0\x0c\x00\x01\x00\x03\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x01", nil},
		"in capital letters":         {1, "\x01A\x04TEST\x00\x00\x01\x00\x01\xc0\x0c" + a, nil},
	} {
		client := scripted(func(q dnsmessage.Message, _ string) [][]byte {
			return [][]byte{append(header(q.ID, c.answers), c.text...)}
		})
		client.Timeout = 20 * time.Millisecond
		got, err := client.Lookup(t.Context(), "a.test", dns.A)
		assert.ErrorIs(t, err, c.want, name)
		assert.Equal(t, name == "in capital letters", len(got.RRs) == 1, name)
	}
}

// RFC 2308 §2.2: a referral or an empty answer of a server that is neither
// authoritative nor recursive says nothing; one with an SOA does.
func TestEmptyAnswers(t *testing.T) {
	soa := dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName("test."), Class: dnsmessage.ClassINET, TTL: 900},
		Body: &dnsmessage.SOAResource{NS: dnsmessage.MustNewName("."), MBox: dnsmessage.MustNewName("."), MinTTL: 77}}
	ns := dnsmessage.Resource{Header: soa.Header, Body: &dnsmessage.NSResource{NS: dnsmessage.MustNewName("ns.test.")}}
	for _, c := range []struct {
		name   string
		change func(m *dnsmessage.Message)
		want   error
		ttl    time.Duration
	}{
		{"recursive", func(m *dnsmessage.Message) {}, nil, 0},
		{"authoritative", func(m *dnsmessage.Message) { m.RecursionAvailable, m.Authoritative = false, true }, nil, 0},
		{"with an SOA", func(m *dnsmessage.Message) {
			m.RecursionAvailable, m.Authorities = false, []dnsmessage.Resource{ns, soa}
		}, nil, 77 * time.Second},
		{"referral", func(m *dnsmessage.Message) {
			m.RecursionAvailable, m.Authorities = false, []dnsmessage.Resource{ns}
		}, dns.ErrLame, 0},
		{"referral of one that says it recurses", func(m *dnsmessage.Message) {
			m.Authorities = []dnsmessage.Resource{ns}
		}, dns.ErrLame, 0},
		{"authoritative beside its name servers", func(m *dnsmessage.Message) {
			m.RecursionAvailable, m.Authoritative, m.Authorities = false, true, []dnsmessage.Resource{ns}
		}, nil, 0},
		{"nothing", func(m *dnsmessage.Message) { m.RecursionAvailable = false }, dns.ErrLame, 0},
	} {
		client := scripted(func(q dnsmessage.Message, _ string) [][]byte {
			m := answerTo(q)
			c.change(&m)
			return [][]byte{pack(m)}
		})
		a, err := client.Lookup(t.Context(), "a.test", dns.MX)
		assert.ErrorIs(t, err, c.want, c.name)
		assert.Equal(t, c.ttl, a.TTL, c.name)
	}
}

// RFC 2181 §8: a TTL with its top bit set counts as zero.
func TestHugeTTL(t *testing.T) {
	c := scripted(func(q dnsmessage.Message, _ string) [][]byte {
		r := resource("a.test.", address(1))
		r.Header.TTL = 1 << 31
		return [][]byte{pack(answerTo(q, r))}
	})
	assert.Zero(t, lookup(t, c, "a.test", dns.A).TTL)
}

// Data wins over an NXDOMAIN beside it, which some servers send with a chain.
func TestChainWithNXDomainCode(t *testing.T) {
	alias := resource("a.test.", &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName("b.test.")})
	c := scripted(func(q dnsmessage.Message, _ string) [][]byte {
		m := answerTo(q, alias)
		m.RCode = dnsmessage.RCodeNameError
		return [][]byte{pack(m)}
	})
	a := lookup(t, c, "a.test", dns.A)
	assert.Equal(t, dns.NXDomain, a.RCode)
	assert.Equal(t, []string{"b.test"}, a.CNAMEs)

	c = scripted(func(q dnsmessage.Message, _ string) [][]byte {
		m := answerTo(q, resource("b.test.", address(4)), alias) // in the wrong order too
		m.RCode = dnsmessage.RCodeNameError
		return [][]byte{pack(m)}
	})
	a = lookup(t, c, "a.test", dns.A)
	assert.Equal(t, dns.NoError, a.RCode)
	assert.Equal(t, []string{"192.0.2.4"}, data(a))
}

// All types that are decoded, as they come off the wire.
func TestDecoding(t *testing.T) {
	c, _ := serve(t, `
a.test A 192.0.2.1
a.test AAAA 2001:db8::1
a.test MX 7 m.test
a.test NS ns.test
a.test TXT ""
a.test TYPE65280 \# 2 beef
p.test PTR one.test
p.test PTR two.test
`)
	for typ, want := range map[dns.Type][]string{
		dns.A: {"192.0.2.1"}, dns.AAAA: {"2001:db8::1"}, dns.MX: {"m.test"}, dns.NS: {"ns.test"}, dns.TXT: {""}, dns.Type(65280): {""},
	} {
		a := lookup(t, c, "a.test", typ)
		assert.Equal(t, want, data(a), typ)
		assert.Equal(t, typ, a.RRs[0].Type)
		assert.Equal(t, "a.test", a.RRs[0].Name)
		assert.Equal(t, time.Hour, a.RRs[0].TTL)
	}
	assert.EqualValues(t, 7, lookup(t, c, "a.test", dns.MX).RRs[0].Pref)
	assert.Equal(t, []byte{0xbe, 0xef}, lookup(t, c, "a.test", 65280).RRs[0].Raw)
	assert.Equal(t, []string{"one.test", "two.test"}, data(lookup(t, c, "p.test", dns.PTR)))
}

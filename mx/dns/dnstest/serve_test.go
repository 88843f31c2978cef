package dnstest_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/postilion-mail/postilion/mx/dns"
	"github.com/postilion-mail/postilion/mx/dns/dnstest"
)

// query is a message as another program might send it.
func query(t *testing.T, id uint16, name string, typ dnsmessage.Type, size int) []byte {
	t.Helper()
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: id, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: typ, Class: dnsmessage.ClassINET}},
	}
	if size > 0 {
		var h dnsmessage.ResourceHeader
		require.NoError(t, h.SetEDNS0(size, dnsmessage.RCodeSuccess, false))
		m.Additionals = []dnsmessage.Resource{{Header: h, Body: &dnsmessage.OPTResource{}}}
	}
	b, err := m.Pack()
	require.NoError(t, err)
	return b
}

func dial(t *testing.T, network, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial(network, addr)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(5*time.Second)))
	return conn
}

func readUDP(t *testing.T, conn net.Conn) dnsmessage.Message {
	t.Helper()
	buf := make([]byte, 65535)
	n, err := conn.Read(buf)
	require.NoError(t, err)
	var m dnsmessage.Message
	require.NoError(t, m.Unpack(buf[:n]))
	return m
}

// What is no query gets no answer, and the server goes on.
func TestServerPassesJunkOver(t *testing.T) {
	addr := dnstest.New(t, `a.test A 192.0.2.1`).Start(t)
	conn := dial(t, "udp", addr)
	response := query(t, 1, "a.test.", dnsmessage.TypeA, 0)
	response[2] |= 0x80
	for _, junk := range [][]byte{{}, []byte("x"), response, query(t, 2, "a.test.", dnsmessage.TypeA, 0)[:14]} {
		_, err := conn.Write(junk)
		require.NoError(t, err)
	}
	_, err := conn.Write(query(t, 7, "a.test.", dnsmessage.TypeA, 0))
	require.NoError(t, err)
	m := readUDP(t, conn)
	assert.EqualValues(t, 7, m.ID)
	assert.True(t, m.Response && m.RecursionAvailable && m.RecursionDesired)
	require.Len(t, m.Answers, 1)
	assert.EqualValues(t, 3600, m.Answers[0].Header.TTL)
}

// RFC 1035 §4.2.1 and RFC 6891 §6.2.3: an answer over UDP has the size that the
// query allows, or it is cut and says so.
func TestServerTruncates(t *testing.T) {
	addr := dnstest.New(t, `a.test TXT "`+strings.Repeat("x", 700)+"\"\n").Start(t)
	conn := dial(t, "udp", addr)
	for size, truncated := range map[int]bool{0: true, 100: true, 512: true, 1232: false, 4096: false} {
		_, err := conn.Write(query(t, 9, "a.test.", dnsmessage.TypeTXT, size))
		require.NoError(t, err)
		m := readUDP(t, conn)
		assert.Equal(t, truncated, m.Truncated, size)
		assert.Equal(t, truncated, len(m.Answers) == 0, size)
	}
}

// RFC 7766 §6.2.1: several queries on one connection.
func TestServerAnswersSeveralOverTCP(t *testing.T) {
	z := dnstest.New(t, `
a.test A 192.0.2.1
b.test TIMEOUT
`)
	conn := dial(t, "tcp", z.Start(t))
	send := func(id uint16, name string) {
		q := query(t, id, name, dnsmessage.TypeA, 0)
		_, err := conn.Write(append([]byte{byte(len(q) >> 8), byte(len(q))}, q...))
		require.NoError(t, err)
	}
	for id := range uint16(3) {
		send(id, "a.test.")
		var size [2]byte
		_, err := io.ReadFull(conn, size[:])
		require.NoError(t, err)
		buf := make([]byte, int(size[0])<<8|int(size[1]))
		_, err = io.ReadFull(conn, buf)
		require.NoError(t, err)
		var m dnsmessage.Message
		require.NoError(t, m.Unpack(buf))
		assert.Equal(t, id, m.ID)
	}
	send(4, "b.test.")
	_, err := conn.Read(make([]byte, 1))
	assert.ErrorIs(t, err, io.EOF, "no answer: the connection is closed")
	assert.Len(t, z.Queries(), 4)
	assert.Equal(t, "tcp", z.Queries()[3].Network)
}

// Negative answers carry the SOA by which they are kept (RFC 2308 §3).
func TestServerNegativeAnswers(t *testing.T) {
	z := dnstest.New(t, `
test 600 SOA n h 1 2 3 4 60
a.test A 192.0.2.1
`)
	conn := dial(t, "udp", z.Start(t))
	for name, rcode := range map[string]dnsmessage.RCode{"no.test.": dnsmessage.RCodeNameError, "a.test.": dnsmessage.RCodeSuccess} {
		_, err := conn.Write(query(t, 1, name, dnsmessage.TypeMX, 0))
		require.NoError(t, err)
		m := readUDP(t, conn)
		assert.Equal(t, rcode, m.RCode)
		assert.Empty(t, m.Answers)
		require.Len(t, m.Authorities, 1)
		soa, ok := m.Authorities[0].Body.(*dnsmessage.SOAResource)
		require.True(t, ok)
		assert.EqualValues(t, 60, soa.MinTTL)
	}
}

// Serve ends with its context, whatever it is doing.
func TestServeEnds(t *testing.T) {
	z := dnstest.New(t, `
slow.test DELAY 1h
slow.test A 192.0.2.1
`)
	ctx, cancel := context.WithCancel(t.Context())
	addr, stopped, err := z.Serve(ctx)
	require.NoError(t, err)
	conn := dial(t, "tcp", addr)
	q := query(t, 1, "slow.test.", dnsmessage.TypeA, 0)
	_, err = conn.Write(append([]byte{byte(len(q) >> 8), byte(len(q))}, q...))
	require.NoError(t, err)
	cancel()
	<-stopped
	_, err = conn.Read(make([]byte, 1))
	assert.Error(t, err)
	_, err = (&dns.Client{Servers: []string{addr}, Timeout: 100 * time.Millisecond, Attempts: 1}).Lookup(t.Context(), "slow.test", dns.A)
	assert.Error(t, err)
}

// A record that was added without its address is not served, and harms nobody.
func TestAddedWithoutAddress(t *testing.T) {
	z := new(dnstest.Zone)
	for _, typ := range []dns.Type{dns.A, dns.AAAA} {
		z.Add(dns.RR{Name: "a.test", Type: typ})
	}
	z.Add(dns.RR{Name: "a.test", Type: dns.A, Addr: netip.MustParseAddr("2001:db8::1")})
	z.Add(dns.RR{Name: "a.test", Type: dns.A, Addr: netip.MustParseAddr("::ffff:192.0.2.1")})
	c := &dns.Client{Servers: []string{z.Start(t)}}
	a, err := c.Lookup(t.Context(), "a.test", dns.A)
	require.NoError(t, err)
	require.Len(t, a.RRs, 1)
	assert.Equal(t, "192.0.2.1", a.RRs[0].Addr.String())
	a, err = c.Lookup(t.Context(), "a.test", dns.AAAA)
	require.NoError(t, err)
	assert.Empty(t, a.RRs)
}

// When stopped is closed no answer is under way any more: the goroutines that
// delayed them are gone.
func TestServeWaitsForItsAnswers(t *testing.T) {
	before := runtime.NumGoroutine()
	z := dnstest.New(t, "slow.test DELAY 1h\n")
	ctx, cancel := context.WithCancel(t.Context())
	addr, stopped, err := z.Serve(ctx)
	require.NoError(t, err)
	for range 50 {
		conn := dial(t, "udp", addr)
		_, err := conn.Write(query(t, 1, "slow.test.", dnsmessage.TypeA, 0))
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool { return len(z.Queries()) == 50 }, 5*time.Second, time.Millisecond)
	cancel()
	<-stopped
	assert.Less(t, runtime.NumGoroutine(), before+25)
}

func ExampleQuery() {
	z, err := dnstest.Parse(`example.org TXT "v=spf1 -all"`)
	if err != nil {
		panic(err)
	}
	_, _ = z.Lookup(context.Background(), "Example.org.", dns.TXT)
	for _, q := range z.Queries() {
		fmt.Printf("%s %v %q\n", q.Name, q.Type, q.Network)
	}
	// Output: example.org TXT ""
}

func ExampleZone_Serve() {
	z, err := dnstest.Parse(`example.org MX 10 mail.example.org`)
	if err != nil {
		panic(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	addr, stopped, err := z.Serve(ctx)
	if err != nil {
		panic(err)
	}
	// Any program can ask now, such as net.Resolver.
	r := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, addr)
	}}
	mxs, err := r.LookupMX(ctx, "example.org.")
	fmt.Println(mxs[0].Host, err)
	stop()
	<-stopped
	// Output: mail.example.org. <nil>
}

package dns

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"
)

// FuzzQuery: whatever CheckName takes can be put into a message, and another reader
// finds the same question in it.
func FuzzQuery(f *testing.F) {
	f.Add("a.test", uint16(16), uint16(7), true, false)
	f.Add(".", uint16(2), uint16(0), false, true)
	f.Add("ann+x=y.a@b.\xff.", uint16(1), uint16(65535), true, true)
	f.Fuzz(func(t *testing.T, name string, typ, id uint16, edns, ad bool) {
		q := question{id: id, name: Fold(name), typ: Type(typ), edns: edns, ad: ad}
		msg, err := q.pack()
		if (err != nil) != (CheckName(q.name) != nil) {
			t.Fatalf("%q: %v", name, err)
		}
		if err != nil {
			return
		}
		if int(msg[0])<<8|int(msg[1]) != len(msg)-2 {
			t.Fatalf("length %x of %d", msg[:2], len(msg))
		}
		var p dnsmessage.Parser
		h, err := p.Start(msg[2:])
		if err != nil || h.ID != id || !h.RecursionDesired || h.AuthenticData != ad || h.Response {
			t.Fatalf("%+v %v", h, err)
		}
		got, err := p.Question()
		if err != nil || !EqualNames(got.Name.String(), q.name) || Type(got.Type) != q.typ || got.Class != dnsmessage.ClassINET {
			t.Fatalf("%q: %v %v", name, got, err)
		}
	})
}

// The message of RFC 1035 §4.1.1 and §4.1.2, octet by octet.
func TestPack(t *testing.T) {
	msg, err := question{id: 0x1234, name: "a.test", typ: MX}.pack()
	require.NoError(t, err)
	assert.Equal(t, "\x00\x18\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x04test\x00\x00\x0f\x00\x01", string(msg))
	msg, err = question{id: 1, name: ".", typ: NS, edns: true, ad: true}.pack()
	require.NoError(t, err)
	assert.Equal(t, "\x00\x1c\x00\x01\x01\x20\x00\x01\x00\x00\x00\x00\x00\x01\x00\x00\x02\x00\x01\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00", string(msg))
}

func TestAnswerSize(t *testing.T) {
	small := Answer{RRs: []RR{{Name: "a.test", Data: "x"}}}
	assert.Less(t, small.size(), 200)
	assert.Greater(t, Answer{RRs: []RR{{Data: strings.Repeat("x", maxAnswer)}}}.size(), maxAnswer)
	assert.Greater(t, Answer{CNAMEs: []string{strings.Repeat("x", maxAnswer)}}.size(), maxAnswer)
	assert.Greater(t, Answer{RRs: []RR{{Raw: make([]byte, maxAnswer)}}}.size(), maxAnswer)
}

func TestParseConf(t *testing.T) {
	for text, want := range map[string]conf{
		"": {servers: []string{"127.0.0.1:53", "[::1]:53"}, timeout: 3 * time.Second, attempts: 2},
		"nameserver 192.0.2.1\nnameserver 2001:db8::1\nnameserver fe80::1%eth0\nnameserver 192.0.2.4\n": {
			servers: []string{"192.0.2.1:53", "[2001:db8::1]:53", "[fe80::1%eth0]:53"}, timeout: 3 * time.Second, attempts: 2,
		},
		"; nameserver 192.0.2.9\n# nameserver 192.0.2.9\nnameserver\nsortlist x\n\toptions timeout:99 attempts:99\n nameserver 192.0.2.1": {
			servers: []string{"192.0.2.1:53"}, timeout: 30 * time.Second, attempts: 5,
		},
		"nameserver 192.0.2.1\noptions timeout:0 attempts:x trust-ad edns0 rotate": {
			servers: []string{"192.0.2.1:53"}, timeout: 3 * time.Second, attempts: 2, trustAD: true,
		},
	} {
		assert.Equal(t, want, parseConf(text), "%q", text)
	}
}

func TestWithPort(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.1": "192.0.2.1:53", "192.0.2.1:5353": "192.0.2.1:5353", "2001:db8::1": "[2001:db8::1]:53", "[2001:db8::1]": "[2001:db8::1]:53",
		"[2001:db8::1]:5353": "[2001:db8::1]:5353", "ns.test": "ns.test:53",
	} {
		assert.Equal(t, want, withPort(in))
		assert.Equal(t, want, withPort(want))
	}
}

func TestReversed(t *testing.T) {
	for _, name := range []string{"1.2.0.192.in-addr.arpa", "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"} {
		ip, ok := reversed(strings.ToUpper(name) + ".")
		assert.True(t, ok, name)
		assert.Equal(t, name, Reverse(ip))
	}
	for _, name := range []string{"", "arpa", "in-addr.arpa", "1.in-addr.arpa", "300.2.0.192.in-addr.arpa", "1.2.0.192.in-addr.test", "x.ip6.arpa", "a.test"} {
		_, ok := reversed(name)
		assert.False(t, ok, name)
	}
}

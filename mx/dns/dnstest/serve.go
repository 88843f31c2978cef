package dnstest

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/postilion-mail/postilion/mx/dns"
)

// Start serves the zone on a loopback port, the same one for UDP and TCP, until
// the test ends. It returns the address, "127.0.0.1:port".
func (z *Zone) Start(tb testing.TB) string {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	addr, stopped, err := z.Serve(ctx)
	if err != nil {
		cancel()
		tb.Fatalf("dnstest: %v", err)
	}
	tb.Cleanup(func() { cancel(); <-stopped })
	return addr
}

// Serve is Start outside a test: it serves until ctx is done, and closes stopped
// when everything has ended.
func (z *Zone) Serve(ctx context.Context) (addr string, stopped <-chan struct{}, err error) {
	pc, ln, err := listen()
	if err != nil {
		return "", nil, err
	}
	done := make(chan struct{})
	tcp := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { pc.Close(); ln.Close() })
	go func() { defer close(tcp); z.serveTCP(ctx, ln) }()
	go func() {
		defer close(done)
		defer stop()
		z.serveUDP(ctx, pc)
		<-tcp
	}()
	return pc.LocalAddr().String(), done, nil
}

// listen finds a port that is free for both protocols.
func listen() (pc net.PacketConn, ln net.Listener, err error) {
	for range 10 {
		if ln, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return nil, nil, err
		}
		if pc, err = net.ListenPacket("udp", ln.Addr().String()); err == nil {
			return pc, ln, nil
		}
		ln.Close()
	}
	return nil, nil, err
}

// serveUDP answers datagrams, each in a goroutine of its own: a delayed answer
// must not hold up the others.
func (z *Zone) serveUDP(ctx context.Context, pc net.PacketConn) {
	var answering sync.WaitGroup
	defer answering.Wait()
	for {
		buf := make([]byte, 4096)
		n, peer, err := pc.ReadFrom(buf)
		if err != nil {
			return
		}
		answering.Go(func() {
			if msg := z.reply(ctx, buf[:n], "udp"); msg != nil {
				_, _ = pc.WriteTo(msg, peer) // a lost answer is the client's to notice
			}
		})
	}
}

// serveTCP answers connections until the listener is closed.
func (z *Zone) serveTCP(ctx context.Context, ln net.Listener) {
	var answering sync.WaitGroup
	defer answering.Wait()
	for {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		answering.Go(func() {
			defer conn.Close()
			stop := context.AfterFunc(ctx, func() { conn.Close() })
			defer stop()
			for z.oneTCP(ctx, conn) {
			}
		})
	}
}

// oneTCP answers one query of a connection, which may carry several (RFC 7766
// §6.2.1), and says whether another may follow.
func (z *Zone) oneTCP(ctx context.Context, conn net.Conn) bool {
	var size [2]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return false
	}
	buf := make([]byte, int(size[0])<<8|int(size[1]))
	if _, err := io.ReadFull(conn, buf); err != nil {
		return false
	}
	msg := z.reply(ctx, buf, "tcp")
	if msg == nil {
		return false
	}
	_, err := conn.Write(append([]byte{byte(len(msg) >> 8), byte(len(msg))}, msg...))
	return err == nil
}

// reply makes the message that answers a query, or nil for silence.
func (z *Zone) reply(ctx context.Context, query []byte, network string) []byte {
	var p dnsmessage.Parser
	h, err := p.Start(query)
	if err != nil || h.Response {
		return nil
	}
	q, err := p.Question()
	if err != nil {
		return nil
	}
	r := z.resolve(Query{Name: dns.Fold(q.Name.String()), Type: dns.Type(q.Type), Network: network})
	if sleep(ctx, r.delay) != nil || r.fault == "TIMEOUT" {
		return nil
	}
	limit := 65535
	if network == "udp" {
		limit = udpLimit(&p)
	}
	if r.fault == "TRUNCATE" && network == "udp" {
		limit = 0
	}
	m := r.message(h, q)
	msg, err := m.Pack()
	if err != nil || len(msg) > limit {
		m.Truncated, m.Answers, m.Authorities = err == nil, nil, nil
		if err != nil {
			m.RCode = dnsmessage.RCodeServerFailure
		}
		msg, _ = m.Pack()
	}
	return msg
}

// udpLimit is the size of answer that the query allows (RFC 6891 §6.2.3).
func udpLimit(p *dnsmessage.Parser) int {
	const plain = 512 // RFC 1035 §4.2.1
	if p.SkipAllQuestions() != nil || p.SkipAllAnswers() != nil || p.SkipAllAuthorities() != nil {
		return plain
	}
	for {
		h, err := p.AdditionalHeader()
		if err != nil {
			return plain
		}
		if h.Type == dnsmessage.TypeOPT {
			return max(plain, int(h.Class))
		}
		if p.SkipAdditional() != nil {
			return plain
		}
	}
}

var rcodes = map[string]dnsmessage.RCode{
	"SERVFAIL": dnsmessage.RCodeServerFailure,
	"REFUSED":  dnsmessage.RCodeRefused,
	"FORMERR":  dnsmessage.RCodeFormatError,
	"NOTIMP":   dnsmessage.RCodeNotImplemented,
}

// message puts a resolution into the form of the wire.
func (r resolution) message(h dnsmessage.Header, q dnsmessage.Question) dnsmessage.Message {
	m := dnsmessage.Message{
		Header: dnsmessage.Header{
			ID: h.ID, Response: true, RecursionDesired: h.RecursionDesired,
			RecursionAvailable: r.fault != "LAME", AuthenticData: r.authentic, RCode: rcodes[r.fault],
		},
		Questions: []dnsmessage.Question{q},
	}
	switch {
	case r.looping:
		m.RCode = dnsmessage.RCodeServerFailure
	case !r.exists:
		m.RCode = dnsmessage.RCodeNameError
	}
	if m.RCode == dnsmessage.RCodeServerFailure || r.fault == "LAME" || rcodes[r.fault] != 0 {
		return m
	}
	for _, rr := range append(r.chain, r.rrs...) {
		if body := wire(rr); body != nil {
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: header(rr.Name, rr.TTL), Body: body})
		}
	}
	if len(r.rrs) == 0 {
		root := dnsmessage.MustNewName(".")
		m.Authorities = []dnsmessage.Resource{{Header: header(".", r.negative), Body: &dnsmessage.SOAResource{
			NS: root, MBox: root, Serial: 1, MinTTL: uint32(r.negative / time.Second),
		}}}
	}
	return m
}

// header is what stands in front of the data of each record.
func header(name string, ttl time.Duration) dnsmessage.ResourceHeader {
	return dnsmessage.ResourceHeader{Name: wireName(name), Class: dnsmessage.ClassINET, TTL: uint32(ttl / time.Second)}
}

// wireName writes a name; one that is too long becomes the root.
func wireName(name string) dnsmessage.Name {
	if name != "." {
		name += "."
	}
	n, err := dnsmessage.NewName(name)
	if err != nil {
		n, _ = dnsmessage.NewName(".")
	}
	return n
}

// wire gives a record the form of dnsmessage, nil for one that is not served, such
// as an A record that was added without an IPv4 address.
func wire(rr dns.RR) dnsmessage.ResourceBody {
	switch rr.Type {
	case dns.A:
		if ip := rr.Addr.Unmap(); ip.Is4() {
			return &dnsmessage.AResource{A: ip.As4()}
		}
		return nil
	case dns.AAAA:
		if !rr.Addr.IsValid() {
			return nil
		}
		return &dnsmessage.AAAAResource{AAAA: rr.Addr.As16()}
	case dns.MX:
		return &dnsmessage.MXResource{Pref: rr.Pref, MX: wireName(rr.Data)}
	case dns.PTR:
		return &dnsmessage.PTRResource{PTR: wireName(rr.Data)}
	case dns.CNAME:
		return &dnsmessage.CNAMEResource{CNAME: wireName(rr.Data)}
	case dns.NS:
		return &dnsmessage.NSResource{NS: wireName(rr.Data)}
	case dns.TXT:
		return &dnsmessage.TXTResource{TXT: chunks(rr.Data)}
	case dns.SOA:
		return nil // an SOA is only read for its times
	}
	return &dnsmessage.UnknownResource{Type: dnsmessage.Type(rr.Type), Data: rr.Raw}
}

// chunks cuts a text into the strings of at most 255 octets that a TXT record
// consists of (RFC 1035 §3.3.14).
func chunks(s string) []string {
	all := []string{}
	for len(s) > 255 {
		all = append(all, s[:255])
		s = s[255:]
	}
	return append(all, s)
}

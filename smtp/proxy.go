package smtp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

var errProxy = errors.New("smtp: malformed PROXY header")

// proxyV2 begins every header of version 2.
const proxyV2 = "\r\n\r\n\x00\r\nQUIT\n"

// readProxy reads the PROXY header, version 1 or 2, which a trusted proxy must
// put in front of everything, TLS included. It takes not a byte more. From
// others it is just a bad command.
func (c *conn) readProxy() error {
	if c.srv.Proxy == nil || !c.srv.Proxy(c.session.Remote.Addr()) {
		return nil
	}
	wait := c.srv.waits.TLS
	if wait > 0 {
		_ = c.nc.SetReadDeadline(time.Now().Add(wait))
		defer c.nc.SetReadDeadline(time.Time{})
	}
	remote, local, err := parseProxy(c.nc)
	if err != nil {
		return errors.Join(errProxy, err)
	}
	if !remote.IsValid() {
		return nil // LOCAL or UNKNOWN: the proxy speaks for itself, and is trusted
	}
	c.session.Remote, c.session.Local = remote, local
	if why := c.sc.Rehome(remote.Addr()); why != 0 {
		return c.lastWord(refusal(why))
	}
	return nil
}

// parseProxy reads one header from r.
func parseProxy(r io.Reader) (remote, local netip.AddrPort, err error) {
	head := make([]byte, 12, 107)
	if _, err = io.ReadFull(r, head); err != nil {
		return remote, local, err
	}
	if string(head) == proxyV2 {
		return proxyBinary(r)
	}
	if !bytes.HasPrefix(head, []byte("PROXY ")) {
		return remote, local, errProxy
	}
	for !bytes.HasSuffix(head, []byte("\r\n")) {
		if len(head) == cap(head) { // the longest line of version 1
			return remote, local, errProxy
		}
		n := len(head)
		if _, err = io.ReadFull(r, head[n:n+1]); err != nil {
			return remote, local, err
		}
		head = head[:n+1]
	}
	return proxyText(string(head[:len(head)-2]))
}

// proxyText reads "PROXY TCP4 source destination sport dport".
func proxyText(line string) (remote, local netip.AddrPort, err error) {
	f := strings.Split(line, " ")
	if len(f) >= 2 && f[1] == "UNKNOWN" {
		return remote, local, nil
	}
	if len(f) != 6 || f[1] != "TCP4" && f[1] != "TCP6" {
		return remote, local, errProxy
	}
	if remote, err = addrPort(f[2], f[4], f[1] == "TCP4"); err != nil {
		return remote, local, err
	}
	local, err = addrPort(f[3], f[5], f[1] == "TCP4")
	return remote, local, err
}

func addrPort(ip, port string, four bool) (netip.AddrPort, error) {
	a, err := netip.ParseAddr(ip)
	n, err2 := strconv.ParseUint(port, 10, 16)
	if err != nil || err2 != nil || a.Is4() != four || a.Zone() != "" {
		return netip.AddrPort{}, errProxy
	}
	return netip.AddrPortFrom(a.Unmap(), uint16(n)), nil
}

// proxyBinary reads what follows the signature of version 2.
func proxyBinary(r io.Reader) (remote, local netip.AddrPort, err error) {
	var head [4]byte
	if _, err = io.ReadFull(r, head[:]); err != nil {
		return remote, local, err
	}
	size := int(binary.BigEndian.Uint16(head[2:]))
	if head[0]>>4 != 2 || size > 4096 { // with all extensions there are
		return remote, local, errProxy
	}
	b := make([]byte, size)
	if _, err = io.ReadFull(r, b); err != nil {
		return remote, local, err
	}
	switch {
	case head[0]&15 == 0: // LOCAL
		return remote, local, nil
	case head[0]&15 != 1:
		return remote, local, errProxy
	}
	n := 0
	switch head[1] >> 4 {
	case 1:
		n = 4
	case 2:
		n = 16
	default: // Unix sockets and unknown families have no address for us
		return remote, local, nil
	}
	if len(b) < 2*n+4 {
		return remote, local, errProxy
	}
	src, _ := netip.AddrFromSlice(b[:n])
	dst, _ := netip.AddrFromSlice(b[n : 2*n])
	ports := b[2*n:]
	return netip.AddrPortFrom(src.Unmap(), binary.BigEndian.Uint16(ports)),
		netip.AddrPortFrom(dst.Unmap(), binary.BigEndian.Uint16(ports[2:])), nil
}

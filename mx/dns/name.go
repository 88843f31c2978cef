package dns

import (
	"net/netip"
	"strings"
)

const (
	maxLabel = 63  // RFC 1035 §2.3.4
	maxName  = 253 // 255 octets on the wire: RFC 1035 §2.3.4
	maxChain = 16  // CNAMEs followed; RFC 1034 §3.6.2 asks for a limit, not for this one
)

// CheckName returns ErrName if name cannot be asked for: an empty label, a label
// over 63 octets, or more than 253 in all. The root (".") is a name. No octet is
// forbidden.
func CheckName(name string) error {
	name = trimDot(name)
	if name == "." {
		return nil
	}
	if len(name) > maxName {
		return ErrName
	}
	for {
		i := strings.IndexByte(name, '.')
		label := name
		if i >= 0 {
			label = name[:i]
		}
		if label == "" || len(label) > maxLabel {
			return ErrName
		}
		if i < 0 {
			return nil
		}
		name = name[i+1:]
	}
}

// Fold gives a name the form in which names can be compared: ASCII letters in
// lower case, without the final dot. It allocates only if letters change.
func Fold(name string) string {
	name = trimDot(name)
	for i := 0; i < len(name); i++ {
		if c := name[i]; 'A' <= c && c <= 'Z' {
			return lower(name, i)
		}
	}
	return name
}

// lower copies name with the letters from i on in lower case. Unlike
// strings.ToLower it leaves octets outside ASCII alone: RFC 4343 §3.
func lower(name string, i int) string {
	b := []byte(name)
	for ; i < len(b); i++ {
		if 'A' <= b[i] && b[i] <= 'Z' {
			b[i] += 'a' - 'A'
		}
	}
	return string(b)
}

// EqualNames says whether two names are the same.
func EqualNames(a, b string) bool {
	a, b = trimDot(a), trimDot(b)
	if len(a) != len(b) {
		return false
	}
	for i := 0; i < len(a); i++ {
		if a[i] != b[i] && foldByte(a[i]) != foldByte(b[i]) {
			return false
		}
	}
	return true
}

// foldByte is the lower case of an ASCII letter (RFC 4343 §3).
func foldByte(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// trimDot removes the final dot of an absolute name, but leaves the root alone.
func trimDot(name string) string {
	if n := len(name); n > 1 && name[n-1] == '.' {
		return name[:n-1]
	}
	return name
}

// Reverse is the name at which the PTR records of an address stand: in
// in-addr.arpa (RFC 1035 §3.5) or ip6.arpa (RFC 3596 §2.5). An IPv4 address mapped
// into IPv6 counts as IPv4. The zero Addr gives "".
func Reverse(ip netip.Addr) string {
	const hex = "0123456789abcdef"
	ip = ip.Unmap()
	switch {
	case ip.Is4():
		a := ip.As4()
		return netip.AddrFrom4([4]byte{a[3], a[2], a[1], a[0]}).String() + ".in-addr.arpa"
	case ip.Is6():
		a := ip.As16()
		b := make([]byte, 0, 72)
		for i := len(a) - 1; i >= 0; i-- {
			b = append(b, hex[a[i]&15], '.', hex[a[i]>>4], '.')
		}
		return string(append(b, "ip6.arpa"...))
	}
	return ""
}

package dns

import (
	"net/netip"
	"strconv"
	"time"
)

// Type is the type of a resource record (RFC 1035 §3.2.2). Any value may be
// asked for; the types named here are also decoded.
type Type uint16

// The types of use for mail.
const (
	A     Type = 1
	NS    Type = 2
	CNAME Type = 5
	SOA   Type = 6
	PTR   Type = 12
	MX    Type = 15
	TXT   Type = 16
	AAAA  Type = 28 // RFC 3596 §2.1
	TLSA  Type = 52 // undecoded, in RR.Raw
)

var typeNames = map[Type]string{
	A: "A", NS: "NS", CNAME: "CNAME", SOA: "SOA", PTR: "PTR", MX: "MX", TXT: "TXT", AAAA: "AAAA", TLSA: "TLSA",
}

// String gives the mnemonic, or TYPE65280 for a type without one (RFC 3597 §5).
func (t Type) String() string {
	if s, ok := typeNames[t]; ok {
		return s
	}
	return "TYPE" + strconv.Itoa(int(t))
}

// ParseType reads a mnemonic as String writes it, in capital letters.
func ParseType(s string) (Type, bool) {
	for t, name := range typeNames {
		if name == s {
			return t, true
		}
	}
	if len(s) > 4 && s[:4] == "TYPE" {
		n, err := strconv.ParseUint(s[4:], 10, 16)
		return Type(n), err == nil
	}
	return 0, false
}

// RCode says how a question was answered (RFC 1035 §4.1.1, with the extended
// codes of RFC 6891 §6.1.3).
type RCode uint16

// The response codes of RFC 1035 §4.1.1. Only NoError and NXDomain occur in an
// Answer; the others make an [*Error].
const (
	NoError  RCode = 0
	FormErr  RCode = 1
	ServFail RCode = 2
	NXDomain RCode = 3
	NotImp   RCode = 4
	Refused  RCode = 5
	BadVers  RCode = 16 // RFC 6891 §9
)

// String gives the mnemonic, or RCODE17 for a code without one.
func (r RCode) String() string {
	switch r {
	case NoError:
		return "NOERROR"
	case FormErr:
		return "FORMERR"
	case ServFail:
		return "SERVFAIL"
	case NXDomain:
		return "NXDOMAIN"
	case NotImp:
		return "NOTIMP"
	case Refused:
		return "REFUSED"
	case BadVers:
		return "BADVERS"
	}
	return "RCODE" + strconv.Itoa(int(r))
}

// RR is one resource record. Which fields are set depends on Type.
type RR struct {
	Name string        // the owner, as the server wrote it
	Type Type          // the same as the type asked for
	TTL  time.Duration // whole seconds
	Pref uint16        // MX: preference, the lowest is tried first

	// Data is the target of an MX, PTR, NS or CNAME record, without its final
	// dot ("." for the root), or the text of a TXT record, its strings joined
	// with nothing in between (RFC 7208 §3.3). It is empty for a target that has
	// no textual form here because one of its labels holds a dot.
	Data string

	Addr netip.Addr // A and AAAA
	Raw  []byte     // RDATA of the types not decoded
}

// Answer is what the DNS has to say about a name and a type. The zero Answer is
// NODATA: the name exists, the record does not.
type Answer struct {
	RCode RCode // NoError or NXDomain
	RRs   []RR  // of the type asked for, at the end of the chain; in the server's order

	// CNAMEs are the names the chain leads through after the one asked for; the
	// last of them owns the RRs. It is empty if the name asked for is no alias.
	CNAMEs []string

	// TTL is how long the answer may be kept: the least of the chain and the
	// records, or for a negative answer what the SOA allows (RFC 2308 §5). Zero
	// means that it must not be kept, or is not known.
	TTL time.Duration

	// Authentic says that a resolver which the caller declared trustworthy has
	// verified the answer with DNSSEC (RFC 4033 §3).
	Authentic bool
}

// Canonical is the name at the end of the chain of CNAMEs from name.
func (a Answer) Canonical(name string) string {
	if len(a.CNAMEs) == 0 {
		return name
	}
	return a.CNAMEs[len(a.CNAMEs)-1]
}

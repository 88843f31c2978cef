package mx

import (
	"net/netip"
	"time"
)

// Route says where the mail for a domain goes.
type Route struct {
	Domain    string        // in A-labels; a literal as "[192.0.2.1]"
	CNAMEs    []string      // the names that Domain is an alias for, if it is one
	Hosts     []Host        // in the order in which to try them
	Implicit  bool          // there is no MX record: the one host is the domain itself
	Null      bool          // the domain takes no mail (RFC 7505)
	Literal   bool          // Domain is an address literal
	Authentic bool          // DNSSEC vouches for the MX records
	TTL       time.Duration // how long the route may be kept; 0 means not known
}

// Host is a mail host of a route.
type Host struct {
	Name string // in A-labels
	Pref uint16 // the lowest is tried first
	Skip Skip   // why the host is not used; "" if it is
}

// Skip is a reason to leave a host out.
type Skip string

// The reasons.
const (
	SkipBadName  Skip = "not a host name"
	SkipAddress  Skip = "an address in the place of a name"
	SkipLoopback Skip = "a name of the loopback interface"
	SkipNull     Skip = "null MX beside other records"
	SkipTwice    Skip = "listed before"
	SkipSelf     Skip = "this host"
	SkipFarther  Skip = "not nearer than this host"
	SkipTooMany  Skip = "beyond the limit of hosts"
)

// Hop is a host to dial.
type Hop struct {
	Host  Host
	Addrs []netip.Addr // in the order to try; never empty if there is no error

	// Canonical is the name that holds the addresses, if Host.Name is an alias for
	// it (which RFC 2181 §10.3 forbids, and many do), else Host.Name.
	Canonical string

	Authentic bool // DNSSEC vouches for the addresses and the aliases
}

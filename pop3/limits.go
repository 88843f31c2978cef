package pop3

import (
	"cmp"
	"time"
)

// Limits bound what one peer, and all of them, can cost a [Server]. In each
// field 0 means the default named there and a negative number no limit.
type Limits struct {
	CommandLine int // octets; 512. RFC 2449 §4 wants 255
	Errors      int // refused commands before the connection is closed; 20, and 3 before the login
	AuthTries   int // failed logins before the connection is closed; 3
	Conns       int // connections at the same time; 10,000
	ConnsPerIP  int // of one IPv4 address or IPv6 /64; 100
	ConnRate    int // new connections a minute of one IPv4 address or IPv6 /64; no limit
}

// Timeouts bound every wait. 0 means the default named there, negative no
// limit. A [Client] uses those marked with C, a [Server] those marked with S.
type Timeouts struct {
	Dial    time.Duration // C: to connect; 30 s
	TLS     time.Duration // CS: for the handshake; 30 s
	Login   time.Duration // S: from the connection to the login; 1 min
	Command time.Duration // S: for the next command, C: for a reply or the next block of a message; 10 min (RFC 1939 §3), C: 2 min
	Store   time.Duration // S: for one call of Auth, Open or the store; 5 min
	Write   time.Duration // S: for a block to be taken, C: for a command; 1 min
	Grace   time.Duration // S: for commands that run when Run's ctx ends; 30 s
}

// limit applies the default: 0 is def, negative none, which is given as 0.
func limit(v, def int) int { return max(cmp.Or(v, def), 0) }

// timeout applies the default: 0 is def, negative none, which is given as 0.
func timeout(v, def time.Duration) time.Duration { return max(cmp.Or(v, def), 0) }

func (l Limits) withDefaults() Limits {
	return Limits{
		CommandLine: cmp.Or(limit(l.CommandLine, 512), 64<<10),
		Errors:      limit(l.Errors, 20),
		AuthTries:   limit(l.AuthTries, 3),
		Conns:       limit(l.Conns, 10000),
		ConnsPerIP:  limit(l.ConnsPerIP, 100),
		ConnRate:    limit(l.ConnRate, 0),
	}
}

func (t Timeouts) withDefaults() Timeouts {
	return Timeouts{
		TLS:     timeout(t.TLS, 30*time.Second),
		Login:   timeout(t.Login, time.Minute),
		Command: timeout(t.Command, 10*time.Minute),
		Store:   timeout(t.Store, 5*time.Minute),
		Write:   timeout(t.Write, time.Minute),
		Grace:   timeout(t.Grace, 30*time.Second),
	}
}

// forClient applies the defaults of the client's side.
func (t Timeouts) forClient() Timeouts {
	return Timeouts{
		Dial:    timeout(t.Dial, 30*time.Second),
		TLS:     timeout(t.TLS, 30*time.Second),
		Command: timeout(t.Command, 2*time.Minute),
		Write:   timeout(t.Write, time.Minute),
	}
}

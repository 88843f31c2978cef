package smtp

import (
	"cmp"
	"time"
)

// Limits bound what one peer, and all of them, can cost a [Server]. In each
// field 0 means the default named there and a negative number no limit.
type Limits struct {
	MessageBytes int64 // octets of one message; 25 MiB. Offered as SIZE
	Recipients   int   // of one message; 1000, offered as RCPTMAX (RFC 9422). RFC 5321 §4.5.3.1.8 wants 100 at least
	Messages     int   // transactions of one connection; 10,000, offered as MAILMAX (RFC 9422)
	CommandLine  int   // octets; 2048. RFC 5321 §4.5.3.1.4 wants 512, its parameters need more
	TextLine     int   // octets of a line of the message; 64 KiB. RFC 5321 §4.5.3.1.6 wants 1000
	Errors       int   // refused commands before the connection is closed; 20
	AuthTries    int   // failed logins before the connection is closed; 3
	Commands     int   // that move no mail (NOOP, RSET, VRFY …), between two messages; 100
	Conns        int   // connections at the same time; 10,000
	ConnsPerIP   int   // of one IPv4 address or IPv6 /64; 100
	ConnRate     int   // new connections a minute of one IPv4 address or IPv6 /64; no limit
	MinRate      int   // octets a second of a message, counted from Timeouts.DataBlock on; 200
}

// limit applies the default: 0 is def, negative none, which is given as 0.
func limit[T int | int64](v, def T) T { return max(cmp.Or(v, def), 0) }

// Timeouts bound every wait. 0 means the default named there, negative no
// limit. A [Client] uses those marked with C, a [Server] those marked with S.
type Timeouts struct {
	Banner    time.Duration // S: pause before the greeting; who speaks into it is refused. 0: none
	Dial      time.Duration // C: to connect; 30 s
	TLS       time.Duration // CS: for the handshake; 30 s
	Command   time.Duration // S: for the next command, C: for a reply; 5 min (RFC 5321 §4.5.3.2)
	DataBlock time.Duration // CS: for the next block of a message; 3 min (RFC 5321 §4.5.3.2.5)
	DataEnd   time.Duration // C: for the reply to a message; 10 min (RFC 5321 §4.5.3.2.6)
	Handler   time.Duration // S: for one func of the Handler; 5 min, half of what a client waits
	Write     time.Duration // S: for a reply to be taken; 1 min
	Grace     time.Duration // S: for transactions that run when Run's ctx ends; 30 s
}

// timeout applies the default: 0 is def, negative none, which is given as 0.
func timeout(v, def time.Duration) time.Duration { return max(cmp.Or(v, def), 0) }

func (l Limits) withDefaults() Limits {
	return Limits{
		MessageBytes: limit(l.MessageBytes, 25<<20),
		Recipients:   limit(l.Recipients, 1000),
		Messages:     limit(l.Messages, 10000),
		CommandLine:  cmp.Or(limit(l.CommandLine, 2048), 64<<10),
		TextLine:     limit(l.TextLine, 64<<10),
		Errors:       limit(l.Errors, 20),
		AuthTries:    limit(l.AuthTries, 3),
		Commands:     limit(l.Commands, 100),
		Conns:        limit(l.Conns, 10000),
		ConnsPerIP:   limit(l.ConnsPerIP, 100),
		ConnRate:     limit(l.ConnRate, 0),
		MinRate:      limit(l.MinRate, 200),
	}
}

func (t Timeouts) withDefaults() Timeouts {
	return Timeouts{
		Banner:    timeout(t.Banner, 0),
		Dial:      timeout(t.Dial, 30*time.Second),
		TLS:       timeout(t.TLS, 30*time.Second),
		Command:   timeout(t.Command, 5*time.Minute),
		DataBlock: timeout(t.DataBlock, 3*time.Minute),
		DataEnd:   timeout(t.DataEnd, 10*time.Minute),
		Handler:   timeout(t.Handler, 5*time.Minute),
		Write:     timeout(t.Write, time.Minute),
		Grace:     timeout(t.Grace, 30*time.Second),
	}
}

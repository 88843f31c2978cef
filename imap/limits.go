package imap

import (
	"cmp"
	"time"
)

// Limits bound what one peer, and all of them, can cost a [Server]. In each
// field 0 means the default named there and a negative number no limit, but
// where the field says otherwise.
type Limits struct {
	CommandLine    int   // octets of a line after the login; 64 KiB, which is also the most. RFC 7162 §4 wants 8192
	LoginLine      int   // octets of a line before the login; 8 KiB, but 12 KiB for what a SASL mechanism sends
	CommandBytes   int   // octets of a command with its literals, messages not counted; 256 KiB
	LoginBytes     int   // the same before the login; 8 KiB
	Literals       int   // of one command, messages not counted; 1000, and 8 before the login
	MessageBytes   int64 // octets of one message, offered as APPENDLIMIT; 64 MiB
	AppendMessages int   // messages of one APPEND; 1000
	SearchKeys     int   // keys of one SEARCH, with those inside OR and NOT; 1000
	SearchDepth    int   // how deep they nest; 100, and no more
	Messages       int   // that one command handles, offered as MESSAGELIMIT if set; 0 any number
	CacheBytes     int64 // what all sessions together keep of parsed messages; 32 MiB, negative nothing
	Errors         int   // refused commands in a row before the connection is closed; 20, and 3 before the login
	AuthTries      int   // failed logins before the connection is closed; 3
	Conns          int   // connections at the same time; 10,000
	ConnsPerIP     int   // of one IPv4 address or IPv6 /64; 100
	ConnRate       int   // new connections a minute of one IPv4 address or IPv6 /64; no limit
}

// Timeouts bound every wait. 0 means the default named there, negative no
// limit. A client uses those marked with C, a [Server] those marked with S.
type Timeouts struct {
	Dial      time.Duration // C: to connect; 30 s
	TLS       time.Duration // CS: for the handshake; 30 s
	Login     time.Duration // S: from the connection to the login; 1 min
	Command   time.Duration // S: for the next command after the login, also within IDLE; 30 min (RFC 9051 §5.4). C: for a response; 5 min
	DataBlock time.Duration // S: for the next block of a literal; 3 min
	Write     time.Duration // CS: for a block to be taken; 1 min
	Poll      time.Duration // S: between two looks at a store that cannot watch, within IDLE; 1 min
	Progress  time.Duration // S: before a long command says that it goes on (INPROGRESS), and between two such; 10 s
	Grace     time.Duration // S: for commands that run when Run's ctx ends; 30 s
}

// limit applies the default: 0 is def, negative none, which is given as 0.
func limit[T int | int64](v, def T) T { return max(cmp.Or(v, def), 0) }

// timeout applies the default: 0 is def, negative none, which is given as 0.
func timeout(v, def time.Duration) time.Duration { return max(cmp.Or(v, def), 0) }

// unlimited stands for no limit where a comparison needs one.
const unlimited = 1<<31 - 1

func (l Limits) withDefaults() Limits {
	return Limits{
		CommandLine:    min(cmp.Or(limit(l.CommandLine, 64<<10), 64<<10), 64<<10),
		LoginLine:      min(cmp.Or(limit(l.LoginLine, 8<<10), 64<<10), 64<<10),
		CommandBytes:   cmp.Or(limit(l.CommandBytes, 256<<10), unlimited),
		LoginBytes:     cmp.Or(limit(l.LoginBytes, 8<<10), unlimited),
		Literals:       cmp.Or(limit(l.Literals, 1000), unlimited),
		MessageBytes:   limit(l.MessageBytes, 64<<20),
		AppendMessages: cmp.Or(limit(l.AppendMessages, 1000), unlimited),
		SearchKeys:     cmp.Or(limit(l.SearchKeys, 1000), unlimited),
		SearchDepth:    min(cmp.Or(limit(l.SearchDepth, 100), 100), 100),
		Messages:       max(l.Messages, 0),
		CacheBytes:     limit(l.CacheBytes, 32<<20),
		Errors:         limit(l.Errors, 20),
		AuthTries:      limit(l.AuthTries, 3),
		Conns:          limit(l.Conns, 10000),
		ConnsPerIP:     limit(l.ConnsPerIP, 100),
		ConnRate:       limit(l.ConnRate, 0),
	}
}

func (t Timeouts) withDefaults() Timeouts {
	return Timeouts{
		TLS:       timeout(t.TLS, 30*time.Second),
		Login:     timeout(t.Login, time.Minute),
		Command:   timeout(t.Command, 30*time.Minute),
		DataBlock: timeout(t.DataBlock, 3*time.Minute),
		Write:     timeout(t.Write, time.Minute),
		Poll:      timeout(t.Poll, time.Minute),
		Progress:  timeout(t.Progress, 10*time.Second),
		Grace:     timeout(t.Grace, 30*time.Second),
	}
}

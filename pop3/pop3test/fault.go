package pop3test

import (
	"bytes"
	"strings"
	"time"

	"github.com/postilion-mail/postilion/internal/fake"
)

// Stage is a place of the dialogue where a fault can be set.
type Stage string

// The stages. Every command is one; [Fault.Arg] compares what stands behind its
// verb.
const (
	Connect  Stage = fake.Connect  // the connection is there and nothing was said; before implicit TLS
	Greeting Stage = fake.Greeting // the server's first line
	TLS      Stage = fake.TLS      // the handshake, of STLS and of implicit TLS
	CAPA     Stage = "CAPA"
	STLS     Stage = "STLS" // a refusal here, or octets behind it
	UTF8     Stage = "UTF8"
	USER     Stage = "USER"
	PASS     Stage = "PASS" // has no argument for faults
	APOP     Stage = "APOP"
	AUTH     Stage = "AUTH" // the end of the exchange; the argument begins with the mechanism
	STAT     Stage = "STAT"
	LIST     Stage = "LIST"
	UIDL     Stage = "UIDL"
	RETR     Stage = "RETR" // the argument is the message number
	TOP      Stage = "TOP"
	DELE     Stage = "DELE"
	NOOP     Stage = "NOOP"
	RSET     Stage = "RSET"
	LANG     Stage = "LANG"
	QUIT     Stage = "QUIT" // a refusal here, and nothing is deleted
)

// protocol is POP3 as the fake needs to know it.
var protocol = fake.Protocol{
	Stage: func(unit []byte) (string, string) {
		verb, arg := cut(unit)
		if verb == "PASS" {
			arg = ""
		}
		return verb, arg
	},
	Status: func(command, reply, unit []byte) fake.Status {
		switch {
		case isAuth(command) && bytes.HasPrefix(unit, []byte("+ ")): // RFC 5034 §4
			return fake.Asks
		case !isList(command) || !bytes.HasPrefix(reply, []byte("+OK")):
			return fake.Over
		case len(reply) > len(unit) && string(unit) == ".\r\n":
			return fake.Over
		}
		return fake.More
	},
	Shown: func(command, unit []byte, answer bool) string {
		verb, arg := cut(unit)
		mechanism, _, has := strings.Cut(arg, " ")
		switch {
		case answer && string(unit) != "*\r\n":
			return "[hidden]\r\n"
		case answer:
			return string(unit)
		case verb == "PASS":
			return "PASS [hidden]\r\n"
		case verb == "APOP":
			return "APOP " + mechanism + " [hidden]\r\n"
		case verb == "AUTH" && has:
			return "AUTH " + mechanism + " [hidden]\r\n"
		}
		return string(unit)
	},
	Upgrades: func(command, reply []byte) bool {
		verb, _ := cut(command)
		return verb == "STLS" && bytes.HasPrefix(reply, []byte("+OK"))
	},
	Last: func(command, reply []byte) bool {
		verb, arg := cut(command)
		return verb == "QUIT" && arg == ""
	},
}

// cut takes a command apart.
func cut(unit []byte) (verb, arg string) {
	verb, arg, _ = strings.Cut(strings.TrimRight(string(unit), "\r\n"), " ")
	return strings.ToUpper(verb), arg
}

func isAuth(command []byte) bool {
	verb, _ := cut(command)
	return verb == "AUTH"
}

// isList reports a command whose +OK has lines behind it, to a dot.
func isList(command []byte) bool {
	verb, arg := cut(command)
	switch verb {
	case "CAPA", "RETR", "TOP":
		return true
	case "LIST", "UIDL", "LANG":
		return arg == ""
	}
	return false
}

// Fault is something that goes wrong at one stage. Make it with [Server.On],
// then say when it applies and what it does; without a Reply, Drop or the like
// it does nothing but stand before the faults behind it:
//
//	srv.On(pop3test.RETR).Times(2)            // two go through
//	srv.On(pop3test.RETR).After(1000).Drop()  // the third breaks off
//
// At each place at most one fault applies: the first in the order of On that
// fits and is not used up. Delay, one reply and one ending go together. All
// methods return the fault itself; they may be called while the server runs.
type Fault struct{ f *fake.Fault }

// On sets a fault at a stage.
func (s *Server) On(st Stage) *Fault { return &Fault{s.fake.On(string(st))} }

func (f *Fault) set(change func(x *fake.Fault)) *Fault {
	f.f.Set(change)
	return f
}

// Arg limits the fault to arguments that begin so, whatever their case. "" is
// any.
func (f *Fault) Arg(prefix string) *Fault {
	return f.set(func(x *fake.Fault) { x.Prefix = prefix })
}

// Times limits the fault to the first n places it fits; 0 or less: never.
// Without Times it always applies.
func (f *Fault) Times(n int) *Fault { return f.set(func(x *fake.Fault) { x.Left = max(n, 0) }) }

// Delay waits for d, then goes on with the rest of the fault, or else as if
// nothing had been.
func (f *Fault) Delay(d time.Duration) *Fault { return f.set(func(x *fake.Fault) { x.Delay = d }) }

// Refuse answers -ERR in the server's place, which does not hear of the
// command. code is an extended response code such as "SYS/TEMP", or "".
func (f *Fault) Refuse(code, text string) *Fault {
	line := "-ERR "
	if code != "" {
		line += "[" + code + "] "
	}
	return f.set(func(x *fake.Fault) {
		x.Output, x.Text, x.Refuses = fake.Scripted, []byte(line+text+"\r\n"), true
	})
}

// RawReply says exact octets, CRLF included, in place of the reply; the server
// has had the command.
func (f *Fault) RawReply(b []byte) *Fault {
	b = append([]byte(nil), b...)
	return f.set(func(x *fake.Fault) { x.Output, x.Text = fake.Scripted, b })
}

// garbage is no reply in any reading of RFC 1939 §3.
const garbage = "\x16\x03\x01 %?!\xff\x00 what?\r\n"

// Garbage answers with a line that is no reply.
func (f *Fault) Garbage() *Fault { return f.RawReply([]byte(garbage)) }

// HalfReply sends the first half of the reply, and then drops the connection,
// or whatever else the fault says.
func (f *Fault) HalfReply() *Fault {
	return f.set(func(x *fake.Fault) {
		x.Output = fake.Half
		if x.Ending == fake.GoOn {
			x.Ending = fake.DropFIN
		}
	})
}

// After sends the first n octets of the reply, as they are on the wire, and
// then drops the connection, or whatever else the fault says.
func (f *Fault) After(n int64) *Fault {
	return f.set(func(x *fake.Fault) {
		x.Output, x.N = fake.First, n
		if x.Ending == fake.GoOn {
			x.Ending = fake.DropFIN
		}
	})
}

// EarlyReply sends a line ahead of the reply that is due, in the same write:
// one more than the client has asked for. At [STLS] it goes out in the clear
// behind the +OK.
func (f *Fault) EarlyReply(line string) *Fault {
	return f.set(func(x *fake.Fault) { x.Early = []byte(line + "\r\n") })
}

// Stall goes silent for good, after the reply if the fault has one: nothing is
// sent and nothing read until the client hangs up or the test ends.
func (f *Fault) Stall() *Fault { f.f.End(fake.Stall); return f }

// Drop closes the connection by FIN, after the reply if the fault has one.
func (f *Fault) Drop() *Fault { f.f.End(fake.DropFIN); return f }

// DropRST is Drop by RST: the client gets an error even for what it had not
// read yet.
func (f *Fault) DropRST() *Fault { f.f.End(fake.DropRST); return f }

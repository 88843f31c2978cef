package imaptest

import (
	"time"

	"github.com/postilion-mail/postilion/internal/fake"
)

// Stage is a place of the dialogue where a fault can be set: a command by its
// verb in upper case, without UID, or one of the constants here.
type Stage string

// The stages that are no commands, and some that are.
const (
	Connect      Stage = fake.Connect  // the connection is there and nothing was said; before implicit TLS
	Greeting     Stage = fake.Greeting // the server's first line
	TLS          Stage = fake.TLS      // the handshake, of STARTTLS and of implicit TLS
	CAPABILITY   Stage = "CAPABILITY"
	STARTTLS     Stage = "STARTTLS" // a refusal here, or octets behind it
	LOGIN        Stage = "LOGIN"
	AUTHENTICATE Stage = "AUTHENTICATE" // the end of the exchange; the argument begins with the mechanism
	SELECT       Stage = "SELECT"
	EXAMINE      Stage = "EXAMINE"
	LIST         Stage = "LIST"
	STATUS       Stage = "STATUS"
	APPEND       Stage = "APPEND"
	FETCH        Stage = "FETCH"
	STORE        Stage = "STORE"
	SEARCH       Stage = "SEARCH"
	COPY         Stage = "COPY"
	MOVE         Stage = "MOVE"
	EXPUNGE      Stage = "EXPUNGE"
	IDLE         Stage = "IDLE" // its end, behind DONE
	NOOP         Stage = "NOOP"
	LOGOUT       Stage = "LOGOUT"
)

// Fault is something that goes wrong at one stage. Make it with [Server.On],
// then say when it applies and what it does; without a Refuse, Drop or the like
// it does nothing but stand before the faults behind it:
//
//	srv.On(imaptest.FETCH).Times(2)           // two go through
//	srv.On(imaptest.FETCH).After(1000).Drop() // the third breaks off
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

// Arg limits the fault to commands whose arguments begin so, whatever their
// case. "" is any.
func (f *Fault) Arg(prefix string) *Fault {
	return f.set(func(x *fake.Fault) { x.Prefix = prefix })
}

// Times limits the fault to the first n places it fits; 0 or less: never.
// Without Times it always applies.
func (f *Fault) Times(n int) *Fault { return f.set(func(x *fake.Fault) { x.Left = max(n, 0) }) }

// Delay waits for d, then goes on with the rest of the fault, or else as if
// nothing had been.
func (f *Fault) Delay(d time.Duration) *Fault { return f.set(func(x *fake.Fault) { x.Delay = d }) }

// No refuses in the server's place, which does not hear of the command. code is
// a response code such as "OVERQUOTA", or "".
func (f *Fault) No(code, text string) *Fault { return f.refuse("NO", code, text) }

// Bad is No with BAD: the command was malformed.
func (f *Fault) Bad(text string) *Fault { return f.refuse("BAD", "", text) }

func (f *Fault) refuse(status, code, text string) *Fault {
	line := "$TAG " + status + " "
	if code != "" {
		line += "[" + code + "] "
	}
	return f.set(func(x *fake.Fault) {
		x.Output, x.Text, x.Refuses = fake.Scripted, []byte(line+text+"\r\n"), true
	})
}

// RawReply says exact octets, CRLF included, in place of the responses; the
// server has had the command. "$TAG" stands for the command's tag.
func (f *Fault) RawReply(b []byte) *Fault {
	b = append([]byte(nil), b...)
	return f.set(func(x *fake.Fault) { x.Output, x.Text = fake.Scripted, b })
}

// Preauth makes the greeting say that the client is logged in already, which
// the server behind does not know.
func (f *Fault) Preauth() *Fault { return f.RawReply([]byte("* PREAUTH " + Name + " ready\r\n")) }

// garbage is no response in any reading of RFC 9051 §7.
const garbage = "\x16\x03\x01 %?!\xff\x00 what?\r\n"

// Garbage answers with a line that is no response.
func (f *Fault) Garbage() *Fault { return f.RawReply([]byte(garbage)) }

// HalfReply sends the first half of the responses, and then drops the
// connection, or whatever else the fault says.
func (f *Fault) HalfReply() *Fault {
	return f.set(func(x *fake.Fault) {
		x.Output = fake.Half
		if x.Ending == fake.GoOn {
			x.Ending = fake.DropFIN
		}
	})
}

// After sends the first n octets of the responses, and then drops the
// connection, or whatever else the fault says.
func (f *Fault) After(n int64) *Fault {
	return f.set(func(x *fake.Fault) {
		x.Output, x.N = fake.First, n
		if x.Ending == fake.GoOn {
			x.Ending = fake.DropFIN
		}
	})
}

// Early sends a line ahead of the responses that are due, in the same write:
// one that the client has not asked for. At [STARTTLS] it goes out in the clear
// behind the OK.
func (f *Fault) Early(line string) *Fault {
	return f.set(func(x *fake.Fault) { x.Early = []byte(line + "\r\n") })
}

// Stall goes silent for good, after the responses if the fault has some:
// nothing is sent and nothing read until the client hangs up or the test ends.
func (f *Fault) Stall() *Fault { f.f.End(fake.Stall); return f }

// Drop closes the connection by FIN, after the responses if the fault has some.
func (f *Fault) Drop() *Fault { f.f.End(fake.DropFIN); return f }

// DropRST is Drop by RST: the client gets an error even for what it had not
// read yet.
func (f *Fault) DropRST() *Fault { f.f.End(fake.DropRST); return f }

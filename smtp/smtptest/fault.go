package smtptest

import (
	"fmt"
	"strings"
	"time"
)

// Stage is a place of the dialogue where a fault can be set.
type Stage uint8

// The stages, in the order of a session. Arg says what [Fault.Arg] compares.
const (
	Connect   Stage = iota // the connection is there and nothing was said; before implicit TLS
	Banner                 // the greeting
	EHLO                   // EHLO and LHLO; Arg is the client's name
	HELO                   // HELO; Arg is the client's name
	STARTTLS               // the command; a refusal here, or bytes behind it
	TLS                    // the handshake, of STARTTLS and of implicit TLS
	AUTH                   // the command; Arg is the mechanism
	MAIL                   // Arg is the reverse-path without its "<", then the rest of the line
	RCPT                   // Arg is the forward-path without its "<", then the rest of the line
	DATA                   // DATA, and each BDAT, whose Arg is "size" or "size LAST"
	Body                   // the message itself, at [Fault.At]
	EndOfData              // the reply to the message; with LMTP and PRDR, of each recipient, who is Arg
	RSET                   // RSET
	NOOP                   // NOOP
	VRFY                   // VRFY and EXPN; Arg is whom they ask for
	QUIT                   // QUIT
	Other                  // every other verb; Arg is the whole line
)

var stageNames = [...]string{
	"Connect", "Banner", "EHLO", "HELO", "STARTTLS", "TLS", "AUTH", "MAIL", "RCPT", "DATA",
	"Body", "EndOfData", "RSET", "NOOP", "VRFY", "QUIT", "Other",
}

// String names the stage.
func (s Stage) String() string {
	if int(s) < len(stageNames) {
		return stageNames[s]
	}
	return fmt.Sprintf("Stage(%d)", uint8(s))
}

// stageOf tells which stage a command is, and its Arg.
func stageOf(line string) (Stage, string) {
	verb, rest, _ := strings.Cut(strings.TrimRight(line, " \t"), " ")
	rest = strings.TrimSpace(rest)
	switch strings.ToUpper(verb) {
	case "EHLO", "LHLO":
		return EHLO, rest
	case "HELO":
		return HELO, rest
	case "STARTTLS":
		return STARTTLS, rest
	case "AUTH":
		return AUTH, rest
	case "MAIL":
		return MAIL, pathArg(rest)
	case "RCPT":
		return RCPT, pathArg(rest)
	case "DATA", "BDAT":
		return DATA, rest
	case "RSET":
		return RSET, rest
	case "NOOP":
		return NOOP, rest
	case "VRFY", "EXPN":
		return VRFY, rest
	case "QUIT":
		return QUIT, rest
	}
	return Other, line
}

// pathArg takes "FROM:<" off.
func pathArg(s string) string {
	_, s, _ = strings.Cut(s, ":")
	return strings.TrimPrefix(strings.TrimLeft(s, " "), "<")
}

// ending is what becomes of the connection after a fault's reply.
type ending uint8

const (
	goOn ending = iota
	stall
	dropFIN
	dropRST
)

// output is what a fault says in place of the server's reply.
type output uint8

const (
	serversOwn output = iota
	nothing
	scripted // text
	half     // half of text, or of the server's own reply
)

// action is what a fault does, in this order: it waits, sends, and ends.
type action struct {
	delay  time.Duration
	early  []byte // sent ahead of the reply, and asked for by nobody
	output output
	text   []byte // octets to send
	ending ending
}

// refuses reports that the client is told no, so that the server behind must
// not have heard of it.
func (a *action) refuses() bool {
	return a.output == scripted && (len(a.text) == 0 || a.text[0] < '1' || a.text[0] > '3')
}

// Fault is something that goes wrong at one stage. Make it with [Server.On],
// then say when it applies and what it does; without a Reply, Drop or the like
// it does nothing but stand before the faults behind it:
//
//	srv.On(smtptest.RCPT).Arg("bob@").Times(2)               // two go through
//	srv.On(smtptest.RCPT).Arg("bob@").Reply(550, "5.1.1", "no such user")
//
// At each place at most one fault applies: the first in the order of On that
// fits and is not used up. Delay, one reply and one ending go together. All
// methods return the fault itself; they may be called while the server runs.
type Fault struct {
	srv    *Server
	stage  Stage
	prefix string
	left   int   // how often it still applies; negative: always
	at     int64 // of Body
	action action
}

// On sets a fault at a stage.
func (s *Server) On(st Stage) *Fault {
	f := &Fault{srv: s, stage: st, left: -1}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, f)
	return f
}

// set changes the fault under the lock that the dialogues read it under.
func (f *Fault) set(change func()) *Fault {
	f.srv.mu.Lock()
	defer f.srv.mu.Unlock()
	change()
	return f
}

// Arg limits the fault to arguments that begin so, whatever their case: each
// [Stage] says what its argument is. "" is any.
func (f *Fault) Arg(prefix string) *Fault { return f.set(func() { f.prefix = prefix }) }

// Times limits the fault to the first n places it fits; 0 or less: never.
// Without Times it always applies.
func (f *Fault) Times(n int) *Fault { return f.set(func() { f.left = max(n, 0) }) }

// At is the offset in the message at which a fault of [Body] applies: after
// that many octets as they are on the wire, dots stuffed, or as BDAT counts
// them. A message that is shorter is left alone. 0 is before the first octet.
func (f *Fault) At(offset int64) *Fault { return f.set(func() { f.at = offset }) }

// Delay waits for d, then goes on with the rest of the fault, or else as if
// nothing had been.
func (f *Fault) Delay(d time.Duration) *Fault { return f.set(func() { f.action.delay = d }) }

// Reply answers in the server's place. Each "\n" in text begins another line;
// enh may be "". A refusal (4yz, 5yz) is true: the server behind has neither
// the recipient nor the message. 421, and a refusal in place of the greeting,
// also close the connection, as RFC 5321 §3.8 has it. At [Body] the reply goes
// out in the middle of the message, the rest of which is read and dropped.
func (f *Fault) Reply(code int, enh, text string) *Fault {
	b := formatReply(code, enh, text)
	return f.set(func() {
		f.action.output, f.action.text = scripted, b
		if code == 421 && f.action.ending == goOn {
			f.action.ending = dropFIN
		}
	})
}

// RawReply is Reply with exact octets, CRLF included. Whether it refuses is
// told by its first digit.
func (f *Fault) RawReply(b []byte) *Fault {
	b = append([]byte(nil), b...)
	return f.set(func() { f.action.output, f.action.text = scripted, b })
}

// garbage is no reply in any reading of RFC 5321 §4.2.
const garbage = "\x16\x03\x01 %?!\xff\x00 what?\r\n"

// Garbage answers with a line that is no reply.
func (f *Fault) Garbage() *Fault { return f.RawReply([]byte(garbage)) }

// HalfReply sends the first half of the reply, which breaks off in the middle
// of a line, and then drops the connection, or whatever else the fault says.
func (f *Fault) HalfReply() *Fault {
	return f.set(func() {
		f.action.output = half
		if f.action.ending == goOn {
			f.action.ending = dropFIN
		}
	})
}

// EarlyReply sends a reply ahead of the one that is due, in the same write:
// one more than the client has asked for. At [STARTTLS] it goes out in the
// clear behind the 220; at [Body] in the middle of the message, which then has
// its own reply too.
func (f *Fault) EarlyReply(code int, enh, text string) *Fault {
	b := formatReply(code, enh, text)
	return f.set(func() { f.action.early = b })
}

// Stall goes silent for good, after the reply if the fault has one: nothing is
// sent and nothing read until the client hangs up or the test ends.
func (f *Fault) Stall() *Fault { return f.end(stall) }

// Drop closes the connection by FIN, after the reply if the fault has one. At
// [EndOfData] the message is taken and its reply lost.
func (f *Fault) Drop() *Fault { return f.end(dropFIN) }

// DropRST is Drop by RST: the client gets an error even for what it had not
// read yet.
func (f *Fault) DropRST() *Fault { return f.end(dropRST) }

func (f *Fault) end(e ending) *Fault {
	return f.set(func() {
		f.action.ending = e
		if f.action.output == serversOwn {
			f.action.output = nothing
		}
	})
}

// fits is called under the lock.
func (f *Fault) fits(st Stage, arg string) bool {
	return f.stage == st && f.left != 0 && arg != chaosOnly && len(arg) >= len(f.prefix) && equalFold(arg[:len(f.prefix)], f.prefix)
}

// equalFold folds ASCII only, as SMTP does.
func equalFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := 0; i < len(a); i++ {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

// take gives what the fault does, and counts.
func (f *Fault) take() *action {
	if f.left > 0 {
		f.left--
	}
	a := f.action
	return &a
}

// pick finds what goes wrong at this place; nil: nothing does.
func (d *dialogue) pick(st Stage, arg string) *action {
	s := d.srv
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.faults {
		if f.fits(st, arg) {
			return f.take()
		}
	}
	return d.chance(st)
}

// bodyFaults lists the faults that this message meets if it is long enough,
// nearest first. They are counted when they apply.
func (d *dialogue) bodyFault(from int64, done map[*Fault]bool) (next *Fault, at int64) {
	s := d.srv
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.faults {
		if f.fits(Body, "") && !done[f] && f.at >= from && (next == nil || f.at < at) {
			next, at = f, f.at
		}
	}
	return next, at
}

func (d *dialogue) takeBodyFault(f *Fault) *action {
	d.srv.mu.Lock()
	defer d.srv.mu.Unlock()
	return f.take()
}

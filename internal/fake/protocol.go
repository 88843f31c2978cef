package fake

import "bytes"

// Protocol is what a fake knows of the words that go by.
type Protocol struct {
	// Client and Server cut what a side says: they give how many octets of b,
	// from its beginning, are one unit, a line with all that belongs to it; 0
	// says that more is to come. before is the unit that the server has asked
	// the client to go on from, nil if it has not. nil is [Line].
	Client func(before, b []byte) int
	Server func(b []byte) int

	// Stage names a command for faults, and its argument.
	Stage func(unit []byte) (stage, arg string)

	// Status is called with each unit of the server while command is not
	// answered yet; reply is all it has said to it so far, unit included.
	Status func(command, reply, unit []byte) Status

	// Shown is what a transcript has of a unit of the client: itself, or
	// something without the secret. answer says that it is no command but goes
	// on with command, after the server has asked for it.
	Shown func(command, unit []byte, answer bool) string

	// Fill makes the text of a fault the answer to a command, by its tag. nil
	// takes it as it is.
	Fill func(command, text []byte) []byte

	// Upgrades reports a reply behind which TLS begins.
	Upgrades func(command, reply []byte) bool

	// Last reports a reply behind which the server hangs up.
	Last func(command, reply []byte) bool
}

// Status is where the reply to a command stands.
type Status uint8

const (
	More Status = iota // it goes on
	Asks               // the client is to go on: with a literal, a response, DONE
	Over               // it is complete
)

// Line cuts lines.
func Line(b []byte) int { return bytes.IndexByte(b, '\n') + 1 }

func (p *Protocol) client(before, b []byte) int {
	if p.Client == nil {
		return Line(b)
	}
	return p.Client(before, b)
}

func (p *Protocol) server(b []byte) int {
	if p.Server == nil {
		return Line(b)
	}
	return p.Server(b)
}

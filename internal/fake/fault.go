package fake

import (
	"strings"
	"time"
)

// The stages that every protocol has.
const (
	Connect  = "connect"  // the connection is there and nothing was said; before implicit TLS
	Greeting = "greeting" // the server's first words
	TLS      = "tls"      // the handshake
)

// Ending is what becomes of the connection after a fault's words.
type Ending uint8

const (
	GoOn    Ending = iota // as if nothing had been
	Stall                 // silence for good
	DropFIN               // closed
	DropRST               // closed by RST
)

// Output is what a fault says in place of the server's reply.
type Output uint8

const (
	ServersOwn Output = iota // the reply as it is
	Nothing                  // no octet
	Scripted                 // Text
	Half                     // the first half of the server's own reply
	First                    // the first N octets of it
)

// Fault is something that goes wrong at one stage. The fields are guarded by
// the lock of its Fake: see [Fault.Set].
type Fault struct {
	fake   *Fake
	Stage  string
	Prefix string // of the argument, in any case
	Left   int    // how often it still applies; negative: always

	Delay   time.Duration
	Early   []byte // sent ahead of the reply, and asked for by nobody
	Output  Output
	Text    []byte
	N       int64
	Refuses bool // Text is a no: the server behind does not hear of the command
	Ending  Ending
}

// On sets a fault at a stage.
func (f *Fake) On(stage string) *Fault {
	x := &Fault{fake: f, Stage: stage, Left: -1}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = append(f.faults, x)
	return x
}

// Set changes the fault under the lock that the gates read it under.
func (x *Fault) Set(change func(x *Fault)) {
	x.fake.mu.Lock()
	defer x.fake.mu.Unlock()
	change(x)
}

// End makes the fault end the connection, after its words if it has some.
func (x *Fault) End(e Ending) {
	x.Set(func(x *Fault) {
		x.Ending = e
		if x.Output == ServersOwn {
			x.Output = Nothing
		}
	})
}

// pick finds what goes wrong at this place; nil: nothing does.
func (f *Fake) pick(stage, arg string) *Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, x := range f.faults {
		if x.Stage != stage || x.Left == 0 || len(arg) < len(x.Prefix) || !strings.EqualFold(arg[:len(x.Prefix)], x.Prefix) {
			continue
		}
		if x.Left > 0 {
			x.Left--
		}
		now := *x
		return &now
	}
	return nil
}

// cut makes of the server's reply r what the fault says.
func (x *Fault) cut(r []byte) []byte {
	switch x.Output {
	case Nothing:
		return nil
	case Scripted:
		return x.Text
	case Half:
		return r[:len(r)/2]
	case First:
		return r[:min(int64(len(r)), x.N)]
	}
	return r
}

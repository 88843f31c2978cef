package fake

import (
	"net"
	"sync"
	"time"

	"github.com/postilion-mail/postilion/internal/memnet"
	"github.com/postilion-mail/postilion/internal/script"
)

// gate stands between one client and the real server.
type gate struct {
	fake *Fake

	mu     sync.Mutex // guards the feeds and over
	cond   *sync.Cond
	client Feed
	server Feed
	before []byte // what the client is to go on from
	last   []byte // the end of its last unit within this command
	over   bool   // the test has ended

	front net.Conn // to the client: raw or TLS
	raw   net.Conn // to the client
	back  net.Conn // to the server: mem or TLS over it
	mem   *memnet.Conn

	notes script.Transcript
	out   []byte // words for the client that are not sent yet
}

func newGate(f *Fake, c net.Conn, back *memnet.Conn) *gate {
	g := &gate{fake: f, front: c, raw: c, back: back, mem: back}
	g.cond = sync.NewCond(&g.mu)
	g.client.Cond, g.server.Cond = g.cond, g.cond
	g.client.Cut = func(b []byte) int { return f.Protocol.client(g.before, b) }
	g.server.Cut = f.Protocol.server
	return g
}

// turn is what a step leads to.
type turn bool

const (
	next turn = true
	end  turn = false
)

// run brings the dialogue from the connection to its end.
func (g *gate) run() {
	defer g.hangUp()
	if g.open() == end {
		return
	}
	for g.step() == next {
	}
}

// open comes as far as the greeting.
func (g *gate) open() turn {
	if x := g.fake.pick(Connect, ""); x != nil && g.act(x, nil) == end {
		return end
	}
	if g.fake.Implicit {
		if g.startTLS() == end {
			return end
		}
	} else {
		g.client.Start(g.raw)
		g.server.Start(g.back)
	}
	r, ok := g.word()
	if !ok {
		return end
	}
	return g.deliver(g.fake.pick(Greeting, ""), r)
}

// step waits for what comes first, a command or an unasked word of the server.
func (g *gate) step() turn {
	unit, mine := g.wait()
	switch {
	case unit == nil:
		return end
	case mine:
		return g.command(unit)
	}
	g.say(unit)
	return next
}

// wait gives the next unit of either side; mine is the client. nil: it is over.
func (g *gate) wait() (unit []byte, mine bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for {
		if g.over {
			return nil, false
		}
		if u, ok := g.server.Unit(); ok {
			return g.edit(u), false
		}
		if u, ok := g.client.Unit(); ok {
			return u, true
		}
		switch {
		case g.server.Err != nil:
			g.unlocked(func() { g.flush() })
			if g.client.Err == nil {
				g.notes.ServerClosed()
			}
			return nil, false
		case g.client.Err != nil:
			g.notes.ClientClosed()
			return nil, false
		case len(g.out) > 0: // the client waits for these
			g.unlocked(func() { g.flush() })
			continue
		}
		g.cond.Wait()
	}
}

func (g *gate) edit(unit []byte) []byte {
	if g.fake.Edit == nil {
		return unit
	}
	return g.fake.Edit(unit)
}

// unlocked runs f without the lock, which the caller holds.
func (g *gate) unlocked(f func()) {
	g.mu.Unlock()
	defer g.mu.Lock()
	f()
}

// word reads a unit of the server outside of any command; the client may hang
// up meanwhile.
func (g *gate) word() ([]byte, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for told := false; ; {
		if u, ok := g.server.Unit(); ok {
			return g.edit(u), true
		}
		if g.over || g.server.Err != nil {
			return nil, false
		}
		if g.client.Err != nil && len(g.client.Buf) == 0 && !told {
			told = true
			_ = g.mem.CloseWrite()
		}
		g.cond.Wait()
	}
}

// command hands a command on, or does what a fault says instead.
func (g *gate) command(unit []byte) turn {
	p := &g.fake.Protocol
	stage, arg := p.Stage(unit)
	g.notes.Client(p.Shown(unit, unit, false))
	x := g.fake.pick(stage, arg)
	if x != nil && p.Fill != nil {
		x.Text = p.Fill(unit, x.Text)
	}
	if x != nil && (x.Refuses || x.Output == Nothing) {
		return g.act(x, nil)
	}
	g.forward(unit)
	g.last = nil
	r, ok := g.reply(unit)
	if f := g.fake.Answered; f != nil {
		f(stage)
	}
	switch {
	case !ok:
		g.say(r)
		return end
	case p.Upgrades(unit, r) && (x == nil || x.Ending == GoOn):
		return g.upgrade(x, r)
	case g.deliver(x, r) == end:
		return end
	case p.Last(unit, r):
		g.flush()
		return end
	}
	return next
}

// reply gathers what the server answers. Where it asks the client to go on,
// what it has said goes out at once.
func (g *gate) reply(command []byte) (r []byte, ok bool) {
	p := &g.fake.Protocol
	var all []byte
	for {
		unit, ok := g.word()
		if !ok {
			return r, false
		}
		r, all = append(r, unit...), append(all, unit...)
		switch p.Status(command, all, unit) {
		case Over:
			return r, true
		case Asks:
			g.say(r)
			g.flush()
			if r, ok = g.goOn(command, all); !ok {
				return nil, false
			}
			if r != nil {
				return r, true
			}
			all = nil
		}
	}
}

// goOn hands on what the client says to a server that asked, until the server
// takes its turn. A server that finishes the command by itself, or speaks while
// the client is silent, gets through as well.
func (g *gate) goOn(command, all []byte) (r []byte, ok bool) {
	p := &g.fake.Protocol
	g.expect(command)
	defer g.expect(nil)
	for {
		unit, mine := g.wait()
		switch {
		case unit == nil:
			return nil, false
		case mine:
			g.notes.Client(p.Shown(command, unit, true))
			g.forward(unit)
			if n := len(unit); p.Client != nil { // a literal may have another behind it
				g.last = append(g.last[:0], unit[max(n-64, 0):]...)
			}
			return nil, true
		}
		all = append(all, unit...)
		if p.Status(command, all, unit) == Over {
			return unit, true
		}
		g.say(unit)
		g.flush()
	}
}

// expect notes that the client is to go on, nil that it is not. Where a literal
// follows a literal, it goes on from the unit before.
func (g *gate) expect(command []byte) {
	stage := ""
	if command != nil {
		stage, _ = g.fake.Protocol.Stage(command)
		if g.last != nil {
			command = g.last
		}
	}
	g.mu.Lock()
	asks := g.before == nil && command != nil
	g.before = append([]byte(nil), command...)
	if command == nil {
		g.before = nil
	}
	g.mu.Unlock()
	if f := g.fake.Asked; f != nil && asks {
		f(stage)
	}
}

// deliver says the server's words, or what a fault makes of them.
func (g *gate) deliver(x *Fault, r []byte) turn {
	if x != nil {
		return g.act(x, r)
	}
	g.say(r)
	return next
}

// act does what a fault says; r is the server's own reply, nil if there is none.
func (g *gate) act(x *Fault, r []byte) turn {
	if x.Delay > 0 {
		g.flush()
		if g.sleep(x.Delay) == end {
			return end
		}
	}
	g.say(x.Early)
	g.say(x.cut(r))
	if x.Ending == GoOn {
		return next
	}
	g.flush()
	return g.finish(x.Ending)
}

// finish ends the dialogue, or lets it hang.
func (g *gate) finish(e Ending) turn {
	switch e {
	case DropFIN:
		g.notes.ServerClosed()
		g.raw.Close() // without the farewell of TLS
	case DropRST:
		g.notes.ServerClosed()
		reset(g.raw)
	case Stall:
		g.mu.Lock()
		defer g.mu.Unlock()
		for !g.over && g.client.Err == nil {
			g.cond.Wait()
		}
	}
	return end
}

// reset closes a connection by RST.
func reset(c net.Conn) {
	switch c := c.(type) {
	case *net.TCPConn:
		_ = c.SetLinger(0)
	case *memnet.Conn:
		c.Abort()
	}
	c.Close()
}

// sleep waits for a time, or for the end of the test.
func (g *gate) sleep(wait time.Duration) turn {
	until := time.Now().Add(wait)
	t := time.AfterFunc(wait, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.cond.Broadcast()
	})
	defer t.Stop()
	g.mu.Lock()
	defer g.mu.Unlock()
	for !g.over && time.Now().Before(until) {
		g.cond.Wait()
	}
	return turn(!g.over)
}

// forward hands octets to the server. An error shows where its reply is read.
func (g *gate) forward(b []byte) { _, _ = g.back.Write(b) }

// say puts words on their way to the client. Those to a command that was
// pipelined wait for the next.
func (g *gate) say(b []byte) {
	if len(b) == 0 {
		return
	}
	g.notes.Server(string(b))
	g.out = append(g.out, b...)
	g.mu.Lock()
	pipelined := g.client.Cut(g.client.Buf) > 0
	g.mu.Unlock()
	if !pipelined || len(g.out) > Ahead {
		g.flush()
	}
}

// flush sends what was said. It goes on when the client does not listen: the
// end shows where the next command is read.
func (g *gate) flush() {
	if len(g.out) > 0 {
		_, _ = g.front.Write(g.out)
		g.out = g.out[:0]
	}
}

// hangUp ends both sides.
func (g *gate) hangUp() {
	g.flush()
	g.front.Close()
	g.raw.Close()
	g.mem.Close()
	g.client.Stop()
	g.server.Stop()
}

// kill ends the dialogue at the end of the test.
func (g *gate) kill() {
	g.mu.Lock()
	g.over = true
	g.cond.Broadcast()
	g.mu.Unlock()
	g.raw.Close()
	g.mem.Close()
}

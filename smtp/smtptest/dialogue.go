package smtptest

import (
	"bytes"
	"crypto/tls"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/postilion-mail/postilion/internal/fake"
	"github.com/postilion-mail/postilion/internal/memnet"
	"github.com/postilion-mail/postilion/internal/script"
)

// dialogue stands between one client and the real server. It hands on one
// command at a time and waits for its reply, so that each fault has its exact
// place and the transcript always the same order; replies to pipelined
// commands are gathered and leave together, as from the server itself.
//
// TLS ends here, on both sides: towards the client with the configuration
// under test, towards the server by a handshake of our own. See tls.go.
type dialogue struct {
	srv    *Server
	number int // of the connection, from 1
	places int // passed so far; for chaos

	mu     sync.Mutex // guards the feeds and over
	cond   *sync.Cond
	client fake.Feed
	server fake.Feed
	over   bool // the test has ended

	front net.Conn // to the client: raw or TLS
	raw   net.Conn // to the client
	back  net.Conn // to the server: a memnet.Conn or TLS over it
	mem   *memnet.Conn

	notes script.Transcript
	out   []byte               // replies not sent yet
	tls   *tls.ConnectionState // of the client's TLS; nil in the clear
	named bool                 // the reply to be read is one to EHLO
	msg   transfer
	body  bodyNotes
}

// turn is what a step of the dialogue leads to.
type turn bool

const (
	next turn = true
	end  turn = false
)

// run brings the dialogue from the connection to its end.
func (d *dialogue) run() {
	defer d.hangUp()
	if d.open() == end {
		return
	}
	for d.step() == next {
	}
}

// open comes as far as the greeting.
func (d *dialogue) open() turn {
	if a := d.pick(Connect, ""); a != nil && d.act(a, nil) == end {
		return end
	}
	if d.srv.implicit && d.startTLS() == end {
		return end
	}
	if !d.srv.implicit {
		d.client.Start(d.raw)
		d.server.Start(d.back)
	}
	r := d.reply()
	if r == nil {
		return end
	}
	a := d.pick(Banner, "")
	if a != nil && a.refuses() && a.ending == goOn {
		a.ending = dropFIN
	}
	return d.deliver(a, r)
}

// step waits for what comes first, a command or an unasked word of the server.
func (d *dialogue) step() turn {
	line, ok := d.wait()
	switch {
	case !ok:
		return end
	case line == nil:
		r := d.reply()
		if r == nil {
			return d.serverGone()
		}
		return d.deliver(d.msg.verdict(), r)
	}
	return d.command(line)
}

// serverGone notes that the server has hung up, as after 421.
func (d *dialogue) serverGone() turn {
	d.mu.Lock()
	own := !d.over && d.client.Err == nil
	d.mu.Unlock()
	if own {
		d.flush()
		d.notes.ServerClosed()
	}
	return end
}

// wait gives the next command; nil and true: the server has something to say.
func (d *dialogue) wait() ([]byte, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for {
		switch {
		case d.over:
			return nil, false
		case len(d.server.Buf) > 0 || d.server.Err != nil:
			return nil, true
		}
		if line, ok := d.client.Unit(); ok {
			return line, true
		}
		if d.client.Err != nil {
			d.notes.ClientClosed()
			return nil, false
		}
		if len(d.out) > 0 { // the client waits for these
			d.mu.Unlock()
			d.flush()
			d.mu.Lock()
			continue
		}
		d.cond.Wait()
	}
}

// command hands a line on, or does what a fault says instead.
func (d *dialogue) command(line []byte) turn {
	d.msg.due = nil
	if line[len(line)-1] != '\n' { // the rest of it, or the end, is still to come
		d.notes.Client(string(line))
		d.forward(line)
		return next
	}
	text := string(bytes.TrimRight(line, "\r\n"))
	stage, arg := stageOf(text)
	d.heard(stage, arg, line)
	a := d.pick(stage, arg)
	switch stage {
	case STARTTLS:
		return d.starttls(a, line)
	case DATA:
		return d.data(a, line, arg)
	}
	return d.ordinary(a, stage, arg, line)
}

// heard notes a command, but not what a login is made of.
func (d *dialogue) heard(stage Stage, arg string, line []byte) {
	if mech, secret, ok := strings.Cut(arg, " "); stage == AUTH && ok && secret != "=" {
		d.notes.Client("AUTH " + mech + " [hidden]\r\n")
		return
	}
	d.notes.Client(string(line))
}

// ordinary is a command with one reply.
func (d *dialogue) ordinary(a *action, stage Stage, arg string, line []byte) turn {
	var r []byte
	if a == nil || !a.refuses() && a.output != nothing {
		d.forward(line)
		d.named = stage == EHLO
		r = d.reply()
		d.named = false
		if r == nil {
			return end
		}
	}
	said := r
	if a != nil && a.output == scripted {
		said = a.text
	}
	d.msg.follow(stage, arg, replyCode(said)/100 == 2, replyCode(r)/100 == 2)
	switch {
	case d.deliver(a, r) == end:
		return end
	case stage == AUTH && replyCode(r) == 334 && replyCode(said) == 334:
		return d.auth()
	case stage == QUIT && replyCode(r) == 221:
		d.flush()
		return end
	}
	return next
}

// deliver says the server's reply, or what a fault makes of it.
func (d *dialogue) deliver(a *action, r []byte) turn {
	if a != nil {
		return d.act(a, r)
	}
	d.say(r)
	return next
}

// auth hands challenges and responses on until the server has decided.
func (d *dialogue) auth() turn {
	for {
		d.flush()
		line, ok := d.wait()
		if !ok {
			return end
		}
		if line != nil {
			d.notes.Client("[hidden]\r\n")
			d.forward(line)
		}
		r := d.reply()
		if r == nil {
			return end
		}
		d.say(r)
		if replyCode(r) != 334 {
			return next
		}
	}
}

// act does what a fault says; r is the server's own reply, nil if there is none.
func (d *dialogue) act(a *action, r []byte) turn {
	if a.delay > 0 {
		d.flush()
		if d.sleep(a.delay) == end {
			return end
		}
	}
	if a.early != nil {
		d.say(a.early)
	}
	switch a.output {
	case serversOwn:
		d.say(r)
	case scripted:
		d.say(a.text)
	case half:
		d.say(firstHalf(r))
	}
	if a.ending == goOn {
		return next
	}
	d.flush()
	return d.finish(a.ending)
}

// finish ends the dialogue, or lets it hang.
func (d *dialogue) finish(e ending) turn {
	switch e {
	case dropFIN:
		d.notes.ServerClosed()
		d.raw.Close() // without the farewell of TLS
	case dropRST:
		d.notes.ServerClosed()
		reset(d.raw)
	case stall:
		d.untilGone()
	}
	return end
}

// reset closes a connection by RST.
func reset(c net.Conn) {
	switch c := c.(type) {
	case *net.TCPConn:
		_ = c.SetLinger(0)
		c.Close()
	case *memnet.Conn:
		c.Abort()
	default:
		c.Close()
	}
}

// sleep waits for a time, or for the client to hang up.
func (d *dialogue) sleep(wait time.Duration) turn {
	until := time.Now().Add(wait)
	t := time.AfterFunc(wait, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.cond.Broadcast()
	})
	defer t.Stop()
	d.mu.Lock()
	defer d.mu.Unlock()
	for !d.over && time.Now().Before(until) {
		d.cond.Wait()
	}
	return turn(!d.over)
}

// untilGone waits for the client to hang up, or for the test to end.
func (d *dialogue) untilGone() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for !d.over && d.client.Err == nil {
		d.cond.Wait()
	}
}

// forward hands octets to the server. An error shows where its reply is read.
func (d *dialogue) forward(b []byte) { _, _ = d.back.Write(b) }

// reply reads a reply of the server; nil: the connection is over. When the
// client hangs up meanwhile the server hears of it at once.
func (d *dialogue) reply() []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	var r []byte
	for told := false; ; {
		for l, ok := d.server.Unit(); ok; l, ok = d.server.Unit() {
			if r = append(r, l...); lastLine(l) {
				return d.edit(r)
			}
		}
		if d.over || d.server.Err != nil {
			return nil
		}
		if d.client.Err != nil && len(d.client.Buf) == 0 && !told {
			told = true
			_ = d.mem.CloseWrite()
		}
		d.cond.Wait()
	}
}

// edit makes the EHLO list what the test wants.
func (d *dialogue) edit(r []byte) []byte {
	if !d.named {
		return r
	}
	d.srv.mu.Lock()
	defer d.srv.mu.Unlock()
	return advertise(r, d.srv.advertised)
}

// say puts a reply on its way to the client.
func (d *dialogue) say(b []byte) {
	if len(b) == 0 {
		return
	}
	d.notes.Server(string(b))
	d.out = append(d.out, b...)
	d.mu.Lock()
	pipelined := d.client.HasUnit()
	d.mu.Unlock()
	if !pipelined {
		d.flush()
	}
}

// flush sends what was said. It goes on when the client does not listen: the
// end shows where the next command is read.
func (d *dialogue) flush() turn {
	if len(d.out) > 0 {
		_, _ = d.front.Write(d.out)
		d.out = d.out[:0]
	}
	return next
}

// hangUp ends both sides.
func (d *dialogue) hangUp() {
	d.flush()
	d.front.Close()
	d.raw.Close()
	d.mem.Close()
	d.client.Stop()
	d.server.Stop()
}

// kill ends the dialogue at the end of the test.
func (d *dialogue) kill() {
	d.mu.Lock()
	d.over = true
	d.cond.Broadcast()
	d.mu.Unlock()
	d.raw.Close()
	d.mem.Close()
}

package serve

import "errors"

// A Dialogue is what is said on one connection. A connection that waits is all
// that most of them ever are, and what it costs is its stack above all: Go
// begins one with 2 KiB, doubles it for whoever goes deep into a store, a
// handshake or a login, and gives hardly anything back. So whoever has waited
// for a while ends its goroutine, and with it the stack, and the rest of the
// wait is done by a new one, in two or three small frames. When the peer speaks
// at last, that one makes way for a fresh one in turn. The two steps take some
// microseconds, which a peer that speaks often never pays for; see
// wire.Reader.Ready.
type Dialogue interface {
	// Serve goes on with the dialogue, to its end or until the peer has been
	// silent for a while, which it reports by true. All that is to be kept is
	// then kept elsewhere than on the stack. It recovers from its own panics.
	Serve() (waits bool)
	// Wait comes back when there is something for Serve to do. It leaves all
	// work to Serve, so that its own stack stays as small as it was.
	Wait()
	// Wake ends the wait of a connection that is idle, in Serve or in Wait. It
	// is called once, by another goroutine, after [Conn.Idle].
	Wake()
}

// work admits c at first, and then goes on with its dialogue.
func (c *Conn) work() {
	waits, err := false, error(nil)
	defer func() { // also if a handler has called runtime.Goexit
		if !waits {
			c.end(err)
		}
	}()
	if c.dialogue == nil {
		var ok bool
		if ok, err = c.begin(); !ok {
			return
		}
	}
	if waits = c.dialogue.Serve(); waits {
		go c.wait()
	}
}

// wait is all that the goroutine of an idle connection does.
func (c *Conn) wait() {
	c.dialogue.Wait()
	go c.work()
}

// begin admits c, or refuses it.
func (c *Conn) begin() (admitted bool, err error) {
	why, err := c.srv.admit(c)
	switch {
	case err != nil:
		return false, err
	case why == 0:
		c.dialogue = c.srv.Handle(c.ctx, c)
		return true, nil
	case !c.TLS:
		c.srv.refuse(c.Conn, why)
	}
	return false, nil
}

// end closes c and forgets it.
func (c *Conn) end(err error) {
	served := c.dialogue != nil
	closed := c.Conn.Close()
	if served {
		c.srv.drop(c)
		closed = nil // whoever served it has said what there is to say
	}
	c.over(errors.Join(err, closed))
}

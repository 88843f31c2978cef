package imap

import (
	"time"

	"github.com/postilion-mail/postilion/imap/internal/wire"
)

// IDLE tells the news as they come, until the client says DONE (RFC 2177). The
// connection waits on its own goroutine without any buffer; who changes the
// mailbox rings its bell.
func (c *conn) IDLE(p *parser) reply {
	if r := p.done(); r.status != "" {
		return r
	}
	c.begin()
	c.out = append(c.out, "+ idling\r\n"...)
	always := c.bell.on.Swap(true)
	c.r.Nudgeable = true
	line, err := c.idle()
	c.r.Nudgeable = false
	c.bell.on.Store(always)
	switch {
	case c.err != nil:
		return reply{}
	case err != nil:
		c.err = c.readError(err)
		return reply{}
	case !wire.EqualFold(line, "DONE"):
		return bad("Expected DONE")
	}
	return ok("IDLE terminated")
}

// idle waits for a line.
func (c *conn) idle() ([]byte, error) {
	since := time.Now()
	for {
		if c.err = c.tellNews(); c.err != nil {
			return nil, c.err
		}
		if !c.sc.Idle() {
			return nil, c.bye(stopping)
		}
		line, err := c.readLine()
		if !c.sc.Busy() {
			return nil, c.bye(stopping)
		}
		if !c.disturbed(err, since) {
			return line, err
		}
	}
}

// tellNews tells what there is while the client waits.
func (c *conn) tellNews() error {
	if c.sel != nil && c.wants() {
		t := telling{expunge: c.notify == nil || !c.notify.delayed || c.verb == "IDLE"}
		if err := c.tell(t); err != nil {
			return c.lost(err)
		}
	}
	return c.notify.tell(c)
}

package imap

import (
	"time"

	corewire "github.com/postilion-mail/postilion/internal/wire"

	"github.com/postilion-mail/postilion/imap/internal/wire"
)

// IDLE tells the news as they come, until the client says DONE (RFC 2177). The
// connection waits for that as for any command, in turn, without a buffer and
// hardly a stack. Who changes the mailbox rings its bell.
func (c *conn) IDLE(p *parser) reply {
	if r := p.done(); r.status != "" {
		return r
	}
	c.begin()
	c.out = append(c.out, "+ idling\r\n"...)
	c.idling = true
	c.bell.on.Store(true)
	return reply{}
}

// endIdle answers the line that ends IDLE.
func (c *conn) endIdle(line []byte) error {
	c.idling = false
	c.bell.on.Store(c.notify.rings())
	if !wire.EqualFold(line, "DONE") {
		c.tagged(bad("Expected DONE"))
		return c.countError()
	}
	c.tagged(ok("IDLE terminated"))
	return c.unsent
}

// await waits for a line and meanwhile tells the news. What it knows of the wait
// is kept in c, for after [corewire.ErrParked].
func (c *conn) await() ([]byte, error) {
	c.r.Nudgeable = true
	parked := c.r.Parked()
	if !parked {
		c.since = time.Now()
	}
	for {
		if !parked {
			if err := c.tellNews(); err != nil {
				c.r.Nudgeable = false
				return nil, err
			}
		}
		parked = false
		err := c.r.Ready()
		if err == corewire.ErrParked {
			return nil, err
		}
		var line []byte
		if err == nil {
			line, err = c.readLine()
		}
		if err == nil || !c.disturbed(err) {
			c.r.Nudgeable = false
			return line, err
		}
	}
}

// tellNews tells what there is while the client waits.
func (c *conn) tellNews() error {
	if c.sel != nil && c.wants() {
		if err := c.tell(telling{expunge: c.idling || c.notify == nil || !c.notify.delayed}); err != nil {
			return c.lost(err)
		}
	}
	return c.notify.tell(c)
}

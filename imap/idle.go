package imap

import (
	"time"

	"github.com/postilion-mail/postilion/imap/internal/wire"
)

// IDLE tells the news as they come, until the client says DONE (RFC 2177). The
// connection waits for that on its own goroutine, without any buffer, in turn:
// the stack of one that idles is to be small. Who changes the mailbox rings its
// bell.
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

// await waits for a line and meanwhile tells the news.
func (c *conn) await() ([]byte, error) {
	c.r.Nudgeable = true
	since := time.Now()
	for {
		if err := c.tellNews(); err != nil {
			c.r.Nudgeable = false
			return nil, err
		}
		var err error
		if c.r.Buffered() == 0 {
			err = c.r.Fill(0)
		}
		if err == nil {
			var line []byte
			if line, err = c.readLine(); err == nil {
				c.r.Nudgeable = false
				return line, nil
			}
		}
		if !c.disturbed(err, since) {
			c.r.Nudgeable = false
			return nil, err
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

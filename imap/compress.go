package imap

import (
	"compress/flate"
	"net"
)

// COMPRESS compresses both directions from here on (RFC 4978 §3).
func (c *conn) COMPRESS(p *parser) reply {
	p.SP()
	mechanism := p.Word()
	switch r := p.done(); {
	case r.status != "":
		return r
	case mechanism != "DEFLATE":
		return bad("Only DEFLATE is known")
	case c.r.Buffered() > 0:
		return bad("Nothing may follow COMPRESS") // it would be read as if it were compressed
	}
	c.tagged(ok("DEFLATE active"))
	if c.err = c.flush(); c.err != nil {
		return reply{}
	}
	c.deflate = newDeflater(c.nc)
	c.nc = c.deflate
	c.r.Reset(c.nc)
	return reply{}
}

// deflater is a connection that is compressed. It is flushed at the end of each
// batch of responses, so that nothing waits for more.
type deflater struct {
	net.Conn
	in    *inflater
	out   *flate.Writer
	dirty bool // written since the last Flush
}

func newDeflater(nc net.Conn) *deflater {
	w, _ := flate.NewWriter(nc, flate.BestSpeed) // fails for an unknown level only
	return &deflater{Conn: nc, in: newInflater(nc), out: w}
}

func (d *deflater) Read(p []byte) (int, error) { return d.in.Read(p) }

func (d *deflater) Write(p []byte) (int, error) {
	d.dirty = true
	return d.out.Write(p)
}

// Flush sends all that was written (Z_SYNC_FLUSH).
func (d *deflater) Flush() error {
	if !d.dirty {
		return nil
	}
	d.dirty = false
	return d.out.Flush()
}

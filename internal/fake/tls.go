package fake

import (
	"context"
	"crypto/tls"
)

// upgrade says the reply behind which TLS begins, and begins it. A fault's
// early words go out in the clear behind it.
func (g *gate) upgrade(x *Fault, r []byte) turn {
	// From here on no octet of the client may be read but by TLS.
	g.client.Pause()
	g.server.Pause()
	if x != nil {
		r = append(append([]byte(nil), x.cut(r)...), x.Early...)
		x.Early, x.Output, x.Text = nil, Scripted, r
	}
	if g.deliver(x, r) == end {
		return end
	}
	g.flush()
	return g.startTLS()
}

// startTLS shakes hands with the client, by the configuration under test, and
// then with the server, which asks nothing of us.
func (g *gate) startTLS() turn {
	if x := g.fake.pick(TLS, ""); x != nil && g.spoilHandshake(x) == end {
		return end
	}
	ctx := context.Background() // kill closes the connections
	outer := tls.Server(g.raw, g.fake.TLS)
	if err := outer.HandshakeContext(ctx); err != nil {
		return end
	}
	inner := tls.Client(g.mem, &tls.Config{InsecureSkipVerify: true}) // to ourselves, in memory
	if err := inner.HandshakeContext(ctx); err != nil {
		return end
	}
	g.notes.TLS()
	g.front, g.back = outer, inner
	g.client.Start(outer)
	g.server.Start(inner)
	return next
}

// spoilHandshake waits for the client's first octets and does the rest of what
// the fault says in the place of a ServerHello.
func (g *gate) spoilHandshake(x *Fault) turn {
	if x.Delay > 0 && g.sleep(x.Delay) == end {
		return end
	}
	if x.Output == ServersOwn && x.Ending == GoOn {
		return next
	}
	_, _ = g.raw.Read(make([]byte, 4096))
	if x.Output == Scripted {
		_, _ = g.raw.Write(x.Text)
	}
	if x.Ending == Stall {
		g.client.Start(g.raw) // to see the client go
		return g.finish(Stall)
	}
	if x.Ending == GoOn {
		return g.finish(DropFIN)
	}
	return g.finish(x.Ending)
}

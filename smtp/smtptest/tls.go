package smtptest

import (
	"context"
	"crypto/tls"

	"github.com/postilion-mail/postilion/smtp"
)

// starttls passes the command on and then turns TLS on.
func (d *dialogue) starttls(a *action, line []byte) turn {
	if a != nil && (a.refuses() || a.output == nothing) {
		return d.act(a, nil)
	}
	d.mu.Lock()
	behind := d.client.Take(len(d.client.Buf))
	d.mu.Unlock()
	// What stands behind the command goes along: the server is to see it.
	d.forward(append(line, behind...))
	r := d.reply()
	if r == nil {
		return d.serverGone()
	}
	if replyCode(r) != 220 || a != nil && a.ending != goOn {
		return d.deliver(a, r)
	}
	if a != nil && a.early != nil { // in the clear, behind the 220
		said := r
		if a.output == scripted {
			said = a.text
		}
		a.output, a.text, a.early = scripted, append(append([]byte(nil), said...), a.early...), nil
	}
	// From here on no octet of the client may be read but by TLS.
	d.client.Pause()
	d.server.Pause()
	if d.deliver(a, r) == end {
		return end
	}
	d.flush()
	return d.startTLS()
}

// startTLS shakes hands with the client, by the configuration under test, and
// then with the server, which asks nothing of us.
func (d *dialogue) startTLS() turn {
	if a := d.pick(TLS, ""); a != nil && d.spoilHandshake(a) == end {
		return end
	}
	ctx := context.Background() // kill closes the connections
	outer := tls.Server(d.raw, d.srv.outer)
	if err := outer.HandshakeContext(ctx); err != nil {
		return end
	}
	state := outer.ConnectionState()
	d.tls = &state
	inner := tls.Client(d.mem, &tls.Config{ServerName: state.ServerName, InsecureSkipVerify: true})
	if err := inner.HandshakeContext(ctx); err != nil {
		return end
	}
	d.notes.TLS()
	d.front, d.back = outer, inner
	d.client.Start(outer)
	d.server.Start(inner)
	return next
}

// spoilHandshake waits for the client's first octets and does the rest of what
// the fault says in the place of a ServerHello.
func (d *dialogue) spoilHandshake(a *action) turn {
	if a.delay > 0 && d.sleep(a.delay) == end {
		return end
	}
	if a.output == serversOwn && a.ending == goOn {
		return next
	}
	_, _ = d.raw.Read(make([]byte, 4096))
	if a.output == scripted {
		_, _ = d.raw.Write(a.text)
	}
	if a.ending == stall {
		d.client.Start(d.raw) // to see the client go
		return d.finish(stall)
	}
	if a.ending == goOn {
		a.ending = dropFIN
	}
	return d.finish(a.ending)
}

// show makes the server's session that of the client's TLS: certificates and
// channel bindings are those of the connection the client sees.
func (d *dialogue) show(s *smtp.Session) {
	if d != nil && d.tls != nil && s.TLS != nil {
		s.TLS = d.tls
	}
}

// innerTLS is what the real server runs with: the certificates under test, but
// no questions about the client's, which was asked before.
func innerTLS(c *tls.Config) *tls.Config {
	c = c.Clone()
	c.ClientAuth, c.VerifyConnection, c.VerifyPeerCertificate = tls.NoClientCert, nil, nil
	return c
}

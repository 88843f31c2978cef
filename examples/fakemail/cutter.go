package main

import (
	"net"
	"sync"

	"github.com/postilion-mail/postilion/smtp"
)

// cutter knows the connections of the SMTP listeners, so that a fault can close
// one from within: a Handler sees a session, and never its socket.
type cutter struct {
	mu    sync.Mutex // guards conns
	conns map[ends]net.Conn
}

// ends name a connection: the client's port alone does not, since it may lead to
// two listeners at once.
type ends struct{ remote, local string }

// listener keeps account of what l accepts; nil stays nil.
func (c *cutter) listener(l net.Listener) net.Listener {
	if l == nil {
		return nil
	}
	return &cutListener{l, c}
}

// cut closes the connection of a session. What the server says afterwards
// reaches nobody.
func (c *cutter) cut(s *smtp.Session) {
	c.mu.Lock()
	conn := c.conns[ends{s.Remote.String(), s.Local.String()}]
	c.mu.Unlock()
	if conn != nil {
		conn.Close()
	}
}

type cutListener struct {
	net.Listener
	cutter *cutter
}

func (l *cutListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	e := ends{conn.RemoteAddr().String(), conn.LocalAddr().String()}
	l.cutter.mu.Lock()
	defer l.cutter.mu.Unlock()
	if l.cutter.conns == nil {
		l.cutter.conns = make(map[ends]net.Conn)
	}
	l.cutter.conns[e] = conn
	return &cutConn{Conn: conn, forget: func() {
		l.cutter.mu.Lock()
		defer l.cutter.mu.Unlock()
		if l.cutter.conns[e] == conn {
			delete(l.cutter.conns, e)
		}
	}}, nil
}

type cutConn struct {
	net.Conn
	once   sync.Once
	forget func()
}

func (c *cutConn) Close() error {
	c.once.Do(c.forget)
	return c.Conn.Close()
}

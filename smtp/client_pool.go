package smtp

import (
	"cmp"
	"context"
	"sync"
	"time"
)

// pool keeps the connections to one target.
type pool struct {
	client *Client
	target Target
	opts   Pool
	slots  chan struct{} // one for each connection in use; nil: no limit

	users int // senders; guarded by client.mu

	mu     sync.Mutex // guards all below; taken after client.mu
	idle   []idleConn // the freshest last
	timer  *time.Timer
	closed bool
}

type idleConn struct {
	conn  *Conn
	until time.Time
}

func (c *Client) pool(t Target) *pool {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.pools[t]
	if p == nil {
		p = &pool{client: c, target: t, opts: c.Pool.withDefaults()}
		if n := p.opts.PerTarget; n > 0 {
			p.slots = make(chan struct{}, n)
		}
		if c.pools == nil {
			c.pools = make(map[Target]*pool)
		}
		c.pools[t] = p
	}
	p.users++
	return p
}

// leave is the counterpart of Client.pool. A pool that nobody uses and that
// holds nothing is forgotten, so that a client that has written to a million
// hosts does not remember them.
func (p *pool) leave(users int) {
	c := p.client
	c.mu.Lock()
	defer c.mu.Unlock()
	p.users -= users
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.users == 0 && len(p.idle) == 0 && c.pools[p.target] == p {
		delete(c.pools, p.target)
	}
}

func (o Pool) withDefaults() Pool {
	return Pool{
		PerTarget:   limit(o.PerTarget, 10),
		MaxIdle:     limit(o.MaxIdle, 2),
		MaxMessages: limit(o.MaxMessages, 1000),
		IdleTimeout: max(cmp.Or(o.IdleTimeout, time.Minute), 0),
	}
}

// acquire waits for the right to use a connection.
func (p *pool) acquire(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	if p.slots == nil {
		return nil
	}
	select {
	case p.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (p *pool) release() {
	if p.slots != nil {
		<-p.slots
	}
}

// get gives an idle connection that is still alive, or a new one.
func (p *pool) get(ctx context.Context) (conn *Conn, reused bool, err error) {
	for {
		c := p.take()
		if c == nil {
			break
		}
		if c.alive() {
			return c, true, nil
		}
		c.Close()
	}
	conn, err = p.client.connect(ctx, p.target)
	return conn, false, err
}

// take takes the freshest idle connection out.
func (p *pool) take() *Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.idle)
	if n == 0 {
		return nil
	}
	c := p.idle[n-1].conn
	p.idle[n-1] = idleConn{}
	p.idle = p.idle[:n-1]
	return c
}

// put keeps a connection, or ends it.
func (p *pool) put(c *Conn) {
	if c.botched {
		c.Close()
		return
	}
	if c.spent(p.opts) || !p.keep(c) {
		// Nobody waits for the goodbye: a server that does not answer QUIT has
		// the message all the same.
		go c.goodbye()
	}
}

// goodbyeWait bounds the wait for the answer to QUIT.
const goodbyeWait = 5 * time.Second

func (c *Conn) goodbye() {
	ctx, cancel := context.WithTimeout(context.Background(), goodbyeWait)
	defer cancel()
	_ = c.Quit(ctx)
}

// spent reports that c has carried as much as it may.
func (c *Conn) spent(o Pool) bool {
	max := o.MaxMessages
	if n := c.caps.Limit("MAILMAX"); n > 0 && (max == 0 || n < max) {
		max = n
	}
	return max > 0 && c.messages >= max
}

func (p *pool) keep(c *Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.idle) >= p.opts.MaxIdle || p.opts.IdleTimeout == 0 {
		return false
	}
	p.idle = append(p.idle, idleConn{c, time.Now().Add(p.opts.IdleTimeout)})
	if p.timer == nil {
		p.timer = time.AfterFunc(p.opts.IdleTimeout, p.sweep)
	} else if len(p.idle) == 1 {
		p.timer.Reset(p.opts.IdleTimeout)
	}
	return true
}

// sweep ends the connections nobody has used for long; the oldest come first.
func (p *pool) sweep() {
	defer p.leave(0)
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	for len(p.idle) > 0 && !p.idle[0].until.After(now) {
		go p.idle[0].conn.goodbye()
		p.idle = append(p.idle[:0], p.idle[1:]...)
	}
	if len(p.idle) > 0 {
		p.timer.Reset(p.idle[0].until.Sub(now))
	}
}

func (p *pool) close() {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.closed = nil, true
	if p.timer != nil {
		p.timer.Stop()
	}
	p.mu.Unlock()
	var wg sync.WaitGroup
	for _, i := range idle {
		wg.Go(i.conn.goodbye)
	}
	wg.Wait()
}

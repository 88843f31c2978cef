package relay

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"
)

// addrsKey carries the addresses of the host to dial through the client, which
// knows hosts by name: its pool must not fall apart by address.
type addrsKey struct{}

func withAddrs(ctx context.Context, addrs []netip.Addr) context.Context {
	return context.WithValue(ctx, addrsKey{}, addrs)
}

// racer dials the addresses of a host, one after the other but not in line.
type racer struct {
	dial    func(ctx context.Context, network, addr string) (net.Conn, error)
	stagger time.Duration
}

var errNoAddrs = errors.New("relay: no address to dial")

type dialled struct {
	conn net.Conn
	err  error
}

// Dial has the shape of smtp.Client.Dial. The first connection wins (RFC 8305
// §5); the others are closed. It returns when ctx ends even if the dial under it
// does not.
func (r *racer) Dial(ctx context.Context, network, hostport string) (net.Conn, error) {
	addrs, _ := ctx.Value(addrsKey{}).([]netip.Addr)
	_, port, err := net.SplitHostPort(hostport)
	if err != nil || len(addrs) == 0 {
		// Never by name: what the system makes of it nobody has allowed.
		return nil, errors.Join(errNoAddrs, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make(chan dialled, len(addrs)) // room for all: no goroutine waits for a reader
	started, pending, failed := 0, 0, []error(nil)
	defer func() { go drop(results, pending) }()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil, errors.Join(append(failed, ctx.Err())...)
		case <-timer.C:
		case d := <-results:
			pending--
			if d.err == nil {
				return d.conn, nil
			}
			if failed = append(failed, d.err); len(failed) == len(addrs) {
				return nil, errors.Join(failed...)
			}
		}
		if started < len(addrs) {
			to := net.JoinHostPort(addrs[started].String(), port)
			started, pending = started+1, pending+1
			go func() {
				c, err := r.dial(ctx, network, to)
				results <- dialled{c, err}
			}()
			timer.Reset(r.stagger)
		}
	}
}

// drop closes the connections that came too late.
func drop(results <-chan dialled, n int) {
	for range n {
		if d := <-results; d.conn != nil {
			d.conn.Close()
		}
	}
}

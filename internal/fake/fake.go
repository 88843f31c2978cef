package fake

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/postilion-mail/postilion/internal/memnet"
	"github.com/postilion-mail/postilion/internal/script"
	"github.com/postilion-mail/postilion/internal/testcert"
)

// Fake is one fake server. The exported fields are set before Start.
type Fake struct {
	T        testing.TB
	Protocol Protocol
	// Serve is the real server: it speaks on c until that is closed, and
	// closes it.
	Serve func(ctx context.Context, c net.Conn)
	TLS   *tls.Config // towards clients; nil: none
	// Edit may change what the server says, unit by unit; nil leaves it.
	Edit func(unit []byte) []byte
	// Asked is called when the server has asked the client to go on with a
	// command, and Answered when the client has; both may be nil.
	Asked, Answered func(stage string)
	Implicit        bool

	ca       *testcert.Authority
	listener net.Listener
	wg       sync.WaitGroup

	mu     sync.Mutex // guards all below
	faults []*Fault
	gates  []*gate
	closed bool
}

// Listen gives a fake its address: a free port of 127.0.0.1, or one in memory,
// which only Dial knows.
func (f *Fake) Listen(memory string) (addr string) {
	f.T.Helper()
	if memory != "" {
		f.listener = memnet.Listen(memory)
		return memory
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.T.Fatalf("fake: %v", err)
	}
	f.listener = l
	return l.Addr().String()
}

// Authority makes certificates for name and this host.
func (f *Fake) Authority(name string) *testcert.Authority {
	f.T.Helper()
	ca, err := testcert.New("localhost", "127.0.0.1", "::1", name)
	if err != nil {
		f.T.Fatalf("fake: %v", err)
	}
	f.ca = ca
	return ca
}

// Start accepts clients until the test ends.
func (f *Fake) Start() {
	f.T.Cleanup(f.close)
	f.wg.Go(f.accept)
}

// Dial connects, whatever network and addr say.
func (f *Fake) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if l, ok := f.listener.(*memnet.Listener); ok {
		return l.Dial(ctx)
	}
	return (&net.Dialer{}).DialContext(ctx, "tcp", f.listener.Addr().String())
}

// accept serves until the listener is closed.
func (f *Fake) accept() {
	for {
		c, err := f.listener.Accept()
		if err != nil {
			return
		}
		if g := f.gate(c); g != nil {
			f.wg.Go(g.run)
		}
	}
}

// gate puts a real server behind a connection.
func (f *Fake) gate(c net.Conn) *gate {
	ours, theirs := memnet.Pair(c.RemoteAddr(), c.LocalAddr())
	g := newGate(f, c, ours)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		c.Close()
		return nil
	}
	f.gates = append(f.gates, g)
	f.wg.Go(func() { f.Serve(context.Background(), theirs) })
	return g
}

// close ends everything and waits for it.
func (f *Fake) close() {
	f.listener.Close()
	f.mu.Lock()
	f.closed = true
	list := f.gates
	f.mu.Unlock()
	for _, g := range list {
		g.kill()
	}
	f.wg.Wait()
	if f.T.Failed() {
		f.T.Logf("what was said:\n%s", f.Transcript())
	}
}

// Drop closes every connection at once, as a server that goes down does.
func (f *Fake) Drop() {
	f.mu.Lock()
	list := f.gates
	f.mu.Unlock()
	for _, g := range list {
		g.kill()
	}
}

// Transcript gives the conversations, one behind the other.
func (f *Fake) Transcript() string {
	list := f.transcripts()
	if len(list) == 1 {
		return list[0]
	}
	var b strings.Builder
	for i, t := range list {
		fmt.Fprintf(&b, "# connection %d\n%s", i+1, t)
	}
	return b.String()
}

func (f *Fake) transcripts() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []string
	for _, g := range f.gates {
		list = append(list, g.notes.String())
	}
	return list
}

// Compare compares the only conversation with a golden one.
func (f *Fake) Compare(name, golden string) error {
	list := f.transcripts()
	if len(list) != 1 {
		return fmt.Errorf("%d connections, of which one can be compared", len(list))
	}
	want, err := script.Parse(name, golden)
	if err != nil {
		return err
	}
	return script.Compare(want, list[0])
}

// Golden compares the only conversation with the file at path, or with update
// writes it.
func (f *Fake) Golden(path string, update bool) {
	f.T.Helper()
	if update {
		if err := os.WriteFile(path, []byte(f.Transcript()), 0o644); err != nil {
			f.T.Fatalf("fake: %v", err)
		}
		return
	}
	b, err := os.ReadFile(path)
	if err == nil {
		err = f.Compare(path, string(b))
	}
	if err != nil {
		f.T.Fatalf("fake: %v", err)
	}
}

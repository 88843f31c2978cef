package smtp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// scanned sends a message through Scan(f) and says what became of it.
func scanned(t *testing.T, body string, f func(ctx context.Context, tx *Transaction, r io.Reader) error) (reply string, stored []string) {
	var b box
	onBoth(t, func() *Server {
		h := Chain(b.handler(), func(next Handler) Handler {
			message := next.Message
			next.Message = func(ctx context.Context, tx *Transaction, body io.Reader) error {
				tx.Prefix = append(tx.Prefix, "X-Before: scan\r\n"...)
				return message(ctx, tx, body)
			}
			return next
		}, Scan(f))
		return &Server{Handler: h}
	}, func(t *testing.T, p *peer) {
		p.hello()
		p.mail()
		p.want("DATA", "354")
		p.send(body + ".\r\n")
		reply = p.expect("")
		p.inStep()
	})
	return reply, b.got()
}

func TestScan(t *testing.T) {
	big := strings.Repeat("0123456789\r\n", 50000)
	lost := errors.New("scanner lost its backend")
	read := func(r io.Reader) error { _, err := io.Copy(io.Discard, r); return err }
	for name, c := range map[string]struct {
		f     func(ctx context.Context, tx *Transaction, r io.Reader) error
		reply string
	}{
		"accepts": {func(_ context.Context, _ *Transaction, r io.Reader) error {
			all, err := io.ReadAll(r)
			if string(all) != "X-Before: scan\r\n"+big {
				return errors.New("not the message")
			}
			return err
		}, "250"},
		"refuses at the end": {func(_ context.Context, _ *Transaction, r io.Reader) error {
			return errors.Join(read(r), Reject(550, "5.7.1", "virus"))
		}, "550 5.7.1 virus"},
		"refuses at once": {func(context.Context, *Transaction, io.Reader) error { return Reject(550, "5.7.1", "virus") }, "550 5.7.1 virus"},
		"fails":           {func(_ context.Context, _ *Transaction, r io.Reader) error { return errors.Join(read(r), lost) }, "451 4.3.0"},
		"panics":          {func(context.Context, *Transaction, io.Reader) error { panic("boom") }, "451 4.3.0"},
		"panics late":     {func(_ context.Context, _ *Transaction, r io.Reader) error { _ = read(r); panic("boom") }, "451 4.3.0"},
		"reads nothing":   {func(context.Context, *Transaction, io.Reader) error { return nil }, "250"},
		"reads little": {func(_ context.Context, _ *Transaction, r io.Reader) error {
			_, err := r.Read(make([]byte, 100))
			return err
		}, "250"},
		"loses its own EOF": {func(_ context.Context, _ *Transaction, r io.Reader) error { _ = read(r); return io.EOF }, "451 4.3.0"},
		"wraps its own EOF": {func(_ context.Context, _ *Transaction, r io.Reader) error { return fmt.Errorf("clamd: %w", io.EOF) }, "451 4.3.0"},
		"reads byte after byte": {func(_ context.Context, _ *Transaction, r io.Reader) error {
			return read(io.LimitReader(oneByte{r}, 5000))
		}, "250"},
	} {
		t.Run(name, func(t *testing.T) {
			reply, stored := scanned(t, big, c.f)
			assert.True(t, strings.HasPrefix(reply, c.reply), reply)
			want := 0
			if c.reply == "250" {
				want = 2 // over TCP and over the pipe
			}
			assert.Len(t, stored, want)
		})
	}
}

type oneByte struct{ r io.Reader }

func (o oneByte) Read(p []byte) (int, error) { return o.r.Read(p[:1]) }

// A handler that does not read to the end is told the verdict all the same, and
// one that gives up does not leave the scanner behind.
func TestScanHandlerStopsEarly(t *testing.T) {
	for _, c := range []struct {
		handler error
		scanner error
		reply   string
	}{{nil, Reject(550, "5.7.1", "virus"), "550"}, {nil, nil, "250"}, {Reject(452, "4.2.2", "full"), nil, "452"}} {
		var seen error
		h := Handler{Message: func(context.Context, *Transaction, io.Reader) error { return c.handler }}
		onBoth(t, func() *Server {
			return &Server{Handler: Chain(h, Scan(func(_ context.Context, _ *Transaction, r io.Reader) error {
				_, seen = io.Copy(io.Discard, r)
				return c.scanner
			}))}
		}, func(t *testing.T, p *peer) {
			p.hello()
			p.mail()
			p.want("DATA", "354")
			p.send("x\r\n.\r\n")
			p.expect(c.reply)
			assert.Equal(t, c.handler != nil, seen != nil)
		})
	}
}

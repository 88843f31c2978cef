package smtp

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
)

type fullDisk struct{ room int }

var errDisk = errors.New("no space left")

func (d *fullDisk) Write(p []byte) (int, error) {
	if len(p) > d.room {
		return d.room, errDisk
	}
	d.room -= len(p)
	return len(p), nil
}

// What a handler may do with its body, and that the dialogue is in step after.
func TestBody(t *testing.T) {
	var kept io.Reader
	for name, c := range map[string]struct {
		handler func(body io.Reader) error
		reply   string
	}{
		"the writer's error is the writer's": {func(body io.Reader) error {
			_, err := body.(io.WriterTo).WriteTo(&fullDisk{2})
			assert.Equal(t, errDisk, err)
			return err
		}, "451"},
		"io.EOF again and again": {func(body io.Reader) error {
			_, err := io.ReadAll(body)
			for range 2 {
				n, again := body.Read(make([]byte, 1))
				assert.Zero(t, n)
				assert.Equal(t, io.EOF, again)
				m, none := body.(io.WriterTo).WriteTo(io.Discard)
				assert.Zero(t, m)
				assert.NoError(t, none)
			}
			return err
		}, "250"},
		"read and written on": {func(body io.Reader) error {
			one := make([]byte, 1)
			_, err := body.Read(one)
			rest := &fullDisk{100}
			n, err2 := body.(io.WriterTo).WriteTo(rest)
			assert.EqualValues(t, 7, n)
			return errors.Join(err, err2)
		}, "250"},
		"kept for later": {func(body io.Reader) error { kept = body; return nil }, "250"},
	} {
		t.Run(name, func(t *testing.T) {
			h := Handler{Message: func(_ context.Context, _ *Transaction, body io.Reader) error { return c.handler(body) }}
			for _, send := range []string{"DATA", "BDAT 8 LAST"} {
				onBoth(t, func() *Server { return &Server{Handler: h} }, func(t *testing.T, p *peer) {
					p.hello()
					p.mail()
					if send == "DATA" {
						p.want(send, "354")
						p.want("one\r\n..\r\n.", c.reply)
					} else {
						p.want(send+"\r\none\r\n.", c.reply)
					}
					p.inStep()
				})
			}
		})
	}
	_, err := kept.Read(make([]byte, 1))
	assert.ErrorIs(t, err, errBodyOver)
	_, err = kept.(io.WriterTo).WriteTo(io.Discard)
	assert.ErrorIs(t, err, errBodyOver)
}

package wire

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestBoundsEndARead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		defer a.Close()
		defer b.Close()
		var r Reader
		r.Reset(a)
		var bounds Bounds
		r.Deadline = func() time.Time { return bounds.Within(time.Hour) }
		why := errors.New("why")
		ctx, cancel := context.WithCancelCause(t.Context())
		cut := false
		end := bounds.Begin(ctx, a, &r, &cut)
		go func() {
			time.Sleep(time.Minute)
			cancel(why)
		}()
		_, err := r.ReadLine(100)
		require.Error(t, err)
		assert.ErrorIs(t, Cause(ctx, err), why)
		end()
		assert.True(t, cut)
		assert.True(t, bounds.Stopped())
	})
}

func TestBoundsThatHold(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	var r Reader
	r.Reset(a)
	var bounds Bounds
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	cut := false
	end := bounds.Begin(ctx, a, &r, &cut)
	until, _ := ctx.Deadline()
	assert.Equal(t, until, bounds.Within(0))
	assert.Equal(t, until, bounds.Within(2*time.Hour))
	assert.True(t, bounds.Within(time.Minute).Before(until))
	end()
	cancel()
	assert.False(t, cut || bounds.Stopped(), "the context ended after the work")
	assert.True(t, bounds.Within(0).IsZero(), "no deadline is left")
}

func TestCause(t *testing.T) {
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancelLate := context.WithDeadline(context.WithoutCancel(t.Context()), time.Now().Add(-time.Second))
	defer cancelLate()
	assert.NoError(t, Cause(gone, nil))
	assert.Equal(t, io.EOF, Cause(t.Context(), io.EOF))
	assert.ErrorIs(t, Cause(gone, io.EOF), context.Canceled)
	assert.ErrorIs(t, Cause(gone, io.EOF), io.EOF, "and what happened")
	assert.ErrorIs(t, Cause(late, os.ErrDeadlineExceeded), context.DeadlineExceeded)
}

package spf

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestDeadlineStartsWhenLookedAt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := withDeadline(t.Context(), 10*time.Second)
		time.Sleep(time.Hour) // nobody waits for the check
		assert.NoError(t, d.Err())
		at, ok := d.Deadline()
		assert.True(t, ok)
		assert.Equal(t, 10*time.Second, time.Until(at))
		<-d.Done()
		assert.ErrorIs(t, d.Err(), context.DeadlineExceeded)
		d.release()
		assert.ErrorIs(t, d.Err(), context.DeadlineExceeded)
	})
}

func TestDeadlineEndsWithTheCaller(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	d := withDeadline(ctx, time.Hour)
	cancel()
	assert.ErrorIs(t, d.Err(), context.Canceled)
	<-d.Done()
	assert.ErrorIs(t, d.Err(), context.Canceled)

	near, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	at, _ := withDeadline(near, time.Hour).Deadline()
	want, _ := near.Deadline()
	assert.Equal(t, want, at)
}

// A context that is done must say why, also to who comes after the check.
func TestDeadlineReleased(t *testing.T) {
	d := withDeadline(t.Context(), time.Hour)
	d.release()
	<-d.Done()
	assert.Error(t, d.Err())
	d.release()

	d = withDeadline(t.Context(), time.Hour)
	child, cancel := context.WithCancel(d)
	defer cancel()
	d.release()
	<-child.Done()
	assert.Error(t, child.Err())
}

func TestDeadlineIsSafeForManyGoroutines(t *testing.T) {
	d := withDeadline(t.Context(), time.Hour)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { <-d.Done(); assert.Error(t, d.Err()) })
		wg.Go(func() { d.Deadline() })
	}
	time.AfterFunc(time.Millisecond, d.release)
	wg.Wait()
}

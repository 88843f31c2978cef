package mailbox

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestWatchers(t *testing.T) {
	var w Watchers[int]
	w.Call(1)
	sum := 0
	stop, first := w.Add(func(n int) { sum += n })
	assert.True(t, first)
	var inner func()
	inner, first = w.Add(func(n int) { inner(); sum += 10 * n })
	assert.False(t, first)
	w.Call(2)
	assert.Equal(t, 22, sum, "one may stop itself")
	w.Call(3)
	assert.Equal(t, 25, sum)
	stop()
	stop()
	w.Call(4)
	assert.Equal(t, 25, sum)
	assert.Zero(t, w.Len())
}

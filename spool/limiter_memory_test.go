package spool

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/smtp"
)

// TestWindowForgets: memory is that of the destinations of the last hours, and
// of those where something runs.
func TestWindowForgets(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	w := &Window{Initial: 1, Now: func() time.Time { return now }}
	for i := range 20_000 {
		now = now.Add(time.Minute)
		release, _ := w.Acquire(fmt.Sprint(i))
		require.NotNil(t, release)
		if i > 0 { // the first runs all the time
			release(smtp.Result{Status: smtp.Accepted})
		}
	}
	assert.LessOrEqual(t, len(w.dests), minSweep)
	assert.Contains(t, w.Full(), "0", "what runs is not forgotten")
}

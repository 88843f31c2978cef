package spool_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/spool"
	"github.com/postilion-mail/postilion/spool/memspool"
)

// BenchmarkRunner is what the Runner itself costs: one message through a queue in
// memory, to hosts that take it at once.
func BenchmarkRunner(b *testing.B) {
	ctx, stop := context.WithCancel(b.Context())
	defer stop()
	store := &memspool.Store{MaxItems: -1, MaxBytes: -1}
	var left atomic.Int64
	left.Store(int64(b.N))
	r := &spool.Runner{Store: store, Deliver: func(_ context.Context, env smtp.Envelope, body *io.SectionReader) smtp.Results {
		if left.Add(-1) == 0 {
			stop()
		}
		return smtp.Results{{Status: smtp.Accepted}}
	}}
	for i := range b.N {
		env, err := smtp.NewEnvelope("ann@crepes.fr", fmt.Sprintf("bob@host%d.example", i%500))
		require.NoError(b, err)
		_, err = spool.Put(ctx, store, strings.NewReader("Subject: hi\r\n\r\nhello\r\n"), env)
		require.NoError(b, err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	require.NoError(b, r.Run(ctx))
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}

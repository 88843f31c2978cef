package dirspool_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/spool"
	"github.com/postilion-mail/postilion/spool/dirspool"
)

var mail = strings.Repeat(strings.Repeat("x", 76)+"\r\n", 65) // 5 KB

// diskFile is what the disk can do at best: write a file, sync it, give it its
// name, sync the directory.
func diskFile(dir *os.File, n int64) error {
	tmp := filepath.Join(dir.Name(), fmt.Sprintf("t%d", n))
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.WriteString(mail); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(tmp, filepath.Join(dir.Name(), fmt.Sprintf("f%d", n))); err != nil {
		return err
	}
	return dir.Sync()
}

// together does n things with so many writers, and says how many a second.
func together(b testing.TB, writers, n int, do func() error) float64 {
	var left atomic.Int64
	left.Store(int64(n))
	var wg sync.WaitGroup
	begun := time.Now()
	for range writers {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if err := do(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return float64(n) / time.Since(begun).Seconds()
}

// against runs ours and the disk's own turn by turn, since disks have moods and
// others use them too, and reports both and the median of their ratios.
func against(b *testing.B, writers, diskWriters int, ours func() error) {
	dir, err := os.Open(benchDir(b))
	require.NoError(b, err)
	defer dir.Close()
	var name atomic.Int64
	plain := func() error { return diskFile(dir, name.Add(1)) }
	const turns = 21
	each := max(b.N/turns, 1)
	// Neither begins with an empty journal.
	together(b, writers, each, ours)
	together(b, diskWriters, each, plain)
	var our, disk, ratio, used, plainly []float64
	per1000 := func(d time.Duration) float64 { return d.Seconds() / float64(each) * 1000 }
	for range turns {
		was := cpu()
		o := together(b, writers, each, ours)
		used = append(used, per1000(cpu()-was))
		was = cpu()
		d := together(b, diskWriters, each, plain)
		plainly = append(plainly, per1000(cpu()-was))
		our, disk, ratio = append(our, o), append(disk, d), append(ratio, o/d)
	}
	b.ReportMetric(median(our), "ours/s")
	b.ReportMetric(median(disk), "disk/s")
	b.ReportMetric(median(ratio), "ratio")
	b.ReportMetric(median(used), "cpu-s/1000")
	b.ReportMetric(median(plainly), "disk-cpu-s/1000")
	b.ReportMetric(0, "ns/op")
}

func median(f []float64) float64 {
	slices.Sort(f)
	return f[len(f)/2]
}

// benchDir is a directory that is not removed before the next benchmark is
// over: for some seconds ext4 does not use the inodes of removed files again,
// and looking for others would be measured too.
func benchDir(b testing.TB) string {
	dir, err := os.MkdirTemp(os.Getenv("POSTILION_BENCH_DIR"), "dirspool-bench-")
	require.NoError(b, err)
	return dir
}

func openBench(b testing.TB) *dirspool.Store {
	s, err := dirspool.Open(benchDir(b), dirspool.Options{MaxItems: -1})
	require.NoError(b, err)
	b.Cleanup(func() { s.Close() })
	return s
}

func putter(b testing.TB, s spool.Store) func() error {
	env, err := smtp.NewEnvelope("ann@crepes.example", "bob@hamburger.example")
	require.NoError(b, err)
	return func() error {
		_, err := spool.Put(context.Background(), s, strings.NewReader(mail), env)
		return err
	}
}

// BenchmarkPut: durable accepts a second beside what the disk does by itself.
func BenchmarkPut(b *testing.B) {
	for _, writers := range []int{1, 4, 16, 64} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			against(b, writers, writers, putter(b, openBench(b)))
		})
	}
}

// BenchmarkOutcome: claims that are settled for good, by 16 workers.
func BenchmarkOutcome(b *testing.B) {
	for _, workers := range []int{1, 16} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			s := openBench(b)
			put := putter(b, s)
			together(b, 32, b.N, put)
			b.ResetTimer()
			was := cpu()
			rate := together(b, workers, b.N, func() error {
				c, err := s.Claim(context.Background(), spool.Query{})
				if err != nil || len(c) == 0 {
					return fmt.Errorf("%d claims: %w", len(c), err)
				}
				return s.Settle(context.Background(), c[0].Lease, []spool.Outcome{{Rcpt: c[0].Due[0].Rcpt, Result: smtp.Result{Status: smtp.Accepted}}})
			})
			b.ReportMetric(rate, "outcomes/s")
			b.ReportMetric((cpu()-was).Seconds()/float64(b.N)*1000, "cpu-s/1000")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkSMTP: 16 sessions send to an smtp.Server whose handler puts, beside
// what the disk does with 16 writers. The clients are in the same process, so
// their work is in the CPU time.
func BenchmarkSMTP(b *testing.B) {
	s := openBench(b)
	srv := &smtp.Server{
		Limits: smtp.Limits{Messages: -1},
		Handler: smtp.Handler{Message: func(ctx context.Context, t *smtp.Transaction, body io.Reader) error {
			id, err := spool.Put(ctx, s, body, t.Envelope)
			t.Queued = string(id)
			return err
		}},
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	go srv.Serve(ln)
	b.Cleanup(func() { srv.Close() })
	sessions := make(chan *session, 16)
	for range cap(sessions) {
		c, err := net.Dial("tcp", ln.Addr().String())
		require.NoError(b, err)
		b.Cleanup(func() { c.Close() })
		l := &session{c, bufio.NewReader(c)}
		require.NoError(b, l.say("", 1))
		require.NoError(b, l.say("HELO c.example\r\n", 1))
		sessions <- l
	}
	against(b, 16, 16, func() error {
		l := <-sessions
		defer func() { sessions <- l }()
		if err := l.say("MAIL FROM:<ann@crepes.example>\r\nRCPT TO:<bob@hamburger.example>\r\nDATA\r\n", 3); err != nil {
			return err
		}
		return l.say(mail+".\r\n", 1)
	})
}

// session is a client that costs next to nothing.
type session struct {
	c net.Conn
	r *bufio.Reader
}

// say writes s in one packet and reads so many lines of reply.
func (l *session) say(s string, lines int) error {
	if s != "" {
		if _, err := io.WriteString(l.c, s); err != nil {
			return err
		}
	}
	for range lines {
		line, err := l.r.ReadSlice('\n')
		if err != nil || line[0] != '2' && line[0] != '3' {
			return fmt.Errorf("%.40q: %q %w", s, line, err)
		}
	}
	return nil
}

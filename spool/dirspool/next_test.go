package dirspool

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/spool"
)

// envNext has the way in which TestNextProcess queues what comes of a message.
const envNext = "POSTILION_DIRSPOOL_NEXT"

// postOn is an agent that sends mail for "team" on to "member"; what came to
// anybody else is on got.
func postOn(s *Store, how string, given func(), got chan<- string) smtp.DeliverFunc {
	return func(ctx context.Context, env smtp.Envelope, body *io.SectionReader) smtp.Results {
		to := env.To[0].Path
		if to.Local() != "team" {
			got <- to.Local()
			return smtp.Results{{Status: smtp.Accepted}}
		}
		on, err := smtp.NewEnvelope("bounces@b.example", "member@c.example")
		all := func() (io.Reader, error) { return io.NewSectionReader(body, 0, body.Size()), nil }
		if how == "Put" {
			_, err = spool.Put(ctx, s, io.NewSectionReader(body, 0, body.Size()), on)
		} else if !spool.Next(ctx, to, all, on) {
			err = fmt.Errorf("not taken")
		}
		if err == nil {
			given()
		}
		return smtp.Failed(1, err)
	}
}

// TestNextProcess is the process that dies between its agent's work and the
// Settle.
func TestNextProcess(t *testing.T) {
	dir, how := os.Getenv(envDir), os.Getenv(envNext)
	if dir == "" || how == "" {
		t.Skip("this is for TestNextKilled")
	}
	s, err := Open(dir, Options{ReserveBytes: -1})
	require.NoError(t, err)
	die := func() {
		self, err := os.FindProcess(os.Getpid())
		require.NoError(t, err)
		require.NoError(t, self.Kill())
		select {}
	}
	// A copy that is queued already is not delivered any more: nobody hears of it.
	r := &spool.Runner{Store: s, Deliver: postOn(s, how, die, make(chan string))}
	t.Fatal(r.Run(t.Context()))
}

// TestNextKilled: a process is killed when its agent has given what comes of a
// message. By Next it goes out once, when the next process has tried again; by
// Put twice, which shows that the test looks.
func TestNextKilled(t *testing.T) {
	for how, want := range map[string]int{"Next": 1, "Put": 2} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s, err := Open(dir, Options{ReserveBytes: -1})
			require.NoError(t, err)
			env, err := smtp.NewEnvelope("a@a.example", "team@b.example")
			require.NoError(t, err)
			_, err = spool.Put(t.Context(), s, strings.NewReader("hello"), env)
			require.NoError(t, err)
			require.NoError(t, s.Close())

			cmd := exec.Command(os.Args[0], "-test.run=^TestNextProcess$")
			cmd.Env = append(os.Environ(), envDir+"="+dir, envNext+"="+how)
			out, err := cmd.CombinedOutput()
			require.Error(t, err)
			require.NotContains(t, string(out), "FAIL")

			s, err = Open(dir, Options{ReserveBytes: -1})
			require.NoError(t, err)
			defer s.Close()
			ctx, stop := context.WithTimeout(t.Context(), time.Minute)
			defer stop()
			got, ended := make(chan string, 10), make(chan error, 1)
			sent := make(chan bool, 10)
			r := &spool.Runner{Store: s, Deliver: postOn(s, how, func() {}, got)}
			r.Observe.Sent = func(smtp.Envelope, smtp.Results) { sent <- true }
			go func() { ended <- r.Run(ctx) }()
			for left := 1; left > 0; { // until nothing is in the queue
				<-sent
				s.mu.Lock()
				left = len(s.items)
				s.mu.Unlock()
			}
			stop()
			require.NoError(t, <-ended)
			assert.Len(t, got, want)
		})
	}
}

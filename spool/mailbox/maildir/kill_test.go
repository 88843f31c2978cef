//go:build unix

package maildir

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

// killedDir names the directory that a helper process works in.
const killedDir = "MAILDIR_KILLED"

func TestMain(m *testing.M) {
	if dir := os.Getenv(killedDir); dir != "" {
		beKilled(dir)
		return
	}
	os.Exit(m.Run())
}

// beKilled delivers and flags for ever, and says what was promised.
func beKilled(dir string) {
	tree, err := Open(dir)
	fail(err)
	s, err := tree.Open(bg, "bob")
	fail(err)
	var out sync.Mutex
	var wg sync.WaitGroup
	for i := range 3 {
		wg.Go(func() {
			m, err := mailbox.OpenName(bg, s, mailbox.Inbox)
			fail(err)
			for n := 0; ; n++ {
				text := fmt.Sprintf("%d-%d-%d %s", os.Getpid(), i, n, strings.Repeat("x", 100*(n%20)))
				uids, err := m.Append(bg, mailbox.One(&mailbox.Incoming{Body: strings.NewReader(text)}))
				fail(err)
				say(&out, "added", uids[0], text)
				if n%2 == 0 {
					_, err := m.SetFlags(bg, mailbox.SetOf(uids[0]), mailbox.AddFlags, mailbox.Flags{Sys: mailbox.Seen}, 0)
					fail(err)
					say(&out, "seen", uids[0], text)
				}
				if n%5 == 4 {
					fail(m.Expunge(bg, mailbox.SetOf(uids[0])))
					say(&out, "gone", uids[0], text)
				}
			}
		})
	}
	wg.Wait()
}

func fail(err error) {
	if err != nil {
		fmt.Println("error", 0, err)
		os.Exit(1)
	}
}

func say(mu *sync.Mutex, what string, uid mailbox.UID, text string) {
	mu.Lock()
	defer mu.Unlock()
	fmt.Println(what, uid, text)
}

// promise is what a killed process said of a message.
type promise struct {
	text       string
	seen, gone bool
}

// TestKill: a process that is killed at any moment leaves what it promised; the
// next one goes on, and so does one that works beside it.
func TestKill(t *testing.T) {
	t.Parallel()
	rounds := 8
	if long() {
		rounds = 200
	}
	tree := newTree(t)
	rnd := rand.New(rand.NewPCG(3, 4))
	promised := map[mailbox.UID]*promise{}
	for round := range rounds {
		var wg sync.WaitGroup
		var mu sync.Mutex
		for range 2 { // two processes over one account
			after := time.Duration(50+rnd.IntN(300)) * time.Millisecond
			wg.Go(func() { killAfter(t, tree.Dir, after, &mu, promised) })
		}
		wg.Wait()
		require.NoError(t, kept(&Tree{Dir: tree.Dir}, promised), "round %d", round)
	}
	t.Logf("%d messages in %d rounds", len(promised), rounds)
	require.NotEmpty(t, promised)
}

// killAfter runs a helper, kills it, and notes what it said.
func killAfter(t *testing.T, dir string, after time.Duration, mu *sync.Mutex, promised map[mailbox.UID]*promise) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), killedDir+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Error(err)
		return
	}
	if err := cmd.Start(); err != nil {
		t.Error(err)
		return
	}
	timer := time.AfterFunc(after, func() { cmd.Process.Kill() })
	defer timer.Stop()
	r := bufio.NewReader(out)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			break // a line that was cut off is no promise
		}
		what, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		num, text, _ := strings.Cut(rest, " ")
		n, err := strconv.ParseUint(num, 10, 32)
		if err != nil || what == "error" {
			t.Errorf("helper: %s", line)
			continue
		}
		mu.Lock()
		p := promised[mailbox.UID(n)]
		switch {
		case what == "added" && p != nil:
			t.Errorf("UID %d was given out twice", n)
		case what == "added":
			promised[mailbox.UID(n)] = &promise{text: text}
		case what == "seen":
			p.seen = true
		case what == "gone":
			p.gone = true
		}
		mu.Unlock()
	}
	io.Copy(io.Discard, out)
	cmd.Wait()
}

// kept looks whether everything is as it was promised.
func kept(tree *Tree, promised map[mailbox.UID]*promise) error {
	defer tree.Close()
	s, err := tree.Open(bg, "bob")
	if err != nil {
		return err
	}
	m, err := mailbox.OpenName(bg, s, mailbox.Inbox)
	if err != nil {
		return err
	}
	defer m.Close()
	c, err := dumpBox(m)
	if err != nil {
		return err
	}
	for uid, p := range promised {
		is, there := c.msgs[uid]
		switch {
		case p.gone && there:
			return fmt.Errorf("message %d was expunged and is there", uid)
		case p.gone:
		case !there && strings.HasSuffix(last(p.text), "4") || !there && strings.HasSuffix(last(p.text), "9"):
			// It may have been killed between the expunge and its word.
		case body(is) != p.text:
			return fmt.Errorf("message %d is %.40q instead of %.40q", uid, is, p.text)
		case p.seen && !strings.HasPrefix(is, `\Seen`):
			return fmt.Errorf("message %d lost its flag", uid)
		}
	}
	return nil
}

// last is the number of a message in its process.
func last(text string) string {
	first, _, _ := strings.Cut(text, " ")
	return first
}

package maildir

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/internal/safeio"
)

// forgiven says what a call that failed may have done to a message that was
// there.
func forgiven(did, was, is string) bool {
	switch did {
	case "flags":
		return body(was) == body(is)
	case "expunge", "move", "list":
		return is == ""
	}
	return false
}

// judgeFailed looks at what a call left that returned an error.
func judgeFailed(did string, was, is snapshot) error {
	for id, a := range was {
		b, ok := is[id]
		if !ok && did == "list" {
			continue
		}
		if !ok || b.validity != a.validity || b.next < a.next {
			return fmt.Errorf("mailbox %q: %+v after %+v", a.name, b, a)
		}
		for uid, text := range a.msgs {
			if now := b.msgs[uid]; now != text && !forgiven(did, text, now) {
				return fmt.Errorf("mailbox %q: message %d is %.60q after %.60q", a.name, uid, now, text)
			}
			if !is.has(body(text)) && did != "expunge" && did != "list" {
				return fmt.Errorf("message %d of %q is nowhere", uid, a.name)
			}
		}
		for uid, text := range b.msgs {
			if _, known := a.msgs[uid]; !known && (uid < a.next || did == "append" || !was.has(body(text))) {
				return fmt.Errorf("mailbox %q: message %d came of a call that failed: %.60q", a.name, uid, text)
			}
		}
	}
	return nil
}

// faulty runs a workload in which one call fails, and returns how many there
// were.
func faulty(t *testing.T, seed uint64, calls, at int, f safeio.Fault) (int, error) {
	d := safeio.NewDisk()
	begun, hit := false, ""
	d.Fault = func(c safeio.Call) safeio.Fault {
		if begun && c.N == at {
			hit = fmt.Sprintf("%s %s", c.Op, c.Name)
			return f
		}
		return safeio.Fault{}
	}
	w := &workload{rnd: rand.New(rand.NewPCG(seed, 2))}
	w.s = diskStore(t, d)
	_, err := w.s.Create(bg, "Work")
	require.NoError(t, err)
	last, err := dump(w.s)
	require.NoError(t, err)
	begun = true
	failed := 0
	for range calls {
		err := w.call()
		now, derr := dump(w.s)
		if derr != nil { // it was in the dump, which must work the next time
			if now, derr = dump(w.s); derr != nil {
				return d.Calls(), fmt.Errorf("%s failed, and it does not go on: %w", hit, derr)
			}
		}
		if err != nil {
			failed++
			if err := judgeFailed(w.did, last, now); err != nil {
				return d.Calls(), fmt.Errorf("%s failed, in %s: %w", hit, w.did, err)
			}
		}
		last = now
	}
	if failed > 1 {
		return d.Calls(), fmt.Errorf("%s failed, and then %d calls", hit, failed)
	}
	begun = false
	// What was promised is on the disk all the same.
	d.Replay(func(m *safeio.Moment) bool {
		if m.Last {
			for s := range uint64(4) {
				if now, derr := dump(diskStore(t, m.Cut(s))); derr != nil {
					err = derr
				} else if jerr := judge(now, &callMark{after: last}, true); jerr != nil {
					err = fmt.Errorf("%s failed: after a power cut: %w", hit, jerr)
				}
			}
		}
		return true
	})
	return d.Calls(), err
}

// TestFaults: one call of the file system fails, whichever: the call that meets
// it says so and leaves nothing half done, and all goes on.
func TestFaults(t *testing.T) {
	t.Parallel()
	seeds, calls, stride := uint64(1), 8, 5
	if long() {
		seeds, calls, stride = 6, 12, 1
	}
	for seed := range seeds {
		total, err := faulty(t, seed, calls, -1, safeio.Fault{})
		require.NoError(t, err)
		for at := int(seed) % stride; at < total; at += stride {
			for _, f := range []safeio.Fault{
				{Err: syscall.EIO}, {Err: syscall.EIO, Done: true}, {Err: syscall.ENOSPC, Bytes: 3},
			} {
				_, err := faulty(t, seed, calls, at, f)
				require.NoError(t, err, "seed %d, call %d of %d, %+v", seed, at, total, f)
			}
		}
	}
}

// TestNoRoom: a full disk is OVERQUOTA to whoever appends, and mail can be
// removed.
func TestNoRoom(t *testing.T) {
	d := safeio.NewDisk()
	fullUp := false
	d.Fault = func(c safeio.Call) safeio.Fault {
		if fullUp && c.Op == safeio.OpWrite {
			return safeio.Fault{Err: syscall.ENOSPC}
		}
		return safeio.Fault{}
	}
	s := diskStore(t, d)
	require.NoError(t, put(s, "one"))
	fullUp = true
	err := put(s, "two")
	assert.ErrorIs(t, err, syscall.ENOSPC)
	var reply interface {
		SMTP() (code int, enhanced, text string)
	}
	require.ErrorAs(t, err, &reply)
	code, enhanced, _ := reply.SMTP()
	assert.Equal(t, 452, code)
	assert.Equal(t, "4.2.2", enhanced)
	fullUp = false
	require.NoError(t, put(s, "three"))
	got, err := dump(s)
	require.NoError(t, err)
	assert.Len(t, got[inboxID(t, s)].msgs, 2)
}

// TestFaultBesideOthers: a process whose index could not be synced takes in what
// another one added meanwhile, before it writes the index anew.
func TestFaultBesideOthers(t *testing.T) {
	d := safeio.NewDisk()
	broken := false
	d.Fault = func(c safeio.Call) safeio.Fault {
		if broken && c.Op == safeio.OpSync && strings.HasSuffix(c.Name, indexFile) {
			return safeio.Fault{Err: syscall.EIO}
		}
		return safeio.Fault{}
	}
	a, b := diskStore(t, d), diskStore(t, d)
	require.NoError(t, put(a, "one"))
	require.NoError(t, put(b, "two"))
	broken = true
	require.ErrorIs(t, put(a, "fails"), syscall.EIO)
	broken = false
	require.NoError(t, put(b, "three"))
	before, err := dump(b)
	require.NoError(t, err)
	require.NoError(t, put(a, "four"))
	id := inboxID(t, a)
	for _, s := range []*store{a, b} {
		after, err := dump(s)
		require.NoError(t, err)
		for uid, text := range before[id].msgs {
			assert.Equal(t, text, after[id].msgs[uid])
		}
		assert.Len(t, after[id].msgs, 4)
		assert.False(t, after.has("fails"))
	}
}

package list

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/internal/safeio"
	"github.com/postilion-mail/postilion/smtp"
)

func all(t testing.TB, s Members, list string) (out []Member) {
	for x, err := range s.All(context.Background(), path(list)) {
		require.NoError(t, err)
		out = append(out, x)
	}
	return out
}

// set makes somebody what fn says.
func set(t testing.TB, s Members, list, member string, fn func(*Member)) {
	require.NoError(t, s.Update(context.Background(), path(list), path(member), func(x *Member) error { fn(x); return nil }))
}

func subscribed(x *Member) { x.State = Subscribed }

var errDisk = errors.New("disk on fire")

func TestDirStays(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lists")
	d, err := OpenDir(dir)
	require.NoError(t, err)
	_, err = OpenDir(dir)
	assert.ErrorIs(t, err, safeio.ErrLocked)
	want := Member{Path: path(`"b > b"@crepes.fr`), State: Disabled, Moderated: true, Joined: time.Unix(1, 2).UTC(), Bounces: 7,
		Bounced: time.Unix(3, 0).UTC(), Probed: time.Unix(4, 0).UTC()}
	set(t, d, `"../x/y"@crepes.fr`, want.Path.Address(), func(x *Member) { *x = want })
	require.NoError(t, d.Hold(t.Context(), "abcdefghi2", smtp.Envelope{From: path("ann")}, strings.NewReader("hello")))
	require.NoError(t, d.Close())

	info, err := os.Stat(filepath.Join(dir, "members"))
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o700), info.Mode().Perm())
	files, err := os.ReadDir(filepath.Join(dir, "members"))
	require.NoError(t, err)
	require.Len(t, files, 1, "no name leads out of the directory")
	info, err = files[0].Info()
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o600), info.Mode().Perm())

	d, err = OpenDir(dir)
	require.NoError(t, err)
	defer func() { require.NoError(t, d.Close()) }()
	assert.Equal(t, []Member{want}, all(t, d, `"../x/y"@crepes.fr`))
	env, blob, err := d.Open(t.Context(), "abcdefghi2")
	require.NoError(t, err)
	assert.Equal(t, path("ann"), env.From)
	require.NoError(t, blob.Close())
}

func TestDirByHand(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "members"), 0o700))
	file := filepath.Join(dir, "members", "team%40hamburger.edu")
	require.NoError(t, os.WriteFile(file, []byte("# the team\n\nann@hamburger.edu\n<bob@crepes.fr> nomail moderated\r\n"), 0o600))
	d, err := OpenDir(dir)
	require.NoError(t, err)
	defer d.Close()
	assert.Equal(t, []Member{{Path: path("ann"), State: Subscribed}, {Path: path("bob@crepes.fr"), State: NoMail, Moderated: true}}, all(t, d, "team"))
}

func TestDirMistakes(t *testing.T) {
	for _, line := range []string{"no address", "<>", "postmaster", "<a@b.c> what", "<a@b.c> subscribed what", "<a@b.c> subscribed bounces=x",
		"<a@b.c> subscribed joined=yesterday", "<a@b.c>\n<A@b.c>"} {
		_, err := parseMembers([]byte(line))
		assert.Error(t, err, line)
	}
	d, err := OpenDir(t.TempDir())
	require.NoError(t, err)
	defer d.Close()
	for _, id := range []string{"", "short", "../../etc/", "ABCDEFGHIJ", "abcdefghi/"} {
		assert.Error(t, d.Hold(t.Context(), id, smtp.Envelope{}, strings.NewReader("")), id)
		_, _, err := d.Open(t.Context(), id)
		assert.Error(t, err, id)
		assert.Error(t, d.Drop(t.Context(), id), id)
	}
	assert.Error(t, d.Update(t.Context(), path(strings.Repeat("x", 200)), path("bob"), func(*Member) error { return nil }))
	for _, raw := range []string{"", "0000", "zzzzzzzz", "ffffffff", "00000004ab", "00000002ab"} {
		f, err := d.fsys.OpenFile("held/abcdefghi3", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		require.NoError(t, err)
		_, err = io.WriteString(f, raw)
		require.NoError(t, err)
		require.NoError(t, f.Close())
		_, _, err = d.Open(t.Context(), "abcdefghi3")
		assert.Error(t, err, "%q is damaged", raw)
	}
}

func TestDirHoldsAThousand(t *testing.T) {
	d, err := openFS(safeio.NewDisk())
	require.NoError(t, err)
	for i := range maxHeldPosts {
		require.NoError(t, d.Hold(t.Context(), fmt.Sprintf("id%08d", i), smtp.Envelope{}, strings.NewReader("x")))
	}
	assert.Equal(t, "452 4.3.1", code(d.Hold(t.Context(), "abcdefghi2", smtp.Envelope{}, strings.NewReader("x"))))
}

// A change that failed has not happened, and the disk knows it better than we do.
func TestDirFaults(t *testing.T) {
	for n := range 12 {
		disk := safeio.NewDisk()
		d, err := openFS(disk)
		require.NoError(t, err)
		set(t, d, "team", "ann", subscribed)
		at := disk.Calls() + n
		disk.Fault = func(c safeio.Call) safeio.Fault {
			if c.N == at {
				return safeio.Fault{Err: errDisk}
			}
			return safeio.Fault{}
		}
		err = d.Update(t.Context(), path("team"), path("bob"), func(x *Member) error { x.State = Subscribed; return nil })
		disk.Fault = nil
		now := len(all(t, d, "team"))
		require.NoError(t, d.Close())
		again, err2 := openFS(disk)
		require.NoError(t, err2)
		assert.Len(t, all(t, again, "team"), now, "call %d: %v", n, err)
		if err == nil {
			assert.Equal(t, 2, now, "call %d", n)
		}
	}
}

// TestDirPowerCut: what Update and Hold have said is there, wherever the power is
// cut, and nothing is half there. With syncs that lie the same test fails.
func TestDirPowerCut(t *testing.T) {
	run := func(lie bool) (states, lost int) {
		disk := safeio.NewDisk()
		if lie {
			disk.Lie = func(safeio.Call) bool { return true }
		}
		d, err := openFS(disk)
		require.NoError(t, err)
		type said struct {
			members int
			held    string
		}
		disk.Mark(said{})
		for i := range 6 {
			set(t, d, "team", fmt.Sprint("m", i), subscribed)
			disk.Mark(said{members: i + 1})
			id := fmt.Sprintf("id%08d", i)
			require.NoError(t, d.Hold(t.Context(), id, smtp.Envelope{From: path("ann")}, strings.NewReader(strings.Repeat("x", 3000))))
			disk.Mark(said{held: id})
		}
		disk.Replay(func(m *safeio.Moment) bool {
			members, held := 0, []string{}
			for _, what := range m.Marks {
				s := what.(said)
				members = max(members, s.members)
				if s.held != "" {
					held = append(held, s.held)
				}
			}
			if len(m.Marks) == 0 {
				return true // while the directory is made
			}
			for seed := range uint64(4) {
				states++
				again, err := openFS(m.Cut(seed))
				if err != nil {
					lost++
					continue
				}
				n := 0
				for _, err := range again.All(context.Background(), path("team")) {
					if err != nil {
						n = -1
						break
					}
					n++
				}
				if n < members {
					lost++
				}
				for _, id := range held {
					_, blob, err := again.Open(context.Background(), id)
					if err != nil || blob.Size() != 3000 {
						lost++
					}
				}
			}
			return true
		})
		return states, lost
	}
	states, lost := run(false)
	t.Logf("%d states tried, %d lost", states, lost)
	assert.Zero(t, lost)
	_, lost = run(true)
	assert.NotZero(t, lost, "this test has no teeth")
}

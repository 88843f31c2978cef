package maildir

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/postilion-mail/postilion/internal/safeio"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// listing is one mailbox in the list.
type listing struct {
	name, dir string
	id        mailbox.ID
	use       []string
}

// maxID is how long an idFile is at most.
const maxID = 4 << 10

// list reads which mailboxes there are. Those that other programs made get an
// ID. The lock is held.
func (a *account) list() ([]listing, error) {
	all, err := a.fs().ReadDir(".")
	if err != nil {
		return nil, err
	}
	out := make([]listing, 1, len(all))
	if out[0], err = a.identify(mailbox.Inbox, "."); err != nil {
		return nil, err
	}
	for _, e := range all {
		name, ok := folderName(e.Name())
		if !ok || !e.IsDir() {
			continue
		}
		if _, err := a.fs().Lstat(path.Join(e.Name(), "cur")); errors.Is(err, fs.ErrNotExist) {
			continue // a directory of something else
		} else if err != nil {
			return nil, err // and not a mailbox that is gone
		}
		l, err := a.identify(name, e.Name())
		if err != nil {
			return nil, err
		}
		out = append(out, l)
	}
	slices.SortFunc(out[1:], func(x, y listing) int { return strings.Compare(x.name, y.name) })
	return out, nil
}

// peek reads the ID of a mailbox, which it may not have yet. It needs no lock.
func (a *account) peek(name, dir string) (l listing, ok bool, err error) {
	b, err := safeio.ReadFile(a.fs(), path.Join(dir, idFile), maxID)
	id, use, _ := strings.Cut(string(b), "\n")
	if err == nil && validID(id) {
		return listing{name, dir, mailbox.ID(id), strings.Fields(use)}, true, nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return listing{}, false, err
}

// identify reads the ID of a mailbox, or gives it one. The lock is held.
func (a *account) identify(name, dir string) (listing, error) {
	if l, ok, err := a.peek(name, dir); ok || err != nil {
		return l, err
	}
	for _, d := range []string{"cur", "new", "tmp"} {
		if err := safeio.MkdirSync(a.fs(), path.Join(dir, d), 0o700); err != nil {
			return listing{}, err
		}
	}
	id, err := random(a.rand)
	if err != nil {
		return listing{}, err
	}
	err = safeio.Replace(a.fs(), path.Join(dir, newPrefix+"id"), path.Join(dir, idFile), []byte(id+"\n\n"), 0o600)
	return listing{name, dir, mailbox.ID(id), nil}, err
}

// validID reports whether s is an ID as random makes it.
func validID(s string) bool {
	return len(s) == 16 && !strings.ContainsFunc(s, func(r rune) bool {
		return !('a' <= r && r <= 'z' || '2' <= r && r <= '7')
	})
}

// find looks a mailbox up. The lock is held.
func (a *account) find(is func(l listing) bool) (listing, bool, error) {
	all, err := a.list()
	if i := slices.IndexFunc(all, is); err == nil && i >= 0 {
		return all[i], true, nil
	}
	return listing{}, false, err
}

// named reads one mailbox of the list by its name. The lock is held.
func (a *account) named(name string) (l listing, there bool, err error) {
	if name, err = mailbox.CheckName(name); err != nil {
		return l, false, nil
	}
	dir, err := folderDir(name)
	if err != nil {
		return l, false, nil
	}
	if again, ok := folderName(dir); dir != "." && (!ok || again != name) {
		return l, false, nil
	}
	if _, err := a.fs().Lstat(path.Join(dir, "cur")); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return l, false, err
	}
	l, err = a.identify(name, dir)
	return l, err == nil, err
}

// quickly is named without the lock, for what is there and has an ID.
func (a *account) quickly(name string) (listing, bool) {
	if g, err := a.generation(); err != nil || g == "" || g != *a.gen.Load() {
		return listing{}, false
	}
	name, err := mailbox.CheckName(name)
	if err != nil {
		return listing{}, false
	}
	dir, err := folderDir(name)
	if err != nil {
		return listing{}, false
	}
	l, ok, err := a.peek(name, dir)
	return l, ok && err == nil
}

// stillAt reports whether a folder is where it was: other programs may rename it
// without a word.
func (a *account) stillAt(f *folder) bool {
	l, ok, err := a.peek("", *f.dir.Load())
	return err == nil && ok && l.id == f.id && !f.gone.Load()
}

// opened returns the folder of a mailbox that is open already, with another
// reference.
func (a *account) opened(id mailbox.ID) *folder {
	if g, err := a.generation(); err != nil || g != *a.gen.Load() {
		return nil
	}
	a.mu.Lock()
	f := a.folder(id)
	if f != nil {
		f.refs++
	}
	a.mu.Unlock()
	if f != nil && !a.stillAt(f) {
		a.release(f)
		return nil
	}
	return f
}

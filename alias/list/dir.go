package list

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net/url"
	"os"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/postilion-mail/postilion/internal/safeio"
	"github.com/postilion-mail/postilion/smtp"
)

// Dir keeps members and held posts in a directory, which one process has at a
// time. What it says it has kept is on the disk. Make one with [OpenDir].
//
// The members of a list are a text file, one a line, that is read once and written
// anew at each change: good for some thousands. It may be written by hand while no
// Manager runs; an address alone is a line:
//
//	<bob@hamburger.edu> subscribed
//	ann@crepes.fr
type Dir struct {
	fsys safeio.FS
	lock io.Closer
	tmp  atomic.Uint64 // for names

	mu    sync.Mutex                   // guards lists, and is held while one is written
	lists map[string]map[string]Member // those read so far
}

var (
	_ Members = (*Dir)(nil)
	_ Held    = (*Dir)(nil)
)

// Limits of a Dir.
const (
	maxMembersFile = 64 << 20
	maxHeldPosts   = 1000
	maxHeldHead    = 1 << 20
)

// OpenDir opens a directory, and makes it if it is not there. The error is that of
// the system, or says that another process has it.
func OpenDir(name string) (*Dir, error) {
	if err := os.MkdirAll(name, 0o700); err != nil {
		return nil, err
	}
	root, err := safeio.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	d, err := openFS(root)
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return d, nil
}

// openFS is OpenDir of anything.
func openFS(fsys safeio.FS) (*Dir, error) {
	lock, err := fsys.Lock("lock")
	if err != nil {
		return nil, err
	}
	d := &Dir{fsys: fsys, lock: lock, lists: map[string]map[string]Member{}}
	for _, name := range []string{"members", "held", "tmp"} {
		if err := safeio.MkdirSync(fsys, name, 0o700); err != nil {
			return nil, errors.Join(err, lock.Close())
		}
	}
	left, err := fsys.ReadDir("tmp") // by whoever died while writing
	for _, e := range left {
		err = errors.Join(err, fsys.Remove("tmp/"+e.Name()))
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return d, nil
}

// Close gives the directory back.
func (d *Dir) Close() error {
	return errors.Join(d.lock.Close(), d.fsys.Close())
}

// memberFile is the name of a list's file. No address can lead out of the
// directory by it, nor be the name of another.
func memberFile(list smtp.Path) (string, error) {
	name := url.QueryEscape(key(list))
	if len(name) > 200 {
		return "", fmt.Errorf("list: %s: the name is too long for a file", list.Address())
	}
	return "members/" + name, nil
}

// load reads a list, under mu.
func (d *Dir) load(list smtp.Path) (map[string]Member, string, error) {
	name, err := memberFile(list)
	if err != nil {
		return nil, "", err
	}
	if l, ok := d.lists[name]; ok {
		return l, name, nil
	}
	b, err := safeio.ReadFile(d.fsys, name, maxMembersFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, "", err
	}
	l, err := parseMembers(b)
	if err != nil {
		return nil, "", fmt.Errorf("list: %s: %w", name, err)
	}
	d.lists[name] = l
	return l, name, nil
}

// All yields the members in the order of their addresses; see [Members].
func (d *Dir) All(ctx context.Context, list smtp.Path) iter.Seq2[Member, error] {
	return func(yield func(Member, error) bool) {
		d.mu.Lock()
		l, _, err := d.load(list)
		all := sorted(l)
		d.mu.Unlock()
		if err != nil {
			yield(Member{}, err)
			return
		}
		each(ctx, all, yield)
	}
}

// Update changes a member; see [Members].
func (d *Dir) Update(ctx context.Context, list, member smtp.Path, fn func(*Member) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	l, name, err := d.load(list)
	if err != nil {
		return err
	}
	k := key(member)
	old, was := l[k]
	x := old
	if !was {
		x = Member{Path: member}
	}
	if err := fn(&x); err != nil {
		return err
	}
	if x.State == "" {
		if !was {
			return nil
		}
		delete(l, k)
	} else {
		l[k] = x
	}
	// The file is written whole beside the old one and takes its place in one step,
	// so that a crash leaves the one or the other.
	err = safeio.Replace(d.fsys, d.temporary(), name, formatMembers(l), 0o600)
	if err != nil {
		delete(d.lists, name) // whether it is there or not, the disk knows
	}
	return err
}

func (d *Dir) temporary() string { return "tmp/" + strconv.FormatUint(d.tmp.Add(1), 36) }

// heldFile is the name of a held post.
func heldFile(id string) (string, error) {
	if len(id) != 10 {
		return "", fmt.Errorf("list: %q is no ID of a post", id)
	}
	for i := range len(id) {
		if c := id[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return "", fmt.Errorf("list: %q is no ID of a post", id)
		}
	}
	return "held/" + id, nil
}

// Hold keeps a post; see [Held]. A thousand may wait; more is refused with 452.
func (d *Dir) Hold(ctx context.Context, id string, env smtp.Envelope, body io.Reader) error {
	name, err := heldFile(id)
	if err != nil {
		return err
	}
	if _, err := d.fsys.Lstat(name); err == nil {
		// Whoever put it there may have died before its name was safe.
		return d.fsys.SyncDir("held")
	}
	entries, err := d.fsys.ReadDir("held")
	if err != nil {
		return err
	}
	if len(entries) >= maxHeldPosts {
		return errHeldFull
	}
	tmp := d.temporary()
	if err := d.writeHeld(ctx, tmp, env, body); err != nil {
		return errors.Join(err, d.fsys.Remove(tmp))
	}
	// A link never replaces: the first that was held is the one that is seen.
	err = d.fsys.Link(tmp, name)
	if errors.Is(err, fs.ErrExist) {
		err = nil
	}
	if err = errors.Join(err, d.fsys.Remove(tmp)); err != nil {
		return err
	}
	return d.fsys.SyncDir("held")
}

// writeHeld writes the length of the envelope in eight hexadecimal digits, the
// envelope, and the body.
func (d *Dir) writeHeld(ctx context.Context, tmp string, env smtp.Envelope, body io.Reader) error {
	head, err := env.MarshalBinary()
	if err != nil {
		return err
	}
	f, err := d.fsys.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "%08x%s", len(head), head)
	if err == nil {
		_, err = io.Copy(writerOnly{f}, body)
	}
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// writerOnly hides what io.Copy might do else.
type writerOnly struct{ io.Writer }

// Open gives a post; see [Held].
func (d *Dir) Open(_ context.Context, id string) (env smtp.Envelope, _ Blob, err error) {
	name, err := heldFile(id)
	if err != nil {
		return env, nil, err
	}
	f, err := d.fsys.OpenFile(name, os.O_RDONLY, 0)
	if err != nil {
		return env, nil, err
	}
	b, err := readHeld(f, &env)
	if err != nil {
		return smtp.Envelope{}, nil, errors.Join(fmt.Errorf("list: %s: %w", name, err), f.Close())
	}
	return env, b, nil
}

func readHeld(f safeio.File, env *smtp.Envelope) (Blob, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	var digits [8]byte
	if _, err := io.ReadFull(io.NewSectionReader(f, 0, 8), digits[:]); err != nil {
		return nil, err
	}
	n, err := strconv.ParseUint(string(digits[:]), 16, 32)
	if err != nil || n > maxHeldHead {
		return nil, errors.New("damaged")
	}
	head := make([]byte, n)
	if _, err := io.ReadFull(io.NewSectionReader(f, 8, int64(n)), head); err != nil {
		return nil, err
	}
	if err := env.UnmarshalBinary(head); err != nil {
		return nil, err
	}
	at := 8 + int64(n)
	return &fileBlob{io.NewSectionReader(f, at, info.Size()-at), f}, nil
}

// Drop forgets a post; see [Held].
func (d *Dir) Drop(_ context.Context, id string) error {
	name, err := heldFile(id)
	if err != nil {
		return err
	}
	if err := d.fsys.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return d.fsys.SyncDir("held")
}

type fileBlob struct {
	*io.SectionReader
	io.Closer
}

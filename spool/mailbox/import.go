package mailbox

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"path"
	"strings"
)

// Import fills an account from files, such as os.DirFS("testdata") or an embed.FS:
// a file *.eml is a message of the mailbox whose name is that of its directory,
// INBOX at the top, and a file *.mbox is a mailbox of that name. Mailboxes are
// made as needed; other files are passed over. Text files with LF become CRLF.
// Received is the time of the file, or what the mbox says.
//
// Files are taken in the order of their names. n is how many messages were
// added, also with an error; those of one directory, or of one mbox, are all
// added or none.
func Import(ctx context.Context, s Store, fsys fs.FS) (n int, err error) {
	err = fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			k, err := importTo(ctx, s, p, emls(fsys, p))
			n += k
			return err
		case strings.HasSuffix(p, ".mbox"):
			f, err := fsys.Open(p)
			if err != nil {
				return err
			}
			defer f.Close()
			k, err := importTo(ctx, s, strings.TrimSuffix(p, ".mbox"), Mbox(f))
			n += k
			return err
		}
		return nil
	})
	return n, err
}

// importTo appends messages to a mailbox, which is made when the first one comes.
func importTo(ctx context.Context, s Store, name string, msgs iter.Seq2[*Incoming, error]) (int, error) {
	next, stop := iter.Pull2(msgs)
	defer stop()
	first, err, ok := next()
	if !ok || err != nil {
		return 0, err
	}
	if name == "." {
		name = Inbox
	}
	if _, err := s.Create(ctx, name); err != nil && !errors.Is(err, ErrExists) {
		return 0, err
	}
	m, err := OpenName(ctx, s, name)
	if err != nil {
		return 0, err
	}
	defer m.Close()
	uids, err := m.Append(ctx, func(yield func(*Incoming, error) bool) {
		for ; ok; first, err, ok = next() {
			if !yield(first, err) || err != nil {
				return
			}
		}
	})
	return len(uids), err
}

// emls opens the messages in a directory, one after the other.
func emls(fsys fs.FS, dir string) iter.Seq2[*Incoming, error] {
	return func(yield func(*Incoming, error) bool) {
		all, err := fs.ReadDir(fsys, dir)
		if err != nil {
			yield(nil, err)
			return
		}
		for _, e := range all {
			if e.IsDir() || path.Ext(e.Name()) != ".eml" {
				continue
			}
			if more, err := eml(fsys, path.Join(dir, e.Name()), yield); err != nil {
				yield(nil, err)
				return
			} else if !more {
				return
			}
		}
	}
}

// eml hands one message over.
func eml(fsys fs.FS, name string, yield func(*Incoming, error) bool) (more bool, err error) {
	f, err := fsys.Open(name)
	if err != nil {
		return false, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	return yield(&Incoming{Body: CRLF(f), Received: info.ModTime()}, nil), nil
}

package alias

import (
	"context"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postilion-mail/postilion/smtp"
)

// TableFile is a [Table] that follows its file, and those included in it. It
// may be used by many goroutines; make one with [Open].
//
// Lookup asks the file system at most once in ParseOptions.Every whether a
// file has changed, and replaces the whole table at once if so. A file that is
// gone or has mistakes changes nothing: the last good table stays, and Err and
// ParseOptions.Report tell of it. A file that was changed less than two seconds
// ago is not read yet, since it may be only half written.
type TableFile struct {
	file    string
	options ParseOptions
	table   atomic.Pointer[Table]
	next    atomic.Int64 // when to look again, in ns since 1970

	mu     sync.Mutex // guards what follows; held by the one who looks
	stamps []stamp
	young  bool // what was read may have been half of a file, or may change without its time changing
	err    atomic.Pointer[error]
}

// stamp is what was read, as it was then; info is nil for a file that was not
// there.
type stamp struct {
	file string
	info fs.FileInfo
}

// settled is how long a file must have been left alone to be trusted. It is
// also the coarsest clock of a file system still in use (FAT).
const settled = 2 * time.Second

// Open reads an aliases file and follows it. A file that has mistakes at the
// start is an error, as [Parse] has it.
func Open(file string, o ParseOptions) (*TableFile, error) {
	if o.Every == 0 {
		o.Every = time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	f := &TableFile{file: file, options: o}
	if err := f.Reload(); err != nil {
		return nil, err
	}
	return f, nil
}

// Lookup looks in the newest table there is; the error is always nil.
func (f *TableFile) Lookup(ctx context.Context, p smtp.Path) (Entry, bool, error) {
	f.follow()
	return f.table.Load().Lookup(ctx, p)
}

// Table is the table in use.
func (f *TableFile) Table() *Table { return f.table.Load() }

// Err says why the newest state of the file is not in use; nil if it is.
func (f *TableFile) Err() error {
	if err := f.err.Load(); err != nil {
		return *err
	}
	return nil
}

// follow reloads the table if it is time to look and something has changed.
// Whoever comes while another looks goes on with the table there is.
func (f *TableFile) follow() {
	now := f.options.Now()
	if now.UnixNano() < f.next.Load() || !f.mu.TryLock() {
		return
	}
	defer f.mu.Unlock()
	f.next.Store(now.Add(f.options.Every).UnixNano())
	if !f.young && !changed(f.stamps) {
		return
	}
	table, stamps, err := f.read()
	if f.young = young(stamps, now) || changed(stamps); f.young {
		return // somebody is writing: ask again
	}
	_ = f.replace(table, stamps, err) // kept for Err
}

// Reload reads the file now, changed or not. With an error the last good table
// stays.
func (f *TableFile) Reload() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.options.Now()
	f.next.Store(now.Add(f.options.Every).UnixNano())
	table, stamps, err := f.read()
	f.young = young(stamps, now)
	return f.replace(table, stamps, err)
}

// replace takes what was read into use, if it is good.
func (f *TableFile) replace(table *Table, stamps []stamp, err error) error {
	f.stamps = stamps
	before := f.Err()
	f.err.Store(&err)
	if err == nil {
		f.table.Store(table)
	} else if f.options.Report != nil && f.table.Load() != nil && (before == nil || before.Error() != err.Error()) {
		f.options.Report(err)
	}
	return err
}

// young reports whether a file was changed just now.
func young(stamps []stamp, now time.Time) bool {
	for _, s := range stamps {
		if s.info != nil && now.Sub(s.info.ModTime()).Abs() < settled {
			return true
		}
	}
	return false
}

// changed reports whether a file is no longer what it was.
func changed(stamps []stamp) bool {
	for _, s := range stamps {
		info, err := os.Stat(s.file)
		if err != nil {
			info = nil
		}
		switch {
		case (info == nil) != (s.info == nil):
			return true
		case info != nil && (!os.SameFile(info, s.info) || info.Size() != s.info.Size() ||
			!info.ModTime().Equal(s.info.ModTime()) || info.Mode() != s.info.Mode()):
			return true
		}
	}
	return false
}

func (f *TableFile) read() (*Table, []stamp, error) {
	in, info, err := openRegular(f.file)
	stamps := []stamp{{f.file, info}}
	if err != nil {
		return nil, stamps, err
	}
	defer in.Close()
	table, more, err := parse(in, f.file, f.options)
	return table, append(stamps, more...), err
}

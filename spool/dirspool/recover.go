package dirspool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/postilion-mail/postilion/internal/safeio"
	"github.com/postilion-mail/postilion/spool"
)

// Recovery is what Open found in the directory.
type Recovery struct {
	Files      int // with something left to do
	Items      int // in them
	Unfinished int // bodies that never came to their end, removed
	Unsettled  int // follow-ups of outcomes that were never recorded, removed
	Torn       int // files in which the last record was half written, and is gone
	Held       int // items held because too many processes died while delivering them
	Corrupt    int // damaged files, moved to corrupt/
	Unreadable int // files that the disk does not give; they stay where they are
}

// Recovery says what Open found.
func (s *Store) Recovery() Recovery { return s.recovery }

// Open opens a queue in a directory, which is made if it is not there, and takes
// up what was left in it. Its mode must not let others write into it. The error
// is [ErrLocked] if somebody else has it open.
func Open(dir string, o Options) (*Store, error) {
	if err := os.MkdirAll(dir, dirPerm); err != nil {
		return nil, fmt.Errorf("dirspool: %w", err)
	}
	fsys, err := safeio.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("dirspool: %w", err)
	}
	s, err := open(fsys, o)
	if err != nil {
		fsys.Close()
	}
	return s, err
}

func open(fsys safeio.FS, o Options) (*Store, error) {
	if err := checkPerm(fsys); err != nil {
		return nil, err
	}
	lock, err := fsys.Lock(lockName)
	if errors.Is(err, safeio.ErrLocked) {
		return nil, ErrLocked
	}
	if err != nil {
		return nil, fmt.Errorf("dirspool: %w", err)
	}
	s := &Store{opt: o, fsys: fsys, lock: lock, items: map[spool.ID]*entry{}, coming: map[spool.ID]chan struct{}{},
		idle: map[*entry]chan struct{}{}, leases: map[uint64]*group{}}
	s.dirs.Do, s.files.Do = fsys.SyncDir, s.syncFile
	if err := s.recover(); err != nil {
		lock.Close()
		return nil, fmt.Errorf("dirspool: recovery: %w", err)
	}
	return s, nil
}

// recover reads the directory. It may itself be cut short at any point, and
// begun again.
func (s *Store) recover() error {
	if _, err := io.ReadFull(s.opt.rand(), s.run[:]); err != nil {
		return err
	}
	// Tokens begin somewhere else in each process, so that a lease of the one
	// before is no lease of ours.
	s.token = binary.LittleEndian.Uint64(s.run[:]) >> 1
	if err := prepare(s.fsys); err != nil {
		return err
	}
	todo, err := s.listQueue()
	if err != nil {
		return err
	}
	all, err := s.scan(todo)
	if err != nil {
		return err
	}
	if err := s.sort(all); err != nil {
		return err
	}
	if r := s.recovery; r != (Recovery{}) { // an empty queue is no news
		s.opt.log().Info("spool is open", "items", r.Items, "torn", r.Torn, "held", r.Held, "corrupt", r.Corrupt, "unreadable", r.Unreadable)
	}
	return nil
}

// found is a file as it was found.
type found struct {
	file     *file
	parent   fileName
	children []fileName
	entries  []*entry // of the items that are not done
	crashes  []int    // for each: processes in a row that died while delivering it
	corrupt  error
	unread   error // the disk does not give it
	torn     bool
}

// listQueue finds the files. What other processes did to the names is put on the
// disk first: what we decide by a name that is there, or gone, must not turn out
// otherwise after a power cut.
func (s *Store) listQueue() ([]*found, error) {
	dirs, err := s.fsys.ReadDir(queueDir)
	if err != nil {
		return nil, err
	}
	var out []*found
	for _, d := range dirs {
		shard, err := strconv.ParseUint(d.Name(), 16, 8)
		if err != nil || len(d.Name()) != 2 || !d.IsDir() {
			s.opt.log().Warn("spool has a stranger", "name", d.Name())
			continue
		}
		dir := shardPath(uint8(shard))
		if err := s.fsys.SyncDir(dir); err != nil {
			return nil, err
		}
		list, err := s.fsys.ReadDir(dir)
		if err != nil {
			return nil, err
		}
		for _, e := range list {
			if strings.HasSuffix(e.Name(), tmpSuffix) {
				// The lock is ours: nobody is writing it any more.
				if err := s.fsys.Remove(dir + "/" + e.Name()); err != nil {
					return nil, err
				}
				s.recovery.Unfinished++
				continue
			}
			name, ok := parseName(e.Name())
			if !ok || !e.Type().IsRegular() {
				s.opt.log().Warn("spool has a stranger", "name", e.Name())
				continue
			}
			out = append(out, &found{file: &file{name: name, shard: uint8(shard)}})
			s.shards.count[shard]++
		}
	}
	return out, nil
}

// scan reads all files, several at a time.
func (s *Store) scan(todo []*found) ([]*found, error) {
	workers := 2 * runtime.GOMAXPROCS(0)
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			// Most files fit in whole: one call for each.
			buf := make([]byte, 16<<10)
			for i := w; i < len(todo) && errs[w] == nil; i += workers {
				buf, errs[w] = s.readFile(todo[i], buf)
			}
		})
	}
	wg.Wait()
	return todo, errors.Join(errs...)
}

// readFile reads one file, into buf if it is large enough, and gives the buffer
// for the next one.
func (s *Store) readFile(fd *found, buf []byte) ([]byte, error) {
	buf = buf[:cap(buf)]
	h, err := s.fsys.OpenFile(fd.file.path(), os.O_RDWR, 0)
	if err != nil {
		return buf, fd.failed(err)
	}
	defer h.Close()
	n, err := h.ReadAt(buf, 0)
	if err != nil && err != io.EOF {
		return buf, fd.failed(err)
	}
	head, corrupt := parseHeader(buf[:n], fd.file.name)
	if corrupt != nil {
		fd.corrupt = corrupt
		return buf, nil
	}
	records := buf[min(int64(n), headerLen+head.body):n]
	if err == nil { // there is more of it
		if buf, err = readRecords(h, headerLen+head.body, buf); err != nil {
			return buf, fd.failed(err)
		}
		records = buf
	}
	// The items are decoded and dropped again: what stays are a few words for each.
	im, corrupt := parseImage(head, records, fd.file.name)
	if corrupt != nil {
		fd.corrupt = corrupt
		return buf, nil
	}
	fd.take(im)
	return buf, s.mend(h, fd.file, im, records)
}

// readRecords reads all from an offset on.
func readRecords(h safeio.File, off int64, buf []byte) ([]byte, error) {
	info, err := h.Stat()
	if err != nil {
		return buf, err
	}
	size := min(max(info.Size()-off, 0), maxRecords)
	if int64(cap(buf)) < size {
		buf = make([]byte, size)
	}
	n, err := h.ReadAt(buf[:size], off)
	if err == io.EOF {
		err = nil
	}
	return buf[:n], err
}

// failed decides what an error of the system means: a bad spot of the disk is
// no reason to keep all other mail, but without a descriptor, say, nothing can
// be said of any file.
func (fd *found) failed(err error) error {
	if errors.Is(err, syscall.EIO) {
		fd.unread = err
		return nil
	}
	return err
}

// take keeps what the index needs.
func (fd *found) take(im *image) {
	f := fd.file
	f.records, f.seed, f.tail, f.synced = headerLen+im.head.body, im.head.seed(f.name), im.tail, im.synced
	fd.parent, fd.children, fd.torn = im.parent, im.children, im.torn
	for i, it := range im.items {
		e := newEntry(it.item, it.rcpts, f, i, it.at)
		if e.open > 0 {
			fd.entries = append(fd.entries, e)
			fd.crashes = append(fd.crashes, len(it.runs))
		}
	}
}

// mend cuts off what a crash left half written, and puts on the disk what we are
// going to rely on: another process wrote it, and may have died before its sync.
// It is written again, since a sync that failed may have left the file clean
// without being on the disk.
func (s *Store) mend(h safeio.File, f *file, im *image, records []byte) error {
	relied := im.relied > im.synced
	if !im.torn && !relied {
		return nil
	}
	if im.torn {
		if err := h.Truncate(f.records + int64(im.tail)); err != nil {
			return err
		}
	}
	if relied {
		if _, err := h.WriteAt(records[im.synced:im.tail], f.records+int64(im.synced)); err != nil {
			return err
		}
	}
	if err := h.Datasync(); err != nil {
		return err
	}
	f.synced = im.tail // the next record may rely on it
	return nil
}

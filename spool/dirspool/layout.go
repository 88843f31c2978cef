package dirspool

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"github.com/postilion-mail/postilion/internal/safeio"
)

// The names in the directory.
const (
	lockName    = "lock"
	versionName = "VERSION"
	queueDir    = "q"       // 00 to ff, with a file for each submission
	corruptDir  = "corrupt" // files that are damaged, for people to look at
	tmpSuffix   = ".tmp"    // of a file that is not complete
	versionText = "postilion dirspool 1\n"
)

const (
	dirPerm  = 0o700
	filePerm = 0o600
)

func corruptPath(n fileName) string { return corruptDir + "/" + n.String() }
func shardPath(shard uint8) string  { return fmt.Sprintf("%s/%02x", queueDir, shard) }

func (f *file) dir() string  { return shardPath(f.shard) }
func (f *file) path() string { return f.dir() + "/" + f.name.String() }
func (f *file) tmp() string  { return f.path() + tmpSuffix }

// prepare makes the directories of a new spool, or finishes what a crash left
// half made. VERSION comes last.
func prepare(fsys safeio.FS) error {
	b, err := safeio.ReadFile(fsys, versionName, 100)
	switch {
	case err == nil && string(b) != versionText:
		return fmt.Errorf("dirspool: the directory has another version: %q", b)
	case err == nil:
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	for _, dir := range []string{queueDir, corruptDir} {
		if err := safeio.MkdirSync(fsys, dir, dirPerm); err != nil {
			return err
		}
	}
	return safeio.Replace(fsys, versionName+tmpSuffix, versionName, []byte(versionText), filePerm)
}

// checkPerm refuses a directory into which others may write: they could put
// files of theirs in place of ours.
func checkPerm(fsys safeio.FS) error {
	info, err := fsys.Lstat(".")
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o022 != 0 && permsMatter {
		return fmt.Errorf("dirspool: others may write into the directory, it is %v; make it 0700", info.Mode().Perm())
	}
	return nil
}

// shards says into which directory of q/ the next file goes. They are filled one
// after another, so that all who put mail at the same time share the syncs of
// one directory, and none gets too large.
type shards struct {
	mu    sync.Mutex // guards all; held while a directory is made, once in a few thousand files
	now   uint8
	count [256]int // files put into each since it was last begun; those that went count too
	known [256]bool
}

// shard gives the directory for the next file.
func (s *Store) shard() (uint8, error) {
	sh := &s.shards
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.turn(s.opt.filesPerShard())
	if !sh.known[sh.now] {
		// Its name is on the disk before any file is in it.
		if err := safeio.MkdirSync(s.fsys, shardPath(sh.now), dirPerm); err != nil {
			return 0, err
		}
		sh.known[sh.now] = true
	}
	sh.count[sh.now]++
	return sh.now, nil
}

// turn goes to the next directory with room, when there is none in this one. If
// there is none in any, the next one is begun again: most of what was put into it
// has gone by now.
func (sh *shards) turn(limit int) {
	for range len(sh.count) {
		if sh.count[sh.now] < limit {
			return
		}
		sh.now++ // from ff to 00
	}
	sh.now++
	sh.count[sh.now] = 0
}

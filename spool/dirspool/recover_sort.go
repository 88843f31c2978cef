package dirspool

import (
	"errors"
	"fmt"

	"github.com/postilion-mail/postilion/spool"
)

// sort decides what becomes of each file. All must have been read before: whether
// a follow-up counts is said by another file than its own.
func (s *Store) sort(all []*found) error {
	there := make(map[fileName]*found, len(all))
	named := map[fileName]bool{}
	for _, fd := range all {
		if fd.corrupt == nil {
			there[fd.file.name] = fd
		}
		for _, c := range fd.children {
			named[c] = true
		}
	}
	drop := map[string]bool{} // directories in which a follow-up was removed
	for _, fd := range all {
		var err error
		parent := there[fd.parent]
		switch {
		case fd.corrupt != nil:
			// A parent that is damaged is as good as gone: it will bring no second
			// bounce, so the one that is there goes out.
			err = s.sortCorrupt(fd)
		case fd.unread != nil, parent != nil && parent.unread != nil:
			// Whether a follow-up counts is known when its parent can be read.
			s.recovery.Unreadable++
			s.opt.log().Error("spool file cannot be read", "file", fd.file.name.String(), "err", fd.unread)
		case parent != nil && !named[fd.file.name]:
			// Its Settle never returned; the worker settles again, with another one.
			s.recovery.Unsettled++
			drop[fd.file.dir()] = true
			err = s.fsys.Remove(fd.file.path())
		case len(fd.entries) == 0:
			// All is recorded as done, so it does not matter if this is lost again.
			s.remove(fd.file)
		default:
			err = s.keep(fd)
		}
		if err != nil {
			return err
		}
	}
	// A follow-up that came back after its parent is gone would count.
	for dir := range drop {
		if err := s.fsys.SyncDir(dir); err != nil {
			return err
		}
	}
	return nil
}

// sortCorrupt moves a damaged file out of the way.
func (s *Store) sortCorrupt(fd *found) error {
	s.recovery.Corrupt++
	s.opt.log().Error("spool file is damaged", "file", fd.file.name.String(), "err", fd.corrupt)
	return s.setAside(fd.file)
}

// keep puts a file into the index.
func (s *Store) keep(fd *found) error {
	for _, e := range fd.entries {
		// No crash does this; somebody has copied a spool into another.
		if s.items[e.id] != nil {
			fd.corrupt = fmt.Errorf("%w: another file has the item %s too", spool.ErrCorrupt, e.id)
			return s.sortCorrupt(fd)
		}
	}
	s.recovery.Files++
	if fd.torn {
		s.recovery.Torn++
	}
	for n, e := range fd.entries {
		s.recovery.Items++
		if limit := s.opt.maxCrashes(); limit >= 0 && fd.crashes[n] >= limit {
			s.recovery.Held++
			s.opt.log().Error("spool item is held", "id", string(e.id), "err", errors.New("processes died while delivering it"))
			for _, i := range e.all() {
				e.rcpts[i].held = true
			}
		}
		s.items[e.id] = e
		for i := range e.groups {
			s.sched.Update(&e.groups[i])
		}
	}
	return nil
}

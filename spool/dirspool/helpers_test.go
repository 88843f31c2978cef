package dirspool

import (
	"sync/atomic"
	"syscall"

	"github.com/postilion-mail/postilion/internal/safeio"
)

// slowFS stops in each sync of a directory while on, and then may fail it.
type slowFS struct {
	*safeio.Disk
	on, fail atomic.Bool
	syncing  chan<- bool
	goOn     <-chan bool
}

func (f *slowFS) SyncDir(name string) error {
	if f.on.Load() {
		f.syncing <- true
		<-f.goOn
	}
	if f.fail.Load() {
		return syscall.EIO
	}
	return f.Disk.SyncDir(name)
}

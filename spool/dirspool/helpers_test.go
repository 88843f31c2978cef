package dirspool

import (
	"sync/atomic"

	"github.com/postilion-mail/postilion/internal/safeio"
)

// slowFS stops in each sync of a directory while on.
type slowFS struct {
	*safeio.Disk
	on      atomic.Bool
	syncing chan<- bool
	goOn    <-chan bool
}

func (f *slowFS) SyncDir(name string) error {
	if f.on.Load() {
		f.syncing <- true
		<-f.goOn
	}
	return f.Disk.SyncDir(name)
}

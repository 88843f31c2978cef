package dirspool

import (
	"os"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/postilion-mail/postilion/internal/safeio"
)

// TestMain lets garbage lie longer: thousands of small disks are made and thrown
// away, and half the time went into collecting them.
func TestMain(m *testing.M) {
	debug.SetGCPercent(800)
	os.Exit(m.Run())
}

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

package dirspool

import (
	"cmp"
	"crypto/rand"
	"io"
	"log/slog"
	"time"

	"github.com/postilion-mail/postilion/internal/safeio"
)

// Options are the limits of a [Store]. The zero Options are good for a server
// of its own.
type Options struct {
	// ReserveBytes and ReserveInodes are what is left free on the file system:
	// mail that would go below is refused with [spool.ErrFull]. Outcomes and
	// follow-ups may use it. 0 means 64 MiB and 1,024 inodes, negative none.
	ReserveBytes  int64
	ReserveInodes int64
	// MaxItems bounds the queue, and with it the memory, of which an item takes
	// less than 600 bytes. Follow-ups may use an eighth more. 0 means 1,000,000,
	// negative no limit.
	MaxItems int
	// MaxCrashes is how many processes in a row may have died while an item was
	// being delivered; one that may be the cause is then held, until an operator
	// releases it. 0 means 3, negative never.
	MaxCrashes int
	Now        func() time.Time // nil means time.Now
	Rand       io.Reader        // for IDs, read by one goroutine at a time; nil means crypto/rand
	// Log hears of what an operator should look at: damaged files, items held
	// because of crashes, a disk that fails. nil means silent.
	Log *slog.Logger

	perShard int // files in one directory before the next is begun; 0 means 1024
}

func (o *Options) reserve() safeio.Space {
	return safeio.Space{Bytes: max(cmp.Or(o.ReserveBytes, 64<<20), 0), Inodes: max(cmp.Or(o.ReserveInodes, 1024), 0)}
}

func (o *Options) maxItems() int { return cmp.Or(o.MaxItems, 1_000_000) }

func (o *Options) maxCrashes() int { return cmp.Or(o.MaxCrashes, 3) }

func (o *Options) filesPerShard() int { return cmp.Or(o.perShard, 1024) }

func (o *Options) now() time.Time {
	if o.Now != nil {
		return o.Now()
	}
	return time.Now()
}

func (o *Options) rand() io.Reader {
	if o.Rand != nil {
		return o.Rand
	}
	return rand.Reader
}

func (o *Options) log() *slog.Logger {
	if o.Log != nil {
		return o.Log
	}
	return slog.New(slog.DiscardHandler)
}

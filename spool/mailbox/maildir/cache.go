package maildir

import (
	"encoding/binary"
	"hash/crc32"
	"maps"
	"os"
	"slices"

	"github.com/postilion-mail/postilion/internal/safeio"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// Limits of what is kept of messages beside them.
const (
	maxCached  = 256 << 10 // bytes for one message
	maxPending = 64 << 10  // bytes in memory
	maxCache   = 256 << 20 // bytes of the file, which then begins anew
)

// cacheRef is where something stands in the cache file: the place and, in the
// lower 24 bits, the length. 0 is nowhere.
type cacheRef uint64

func (c cacheRef) at() (off int64, n int) { return int64(c >> 24), int(c & (1<<24 - 1)) }

// cache is what servers found out about messages. It is in a file of its own,
// that is never synced: each entry has a checksum, and one that is torn is none.
//
//	entry   length 4, crc 4, UIDVALIDITY 4, UID 4, bytes; the crc covers all
//	        behind it
type cache struct { // guarded by folder.mu
	file    safeio.File // nil until it is needed
	ahead   ahead
	end     int64 // of what is known of file
	ready   bool  // the index has the places
	pending map[mailbox.UID][]byte
	bytes   int // of pending
}

const cacheHead = 16

// cacheEntry is what stands in the file for one message.
func cacheEntry(validity uint32, uid mailbox.UID, b []byte) []byte {
	e := make([]byte, cacheHead, cacheHead+len(b))
	binary.BigEndian.PutUint32(e, uint32(len(b)))
	binary.BigEndian.PutUint32(e[8:], validity)
	binary.BigEndian.PutUint32(e[12:], uint32(uid))
	e = append(e, b...)
	binary.BigEndian.PutUint32(e[4:], crc32.Checksum(e[8:], castagnoli))
	return e
}

// splitEntry takes the first entry of b; n is its whole length, 0 if it is torn.
func splitEntry(b []byte) (validity uint32, uid mailbox.UID, content []byte, n int) {
	if len(b) < cacheHead {
		return 0, 0, nil, 0
	}
	size := binary.BigEndian.Uint32(b)
	if size > maxCached || int(size) > len(b)-cacheHead {
		return 0, 0, nil, 0
	}
	n = cacheHead + int(size)
	if crc32.Checksum(b[8:n], castagnoli) != binary.BigEndian.Uint32(b[4:]) {
		return 0, 0, nil, 0
	}
	return binary.BigEndian.Uint32(b[8:]), mailbox.UID(binary.BigEndian.Uint32(b[12:])), b[cacheHead:n], n
}

// close closes the file; what is in it is found again when it is needed.
func (c *cache) close() {
	if c.file != nil {
		c.file.Close()
		c.file = nil
	}
	c.ready, c.end = false, 0
}

// Cached returns what PutCached kept; see [mailbox.Cacher].
func (b *box) Cached(uid mailbox.UID) ([]byte, bool) {
	f := b.folder
	f.mu.RLock()
	ready := f.cached.ready
	f.mu.RUnlock()
	if !ready {
		f.mu.Lock()
		f.loadCache()
		f.mu.Unlock()
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.idx == nil {
		return nil, false
	}
	i, ok := f.idx.find(uid)
	if !ok {
		return nil, false
	}
	if p, ok := f.cached.pending[uid]; ok {
		return p, true
	}
	ref := f.idx.recs[i].cache
	if ref == 0 || f.cached.file == nil {
		return nil, false
	}
	off, n := ref.at()
	buf, err := f.cached.ahead.read(f.cached.file, off, n, f.cached.end)
	if err != nil {
		return nil, false
	}
	validity, u, content, got := splitEntry(buf)
	return content, got == n && u == uid && validity == f.idx.head.validity
}

// PutCached keeps something; see [mailbox.Cacher].
func (b *box) PutCached(uid mailbox.UID, p []byte) {
	f := b.folder
	f.mu.Lock()
	full := false
	if f.idx != nil && len(p) <= maxCached {
		if _, ok := f.idx.find(uid); ok {
			if f.cached.pending == nil {
				f.cached.pending = map[mailbox.UID][]byte{}
			}
			f.cached.bytes += len(p) - len(f.cached.pending[uid])
			f.cached.pending[uid] = p
			full = f.cached.bytes > maxPending || len(f.cached.pending) > 1000
		}
	}
	f.mu.Unlock()
	if full {
		f.flushCache()
	}
}

// loadCache finds out what is in the file; mu is held. The last entry of a
// message counts.
func (f *folder) loadCache() {
	if f.cached.ready || f.idx == nil {
		return
	}
	f.cached.ready = true
	file, err := f.fs().OpenFile(f.at(cacheFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return // it is a cache
	}
	f.cached.file = file
	var at int64
	buf := make([]byte, 0, 1<<20)
	for {
		n, err := file.ReadAt(buf[len(buf):cap(buf)], at+int64(len(buf)))
		buf = buf[:len(buf)+n]
		used := f.takeEntries(buf, at)
		at += int64(used)
		f.cached.end = at
		buf = buf[:copy(buf, buf[used:])]
		if err != nil || used == 0 {
			break
		}
	}
}

// takeEntries notes the places of entries in b, which stands at a place of the
// file, and returns how much of it was whole.
func (f *folder) takeEntries(b []byte, at int64) (used int) {
	for {
		validity, uid, _, n := splitEntry(b[used:])
		if n == 0 {
			return used
		}
		if i, ok := f.idx.find(uid); ok && validity == f.idx.head.validity {
			f.idx.recs[i].cache = cacheRef(at+int64(used))<<24 | cacheRef(n)
		}
		used += n
	}
}

// flushCache writes what is pending, if nobody holds the lock: it is not worth
// waiting for.
func (f *folder) flushCache() {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := &f.cached
	if len(c.pending) == 0 || f.idx == nil {
		return
	}
	f.loadCache()
	pending := c.pending
	c.pending, c.bytes = nil, 0
	if c.file == nil {
		return
	}
	l, err := f.fs().Lock(f.at(cacheFile + ".lock"))
	if err != nil {
		return
	}
	defer l.Close()
	info, err := c.file.Stat()
	if err != nil {
		return
	}
	at := info.Size()
	if at > maxCache {
		if at = 0; c.file.Truncate(0) != nil {
			return
		}
	}
	var b []byte
	for _, uid := range slices.Sorted(maps.Keys(pending)) { // as they will be read
		b = append(b, cacheEntry(f.idx.head.validity, uid, pending[uid])...)
	}
	if _, err := c.file.WriteAt(b, at); err == nil {
		f.takeEntries(b, at)
		c.end = at + int64(len(b))
	}
}

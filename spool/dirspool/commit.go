package dirspool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/postilion-mail/postilion/spool"
)

// Commit puts the body with its items; see [spool.Writer]. A ctx that ends while
// the disk is at work is not noticed before that is done.
func (w *writer) Commit(ctx context.Context, items ...*spool.Item) error {
	if w.file == nil || w.failed != nil {
		return fmt.Errorf("%w: the writer is used up", spool.ErrInvalid)
	}
	s := w.s
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.ops.Done()
	p := &publication{s: s}
	if err := p.publish(ctx, batch{w, items}); err != nil {
		w.failed = err
		return err
	}
	p.release()
	return nil
}

// batch is a body with its items.
type batch struct {
	w     *writer
	items []*spool.Item
}

// publication is mail on its way into q/. First publish puts it there, durably,
// while nobody sees it; then release shows it to all, or retract takes it back.
type publication struct {
	s      *Store
	parent *file // whose follow-ups these are; nil if they are none
	ids    map[spool.ID]bool
	parts  []*part
}

// part is one file of a publication.
type part struct {
	w     *writer
	items []*spool.Item // those that the store does not have
	file  *file
	at    []uint32 // where the record of each item is
}

// publish puts the batches into q/. After an error nothing is there, unless the
// Store is broken.
func (p *publication) publish(ctx context.Context, batches ...batch) error {
	if err := p.reserve(ctx, batches); err != nil {
		return err
	}
	begun := p.s.opt.now()
	err := p.write(ctx)
	if err == nil {
		err = p.move(ctx)
	}
	if err != nil {
		p.unreserve()
		return err
	}
	p.s.measure(p.s.opt.now().Sub(begun))
	return nil
}

// reserve fills the items in, and takes their IDs for this publication alone.
// Who comes with the same ID meanwhile waits, since it is not known yet whether
// the store will have it.
func (p *publication) reserve(ctx context.Context, batches []batch) error {
	s := p.s
	for _, b := range batches {
		s.random.Lock()
		err := spool.Prepare(s.opt.now(), s.opt.rand(), b.items...)
		s.random.Unlock()
		if err != nil {
			return err
		}
	}
	// Either all IDs are taken at once or none while waiting, so that two who want
	// the same ones cannot wait for each other.
	for {
		// Not take: Close waits for us, and what began is brought to its end.
		s.mu.Lock()
		if s.broken != nil {
			s.mu.Unlock()
			return s.broken
		}
		wait, err := p.reserveNow(batches)
		s.mu.Unlock()
		if wait == nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-wait:
		}
	}
}

// reserveNow is reserve if nobody else has one of the IDs, and else says whom to
// wait for. The lock is held.
func (p *publication) reserveNow(batches []batch) (wait chan struct{}, err error) {
	s := p.s
	p.ids, p.parts = map[spool.ID]bool{}, nil
	for _, b := range batches {
		pt := &part{w: b.w}
		for _, it := range b.items {
			if c := s.coming[it.ID]; c != nil {
				return c, nil
			}
			// Several follow-ups may name one ID.
			if s.items[it.ID] == nil && !p.ids[it.ID] {
				p.ids[it.ID] = true
				pt.items = append(pt.items, it)
			}
		}
		p.parts = append(p.parts, pt)
	}
	if limit := s.opt.maxItems(); limit >= 0 {
		if p.parent != nil {
			limit += max(limit/8, 1)
		}
		if n := len(s.items) + len(s.coming) + len(p.ids); n > limit {
			return nil, fmt.Errorf("%w: %d items", spool.ErrFull, n)
		}
	}
	done := make(chan struct{})
	for id := range p.ids {
		s.coming[id] = done
	}
	return nil, nil
}

// unreserve lets those go on who wait for one of the IDs.
func (p *publication) unreserve() {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	p.unreserveLocked()
}

func (p *publication) unreserveLocked() {
	for id := range p.ids {
		if c := p.s.coming[id]; c != nil {
			select {
			case <-c:
			default:
				close(c) // they share one
			}
			delete(p.s.coming, id)
		}
	}
}

// write puts the bytes of all files on the disk, under names for the time being.
func (p *publication) write(ctx context.Context) error {
	if p.parent == nil {
		if err := p.s.inTime(ctx); err != nil {
			return err
		}
	}
	for _, pt := range p.parts {
		if len(pt.items) == 0 {
			// The store has them all already: the body is not needed.
			pt.w.Abort()
			continue
		}
		if err := p.writePart(pt); err != nil {
			p.abort()
			return err
		}
	}
	return nil
}

func (p *publication) writePart(pt *part) error {
	var h header
	p.s.random.Lock()
	_, err := io.ReadFull(p.s.opt.rand(), h.nonce[:])
	p.s.random.Unlock()
	if err != nil {
		return err
	}
	pt.file = &file{name: pt.w.at.name, shard: pt.w.at.shard, records: headerLen + pt.w.size, seed: h.seed(pt.w.at.name)}
	var b []byte
	for _, it := range pt.items {
		pt.at = append(pt.at, uint32(len(b)))
		start := len(b)
		if b, err = it.AppendBinary(beginRecord(b, kindItem, 0)); err != nil {
			return err
		}
		if b = endRecord(b, start, pt.file.seed); len(b) > maxRecords/2 {
			return fmt.Errorf("%w: the envelopes are too large", spool.ErrInvalid)
		}
	}
	c := commit{items: len(pt.items)}
	if p.parent != nil {
		c.parent = p.parent.name
	}
	b = endRecord(c.append(beginRecord(b, kindCommit, 0)), len(b), pt.file.seed)
	pt.file.tail, pt.file.synced = uint32(len(b)), uint32(len(b))
	return pt.w.finish(h, b)
}

// abort removes what has no name of its own yet.
func (p *publication) abort() {
	for _, pt := range p.parts {
		if pt.w.file == nil && pt.file != nil {
			_ = p.s.fsys.Remove(pt.file.tmp())
		}
		pt.w.Abort()
	}
}

// move gives the files their names in q/, and returns when these are on the
// disk. There is no way back from a sync that failed: the names may be there.
func (p *publication) move(ctx context.Context) error {
	s := p.s
	// The last moment at which nothing has happened yet.
	if err := ctx.Err(); err != nil {
		p.abort()
		return err
	}
	shards := map[uint8]bool{}
	for _, pt := range p.parts {
		if pt.file == nil {
			continue
		}
		shards[pt.file.shard] = true
		if err := s.fsys.Rename(pt.file.tmp(), pt.file.path()); err != nil {
			p.abort()
			return errors.Join(full(err), p.takeBack())
		}
	}
	for shard := range shards {
		if err := s.dirs.Sync(shardPath(shard)); err != nil {
			// Trying to remove them makes a second copy less likely, no more.
			_ = p.takeBack()
			return s.fail(err)
		}
	}
	return nil
}

// measure keeps how long the disk takes: the longest of late.
func (s *Store) measure(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pace = max(d, s.pace*15/16)
}

// inTime refuses early what the peer would not wait for: it would send the
// message again, and it would come twice (RFC 5321 §4.5.3.2.6). Who is refused
// makes the guess smaller, so that before long one gets through and shows how
// the disk is doing.
func (s *Store) inTime(ctx context.Context) error {
	end, ok := ctx.Deadline()
	if !ok {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if end.Sub(s.opt.now()) >= s.pace {
		return nil
	}
	err := fmt.Errorf("%w: the disk takes %v", spool.ErrBusy, s.pace)
	s.pace = s.pace * 15 / 16
	return err
}

// takeBack removes the files from q/, durably: nobody is to find them there
// after a crash. If that is not sure the Store is broken.
func (p *publication) takeBack() error {
	shards := map[string]bool{}
	for _, pt := range p.parts {
		if pt.file == nil {
			continue
		}
		// A rename that failed may have happened.
		err := p.s.fsys.Remove(pt.file.path())
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return p.s.fail(err)
		}
		shards[pt.file.dir()] = true
	}
	for dir := range shards {
		if err := p.s.dirs.Sync(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return p.s.fail(err)
		}
	}
	return nil
}

// release shows the items to all.
func (p *publication) release() {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	p.releaseLocked()
}

func (p *publication) releaseLocked() {
	s := p.s
	for _, pt := range p.parts {
		for i, it := range pt.items {
			e := newEntry(it, newRcpts(it), pt.file, i, pt.at[i])
			s.items[it.ID] = e
			for j := range e.groups {
				s.sched.Update(&e.groups[j])
			}
		}
	}
	p.unreserveLocked()
	s.wake()
}

// retract is the end of a publication that must not be seen.
func (p *publication) retract() {
	_ = p.takeBack() // or the Store is broken
	p.unreserve()
}

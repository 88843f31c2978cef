package wire

import "time"

// Watch waits in the background for the peer to go away and then calls gone.
// It ends when a byte comes, which is kept for the next read: a peer that
// sends is there. The owner of the reader must not touch it before
// [Reader.Unwatch], which every read begins with by itself.
func (r *Reader) Watch(gone func()) { r.watchFor(gone, nil) }

// WatchNews is [Reader.Watch] for those who expect silence: news is called for
// whatever comes, bytes or the end.
func (r *Reader) WatchNews(news func()) { r.watchFor(news, news) }

func (r *Reader) watchFor(gone, came func()) {
	if r.watch != nil || r.err != nil || r.Buffered() > 0 {
		return
	}
	r.Release()
	r.big = false
	r.setDeadline(time.Time{})
	done := make(chan struct{})
	r.watch = done
	go func() {
		defer close(done)
		n, err := r.readOnce()
		r.w += n
		switch {
		case n > 0 && came != nil:
			came()
		case n == 0 && !IsTimeout(err):
			r.err = err
			gone()
		}
	}()
}

// Unwatch ends a background wait and comes back when it is over.
func (r *Reader) Unwatch() {
	if r.watch == nil {
		return
	}
	select {
	case <-r.watch:
	default:
		// A deadline in the past wakes the read; it loses no byte.
		_ = r.src.SetReadDeadline(past)
		<-r.watch
		r.until = past
	}
	r.watch = nil
}

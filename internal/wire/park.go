package wire

import "time"

// patience is how long [Reader.Ready] waits where it is called. It is longer
// than what most peers take to answer, so that those who work pay nothing for
// the change of goroutines, and short enough that who is idle is soon cheap.
const patience = 100 * time.Millisecond

// Ready waits for the first bytes of what comes next; it is [Reader.Fill] where
// nothing is buffered. But if nothing comes for a while it may report
// [ErrParked]: then the owner is to end its goroutine, which has a stack that
// has grown, call [Reader.Wait] on a new one, and then Ready again on one more.
// The deadline is the one that the first Ready asked for. See serve.Dialogue,
// which does this.
func (r *Reader) Ready() error {
	r.Unwatch()
	if r.Buffered() > 0 {
		return nil
	}
	r.mayPark = r.socket != nil
	err := r.Fill(0)
	r.mayPark = false
	return err
}

// Parked reports whether the last Ready ended with [ErrParked].
func (r *Reader) Parked() bool { return r.parked }

// setDeadlines sets the deadline of the read that comes: until, or a brief one
// before it if the reader may park.
func (r *Reader) setDeadlines(until time.Time) (brief bool) {
	if !r.mayPark {
		r.setDeadline(until)
		return false
	}
	now := time.Now()
	last := now.Add(patience)
	if !until.IsZero() && !last.Before(until) {
		r.setDeadline(until)
		return false
	}
	// A peer that sends one command after the other moves it once in a while.
	if left := r.until.Sub(now); left < patience/2 || left > patience {
		r.until = last
		_ = r.src.SetReadDeadline(last)
	}
	return true
}

// park leaves the connection with its true deadline.
func (r *Reader) park(until time.Time) error {
	r.until = until
	_ = r.src.SetReadDeadline(until)
	// Whoever disturbed us before this had his deadline replaced by it.
	if err := r.disturbed(); err != nil {
		return err
	}
	r.parked = true
	return ErrParked
}

// Lend leaves the connection without a read deadline to somebody who reads from
// it himself, a handshake say, and has his own bound. [Reader.Reset] takes it
// back.
func (r *Reader) Lend() { r.setDeadline(time.Time{}) }

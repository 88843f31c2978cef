package wire

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Why there is no line. After the first two the reader stands at the start of
// the next one.
var (
	ErrLineTooLong = errors.New("line too long")
	ErrBareLF      = errors.New("line ends in a bare LF")
	ErrWoken       = errors.New("woken while waiting for a line")
	ErrNudged      = errors.New("nudged while waiting for a line")
	ErrParked      = errors.New("nothing to read for a while")
)

// Two sizes serve all: commands fit the small one, bodies and the longest
// lines (AUTH, 12,288 octets, RFC 4954 §4) the large one.
const (
	smallBuffer = 4 << 10
	largeBuffer = 64 << 10
)

var (
	smallPool = sync.Pool{New: func() any { return new([smallBuffer]byte) }}
	largePool = sync.Pool{New: func() any { return new([largeBuffer]byte) }}
)

// Reader reads lines and blocks from a connection. Its zero value is not
// usable; see [NewReader].
type Reader struct {
	src    net.Conn
	raw    syscall.RawConn       // nil: src cannot wait without a buffer
	socket syscall.RawConn       // raw, or what lies beneath TLS; nil: not known
	try    func(fd uintptr) bool // tryOnce, for raw and socket
	tryErr error

	buf  []byte // nil while idle
	r, w int
	err  error // what src said at last; final

	watch chan struct{} // closed when the background read is over; nil: none
	until time.Time     // the deadline src has

	woken   atomic.Bool
	nudged  atomic.Bool
	big     bool // the next buffer is a large one
	quiet   bool // what peek saw
	mayPark bool // the read is Ready's
	parked  bool // it ended with ErrParked; until is its deadline
	looked  bool // Wait has looked

	small [16]byte // for the first bytes where raw is nil

	// Deadline gives the time by which the next read must have got something;
	// nil or a zero time: never.
	Deadline func() time.Time

	// Nudgeable says that reads may end with [ErrNudged]; see [Reader.Nudge].
	Nudgeable bool
}

// NewReader reads from c.
func NewReader(c net.Conn) *Reader {
	r := &Reader{}
	r.Reset(c)
	return r
}

// Reset makes r read from c and forgets all that was buffered.
func (r *Reader) Reset(c net.Conn) {
	r.Release()
	r.src, r.err, r.raw, r.r, r.w = c, nil, nil, 0, 0
	r.until, r.parked = time.Time{}, false // not known: whoever had c before may have set one
	r.raw = rawConn(c)
	r.socket = r.raw
	if tc, ok := c.(*tls.Conn); ok {
		r.socket = rawConn(tc.NetConn())
	}
	if r.socket != nil && r.try == nil {
		r.try = r.tryOnce
	}
}

// Release gives the buffer back. What it still held is forgotten.
func (r *Reader) Release() {
	switch len(r.buf) {
	case smallBuffer:
		smallPool.Put((*[smallBuffer]byte)(r.buf))
	case largeBuffer:
		largePool.Put((*[largeBuffer]byte)(r.buf))
	}
	r.buf, r.r, r.w = nil, 0, 0
}

// Buffered is how many bytes are there without a read.
func (r *Reader) Buffered() int { return r.w - r.r }

// HasLine reports whether a whole line is there without a read.
func (r *Reader) HasLine() bool { return bytes.IndexByte(r.buf[r.r:r.w], '\n') >= 0 }

// Peek gives what is buffered; it is valid until the next call.
func (r *Reader) Peek() []byte { return r.buf[r.r:r.w] }

// Discard drops n buffered bytes.
func (r *Reader) Discard(n int) { r.r += n }

// ReadLine gives the next line without its CRLF; it is valid until the next
// call. A line of more than limit octets, CRLF not counted, is skipped to its
// end and answered with [ErrLineTooLong]. [ErrBareLF] also gives the line.
// No limit is above 64 KiB.
func (r *Reader) ReadLine(limit int) ([]byte, error) {
	limit = min(limit, largeBuffer-2)
	r.Unwatch()
	if r.Buffered() == 0 {
		if err := r.Fill(0); err != nil { // idle: the small buffer, and late
			return nil, err
		}
	}
	scanned := 0
	for {
		if i := bytes.IndexByte(r.buf[r.r+scanned:r.w], '\n'); i >= 0 {
			return r.cutLine(scanned+i, limit)
		}
		scanned = r.w - r.r
		if scanned > limit+1 {
			return nil, r.skipLine()
		}
		if err := r.Fill(limit + 2); err != nil {
			return nil, err
		}
	}
}

// cutLine takes the line whose LF stands at offset n.
func (r *Reader) cutLine(n, limit int) ([]byte, error) {
	line := r.buf[r.r : r.r+n]
	r.r += n + 1
	var err error
	if n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	} else {
		err = ErrBareLF
	}
	if len(line) > limit {
		return nil, ErrLineTooLong
	}
	return line, err
}

// skipLine reads on to the LF and keeps nothing.
func (r *Reader) skipLine() error {
	for {
		if i := bytes.IndexByte(r.buf[r.r:r.w], '\n'); i >= 0 {
			r.r += i + 1
			return ErrLineTooLong
		}
		r.r = r.w
		if err := r.Fill(1); err != nil {
			return err
		}
	}
}

// Next gives up to limit bytes as they come, at least one, valid until the
// next call. It is the way to read counted octets.
func (r *Reader) Next(limit int) ([]byte, error) {
	r.Unwatch()
	if r.Buffered() == 0 {
		if err := r.Fill(largeBuffer); err != nil {
			return nil, err
		}
	}
	b := r.buf[r.r:r.w]
	if len(b) > limit {
		b = b[:limit]
	}
	r.r += len(b)
	return b, nil
}

// Read makes r an io.Reader: buffered bytes first.
func (r *Reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	b, err := r.Next(len(p))
	return copy(p, b), err
}

// Fill reads once, keeping what is buffered. want is how much the caller would
// like to hold in all; beyond 4 KiB it asks for the large buffer.
func (r *Reader) Fill(want int) error {
	if r.err != nil {
		return r.err
	}
	r.Unwatch()
	r.big = want > smallBuffer
	if r.Buffered() == 0 {
		r.Release()
	} else {
		r.grow()
	}
	for {
		n, err := r.await()
		r.w += n
		switch {
		case n > 0:
			return nil
		case err == nil:
			err = io.ErrNoProgress
		case errors.Is(err, ErrNudged):
			if !r.Nudgeable {
				continue
			}
		case err != ErrWoken && err != ErrParked && !IsTimeout(err):
			r.err = err
		}
		return err
	}
}

// await is one read until the deadline, or until somebody wakes or nudges.
func (r *Reader) await() (int, error) {
	var until time.Time
	brief := false
	if r.parked {
		// There is something to read, and its deadline is set. A brief one
		// might pass before a machine under load has got as far as reading.
		r.parked = false
	} else {
		if r.Deadline != nil {
			until = r.Deadline()
		}
		brief = r.setDeadlines(until)
	}
	if err := r.disturbed(); err != nil {
		return 0, err
	}
	n, err := r.readOnce()
	if n > 0 || err == nil || !IsTimeout(err) {
		return n, err
	}
	if why := r.disturbed(); why != nil {
		return 0, why
	}
	if brief {
		return 0, r.park(until)
	}
	if r.until.IsZero() || time.Now().Before(r.until) {
		// The deadline was moved by a nudge that has been answered before.
		r.until = past
		return 0, ErrNudged
	}
	return 0, err
}

// disturbed reports whether somebody wants the owner to stop waiting.
func (r *Reader) disturbed() error {
	switch {
	case r.woken.Load():
		return ErrWoken
	case r.nudged.Swap(false):
		r.until = past // as it may be by now
		return ErrNudged
	}
	return nil
}

// Wake ends the read that waits and all that come, with [ErrWoken]. It may be
// called by another goroutine, but not while the owner calls [Reader.Reset].
func (r *Reader) Wake() {
	r.Interrupt()
	_ = r.src.SetReadDeadline(past)
}

// Interrupt is Wake without touching the connection, which the caller must
// then wake himself; it may be called at any time.
func (r *Reader) Interrupt() { r.woken.Store(true) }

// Nudge ends the read that waits, or the next one, with [ErrNudged], once and
// only if it is Nudgeable. It may be called by another goroutine at any time,
// who must then wake the connection by a read deadline in the past: the
// connection and not the reader's, which may just be replaced.
func (r *Reader) Nudge() { r.nudged.Store(true) }

// past is a deadline that has passed on every clock.
var past = time.Unix(1, 0)

// setDeadline saves the timer where the deadline hardly moves: by less than
// one part in 64 of what is left.
func (r *Reader) setDeadline(t time.Time) {
	if t.Equal(r.until) {
		return
	}
	if !t.IsZero() && !r.until.IsZero() {
		if d, slack := t.Sub(r.until), time.Until(t)/64; -slack < d && d < slack {
			return
		}
	}
	r.until = t
	_ = r.src.SetReadDeadline(t) // a dead connection says so at the read
}

// take gets a buffer for the next bytes.
func (r *Reader) take() {
	if r.big {
		r.buf = largePool.Get().(*[largeBuffer]byte)[:]
	} else {
		r.buf = smallPool.Get().(*[smallBuffer]byte)[:]
	}
}

// grow makes room behind what is buffered, which is not empty.
func (r *Reader) grow() {
	old := r.buf[r.r:r.w]
	if len(r.buf) == smallBuffer && r.big {
		b := largePool.Get().(*[largeBuffer]byte)[:]
		n := copy(b, old)
		r.Release()
		r.buf, r.w = b, n
	} else if r.r > 0 {
		r.w = copy(r.buf, old)
		r.r = 0
	}
}

// readOnce reads behind w. Without a buffer it waits without one, if it can.
func (r *Reader) readOnce() (int, error) {
	if r.buf == nil {
		switch {
		case r.raw != nil:
			return r.readRaw()
		case !r.big:
			return r.readSmall()
		}
		r.take()
	}
	return r.src.Read(r.buf[r.w:])
}

func (r *Reader) readSmall() (int, error) {
	n, err := r.src.Read(r.small[:])
	if n > 0 {
		r.take()
		copy(r.buf, r.small[:n])
	}
	return n, err
}

// IsTimeout reports an error that is there because time was up.
func IsTimeout(err error) bool {
	t, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err)
	return ok && t.Timeout()
}

package smtp

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// Scan runs f beside the handler, on mail that comes in or goes out: f reads
// the message, fields of Prefix first, while the handler does, at the pace of
// the slower one; no copy is kept. f's verdict stands in for io.EOF, so the
// handler's body ends in an error and nothing downstream commits: an error of
// [Reject] refuses the message, any other, a panic too, means try again later.
// f may return before the end of the message; an error is then told at once,
// and nil lets the rest pass unseen.
//
// f runs on a goroutine of its own and must return when its reader fails.
func Scan(f func(ctx context.Context, t *Transaction, r io.Reader) error) Middleware {
	return func(next Handler) Handler {
		message := next.Message
		if message == nil {
			message = func(_ context.Context, _ *Transaction, body io.Reader) error {
				_, err := io.Copy(io.Discard, body)
				return err
			}
		}
		next.Message = func(ctx context.Context, t *Transaction, body io.Reader) error {
			s := startScan(ctx, f, t, body)
			defer s.stop()
			if err := message(ctx, t, s); err != nil {
				return err
			}
			// A handler that did not read to the end has not waited for the
			// verdict; it counts all the same.
			_, err := io.Copy(io.Discard, s)
			return err
		}
		return next
	}
}

// scan is the body a handler reads while f reads it too.
type scan struct {
	body io.Reader
	w    *io.PipeWriter
	done chan struct{} // closed when f has returned
	err  error         // f's verdict, valid after done
	end  error         // the answer to every further read
	deaf bool          // f reads no more
}

// errStopped is what f's reader says when the handler gave up.
var errStopped = errors.New("smtp: message given up")

func startScan(ctx context.Context, f func(context.Context, *Transaction, io.Reader) error, t *Transaction, body io.Reader) *scan {
	r, w := io.Pipe()
	s := &scan{body: body, w: w, done: make(chan struct{})}
	// The scanner sees the transaction as it is now; the handler goes on with it.
	seen := *t
	seen.Envelope = t.Envelope.Clone()
	seen.Values = t.Values.clone()
	go func() {
		defer close(s.done)
		defer r.Close()
		defer func() {
			if v := recover(); v != nil {
				s.err = fmt.Errorf("smtp: scanner panicked: %v", v)
			}
		}()
		s.err = notEOF(f(ctx, &seen, seen.Reader(r)))
	}()
	return s
}

// notEOF keeps a scanner that lost its own connection from looking like the end
// of a complete message, to those who compare and to those who unwrap.
func notEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New("smtp: scanner: " + err.Error())
	}
	return err
}

func (s *scan) Read(p []byte) (int, error) {
	if s.end != nil {
		return 0, s.end
	}
	n, err := s.body.Read(p)
	if n > 0 && !s.deaf {
		if _, werr := s.w.Write(p[:n]); werr != nil { // f has returned
			s.deaf = true
			if <-s.done; s.err != nil {
				s.end = s.err
				return 0, s.end
			}
		}
	}
	switch err {
	case nil:
	case io.EOF:
		s.w.Close()
		if <-s.done; s.err != nil {
			err = s.err
		}
		s.end = err
	default:
		s.w.CloseWithError(err)
		s.end = err
	}
	return n, err
}

// stop ends f and waits for it.
func (s *scan) stop() {
	s.w.CloseWithError(errStopped)
	<-s.done
}

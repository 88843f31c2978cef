package serve

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// Run serves plain and implicitTLS, either of which may be nil, until ctx ends;
// then it shuts down within grace (0 or less: as long as it takes). It returns
// nil after a clean stop, and closes both listeners in any case.
func (s *Server) Run(ctx context.Context, plain, implicitTLS net.Listener, grace time.Duration) error {
	if implicitTLS != nil && s.NoTLS != nil {
		err := errors.Join(s.NoTLS, implicitTLS.Close())
		if plain != nil {
			err = errors.Join(err, plain.Close())
		}
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	values := context.WithoutCancel(ctx) // a transaction that runs may finish
	var accepting, serving sync.WaitGroup
	var errs [2]error
	for i, l := range []net.Listener{plain, implicitTLS} {
		if l == nil {
			continue
		}
		accepting.Go(func() {
			defer cancel() // one listener down takes the other along
			errs[i] = s.accept(values, l, i == 1, &serving)
			if errs[i] == ErrStopped && ctx.Err() != nil {
				errs[i] = nil // ctx ended before it had begun
			}
		})
	}
	<-ctx.Done()
	stop, done := values, func() {}
	if grace > 0 {
		stop, done = context.WithTimeout(values, grace)
	}
	defer done()
	err := s.Shutdown(stop)
	accepting.Wait()
	serving.Wait()
	return errors.Join(errs[0], errs[1], err)
}

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
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	var errs [2]error
	for i, l := range []net.Listener{plain, implicitTLS} {
		if l == nil {
			continue
		}
		wg.Go(func() {
			if errs[i] = s.Serve(l, i == 1); errs[i] != nil {
				cancel() // one listener down takes the other along
			}
		})
	}
	<-ctx.Done()
	stop, done := context.WithoutCancel(ctx), func() {}
	if grace > 0 {
		stop, done = context.WithTimeout(stop, grace)
	}
	defer done()
	err := s.Shutdown(stop)
	wg.Wait()
	return errors.Join(errs[0], errs[1], err)
}

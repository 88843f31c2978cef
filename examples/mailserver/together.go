package main

import (
	"context"
	"errors"
	"net"
	"sync"
)

// serving binds a server to its listeners, either of which may be nil.
func serving(run func(ctx context.Context, plain, implicitTLS net.Listener) error, plain, implicitTLS net.Listener) func(context.Context) error {
	return func(ctx context.Context) error { return run(ctx, plain, implicitTLS) }
}

// together runs all until one fails or ctx ends, and waits for all.
func together(ctx context.Context, run ...func(context.Context) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	errs := make([]error, len(run))
	var wg sync.WaitGroup
	for i, f := range run {
		wg.Go(func() { defer stop(); errs[i] = f(ctx) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

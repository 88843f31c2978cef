package serve

// Aside runs f on a goroutine of its own and waits for it. A stack that has
// once grown is given back only as far as its owner uses little of it, so a
// connection that went deep into a store, a handshake or a login would keep 8
// KiB or more through hours of waiting. What goes deep goes there on a stack
// that ends with it. It costs about a microsecond.
//
// f has to recover from its own panics: nobody else can.
func Aside(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	<-done
}

// Package wire holds what the line protocols of mail share: a reader whose
// every line has a limit, the dot transparency of RFC 5321 §4.5.2 both ways,
// and the rules for line ends that nothing can be smuggled past.
//
// A [Reader] holds no buffer while it waits for a peer that is silent, and lets
// go of its goroutine's stack when the wait is long (see [Reader.Ready]), so an
// idle connection costs little. Nothing here is safe for concurrent use, but
// [Reader.Watch], which waits in the background until [Reader.Unwatch].
package wire

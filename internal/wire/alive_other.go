//go:build !unix

package wire

// Quiet reports whether the connection is open and has nothing to read, where
// that can be found out without waiting.
func (r *Reader) Quiet() bool { return r.Buffered() == 0 && r.err == nil }

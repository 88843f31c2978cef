package mailbox

// Cacher is an optional interface of a [Mailbox] that keeps what a server found
// out by parsing a message, beside it. Without one a server parses again, or
// keeps some of it in memory.
//
// What is kept is for the server alone. It is a cache: a store may forget it at
// any time, and must when the message is gone. It need not survive a crash, but
// what comes back is what was put, whole, or nothing.
type Cacher interface {
	// Cached returns what PutCached kept for a message. The bytes must not be
	// changed.
	Cached(uid UID) ([]byte, bool)
	// PutCached keeps b, which now belongs to the store. It replaces what was
	// there. For a message that is gone it does nothing.
	PutCached(uid UID, b []byte)
}

// Cached asks m if it is a [Cacher]; nothing is cached if not.
func Cached(m Mailbox, uid UID) ([]byte, bool) {
	if c, ok := m.(Cacher); ok {
		return c.Cached(uid)
	}
	return nil, false
}

// PutCached tells m if it is a [Cacher] and reports whether it is.
func PutCached(m Mailbox, uid UID, b []byte) bool {
	c, ok := m.(Cacher)
	if ok {
		c.PutCached(uid, b)
	}
	return ok
}

package mailbox

// StoreWatcher is an optional interface of a [Store] that tells of changes in
// any of its mailboxes (RFC 5465). Without one a session hears of the mailbox it
// has open and of no other.
type StoreWatcher interface {
	// WatchAll calls fn after each change in a mailbox with its ID, and with ""
	// when the list of mailboxes changed: one created, deleted, renamed,
	// subscribed. The rules for fn, stop and a nil stop are those of
	// Mailbox.Watch.
	WatchAll(fn func(ID)) (stop func())
}

// WatchAll asks s if it is a [StoreWatcher]. A nil stop says that it is not.
func WatchAll(s Store, fn func(ID)) (stop func()) {
	if w, ok := s.(StoreWatcher); ok {
		return w.WatchAll(fn)
	}
	return nil
}

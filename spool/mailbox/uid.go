package mailbox

// UID names a message in its mailbox, for ever: UIDs grow with each message
// that is added and none is used twice (RFC 9051 §2.3.1.1). 0 is no UID.
type UID uint32

// MaxUID is the last UID there can be. A mailbox that has used it takes no more
// mail.
const MaxUID UID = 1<<32 - 1

// ModSeq numbers the changes of a mailbox (RFC 7162 §3.1). It is positive and
// fits in 63 bits. 0 means before all changes.
type ModSeq uint64

// ID names a mailbox of a [Store], for ever: it stays the same when the mailbox
// is renamed, and a mailbox that is created under an old name has another one.
// It consists of 1 to 255 letters, digits, "_" and "-", so that it can be a
// MAILBOXID (RFC 8474 §7). "" is no ID.
type ID string

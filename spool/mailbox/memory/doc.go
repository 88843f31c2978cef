// Package memory is a [mailbox.Store] in memory: the whole contract without the
// disk. It is for tests and for the fakes of other packages, and to be read by
// those who write a store for another engine. What it holds is gone with the
// process.
//
//	var store memory.Store // an account with an empty INBOX
//	err := store.Put(ctx, mailbox.Inbox, mailbox.Flags{}, "Subject: hello\n\nHi.\n")
//
// It is a Store for one user. [Tree] has several, and its Open is what servers
// and the local delivery agent ask for. Test data in files, such as .eml and
// mbox, comes in by mailbox.Import.
//
// # Optional interfaces
//
// Store has Counter, StoreWatcher, Quota with SetQuota, ACL and Metadata of
// package mailbox, its mailboxes have Copier, Mover, Cacher, Headers, Recent,
// EmailIDs and Locker. A test of what happens without one wraps the value in a
// struct that embeds only mailbox.Store or mailbox.Mailbox.
//
// [Store.As] is the account as another user sees it, with the rights that were
// granted.
//
// # Limits
//
// The fields of [Store] bound it: bytes, messages, mailboxes, keywords. Beyond
// them the errors are mailbox.ErrOverQuota, ErrTooBig and ErrLimit. A body takes
// memory as it arrives, not as announced, and counts against the quota while it
// is read. Copies share their bytes; each counts.
//
// # How it works
//
// What is known of the messages stands in one slice in the order of UIDs, so
// Changes(0) is one copy: about a millisecond for 100,000 messages. The newest
// changes are in a log by ModSeq, at most 4,096 ranges of UIDs; older ones are
// found by looking through all messages. Expunged UIDs are remembered up to
// 65,536 ranges; for what is older Changes is Full.
//
// One lock guards an account, for as long as memory is copied and never while a
// body is read.
package memory

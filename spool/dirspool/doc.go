// Package dirspool is a [spool.Store] in a directory: a queue for one machine
// that loses nothing. When Put returns nil, the message is on the disk, so that
// the 250 of a server is true after a power cut as well (RFC 5321 §6.1).
//
//	store, err := dirspool.Open("/var/spool/mail-out", dirspool.Options{})
//	if err != nil {
//		return err
//	}
//	defer store.Close()
//
// # What it promises
//
//  1. What Put accepted is there, byte for byte, after any crash, until every
//     recipient has an outcome.
//  2. What Put refused is never delivered, unless the disk failed in between and
//     the Store is broken.
//  3. What Settle ended is never offered again.
//  4. A message comes twice only where its Settle had not returned; no protocol
//     can close that gap (RFC 5321 §4.5.3.2.6).
//  5. A follow-up of Settle, such as a bounce, is there once, with the outcome or
//     not at all.
//  6. A crash while the queue is opened changes nothing of that.
//  7. A crash alone never makes a file that counts as damaged.
//  8. Nobody sees part of a body.
//
// The tests cut the power after every step of a workload, with every kind of
// damage that a disk may do to what was not synced, and look for each of these.
//
// # In the directory
//
//	VERSION   the version of this layout
//	lock      locked by the process that has the queue open
//	q/00 …    the queue: one file for each submission, with the suffix .tmp until
//	          it is complete
//	corrupt/  files that are damaged, kept for people to look at
//
// Directories have mode 0700, files 0600, and no name or link leads out (os.Root).
// A file has the body once and all items over it, in records with sums of their
// own; outcomes are added behind. To take a message out of the queue by hand use
// [Store].Apply; with the Store closed, a file may be moved away as it is.
//
// # What a message costs
//
// Put writes the file, syncs it, renames it and syncs the directory. All Puts that
// come while one directory is synced share the next sync. Claim writes a small
// mark, not synced. Settle adds a record and syncs it or, when nothing is left to
// do with the file, removes the file, and the sync of the directory is shared
// again. So a message that is delivered at once costs one sync and its share of
// two more.
//
// # Limits
//
// [Options].ReserveBytes and ReserveInodes keep free space; below it mail is
// refused with [spool.ErrFull], which is 452 4.3.1, while outcomes and bounces go
// on. When there is no room for the mark of a claim, nothing is handed out: what
// could not be written down would be delivered again. MaxItems bounds
// the memory, which holds a few words for each item and recipient; envelopes and
// bodies stay on the disk. A body takes 32 KiB of memory while it comes in. Of
// the text of a reply 4 KiB are kept. A Put whose ctx would end before the disk
// has answered, as far as one can tell, is refused with [spool.ErrBusy]: the peer
// would not hear of the success, and send again.
//
// # When the disk fails
//
// A failed sync of a new file throws the file away. After any other failed sync
// nobody knows what is on the disk, and a second try would prove nothing: the
// Store is broken, refuses everything with [ErrBroken], and must be opened again.
// A file that is damaged goes to corrupt/ and the log; one that the disk does not
// give stays where it is.
//
// An item that was being delivered when its process died, three times in a row,
// is held; see [Options].MaxCrashes.
//
// # Concurrency
//
// All methods of a Store may be called at any time, a [spool.Writer] is for one
// goroutine. No lock is held while the disk is waited for, but that of one file
// while a record is added to it, and that of the directories while a new one is
// made. A ctx that ends while the disk is at work is noticed afterwards.
//
// # Systems
//
// On Linux all of this holds. On darwin and the BSDs free space is not looked at
// ahead and not reserved. On windows names are not synced: a power cut may take
// back the last of what Put said. Where a file cannot be locked, Open fails. On a
// network file system nothing is promised.
//
// # Choices
//
// Open takes [Options] by value: there is no zero Store, since a Store without a
// directory is nothing. Files have IDs of their own, so that an item may be put
// again under its ID when it is done while others over the old body are not.
//
// A body begins in the directory where it is to stay, under a name for the time
// being, rather than in one for all: a rename within a directory is cheaper for
// the disk, and the sync of the new file brings its directory along on most file
// systems.
//
// A follow-up whose outcome was not recorded before a crash is removed by Open,
// not kept for the next attempt: the Settle did not return, so its worker, or the
// next one, settles again and brings another.
//
// Records are never rewritten. An attempt adds some hundred bytes, so that a
// message which is tried for five days grows by some ten thousand.
//
// # Standards
//
// RFC 5321 §6.1 (what 250 promises), §4.5.4.1 (the queue) and §4.5.3.2.6 (duplicates),
// RFC 3463 §3.4 (4.3.1).
//
// # Testing
//
// Open on t.TempDir() is a queue for tests; memspool is one without a disk.
package dirspool

// Package maildir keeps mail in directories that other programs read and write
// at the same time: Maildir++, with an index of our own beside the messages. It
// is the store for a server that has a disk.
//
//	tree, err := maildir.Open("/var/mail/users")
//	err = tree.Create("bob")
//	server := &pop3.Server{Open: tree.Open, …}
//	agent := &local.Agent{Open: tree.Open, …}
//
// # What is on the disk
//
// Each user has a directory in that of the [Tree], and in it
//
//	new/ cur/ tmp/           INBOX
//	.Work.Projects/          the mailbox Work/Projects, with new, cur and tmp
//	subscriptions            names that are subscribed, one on each line
//	maildirsize              what is used of a quota, if there is one
//	postilion.*              ours: index, IDs, cache, locks
//
// A message is a file, in new if it has no flags and in cur if it has. Letters
// at the end of its name are the flags: D F P R S T, and a to z for the keywords
// that dovecot-keywords lists; a mailbox can have more keywords, which are in the
// index alone. Levels of names are in modified UTF-7; ".", "%" and "\" in a level
// are written as "%" and two digits.
//
// Messages are kept as they came, with CRLF. Those that other programs put there
// with LF are given out with CRLF.
//
// # Other programs
//
// They may deliver, change flags, move and delete messages, and make, rename and
// remove mailboxes, at any time and without a lock: sessions see it at their next
// Changes, and those that watch within a second (Tree.Poll). A directory is read
// again when its time stamp says so. A stamp that is younger than two seconds
// cannot tell everything, and neither can one that our own changes made: then
// the directory is read once more when it has been quiet for that long. To read
// one of 100,000 messages takes some tenths of a second; the messages themselves
// are not read, but for those without a size in their name, once.
//
// Several processes of ours may use one Tree's directory: they lock an account
// for each change.
//
// # Durability
//
// When Append, SetFlags, Expunge, Copy or Move returns nil, the change is on the
// disk: the file, its name in the directory, and the index are synced, in this
// order. What was under way when the power went is there or not, each message
// whole; of an Append of several, and of a SetFlags, a part may be; a Move may
// leave a message in both mailboxes. UIDs are never used twice. Appends that wait
// for each other are committed together.
//
// The index has a checksum for each change. Of a torn one nothing is used, and
// the UIDs that it may have given out are left out. If the index is lost, the
// mailbox gets a new UIDVALIDITY and its messages new UIDs; flags are in the names
// of the files.
//
// # Access
//
// Directories have the mode 0700, files 0600. A directory of a user that others
// may enter, or that belongs to another user than that of the process, is
// refused. All access is by os.Root: no name and no symbolic link leads out of
// the directory of the user. Whoever runs a server for users with accounts of
// the system runs one process for each, as that user.
//
// # Limits and defaults
//
// A message has 64 MiB (Tree.MaxMessage), a mailbox 1,000 keywords, a name 255
// bytes as a directory. There is no quota by default (Tree.MaxBytes,
// MaxMessages). A mailbox takes 64 bytes of memory for each message while it is
// used; names of files are read from the index when they are needed. What nobody
// used for five to ten seconds (Tree.Rest) is closed and forgotten, but for
// locks, until somebody comes back; who watches a mailbox uses it. 32
// mailboxes of an account and 64 accounts stay open without a session. UIDs
// that vanished are remembered up to 65,536 ranges.
//
// # Concurrency
//
// All of it may be used by any number of goroutines. Changes of one account
// come one after the other; a body is received before that, and reading needs no
// lock.
//
// # Choices
//
// One lock for an account and not one for each mailbox: moves and renames then
// need no order of locks, and what takes time, receiving and syncing the body, is
// outside. Tree has its limits as fields, and a Store can be closed, so that
// accounts which nobody uses are let go. Not on windows, where a colon in the
// name of a file means something else.
//
// # Standards
//
// Maildir and Maildir++ have no RFC. RFC 9051 §2.3.1 (UIDs), RFC 7162 (ModSeq),
// RFC 3501 §5.1.3 (modified UTF-7), RFC 8474 (IDs), RFC 8514 (saved date), RFC 9208
// (quota).
//
// # Testing
//
// The tests cut the power after each step of a run, fail each call, and kill
// processes; mailboxtest runs over one process, over three, and over a file
// system in memory.
package maildir

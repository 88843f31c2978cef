// Package safeio is what stores of mail write through: the few calls of a file
// system that matter for durability, in a form that tests can take apart.
//
// [FS] is the file system. [Root] is that of the operating system, confined to
// one directory. [Disk] is one in memory that knows which part of it would
// outlive a power cut, and that can fail any call.
//
// # What makes a file durable
//
// Neither a write nor a new name is on the disk before it was synced, and each
// has a sync of its own:
//
//	f, err := fsys.OpenFile("tmp/x", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
//	f.Write(data)
//	f.Sync()                     // the bytes
//	f.Close()
//	fsys.Rename("tmp/x", "q/x")  // readers see all of it or nothing
//	fsys.SyncDir("q")            // the name
//
// The directory that a name was taken from needs no sync where a name too many
// does no harm. A failed sync must not be tried again as a proof: the system may
// have dropped the bytes and call the file clean.
//
// [Group] lets calls that want the same directory synced share one sync.
//
// # Proving it
//
// A store that runs on a Disk leaves a trace. [Disk.Replay] goes through it and
// cuts the power after each step, as often as one likes, each time with another
// part of what was not synced on the disk: bytes in sectors of 512, sizes
// without their bytes, names in any combination. [Disk.Mark] puts what the store
// promised into the trace, so that a test can compare. [Disk.Lie] makes syncs
// that do nothing: a test that passes with one of these proves nothing.
// [Disk.Fault] fails single calls.
//
// # Systems
//
// On Linux everything is as it says. On darwin Sync flushes the cache of the
// drive too, and space is not reserved ahead. On windows names cannot be synced;
// NTFS keeps its names in a journal, so a power cut loses the last of them, but
// not their order. Elsewhere locks are missing, and [Root].Lock says so.
package safeio

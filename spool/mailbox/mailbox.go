package mailbox

import (
	"context"
	"io"
	"iter"
	"time"
)

// Mailbox is one open mailbox. All methods but Close may be called by any number
// of goroutines; several sessions may have the same mailbox open, through one
// Mailbox or through several. After Close methods return [ErrClosed], after the
// mailbox was deleted [ErrNotExist].
//
// # Changes in order
//
// Each call that changes something takes a new [ModSeq], higher than all before,
// for all that it changes. A ModSeq becomes visible only after all lower ones:
// whoever has seen N will never see a change with a number up to N appear later,
// or it would be lost to them. In a database the row of the mailbox is locked
// from taking the number until the commit.
//
// # Sequence numbers
//
// A store never sees one. It never sends anything to a session either: a session
// asks for Changes where its protocol lets it tell them.
type Mailbox interface {
	// Changes returns what happened after since: each message that was added or
	// changed, as it is now, and the UIDs of those that are gone. 0 asks for
	// everything there is.
	//
	// Where the store cannot tell what changed since then, because that was too
	// long ago, or since is a number it never gave out, the Delta is Full.
	Changes(ctx context.Context, since ModSeq) (Delta, error)

	// Append adds messages, all or none, and returns their UIDs in order. Where
	// the store is durable they are when it returns. They become visible
	// together, and with one ModSeq.
	//
	// msgs is read before anything is changed. An error from it, or from a Body
	// before io.EOF, is returned, and so is a Body of another length than its
	// Size. A Body is read before the next message is asked for. A peer sets its
	// pace: no lock is held while it is read, and nobody else waits. No messages
	// are no error and change nothing.
	//
	// The errors are [ErrOverQuota], [ErrTooBig], [ErrReadOnly] and, for too many
	// keywords or when UIDs are used up, [ErrLimit].
	Append(ctx context.Context, msgs iter.Seq2[*Incoming, error]) ([]UID, error)

	// SetFlags changes the flags of all messages of uids that exist; those that
	// do not are left out in silence. A message whose flags stay as they were
	// keeps its ModSeq. With unchangedSince, unless 0, messages with a higher
	// ModSeq are left alone and returned (RFC 7162 §3.1.3).
	//
	// A store may give up in the middle where its engine fails: some messages
	// may have their new flags then, which Changes tells. The errors are
	// [ErrReadOnly] and, for too many keywords, [ErrLimit]; with these nothing
	// was changed.
	SetFlags(ctx context.Context, uids Set, op FlagOp, f Flags, unchangedSince ModSeq) (skipped Set, err error)

	// Expunge removes exactly these messages, whatever their flags, as far as
	// they exist. A [Blob] that is open stays readable. Where the engine fails
	// some may be gone, which Changes tells.
	Expunge(ctx context.Context, uids Set) error

	// Message opens the message as it was appended, byte for byte. One that
	// another program put there has CRLF line ends here, whatever it has in
	// the store. ctx covers all reads of the Blob. The error is [ErrNotExist].
	Message(ctx context.Context, uid UID) (Blob, error)

	// Watch calls fn after each change by anybody, until stop is called. fn says
	// only that there is something new: it may be called once for many changes
	// and at times for none, must not block and must not call the Mailbox. It
	// may still run once while stop returns. A nil stop says that this store
	// cannot watch; ask for Changes from time to time.
	Watch(fn func()) (stop func())

	// Close ends the session. It does not expunge anything. A second Close does
	// nothing.
	Close() error
}

// State is where a mailbox stands.
type State struct {
	UIDValidity   uint32 // never 0; another one says that all UIDs are void
	UIDNext       UID    // less than any UID to come; 0 after MaxUID
	HighestModSeq ModSeq // of all changes so far; at least 1, even if there were none
	ReadOnly      bool   // flags cannot be changed, nothing added or removed
	NoNewKeywords bool   // only keywords that messages have already can be set
}

// Meta is what is known of a message without reading it. It does not change but
// for Flags and ModSeq.
type Meta struct {
	UID      UID
	Flags    Flags
	ModSeq   ModSeq // of the last change
	Size     int64  // bytes as Message gives them
	Received int64  // INTERNALDATE, in seconds since 1970
	Saved    int64  // when it came into this mailbox (RFC 8514); 0 is unknown
}

// Delta is what changed.
type Delta struct {
	State State
	// Messages are in ascending order of UID.
	Messages []Meta
	// Vanished may have UIDs in it that never were a message, or were gone
	// before (RFC 7162 §3.2.10), but none of a message that is there.
	Vanished Set
	// Full says that Messages are all there are, Vanished is empty, and whatever
	// was known before and is not in it is gone. It is set as well when since
	// was 0, and when UIDValidity is another one than before.
	Full bool
}

// Incoming is a message to append.
type Incoming struct {
	Body     io.Reader // read once, to its end
	Size     int64     // of Body in bytes; 0 or less is not known, and a message is never empty
	Flags    Flags
	Received time.Time // zero means now
}

// One is a sequence of one message, for Append.
func One(in *Incoming) iter.Seq2[*Incoming, error] {
	return func(yield func(*Incoming, error) bool) { yield(in, nil) }
}

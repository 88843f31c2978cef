package mailbox

import "context"

// Searcher is an optional interface of a [Mailbox] with an index of texts.
// Without one a server reads the messages in question.
type Searcher interface {
	// Search returns messages of q.Among. It must have all that match in it and
	// may have others: whoever asks checks each of them, unless exact is true.
	// The error errors.ErrUnsupported says that this query is not served.
	Search(ctx context.Context, q Query) (uids Set, exact bool, err error)
}

// Query is what texts a message must have: all Terms. Flags, dates and sizes are
// not in it; they are in the [Meta] that servers have already.
type Query struct {
	Among Set // the messages in question; nil is all
	Terms []Term
}

// Term is one text to be found, case ignored, in decoded form: RFC 2047 and
// transfer encodings undone (RFC 9051 §6.4.4).
type Term struct {
	Where Where
	Field string // for InField: the name of a header field
	Text  string // UTF-8; "" is found in every field that is there
	Not   bool   // it must not be found
	Fuzzy bool   // RFC 6203: similar texts are found too
}

// Where is a place to look for a text.
type Where uint8

// The places.
const (
	InField Where = iota // in header fields of the name Field
	InBody               // in the text parts of the body
	InText               // anywhere, header fields included
)

// Search asks m if it is a [Searcher]. Otherwise, and for a query it does not
// serve, the answer is q.Among, which is not exact: every message has to be
// checked.
func Search(ctx context.Context, m Mailbox, q Query) (uids Set, exact bool, err error) {
	if s, ok := m.(Searcher); ok {
		if uids, exact, err = s.Search(ctx, q); !unsupported(err) {
			return uids, exact, err
		}
	}
	if q.Among == nil {
		return Set{{1, MaxUID}}, false, nil
	}
	return q.Among, false, nil
}

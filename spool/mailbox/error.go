package mailbox

import (
	"errors"
	"fmt"
)

// Error is an error with a meaning to the peer. Code is the response code of
// IMAP (RFC 9051 §7.1); the SMTP reply follows from it. Err, which may
// be nil, is the cause: it is for the log.
//
// Two Errors of one Code are the same to errors.Is.
type Error struct {
	Code string
	Err  error
}

// The errors of a [Store] and a [Mailbox], to be asked for with errors.Is. Any
// other error means that something broke: the peer of a delivery hears 451 and
// keeps the mail.
var (
	// ErrNotExist says that there is no such mailbox, message, user.
	ErrNotExist error = &Error{Code: "NONEXISTENT"}
	// ErrExists says that the name is taken.
	ErrExists error = &Error{Code: "ALREADYEXISTS"}
	// ErrOverQuota says that there is no room: 452 4.2.2, since room may be made.
	ErrOverQuota error = &Error{Code: "OVERQUOTA"}
	// ErrReadOnly says that this user may not do it.
	ErrReadOnly error = &Error{Code: "NOPERM"}
	// ErrCannot says that the request can never be fulfilled, whoever asks: a
	// name that no mailbox may have, deleting INBOX.
	ErrCannot error = &Error{Code: "CANNOT"}
	// ErrTooBig says that the message is larger than the store takes.
	ErrTooBig error = &Error{Code: "TOOBIG"}
	// ErrLimit says that a limit of the store is reached, such as the number of
	// mailboxes or keywords.
	ErrLimit error = &Error{Code: "LIMIT"}
	// ErrInUse says that somebody else has the mailbox locked.
	ErrInUse error = &Error{Code: "INUSE"}
	// ErrCorrupt says that what is stored is damaged.
	ErrCorrupt error = &Error{Code: "CORRUPTION"}
)

// ErrClosed is for calls after Close.
var ErrClosed = errors.New("mailbox: closed")

// meaning is what a code says in words and to an SMTP peer.
type meaning struct {
	text     string
	code     int
	enhanced string
}

// meanings are those of the codes. A code that is missing is 451 4.3.0.
var meanings = map[string]meaning{
	"NONEXISTENT":   {"no such mailbox or message", 550, "5.1.1"},
	"ALREADYEXISTS": {"already exists", 0, ""},
	"OVERQUOTA":     {"mailbox is full", 452, "4.2.2"},
	"NOPERM":        {"permission denied", 550, "5.2.1"},
	"CANNOT":        {"not possible", 0, ""},
	"TOOBIG":        {"message is too large for the mailbox", 552, "5.2.3"},
	"LIMIT":         {"limit reached", 452, "4.3.1"},
	"INUSE":         {"mailbox is in use", 450, "4.2.0"},
	"CORRUPTION":    {"mailbox is damaged", 0, ""},
}

// Error is the meaning and the cause.
func (e *Error) Error() string {
	text := "mailbox: " + e.text()
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

func (e *Error) text() string {
	if m, ok := meanings[e.Code]; ok {
		return m.text
	}
	return e.Code
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is an Error of the same Code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// SMTP is the reply to a delivery: enhanced codes of RFC 3463 §3.3.
func (e *Error) SMTP() (code int, enhanced, text string) {
	if m := meanings[e.Code]; m.code != 0 {
		return m.code, m.enhanced, m.text
	}
	return 451, "4.3.0", "mailbox is not available now"
}

// Response is the IMAP response code, without brackets.
func (e *Error) Response() string { return e.Code }

// refuse is an error of the given kind with words of its own.
func refuse(kind error, why string) error { return fmt.Errorf("%w: %s", kind, why) }

// clip shortens what is quoted in an error and makes it harmless.
func clip(s string) string {
	if len(s) > 64 {
		s = s[:64]
	}
	return fmt.Sprintf("%q", s)
}

package spool

import (
	"errors"

	"github.com/postilion-mail/postilion/smtp"
)

// The errors of a [Store], to be asked for with errors.Is. An error without an
// SMTP reply of its own becomes 451 4.3.0: the peer keeps the mail.
var (
	// ErrFull says that there is no room now: 452 4.3.1 (RFC 3463 §3.4).
	ErrFull error = &refusal{smtp.Reply{Code: 452, Enhanced: "4.3.1", Text: "Insufficient system storage"}}
	// ErrBusy says that the store could not do it in time: 451 4.3.2.
	ErrBusy error = &refusal{smtp.Reply{Code: 451, Enhanced: "4.3.2", Text: "Queue is busy, try again later"}}
	// ErrLost says that a lease is over: it was settled before, or it ran out and
	// its recipients were claimed again. Nothing was changed, and what the
	// worker did for this claim may be done twice.
	ErrLost = errors.New("spool: lease lost")
	// ErrNotExist says that the store has no item of this ID, or no longer.
	ErrNotExist = errors.New("spool: no such item")
	// ErrCorrupt says that what is stored is not what was put.
	ErrCorrupt = errors.New("spool: item is damaged")
	// ErrInvalid says that the call makes no sense: an item without recipients,
	// a malformed ID, an outcome for somebody who was not claimed. Nothing was
	// changed.
	ErrInvalid = errors.New("spool: invalid")
	// ErrClosed says that the store was closed.
	ErrClosed = errors.New("spool: store is closed")
)

// refusal is an error that knows its reply.
type refusal struct{ smtp.Reply }

func (r *refusal) Error() string { return "spool: " + r.Reply.String() }

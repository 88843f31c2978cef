package local

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// Agent delivers into mailboxes. Open must be set; the fields must not change
// after the first call. The methods may be called concurrently, and call the
// funcs concurrently.
type Agent struct {
	// User says whose mail a recipient's is, and into which mailbox it goes; ""
	// is INBOX, and so is one that does not exist. An error refuses the
	// recipient: 550 5.1.1 if it is mailbox.ErrNotExist. nil takes the local
	// part in lower case, without "+" and what follows.
	User func(ctx context.Context, rcpt smtp.Path) (user, folder string, err error)

	// Open opens the account of a user: Tree.Open of maildir and memory. The
	// Store is closed after the delivery if it is an io.Closer.
	Open func(ctx context.Context, user string) (mailbox.Store, error)

	// Before may look at the message and change where and how it is delivered:
	// Folder, Flags, and also Body, with Size then 0. [ErrDiscard] drops the
	// message as if it was delivered; any other error refuses it. It is called
	// for each recipient, with a Body of its own. nil changes nothing.
	Before func(ctx context.Context, env smtp.Envelope, user string, d *mailbox.Delivery) error

	// Again reports that a message may have been delivered before, by a process
	// that died before the queue could write it down; ctx is that of Deliver.
	// spool.Again is such a func. The message is then looked for in the mailbox,
	// octet for octet, and is not put there twice: mail is delivered once, though
	// the queue tries at least once. A copy that its user has moved or removed in
	// between is not found. nil never looks.
	Again func(ctx context.Context) bool

	// Parallel is how many recipients of a message are served at a time; 0 or
	// less means 8.
	Parallel int

	// Trace is told of each delivery; err is nil if it was made. It may be
	// called concurrently. nil is silent.
	Trace func(env smtp.Envelope, rcpt smtp.Path, user string, err error)

	Now func() time.Time // nil means time.Now
}

var _ smtp.DeliverFunc = (*Agent)(nil).Deliver

// ErrDiscard is what Before returns to have a message dropped in silence.
var ErrDiscard = errors.New("local: discard the message")

// defaultParallel is the Parallel of a zero Agent.
const defaultParallel = 8

// errNoUser is the reply for recipients that nobody is.
var errNoUser = smtp.Reject(550, "5.1.1", "No such user here")

// errLoop is the reply to a message that was here before (RFC 3463 §3.5).
var errLoop = smtp.Reject(554, "5.4.6", "Mail loop: the message was delivered to this recipient before")

// user finds out whose a recipient is.
func (a *Agent) user(ctx context.Context, rcpt smtp.Path) (user, folder string, err error) {
	if a.User == nil {
		user, _, _ = strings.Cut(strings.ToLower(rcpt.Local()), "+")
	} else {
		user, folder, err = a.User(ctx, rcpt)
	}
	if errors.Is(err, mailbox.ErrNotExist) {
		err = &smtp.Error{Reply: smtp.ReplyTo(errNoUser), Err: err}
	}
	return user, folder, err
}

// open opens the account of a user.
func (a *Agent) open(ctx context.Context, user string) (mailbox.Store, error) {
	s, err := a.Open(ctx, user)
	if errors.Is(err, mailbox.ErrNotExist) {
		err = &smtp.Error{Reply: smtp.ReplyTo(errNoUser), Err: err}
	}
	return s, err
}

// Verify says whether mail for a recipient can be delivered, so that a server
// can refuse at RCPT: 550 5.1.1 for a user that there is not, 452 4.2.2 if the
// mailbox is full, 451 if it cannot be told now.
func (a *Agent) Verify(ctx context.Context, rcpt smtp.Path) error {
	user, _, err := a.user(ctx, rcpt)
	if err != nil {
		return err
	}
	s, err := a.open(ctx, user)
	if err != nil {
		return err
	}
	defer mailbox.Close(s)
	inbox, err := mailbox.Find(ctx, s, mailbox.Inbox)
	if err != nil {
		return err
	}
	return mailbox.Room(ctx, s, inbox.ID, 1, 1)
}

// Deliver is an smtp.DeliverFunc. Each recipient gets a copy of the message with
// Return-Path and Delivered-To on top, read from a section of body of its own.
// Accepted means durable where the store is.
func (a *Agent) Deliver(ctx context.Context, env smtp.Envelope, body *io.SectionReader) smtp.Results {
	results := make(smtp.Results, len(env.To))
	seen, err := deliveredTo(body)
	if err != nil {
		return smtp.Failed(len(env.To), err)
	}
	n := a.Parallel
	if n <= 0 {
		n = defaultParallel
	}
	slots := make(chan struct{}, n)
	var wg sync.WaitGroup
	for i, r := range env.To {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			user, err := "", errLoop
			if !seen[r.Path.Address()] {
				user, err = a.deliver(ctx, env, r.Path, io.NewSectionReader(body, 0, body.Size()))
			}
			results[i] = result(err)
			if a.Trace != nil {
				a.Trace(env, r.Path, user, err)
			}
		})
	}
	wg.Wait()
	return results
}

func result(err error) smtp.Result {
	if err == nil {
		return smtp.Result{Status: smtp.Accepted, Reply: smtp.Reply{Code: 250, Enhanced: "2.1.5", Text: "Delivered"}}
	}
	return smtp.Failed(1, err)[0]
}

// deliver serves one recipient.
func (a *Agent) deliver(ctx context.Context, env smtp.Envelope, rcpt smtp.Path, body *io.SectionReader) (user string, err error) {
	user, folder, err := a.user(ctx, rcpt)
	if err != nil {
		return user, err
	}
	s, err := a.open(ctx, user)
	if err != nil {
		return user, err
	}
	defer mailbox.Close(s)
	d := mailbox.Delivery{
		Folder: folder, ReturnPath: env.From.Address(), DeliveredTo: rcpt.Address(),
		Body: body, Size: body.Size(), Received: a.now(), Again: a.Again != nil && a.Again(ctx),
	}
	if a.Before != nil {
		if err := a.Before(ctx, env, user, &d); errors.Is(err, ErrDiscard) {
			return user, nil
		} else if err != nil {
			return user, err
		}
		// A filter that has read the message has not used it up.
		if d.Body == body {
			if _, err := body.Seek(0, io.SeekStart); err != nil {
				return user, err
			}
		}
	}
	return user, mailbox.Deliver(ctx, s, d)
}

func (a *Agent) now() time.Time {
	if a.Now != nil {
		return a.Now()
	}
	return time.Now()
}

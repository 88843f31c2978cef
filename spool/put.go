package spool

import (
	"context"
	"io"

	"github.com/postilion-mail/postilion/smtp"
)

// Put queues one message: body is read once and stored once for all envelopes,
// which become visible together or not at all. A nil error means that the store
// has it safe, so a server answers 250 (RFC 5321 §6.1). The ID is that of the
// first item, for the log and for the text of the reply.
//
// Any error, with one exception, means that nothing was kept: the store's, which
// is 452 4.3.1 when full, that of ctx, and that of body, which comes back as it
// is. Only io.EOF itself ends a complete body; what [smtp.Scan] refused, or a
// peer that went away in the middle, ends in another error. The exception is a
// store that cannot tell whether its Commit has happened; the reply is 451 then
// and the message may come twice. To be safe from that, use [PutItems] with a
// [DerivedID].
//
// An envelope is not offered for delivery before its Params.HoldUntil
// (RFC 4865 §5). Put without envelopes is [ErrInvalid]: who means to drop a
// message does not put it.
func Put(ctx context.Context, s Store, body io.Reader, envs ...smtp.Envelope) (ID, error) {
	items := make([]*Item, len(envs))
	for i, e := range envs {
		items[i] = &Item{Envelope: e, NotBefore: e.Params.HoldUntil}
	}
	if err := PutItems(ctx, s, body, items...); err != nil {
		return "", err
	}
	return items[0].ID, nil
}

// PutItems is [Put] for those who say more than an envelope does. Items whose
// ID the store has already are left as they are there.
func PutItems(ctx context.Context, s Store, body io.Reader, items ...*Item) error {
	// What is wrong with the items is found before the body is read.
	if err := validate(items); err != nil {
		return err
	}
	var size int64 // as declared at MAIL; several envelopes are one message
	for _, it := range items {
		size = max(size, it.Envelope.Params.Size)
	}
	w, err := s.Begin(ctx, size)
	if err != nil {
		return err
	}
	// Abort does nothing after Commit; a body that panics leaves nothing behind.
	defer w.Abort()
	if _, err := io.Copy(&writer{ctx, w}, body); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return w.Commit(ctx, items...)
}

// writer ends a copy with its context, and shows io.Copy no more than Write.
type writer struct {
	ctx context.Context
	w   Writer
}

func (w *writer) Write(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	return w.w.Write(p)
}

// WriteString spares the copy where the store can do without: a body that is a
// string, as in strings.Reader, comes this way.
func (w *writer) WriteString(s string) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	return io.WriteString(w.w, s)
}

package mailbox

import (
	"context"
	"io"
	"strings"
	"time"
)

// Delivery is a message on its last step.
type Delivery struct {
	Folder      string // "" means INBOX
	ReturnPath  string // the sender of the envelope without brackets; "" is the null path
	DeliveredTo string // the recipient; "" writes no Delivered-To
	Body        io.Reader
	Size        int64 // of Body in bytes; 0 or less is not known
	Flags       Flags
	Received    time.Time // zero means now

	// Again says that this may have been done before, by a process that died
	// before it could tell. Then a message of the same octets that is in the
	// mailbox is taken for the one that was delivered, and no second is added.
	// Body must be an io.ReadSeeker for that, at its beginning.
	Again bool
}

// Deliver appends a message to a mailbox, with Return-Path (RFC 5321 §4.4) and
// Delivered-To on top. Where d.Folder does not exist it goes to INBOX: a
// filter that names a folder must not lose mail.
//
// The message is durable, where the store is, on nil. The error has an SMTP
// reply if it is an [Error], such as 452 4.2.2 for [ErrOverQuota], which is
// found out before the body is read where its size is known. An error of Body
// delivers nothing and is returned.
func Deliver(ctx context.Context, s Store, d Delivery) error {
	top, err := d.trace()
	if err != nil {
		return err
	}
	id, err := d.target(ctx, s)
	if err != nil {
		return err
	}
	m, err := s.Open(ctx, id)
	if err != nil {
		return err
	}
	// A message that is stored is delivered, whatever Close says: with an error
	// it would be delivered again.
	defer m.Close()
	if d.Again {
		if there, err := isThere(ctx, m, top, d.Body); there || err != nil {
			return err
		}
	}
	in := &Incoming{Body: io.MultiReader(strings.NewReader(top), d.Body), Flags: d.Flags, Received: d.Received}
	if d.Size > 0 {
		in.Size = d.Size + int64(len(top))
	}
	if err := Room(ctx, s, id, max(in.Size, 1), 1); err != nil {
		return err
	}
	_, err = m.Append(ctx, One(in))
	return err
}

// target is where d goes.
func (d *Delivery) target(ctx context.Context, s Store) (ID, error) {
	name, err := CheckName(d.Folder)
	if err != nil {
		name = Inbox
	}
	i, err := Find(ctx, s, name)
	if isGone(err) && name != Inbox {
		i, err = Find(ctx, s, Inbox)
	}
	return i.ID, err
}

// trace are the lines on top. What could end a line is refused: they are written
// as they are.
func (d *Delivery) trace() (string, error) {
	for _, s := range []string{d.ReturnPath, d.DeliveredTo} {
		if strings.ContainsFunc(s, badInName) {
			return "", refuse(ErrCannot, "control character in "+clip(s))
		}
	}
	top := "Return-Path: <" + d.ReturnPath + ">\r\n"
	if d.DeliveredTo != "" {
		top += "Delivered-To: " + d.DeliveredTo + "\r\n"
	}
	return top, nil
}

package smtp

import (
	"context"
	"strconv"
	"strings"

	"github.com/postilion-mail/postilion/internal/addr"
)

// transaction is a Transaction and what the server needs to bring it to its end.
type transaction struct {
	Transaction
	ctx    context.Context
	cancel context.CancelCauseFunc
	rcpts  int  // how many RCPT were accepted; the handler may change To
	prdr   bool // MAIL asked for a reply for each recipient

	asked Recipient    // of the RCPT that is being answered
	first [1]Recipient // room for To: most messages have one
}

// MAIL begins a transaction (RFC 5321 §4.1.1.2).
func (c *conn) MAIL(arg string) (Reply, error) {
	if n := c.srv.limits.Messages; n > 0 && int(c.messages) >= n {
		return Reply{}, c.lastWord(Reply{421, "4.7.0", "Too many messages on one connection"})
	}
	from, rest, err := cutPathArg(arg, "FROM:", "5.1.7")
	if err != nil {
		return ReplyTo(err), nil
	}
	if from.domain == "" && !from.IsNull() { // the grammar lets postmaster through
		return Reply{501, "5.1.7", "A sender needs a domain"}, nil
	}
	t := &transaction{}
	if rest != "" {
		if err := c.params(&t.prdr, mailNames).setMail(rest, &t.Params); err != nil {
			return ReplyTo(err), nil
		}
	}
	if r, ok := c.checkMail(from, &t.Params); !ok {
		return r, nil
	}
	t.Session, t.From, t.To = &c.session, from, t.first[:0]
	t.ID = c.session.ID + "." + strconv.Itoa(int(c.messages)+1)
	t.ctx, t.cancel = context.WithCancelCause(c.context())
	if f := c.srv.Handler.Mail; f != nil {
		err := c.callTx(t, false, func(ctx context.Context) error { return f(ctx, &t.Transaction) })
		if err != nil {
			t.cancel(err)
			return c.failure(err), nil
		}
	}
	c.messages++
	c.tx, c.state = t, inMail
	return Reply{250, "2.1.0", "Sender OK"}, nil
}

func mailNames(x *Extension) []string { return x.Mail }
func rcptNames(x *Extension) []string { return x.Rcpt }

func (c *conn) params(prdr *bool, names func(*Extension) []string) *paramContext {
	return &paramContext{
		offers:  c.accepts,
		private: func(name string) bool { return c.srv.privateParam(name, names) },
		trusted: c.session.User != "",
		now:     c.srv.now(), maxHold: c.srv.maxHold(), minBy: c.srv.MinBy, prdr: prdr,
	}
}

// checkMail refuses what the parameters rule out together.
func (c *conn) checkMail(from Path, p *MailParams) (Reply, bool) {
	max := c.srv.limits.MessageBytes
	switch {
	case max > 0 && p.Size > max:
		return tooLarge, false // RFC 1870 §6.1
	case !p.UTF8 && !(addr.IsASCII(from.local) && addr.IsASCII(from.domain)):
		return needsUTF8(c), false
	}
	return Reply{}, true
}

// needsUTF8 refuses a path that SMTPUTF8 was not asked for (RFC 6531 §3.5).
func needsUTF8(c *conn) Reply {
	if c.tx != nil {
		return Reply{553, "5.6.7", "Address needs SMTPUTF8"}
	}
	return Reply{550, "5.6.7", "Address needs SMTPUTF8"}
}

// RCPT adds a recipient (RFC 5321 §4.1.1.3).
func (c *conn) RCPT(arg string) (Reply, error) {
	to, rest, err := cutPathArg(arg, "TO:", "5.1.3")
	if err != nil {
		return ReplyTo(err), nil
	}
	if to.IsNull() {
		return Reply{501, "5.1.3", "A recipient is needed"}, nil
	}
	r := &c.tx.asked
	*r = Recipient{Path: to}
	if rest != "" {
		if err := c.params(nil, rcptNames).setRcpt(rest, r); err != nil {
			return ReplyTo(err), nil
		}
	}
	if !c.tx.Params.UTF8 && !(addr.IsASCII(to.local) && addr.IsASCII(to.domain)) {
		return needsUTF8(c), nil
	}
	if n := c.srv.limits.Recipients; n > 0 && c.tx.rcpts >= n {
		return Reply{452, "4.5.3", "Too many recipients"}, nil // RFC 5321 §4.5.3.1.10
	}
	if f := c.srv.Handler.Rcpt; f != nil {
		err := c.callTx(c.tx, false, func(ctx context.Context) error {
			return f(ctx, &c.tx.Transaction, r)
		})
		if err != nil {
			return c.failure(err), nil
		}
	}
	c.tx.To = append(c.tx.To, *r)
	c.tx.rcpts++
	c.state = inRcpt
	return Reply{250, "2.1.5", "Recipient OK"}, nil
}

// cutPathArg reads "FROM:<path> parameters". A space after the colon is let
// pass, as textbooks and old clients write it; angle brackets are a must
// (RFC 5321 §3.3). enhanced says whose address is malformed (RFC 3463 §3.2).
func cutPathArg(arg, label, enhanced string) (Path, string, error) {
	if len(arg) < len(label) || !addr.EqualFold(arg[:len(label)], label) {
		return Path{}, "", Reject(501, "5.5.4", "Syntax: "+label+"<address>")
	}
	local, domain, rest, err := addr.CutPath(strings.TrimLeft(arg[len(label):], " "))
	if err == nil && rest != "" && rest[0] != ' ' {
		err = addr.ErrSyntax
	}
	if err != nil {
		return Path{}, "", Reject(501, enhanced, err.Error())
	}
	return Path{local, domain}, rest, nil
}

// endTransaction forgets the transaction; told says whether the handler is to
// hear of it.
func (c *conn) endTransaction(told bool) {
	t := c.tx
	if t == nil {
		return
	}
	c.tx, c.state = nil, greeted
	t.cancel(context.Canceled)
	if f := c.srv.Handler.Reset; told && f != nil {
		f(&t.Transaction)
	}
}

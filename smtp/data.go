package smtp

import (
	"context"
	"errors"
	"time"

	"github.com/postilion-mail/postilion/internal/wire"
)

// DATA takes a message that ends in a dot (RFC 5321 §4.1.1.4).
func (c *conn) DATA(arg string) (Reply, error) {
	switch {
	case arg != "":
		return noArgument, nil
	case c.tx.rcpts == 0 && c.srv.Profile == LMTP:
		return Reply{503, "5.5.1", "No valid recipients"}, nil // RFC 2033 §4.2
	case c.tx.rcpts == 0:
		return noRecipients, nil
	case c.tx.Params.Body == BodyBinaryMIME:
		return Reply{503, "5.5.1", "BINARYMIME needs BDAT"}, nil // RFC 3030 §3
	}
	if r, ok := c.beforeData(); !ok {
		c.endTransaction(true)
		return r, nil
	}
	c.putLine(Reply{354, "", "End data with <CR><LF>.<CR><LF>"})
	if err := c.flush(); err != nil {
		return Reply{}, err
	}
	if c.dot == nil {
		c.dot = &wire.DotReader{Ends: c.srv.LineEndings.wireEnds(), Limit: c.srv.limits.MessageBytes, Line: c.srv.limits.TextLine, Flood: c.srv.flood()}
	}
	c.dot.Reset(&c.r)
	return c.message(dotted{c.dot})
}

var noRecipients = Reply{554, "5.5.1", "No valid recipients"} // RFC 2920 §3.1

// dotted is a message that ends in a dot, and in nothing else: who refuses it
// early must read it all the same.
type dotted struct{ *wire.DotReader }

func (d dotted) Drain(bool) error { return d.DotReader.Drain() }
func (d dotted) Last() bool       { return true }

// flood is where even reading on for the sake of the dialogue ends.
func (s *Server) flood() int64 {
	if s.limits.MessageBytes == 0 {
		return 0
	}
	return max(10*s.limits.MessageBytes, 64<<20)
}

// beforeData asks the handler. Its refusal is to end the transaction.
func (c *conn) beforeData() (Reply, bool) {
	t := c.tx
	f := c.srv.Handler.Data
	if f == nil {
		return Reply{}, true
	}
	if err := c.callTx(t, false, func(ctx context.Context) error { return f(ctx, &t.Transaction) }); err != nil {
		return c.failure(err), false
	}
	return Reply{}, true
}

// message hands src to the handler, brings the dialogue to its end, and
// answers. The handler's word counts only for a message that is whole.
func (c *conn) message(src source) (Reply, error) {
	t := c.tx
	c.phase, c.dataStart, c.source = inData, time.Now(), src
	var err error
	if f := c.srv.Handler.Message; f != nil {
		b := &body{src: src, c: c}
		err = c.callTx(t, true, func(ctx context.Context) error { return f(ctx, &t.Transaction, b) })
		b.err = errBodyOver
	}
	lost := src.Drain(err != nil)
	c.phase, c.source = inCommand, nil
	if lost != nil {
		return c.lostMessage(lost)
	}
	if bad := src.Err(); bad != nil {
		err = bodyError(bad)
	}
	r := c.verdict(t, err, src)
	c.idlers = 0
	c.endTransaction(false)
	return r, nil
}

var errBodyOver = errors.New("smtp: body read after the handler returned")

// lostMessage answers for a message that never came to its end. But for one
// that was taken back, there is no way to be in step again.
func (c *conn) lostMessage(err error) (Reply, error) {
	if c.unsent != nil {
		return Reply{}, c.unsent
	}
	switch e := bodyError(err); e {
	case ErrAborted:
		c.endTransaction(true)
		return Reply{}, nil
	case ErrTooLarge, ErrTooSlow:
		return Reply{}, c.lastWord(ReplyTo(e))
	default:
		return Reply{}, err
	}
}

// verdict answers a message that was read to its end.
func (c *conn) verdict(t *transaction, err error, src source) Reply {
	tr := c.srv.Trace
	traced := tr != nil && tr.Message != nil
	var results Results // empty where nobody asks
	if err != nil || traced || c.srv.Profile == LMTP {
		results = c.resultsOf(t, err)
	}
	r := c.lastReply(t, results, err, src.Last())
	if traced {
		tr.Message(&t.Transaction, src.Size(), results, time.Since(c.dataStart))
	}
	if l := c.srv.Log; l != nil {
		l.Info("message", "conn", c.session.ID, "id", t.ID, "from", t.From.String(), "recipients", t.rcpts, "size", src.Size(), "reply", r.String(), "queued", t.Queued)
	}
	return r
}

// resultsOf gives each recipient its result.
func (c *conn) resultsOf(t *transaction, err error) Results {
	if err == nil {
		return Failed(t.rcpts, nil)
	}
	if p, ok := errors.AsType[*PartialError](err); ok {
		return append(Results(nil), p.Results...).forAll(t.rcpts)
	}
	r := c.failure(err)
	out := Failed(t.rcpts, err)
	for i := range out {
		out[i].Reply = r
	}
	return out
}

// lastReply answers with one reply, or for each recipient in LMTP and PRDR;
// but one is all that a chunk gets which is not the last (RFC 2033 §4.3).
func (c *conn) lastReply(t *transaction, results Results, err error, last bool) Reply {
	accepted := 0
	for _, r := range results {
		if r.Status == Accepted {
			accepted++
		}
	}
	if accepted > 0 || err == nil {
		c.errors = 0
	}
	ok := plainOK
	if t.Queued != "" {
		ok.Text = "OK: queued as " + t.Queued
	}
	switch {
	case c.srv.Profile == LMTP && last:
		n := len(results) - 1
		c.each(results[:n], ok)
		return results[n].reply(ok)
	case accepted == len(results):
		return ok
	case accepted == 0:
		return refusalOf(results, err)
	case t.prdr && last:
		c.putLine(Reply{353, "", "Per recipient responses follow"})
		c.each(results, ok)
		return ok
	case c.srv.Handler.Partial == nil:
		c.warn("some recipients failed and nobody tells the sender: asked to try again", err)
		return tryLater
	}
	_ = c.callTx(t, false, func(ctx context.Context) error {
		c.srv.Handler.Partial(ctx, &t.Transaction, results)
		return nil
	})
	return ok
}

// each answers for every recipient, in the order of RCPT (RFC 2033 §4.2).
func (c *conn) each(results Results, ok Reply) {
	for _, r := range results {
		c.put(r.reply(ok))
	}
}

// refusalOf is the one reply where nobody was accepted.
func refusalOf(results Results, err error) Reply {
	if _, ok := errors.AsType[*PartialError](err); ok {
		return notClosing(ReplyTo(results.Err()))
	}
	return ReplyTo(results.Err())
}

// notClosing is a reply about a recipient: a 421 among these was said by the
// next host about its own connection, and ours stays open.
func notClosing(r Reply) Reply {
	if r.Code == 421 {
		r.Code = 451
	}
	return r
}

// reply is a recipient's own answer, made up where the result has none; ok is
// what the message got.
func (r Result) reply(ok Reply) Reply {
	class := r.Reply.Code / 100
	switch {
	case r.Status == Accepted && class == 2 && r.Reply != plainOK,
		r.Status == Permanent && class == 5,
		r.Status == Temporary && class == 4:
		return notClosing(r.Reply)
	case r.Status == Accepted:
		return ok
	case r.Status == Permanent:
		return Reply{554, "5.0.0", "Delivery failed"}
	}
	return tryLater
}

// plainOK is also what [Failed] gives where nothing failed.
var plainOK = Reply{250, "2.0.0", "OK"}

package smtp

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/postilion-mail/postilion/internal/wire"
)

// DATA takes a message that ends in a dot (RFC 5321 §4.1.1.4).
func (c *conn) DATA(arg string) (Reply, error) {
	switch {
	case arg != "":
		return noArgument, nil
	case len(c.tx.To) == 0:
		return Reply{554, "5.5.1", "No valid recipients"}, nil // RFC 2920 §3.1
	case c.tx.Params.Body == BodyBinaryMIME:
		return Reply{503, "5.5.1", "BINARYMIME needs BDAT"}, nil // RFC 3030 §3
	}
	if r, ok := c.beforeData(); !ok {
		return r, nil
	}
	c.putLine(Reply{354, "", "End data with <CR><LF>.<CR><LF>"})
	if err := c.flush(); err != nil {
		return Reply{}, err
	}
	d := &wire.DotReader{Ends: c.srv.LineEndings.wireEnds(), Limit: c.srv.limits.MessageBytes, Line: c.srv.limits.TextLine, Flood: c.srv.flood()}
	d.Reset(&c.r)
	return c.message(d)
}

// flood is where even reading on for the sake of the dialogue ends.
func (s *Server) flood() int64 {
	if s.limits.MessageBytes == 0 {
		return 0
	}
	return max(10*s.limits.MessageBytes, 64<<20)
}

// beforeData asks the handler. A refusal ends the transaction.
func (c *conn) beforeData() (Reply, bool) {
	t := c.tx
	f := c.srv.Handler.Data
	if f == nil {
		return Reply{}, true
	}
	if err := c.callIn(t.ctx, t.cancel, false, func(ctx context.Context) error { return f(ctx, &t.Transaction) }); err != nil {
		c.endTransaction(true)
		return c.failure(err), false
	}
	return Reply{}, true
}

// message hands src to the handler, brings the dialogue to its end, and
// answers. The handler's word counts only for a message that is whole.
func (c *conn) message(src source) (Reply, error) {
	t := c.tx
	c.phase, c.dataStart, c.source = inData, time.Now(), src
	b := &body{src: src, c: c}
	err := c.callIn(t.ctx, t.cancel, true, func(ctx context.Context) error {
		if f := c.srv.Handler.Message; f != nil {
			return f(ctx, &t.Transaction, b)
		}
		_, err := io.Copy(io.Discard, b)
		return err
	})
	b.err = errors.New("smtp: body read after the handler returned")
	lost := src.Drain()
	c.phase, c.source = inCommand, nil
	if lost != nil {
		return c.lostMessage(lost)
	}
	if bad := src.Err(); bad != nil {
		err = bodyError(bad)
	}
	r := c.verdict(t, err, src.Size())
	c.idlers = 0
	c.endTransaction(false)
	return r, nil
}

// lostMessage answers for a message that never came to its end. But for one
// that was taken back, there is no way to be in step again.
func (c *conn) lostMessage(err error) (Reply, error) {
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

// dataDeadline gives each block its time, and the whole as much as its size
// deserves: a peer that sends a byte a minute is not kept for ever.
func (c *conn) dataDeadline() time.Time {
	now := time.Now()
	c.hook.progress(now)
	wait := c.srv.waits.DataBlock
	if wait == 0 {
		return time.Time{}
	}
	until := now.Add(wait)
	if rate := int64(c.srv.limits.MinRate); rate > 0 {
		earned := time.Duration(c.source.Size()/rate) * time.Second
		if all := c.dataStart.Add(wait + earned); all.Before(until) {
			return all
		}
	}
	return until
}

// verdict answers a message that was read to its end.
func (c *conn) verdict(t *transaction, err error, size int64) Reply {
	results := c.resultsOf(t, err)
	r := c.lastReply(t, results, err)
	if tr := c.srv.Trace; tr != nil && tr.Message != nil {
		tr.Message(&t.Transaction, size, results, time.Since(c.dataStart))
	}
	if l := c.srv.Log; l != nil {
		l.Info("message", "conn", c.session.ID, "id", t.ID, "from", t.From.String(), "recipients", len(t.To), "size", size, "reply", r.String(), "queued", t.Queued)
	}
	return r
}

// resultsOf gives each recipient its result.
func (c *conn) resultsOf(t *transaction, err error) Results {
	if err == nil {
		return Failed(len(t.To), nil)
	}
	if p, ok := errors.AsType[*PartialError](err); ok {
		return append(Results(nil), p.Results...).forAll(len(t.To))
	}
	r := c.failure(err)
	out := Failed(len(t.To), err)
	for i := range out {
		out[i].Reply = r
	}
	return out
}

// lastReply answers with one reply, or for each recipient in LMTP and PRDR.
func (c *conn) lastReply(t *transaction, results Results, err error) Reply {
	accepted := 0
	for _, r := range results {
		if r.Status == Accepted {
			accepted++
		}
	}
	ok := Reply{250, "2.0.0", "OK"}
	if t.Queued != "" {
		ok.Text = "OK: queued as " + t.Queued
	}
	switch {
	case c.srv.Profile == LMTP:
		for _, r := range results[:len(results)-1] {
			c.put(r.reply())
		}
		return results[len(results)-1].reply() // RFC 2033 §4.2
	case accepted == len(results):
		return ok
	case accepted == 0:
		return ReplyTo(results.Err())
	case t.prdr:
		c.putLine(Reply{353, "", "Per recipient responses follow"})
		for _, r := range results {
			c.put(r.reply())
		}
		return ok
	case c.srv.Handler.Partial == nil:
		c.warn("some recipients failed and nobody tells the sender: asked to try again", err)
		return tryLater
	}
	c.srv.Handler.Partial(t.ctx, &t.Transaction, results)
	return ok
}

// reply is a recipient's own answer, made up where the result has none.
func (r Result) reply() Reply {
	class := r.Reply.Code / 100
	switch {
	case r.Status == Accepted && class == 2, r.Status == Permanent && class == 5, r.Status == Temporary && class == 4:
		return r.Reply
	case r.Status == Accepted:
		return Reply{250, "2.1.5", "OK"}
	case r.Status == Permanent:
		return Reply{554, "5.0.0", "Delivery failed"}
	}
	return tryLater
}

package imap

import (
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/postilion-mail/postilion/imap/internal/wire"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// Store changes flags (RFC 9051 §6.4.6). With unchangedSince, unless 0, messages
// that others have changed after that are left alone and returned (RFC 7162
// §3.1.3). Events are told of flags that changed.
func (c *Conn) Store(ctx context.Context, uids mailbox.Set, op mailbox.FlagOp, f mailbox.Flags, unchangedSince mailbox.ModSeq) (skipped mailbox.Set, err error) {
	if len(uids) == 0 {
		return nil, c.ready()
	}
	modifier := ""
	if unchangedSince != 0 {
		modifier = " (UNCHANGEDSINCE " + strconv.FormatUint(uint64(unchangedSince), 10) + ")"
	}
	sign := map[mailbox.FlagOp]string{mailbox.AddFlags: "+", mailbox.RemoveFlags: "-"}[op]
	for _, set := range setArgs(uids) {
		x := (&call{verb: "UID STORE"}).word(set).raw(modifier).word(sign+"FLAGS", "("+f.String()+")")
		code, args, err := c.code(ctx, x)
		if code == "MODIFIED" {
			left, _ := parseUIDs(args)
			skipped = skipped.Union(left)
		}
		if err != nil {
			return skipped, err
		}
	}
	return skipped, nil
}

// code runs a command and gives the response code of its end, also of a
// refusal.
func (c *Conn) code(ctx context.Context, x *call) (code, args string, err error) {
	end, err := c.begin(ctx)
	if err != nil {
		return "", "", err
	}
	defer end()
	if err := c.start(x); err != nil {
		return "", "", cause(ctx, err)
	}
	r, err := c.finish(x)
	if r != nil {
		code, args = r.code, r.carg
	}
	return code, args, cause(ctx, err)
}

// Copied tells where messages went. The sets are empty where the server does
// not tell (RFC 4315 §3: COPYUID); else From and To stand beside each other, in
// order.
type Copied struct {
	UIDValidity uint32 // of the target
	From, To    mailbox.Set
}

// Copy copies messages into another mailbox, all or none (RFC 9051 §6.4.7). A set
// that is too long for one command goes out in several, of which each is all or
// none.
func (c *Conn) Copy(ctx context.Context, uids mailbox.Set, name string) (Copied, error) {
	return c.transfer(ctx, "UID COPY", uids, name)
}

// Move moves messages into another mailbox (RFC 9051 §6.4.8). On a server that
// cannot it copies, marks as \Deleted and expunges these messages; without
// UIDPLUS they stay marked.
func (c *Conn) Move(ctx context.Context, uids mailbox.Set, name string) (Copied, error) {
	if err := c.known(ctx); err != nil {
		return Copied{}, err
	}
	if c.caps.Has("MOVE") || c.caps.Has("IMAP4REV2") {
		return c.transfer(ctx, "UID MOVE", uids, name)
	}
	done, err := c.transfer(ctx, "UID COPY", uids, name)
	if err != nil {
		return done, err
	}
	if _, err := c.Store(ctx, uids, mailbox.AddFlags, mailbox.Flags{Sys: mailbox.Deleted}, 0); err != nil {
		return done, err
	}
	if c.caps.Has("UIDPLUS") {
		return done, c.Expunge(ctx, uids)
	}
	return done, nil
}

func (c *Conn) transfer(ctx context.Context, verb string, uids mailbox.Set, name string) (done Copied, err error) {
	if len(uids) == 0 {
		return done, c.ready()
	}
	for _, set := range setArgs(uids) {
		x := (&call{verb: verb}).word(set).mailbox(c, name)
		x.data = func(r *response) (bool, error) { // MOVE tells before the messages go
			if r.code == "COPYUID" {
				done.add(r.carg)
			}
			return false, nil
		}
		code, args, err := c.code(ctx, x)
		if code == "COPYUID" {
			done.add(args)
		}
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// add takes in what a COPYUID tells; a server may tell it piece by piece.
func (d *Copied) add(args string) {
	if more := parseCopied(args); more.UIDValidity != 0 {
		d.UIDValidity = more.UIDValidity
		d.From, d.To = d.From.Union(more.From), d.To.Union(more.To)
	}
}

func parseCopied(args string) (d Copied) {
	f := strings.Fields(args)
	if len(f) != 3 {
		return d
	}
	n, _ := number([]byte(f[0]))
	from, ok1 := parseUIDs(f[1])
	to, ok2 := parseUIDs(f[2])
	if n == 0 || !ok1 || !ok2 || from.Len() != to.Len() {
		return d
	}
	return Copied{n, from, to}
}

// Expunge removes messages that are \Deleted: those of uids (RFC 9051 §6.4.9),
// and all for nil. A server without UIDPLUS can only do the latter.
func (c *Conn) Expunge(ctx context.Context, uids mailbox.Set) error {
	if uids == nil {
		return c.do(ctx, &call{verb: "EXPUNGE"})
	}
	if err := c.known(ctx); err != nil {
		return err
	}
	if !c.caps.Has("UIDPLUS") && !c.caps.Has("IMAP4REV2") {
		return errors.New("imap: server cannot expunge by UID")
	}
	if len(uids) == 0 {
		return c.ready()
	}
	var calls []*call
	for _, set := range setArgs(uids) {
		calls = append(calls, (&call{verb: "UID EXPUNGE"}).word(set))
	}
	return c.do(ctx, calls...)
}

// Upload is a message to append.
type Upload struct {
	Body     io.Reader // with CRLF line ends
	Size     int64     // of Body; it must be known before
	Flags    mailbox.Flags
	Received time.Time // INTERNALDATE; zero: now
}

// Append puts messages into a mailbox, several as one where the server has
// MULTIAPPEND (RFC 3502), and gives their UIDs where it tells. Bodies stream. A
// Body that ends before its Size leaves the connection out of step, since the
// server waits for the rest.
func (c *Conn) Append(ctx context.Context, name string, messages ...Upload) (uids mailbox.Set, validity uint32, err error) {
	if err := c.known(ctx); err != nil {
		return nil, 0, err
	}
	for _, m := range messages {
		if m.Body == nil || m.Size < 0 {
			return nil, 0, errUpload
		}
	}
	if len(messages) == 0 {
		return nil, 0, c.ready()
	}
	if len(messages) > 1 && !c.caps.Has("MULTIAPPEND") {
		for _, m := range messages {
			one, v, err := c.Append(ctx, name, m)
			if err != nil {
				return uids, validity, err
			}
			uids, validity = uids.Union(one), v
		}
		return uids, validity, nil
	}
	x := (&call{verb: "APPEND"}).mailbox(c, name)
	for _, m := range messages {
		x.upload(c, m)
	}
	code, args, err := c.code(ctx, x)
	if code == "APPENDUID" { // RFC 4315 §3
		v, set, _ := strings.Cut(args, " ")
		validity, _ = number([]byte(v))
		uids, _ = parseUIDs(set)
	}
	return uids, validity, err
}

var errUpload = errors.New("imap: Upload without Body, or of a negative Size")

// upload appends one message to APPEND.
func (x *call) upload(c *Conn, m Upload) {
	if f := m.Flags.String(); f != "" {
		x.word("(" + f + ")")
	}
	if !m.Received.IsZero() {
		x.word(string(wire.AppendDateTime(nil, m.Received)))
	}
	x.raw(" ")
	if c.enabled["UTF8=ACCEPT"] {
		x.raw("UTF8 (~") // RFC 6855 §4
		x.literal(m.Body, m.Size)
		x.parts = append(x.parts, part{text: []byte(")")})
		return
	}
	x.literal(m.Body, m.Size)
}

// quote appends a quoted string, or a literal where none can hold it.
func (x *call) quote(c *Conn, s string) *call {
	if b := x.text(); wire.Quotable(s, c.utf8) {
		*b = wire.AppendQuoted(*b, s)
		return x
	}
	x.literal(strings.NewReader(s), int64(len(s)))
	return x
}

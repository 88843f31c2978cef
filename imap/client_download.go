package imap

import (
	"bytes"
	"context"
	"io"
	"iter"
	"strings"

	"github.com/postilion-mail/postilion/imap/internal/wire"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// Download is a section of a message as it streams in.
type Download struct {
	UID  mailbox.UID // 0: the server tells it only behind the body
	Size int64       // octets of the body
	Body io.Reader   // valid until the next round of the loop
}

// Download streams a section of each message, however large. Messages that are
// gone, or have no such section, are left out. What is left of a body is
// dropped. The loop may be left at any time; where much is still to come that
// costs the connection. No other method may be called within it.
func (c *Conn) Download(ctx context.Context, uids mailbox.Set, s Section) iter.Seq2[*Download, error] {
	return func(yield func(*Download, error) bool) {
		d := &downloading{c: c, uids: uids, yield: yield, wanted: true, left: maxDrain}
		if err := d.run(ctx, s); err != nil && d.wanted {
			yield(nil, err)
		}
	}
}

// maxDrain is how much of bodies that nobody wants is read to stay in step.
const maxDrain = 1 << 20

// downloading is one run of [Conn.Download].
type downloading struct {
	c        *Conn
	uids     mailbox.Set
	yield    func(*Download, error) bool
	wanted   bool
	streamed bool // the response at hand had the body as a literal
	left     int64
}

func (d *downloading) run(ctx context.Context, s Section) error {
	if err := d.c.known(ctx); err != nil {
		return err
	}
	calls, err := d.c.fetchCalls(d.uids, Items{Bodies: []Section{s}}, d.data)
	if err != nil {
		return err
	}
	for _, x := range calls {
		if err := d.c.ready(); err != nil || !d.wanted {
			return err
		}
		d.c.hook = d.hook
		err := d.c.do(ctx, x)
		d.c.hook = nil
		if err != nil {
			return err
		}
	}
	return nil
}

// hook takes the literal of a body out of the response that is being read. line
// is all of that so far, and ends in the announcement. It reports whether the
// literal was read.
func (d *downloading) hook(line []byte, size int64) (read bool, err error) {
	uid, isBody := fetchHead(line)
	if !isBody || uid != 0 && !d.uids.Contains(uid) { // nobody asked; a new message after NOTIFY
		return false, nil
	}
	d.streamed = true
	body := &literalBody{c: d.c, left: size}
	d.give(&Download{UID: uid, Size: size, Body: body})
	if body.err != nil {
		return true, body.err
	}
	if !d.wanted {
		if d.left -= body.left; d.left < 0 {
			body.err = errStopped
			return true, errStopped
		}
	}
	_, err = io.Copy(io.Discard, body)
	return true, err
}

// give hands a body to the loop, unless nobody has asked for it.
func (d *downloading) give(one *Download) {
	if !d.wanted || one.UID != 0 && !d.uids.Contains(one.UID) {
		return
	}
	d.c.busy = true
	d.wanted = d.yield(one, nil)
	d.c.busy = false
}

// data gets the responses with their literals taken out, and those in which the
// body is a quoted string: many servers send an empty one so.
func (d *downloading) data(r *response) (mine bool, err error) {
	streamed := d.streamed
	d.streamed = false
	if streamed || r.word != "FETCH" && r.word != "UIDFETCH" {
		return streamed, nil
	}
	m, err := d.c.parseMessage(r)
	if err != nil {
		return true, err
	}
	if m.items == 0 || !d.uids.Contains(m.UID) {
		return false, nil
	}
	for _, b := range m.bodies {
		if b.ok {
			d.give(&Download{UID: m.UID, Size: int64(len(b.text)), Body: strings.NewReader(b.text)})
		}
	}
	return true, nil
}

// fetchHead reports whether line is a FETCH response up to the literal of a
// body, and the UID if it stands before it.
func fetchHead(line []byte) (uid mailbox.UID, ok bool) {
	text := wire.Upper(string(line))
	open := strings.IndexByte(text, '(')
	lit := strings.LastIndexByte(text, '{')
	if open < 0 || lit < open || !strings.HasPrefix(text, "* ") {
		return 0, false
	}
	num, word := cutWord([]byte(text[2:open]))
	switch string(bytes.TrimSpace(word)) {
	case "FETCH":
	case "UIDFETCH": // RFC 9586
		n, _ := number(num)
		uid = mailbox.UID(n)
	default:
		return 0, false
	}
	name := strings.TrimRight(text[open+1:lit], " ~")
	at := max(strings.LastIndex(name, "BODY["), strings.LastIndex(name, "BINARY["))
	if at < 0 || strings.Contains(name[at:], `"`) && !strings.Contains(name[at:], "FIELDS") {
		return 0, false
	}
	if i := strings.Index(text, "UID "); i > open && i < open+1+at {
		digits, _ := cutWord([]byte(text[i+4:]))
		n, _ := number(digits)
		uid = mailbox.UID(n)
	}
	return uid, true
}

// literalBody reads the octets of a literal.
type literalBody struct {
	c    *Conn
	left int64
	err  error
}

func (b *literalBody) Read(p []byte) (int, error) {
	switch {
	case b.err != nil:
		return 0, b.err
	case b.left == 0:
		return 0, io.EOF
	case len(p) == 0:
		return 0, nil
	}
	n, err := b.c.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	if err != nil {
		b.err = b.c.readError(err)
	}
	return n, b.err
}

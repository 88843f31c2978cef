package smtp

import (
	"bytes"
	"io"
	"math"
	"strconv"

	"github.com/postilion-mail/postilion/internal/addr"
	"github.com/postilion-mail/postilion/internal/wire"
)

// BDAT takes a message in counted chunks (RFC 3030 §2). The first chunk calls
// the handler, and the body it reads goes on to the next chunk by itself, with
// no goroutine between. Whatever is refused, the octets that were announced
// are read before the reply, so the dialogue stays in step.
func (c *conn) BDAT(arg string) (Reply, error) {
	n, last, ok := parseBDAT(arg)
	if !ok { // how many octets follow, nobody can tell
		return Reply{}, c.lastWord(Reply{501, "5.5.4", "Syntax: BDAT size [LAST]"})
	}
	if r, ok := c.mayBDAT(); !ok {
		return r, c.skip(n)
	}
	if r, ok := c.beforeData(); !ok {
		return r, c.skip(n)
	}
	c.state = inBdat
	k := &bdat{c: c, left: n, last: last, check: wire.NewCheck(), enc: wire.NewEncoder(false), binary: c.tx.Params.Body == BodyBinaryMIME}
	r, err := c.message(k)
	if err == nil && k.next != nil {
		return Reply{}, c.command(k.next)
	}
	return r, err
}

// mayBDAT says why a first chunk is out of place.
func (c *conn) mayBDAT() (Reply, bool) {
	if c.srv.Profile == Submission {
		if r, ok := c.admitted(); !ok {
			return r, false
		}
	}
	if c.srv.withholds("CHUNKING") {
		return Reply{502, "5.5.1", "Command not implemented"}, false
	}
	switch c.where() {
	case inRcpt:
		return Reply{}, true
	case inMail:
		return Reply{554, "5.5.1", "No valid recipients"}, false
	}
	return badSequence("BDAT", c.where()), false
}

// skip reads n octets and drops them.
func (c *conn) skip(n int64) error {
	if f := c.srv.flood(); f > 0 && n > f {
		return c.lastWord(tooLarge)
	}
	for n > 0 {
		b, err := c.r.Next(int(min(n, math.MaxInt32)))
		if err != nil {
			return c.readError(err)
		}
		n -= int64(len(b))
	}
	return nil
}

// parseBDAT reads "size" and "size LAST".
func parseBDAT(arg string) (n int64, last, ok bool) {
	size, word, found := bytes.Cut([]byte(arg), []byte{' '})
	if found {
		if last = addr.EqualFold(string(bytes.TrimSpace(word)), "LAST"); !last {
			return 0, false, false
		}
	}
	if !isNumber(string(size), 19) {
		return 0, false, false
	}
	n, err := strconv.ParseInt(string(size), 10, 64)
	return n, last, err == nil
}

// bdat is the body of a message that comes in chunks.
type bdat struct {
	c      *conn
	left   int64 // of this chunk
	size   int64 // of all chunks so far
	chunk  int64 // octets of this chunk that were read
	last   bool
	binary bool
	check  wire.Check
	enc    wire.Encoder
	out    []byte
	run    []byte
	bad    error  // what is wrong with the message
	err    error  // the answer to every further read
	next   []byte // the command that took the message back
}

func (k *bdat) Size() int64 { return k.size }
func (k *bdat) Err() error  { return k.bad }

func (k *bdat) Read(p []byte) (int, error) {
	for len(k.run) == 0 && len(p) > 0 {
		if k.err != nil {
			return 0, k.err
		}
		k.run = k.fill()
	}
	n := copy(p, k.run)
	k.run = k.run[n:]
	return n, nil
}

func (k *bdat) WriteTo(w io.Writer) (n int64, err error) {
	for {
		if len(k.run) > 0 {
			m, err := w.Write(k.run)
			n += int64(m)
			k.run = k.run[m:]
			if err != nil {
				return n, err
			}
		}
		if k.err == io.EOF {
			return n, nil
		}
		if k.err != nil {
			return n, k.err
		}
		k.run = k.fill()
	}
}

// fill gives the next run of octets, or none and perhaps sets err.
func (k *bdat) fill() []byte {
	if k.left == 0 {
		k.turn()
		return nil
	}
	b, err := k.c.r.Next(int(min(k.left, math.MaxInt32)))
	if err != nil {
		k.err = wire.Truncated(err)
		return nil
	}
	k.left -= int64(len(b))
	k.size += int64(len(b))
	k.chunk += int64(len(b))
	k.judge(b)
	if k.bad != nil {
		k.err = k.bad // known at once: a chunk has an end to wait for
		return nil
	}
	if k.c.srv.LineEndings == NormalizeBare && !k.binary {
		k.out = k.enc.Append(k.out[:0], b)
		return k.out
	}
	return b
}

func (k *bdat) judge(b []byte) {
	limits := &k.c.srv.limits
	if limits.MessageBytes > 0 && k.size > limits.MessageBytes {
		k.bad = wire.ErrTooLarge
	}
	if k.binary || k.bad != nil {
		return
	}
	bare := k.check.Scan(b)
	if k.last && k.left == 0 {
		bare = bare || k.check.End()
	}
	switch {
	case bare && k.c.srv.LineEndings == RejectBare:
		k.bad = wire.ErrBareNewline
	case limits.TextLine > 0 && k.check.Longest() > limits.TextLine:
		k.bad = wire.ErrTextLine
	}
}

// turn is the end of a chunk: of the message too, or the next command is read.
func (k *bdat) turn() {
	if k.last {
		if k.err = io.EOF; k.check.End() && k.c.srv.LineEndings == RejectBare && !k.binary && k.bad == nil {
			k.bad, k.err = wire.ErrBareNewline, wire.ErrBareNewline
		}
		return
	}
	c := k.c
	c.put(Reply{250, "2.0.0", strconv.FormatInt(k.chunk, 10) + " octets received"})
	k.chunk = 0
	c.phase = inCommand
	defer func() { c.phase = inData }()
	for k.err == nil {
		if k.err = k.command(); k.left > 0 || k.last {
			return
		}
	}
}

// command reads what stands between two chunks.
func (k *bdat) command() error {
	c := k.c
	if !c.r.HasLine() {
		if err := c.flush(); err != nil {
			return err
		}
	}
	line, err := c.r.ReadLine(c.srv.limits.CommandLine)
	if r, bad := badLine(line, err); bad {
		return c.refuseLine(r)
	}
	if err != nil {
		return wire.Truncated(err)
	}
	verb, arg := cutVerb(line)
	row := c.srv.command(verb)
	switch {
	case row == nil:
		c.put(Reply{500, "5.5.1", "Command not recognized"})
		return c.countError()
	case row.verb == "BDAT":
		return k.begin(string(arg))
	case row.flags&aborts != 0:
		k.next = bytes.Clone(line)
		return ErrAborted
	case row.states == anyState: // NOOP, HELP
		return c.command(line)
	}
	c.put(badSequence(row.verb, inBdat))
	return c.countError()
}

// begin starts the next chunk.
func (k *bdat) begin(arg string) error {
	n, last, ok := parseBDAT(arg)
	if !ok {
		return k.c.lastWord(Reply{501, "5.5.4", "Syntax: BDAT size [LAST]"})
	}
	k.c.trace("BDAT", arg)
	k.left, k.last = n, last
	if n == 0 && !last { // a NOOP in disguise
		k.c.put(Reply{250, "2.0.0", "0 octets received"})
		k.c.idlers++
		if m := k.c.srv.limits.Commands; m > 0 && k.c.idlers > m {
			return k.c.countError()
		}
	}
	return nil
}

// Drain ends the message where it is safe to answer: behind the chunk that
// showed what is wrong, or behind the last one.
func (k *bdat) Drain() error {
	k.run = nil
	for k.err == nil {
		k.fill()
		k.run = nil
	}
	switch {
	case k.err == io.EOF:
		return nil
	case k.bad != nil:
		return k.c.skip(k.left)
	}
	return k.err
}

package smtp

import (
	"bytes"
	"io"
	"math"
	"strconv"
	"time"

	"github.com/postilion-mail/postilion/internal/addr"
	"github.com/postilion-mail/postilion/internal/wire"
)

// BDAT takes a message in counted chunks (RFC 3030 §2). The first chunk calls
// the handler, and the body it reads goes on to the next chunk by itself, with
// no goroutine between. Whatever is refused, the octets that were announced
// are read before the reply, so the dialogue stays in step; and a chunk that was
// refused ends the transaction, so no later one passes for the whole message.
func (c *conn) BDAT(arg string) (Reply, error) {
	n, last, ok := parseBDAT(arg)
	if !ok { // how many octets follow, nobody can tell
		return Reply{}, c.lastWord(badBDAT)
	}
	k := &bdat{c: c, left: n, last: last, check: wire.NewCheck(), enc: wire.NewEncoder(false)}
	if r, ok := c.mayBDAT(); !ok {
		return c.refuseChunk(k, r)
	}
	if k.tooLarge(n) {
		return c.refuseChunk(k, tooLarge)
	}
	if r, ok := c.beforeData(); !ok {
		return c.refuseChunk(k, r)
	}
	c.state = inBdat
	k.binary = c.tx.Params.Body == BodyBinaryMIME
	r, err := c.message(k)
	if err == nil && k.next != nil {
		return Reply{}, c.command(k.next)
	}
	return r, err
}

var badBDAT = Reply{501, "5.5.4", "Syntax: BDAT size [LAST]"}

// mayBDAT says why a first chunk is out of place.
func (c *conn) mayBDAT() (Reply, bool) {
	switch c.where() {
	case inRcpt:
	case inMail:
		return noRecipients, false
	default:
		return badSequence("BDAT", c.where()), false
	}
	if c.srv.withholds("CHUNKING") {
		return notImplemented, false
	}
	return Reply{}, true
}

// refuseChunk reads the chunk, and forgets the transaction it belongs to. In
// LMTP the last one is answered once for each recipient, be there none (RFC
// 2033 §4.3).
func (c *conn) refuseChunk(k *bdat, r Reply) (Reply, error) {
	n, inside := 1, c.where()&(inMail|inRcpt) != 0
	if c.tx != nil && k.last && c.srv.Profile == LMTP && inside {
		n = c.tx.rcpts
	}
	c.phase, c.dataStart, c.source = inData, time.Now(), k
	err := k.skip()
	c.phase, c.source = inCommand, nil
	if err != nil {
		return Reply{}, c.readError(err)
	}
	if inside {
		c.endTransaction(true)
	}
	for range n - 1 {
		c.put(r)
	}
	if n == 0 {
		return Reply{}, nil
	}
	return r, nil
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
func (k *bdat) Last() bool  { return k.last }

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
		return k.turn()
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

// tooLarge reports that n octets more are too many.
func (k *bdat) tooLarge(n int64) bool {
	limit := k.c.srv.limits.MessageBytes
	return limit > 0 && n > limit-k.size
}

func (k *bdat) judge(b []byte) {
	limits := &k.c.srv.limits
	if k.binary {
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
func (k *bdat) turn() []byte {
	if k.last {
		return k.end()
	}
	c := k.c
	c.put(Reply{250, "2.0.0", strconv.FormatInt(k.chunk, 10) + " octets received"})
	k.chunk = 0
	c.phase = inChunks
	defer func() { c.phase = inData }()
	for k.err == nil {
		if k.err = k.command(); k.left > 0 || k.last {
			break
		}
	}
	return nil
}

// end is that of the message. A CR that no LF has followed stands alone.
func (k *bdat) end() []byte {
	k.err = io.EOF
	if !k.check.End() || k.binary || k.bad != nil {
		return nil
	}
	switch k.c.srv.LineEndings {
	case RejectBare:
		k.bad, k.err = wire.ErrBareNewline, wire.ErrBareNewline
	case NormalizeBare:
		return []byte("\r\n") // the encoder holds it back
	}
	return nil
}

// command reads what stands between two chunks.
func (k *bdat) command() error {
	c := k.c
	line, bad, err := c.readLine()
	if bad.Code != 0 {
		return c.refuseLine(bad)
	}
	if err != nil {
		return wire.Truncated(err)
	}
	verb, arg := cutVerb(line)
	row := c.srv.command(verb)
	switch {
	case row == nil:
		c.trace(string(verb), string(arg))
		return c.say(Reply{500, "5.5.1", "Command not recognized"})
	case row.verb == "BDAT":
		return k.begin(string(arg))
	case row.flags&aborts != 0:
		k.next = bytes.Clone(line)
		return ErrAborted
	case row.states == anyState: // NOOP, HELP
		return c.command(line)
	}
	return c.say(badSequence(row.verb, inBdat))
}

// begin starts the next chunk.
func (k *bdat) begin(arg string) error {
	n, last, ok := parseBDAT(arg)
	if !ok {
		return k.c.lastWord(badBDAT)
	}
	k.c.trace("BDAT", arg)
	k.left, k.last = n, last
	if k.tooLarge(n) {
		k.bad = wire.ErrTooLarge
		return k.bad
	}
	if n == 0 && !last { // a NOOP in disguise
		r := Reply{250, "2.0.0", "0 octets received"}
		k.c.put(r)
		return k.c.settle(r, false, k.c.idled())
	}
	return nil
}

// Drain ends the message where it is safe to answer: behind the chunk that
// showed what is wrong or was refused, else behind the last one.
func (k *bdat) Drain(refused bool) error {
	k.run = nil
	for k.err == nil && !refused {
		k.fill()
	}
	switch {
	case k.err == io.EOF:
		return nil
	case k.bad != nil, k.err == nil:
		return k.skip()
	}
	return k.err
}

// skip reads what is left of the chunk and drops it.
func (k *bdat) skip() error {
	if f := k.c.srv.flood(); f > 0 && k.left > f {
		return k.c.lastWord(tooLarge)
	}
	for k.left > 0 {
		b, err := k.c.r.Next(int(min(k.left, math.MaxInt32)))
		if err != nil {
			return wire.Truncated(err)
		}
		k.left -= int64(len(b))
		k.size += int64(len(b))
	}
	return nil
}

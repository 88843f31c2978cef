package smtp

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/postilion-mail/postilion/internal/wire"
)

// Sent is what became of a message.
type Sent struct {
	Results Results              // one for each of Envelope.To, in its order
	Queued  string               // the server's name for the message, where its last reply tells
	TLS     *tls.ConnectionState // how it went there; nil in the clear
}

const (
	// hot is how long after a sign of life the whole message is risked in one
	// flight: if the server hung up meanwhile nobody could tell whether it took
	// it.
	hot = 5 * time.Second
	// window is how many replies may be under way at once, so that neither
	// side's buffers fill up while the other writes.
	window = 64
)

// sending is one transaction.
type sending struct {
	c       *Conn
	env     *Envelope
	o       *outgoing
	need    needs
	to      []int   // indexes of the recipients offered now
	results Results // of all recipients
	queued  string

	mailed    Reply // the reply to MAIL
	accepted  int   // recipients taken so far
	replied   bool  // the server answered at all
	begun     bool  // it may have taken something, so another try might send it twice
	committed bool  // the end of the message went out: it may have been taken
	prdr      bool
	again     []int // recipients for a further transaction
}

// Send sends one message over this connection: env.Prefix and then body. The
// rules are those of [Client.Send], but that nothing is tried again.
func (c *Conn) Send(ctx context.Context, env Envelope, body io.Reader) (*Sent, error) {
	o, err := openBody(env.Prefix, body)
	if err != nil {
		return nil, err
	}
	defer o.close()
	s := newSending(&env, o)
	if err := c.deliver(ctx, s, body); err != nil && !s.replied && !s.committed {
		return nil, err
	}
	return s.sent(c), s.results.Err()
}

func newSending(env *Envelope, o *outgoing) *sending {
	s := &sending{env: env, o: o, results: make(Results, len(env.To)), to: make([]int, len(env.To))}
	for i := range s.to {
		s.to[i] = i
	}
	return s
}

func (s *sending) sent(c *Conn) *Sent {
	return &Sent{Results: s.results, Queued: s.queued, TLS: c.state}
}

// deliver runs transactions until every recipient had his turn: servers take
// only so many at once (RFC 5321 §4.5.3.1.10, RFC 9422).
func (c *Conn) deliver(ctx context.Context, s *sending, body io.Reader) error {
	defer c.bound(ctx)()
	for left := s.to; len(left) > 0; {
		n := len(left)
		if max := c.caps.Limit("RCPTMAX"); max > 0 {
			n = min(n, max)
		}
		s.to, left = left[:n], left[n:]
		if err := c.transact(s); err != nil {
			s.begun = s.begun || s.committed
			return s.lost(cause(ctx, err), append(s.to, left...))
		}
		left = append(left, s.again...)
		s.again = nil
		if len(left) > 0 && !s.o.rewind(s.env.Prefix, body) {
			return nil // the rest stays temporary
		}
		if max := c.caps.Limit("MAILMAX"); max > 0 && c.messages >= max && len(left) > 0 {
			return nil
		}
	}
	return nil
}

// lost notes a broken dialogue with every recipient whose fate it leaves open.
func (s *sending) lost(err error, open []int) error {
	for _, i := range open {
		r := &s.results[i]
		if r.Status != Temporary || r.refused() {
			continue
		}
		r.Err, r.Host = err, s.c.host
		if e, ok := errors.AsType[*Error](err); ok {
			r.Reply = e.Reply
		}
		if s.committed {
			r.Status = Unknown
		}
	}
	return err
}

func (r *Result) refused() bool { return r.Reply.Code >= 400 }

// transact offers the message to s.to in one transaction. Its error is the end
// of the connection; what the server says no to is in the results.
func (c *Conn) transact(s *sending) error {
	if c.botched {
		return errBotched
	}
	s.c, s.accepted, s.committed, s.mailed = c, 0, false, Reply{}
	c.sending = true
	defer func() { c.sending = false }()
	for _, i := range s.to {
		s.results[i] = Result{}
	}
	var err error
	if s.need, err = c.plan(s.env, s.o); err != nil {
		s.fate(resultOf(err))
		return nil
	}
	s.dropImpossible()
	if len(s.to) == 0 {
		return nil
	}
	s.prdr = len(s.to) > 1 && c.caps.Has("PRDR") && !c.lmtp
	c.messages++
	if !c.caps.Has("PIPELINING") {
		return s.stepwise()
	}
	return s.pipelined()
}

// fate gives the recipients offered now the same result.
func (s *sending) fate(r Result) {
	if r.Host == "" {
		r.Host = s.c.host
	}
	for _, i := range s.to {
		if s.results[i].Status == Temporary && !s.results[i].refused() {
			s.results[i] = r
		}
	}
}

// dropImpossible takes out the recipients this server cannot be asked for.
func (s *sending) dropImpossible() {
	for n, i := range s.to {
		if err := s.c.planRcpt(&s.env.To[i], s.need); err != nil {
			kept := append([]int(nil), s.to[:n]...)
			for _, j := range s.to[n:] {
				if err := s.c.planRcpt(&s.env.To[j], s.need); err != nil {
					s.results[j] = resultOf(err)
				} else {
					kept = append(kept, j)
				}
			}
			s.to = kept
			return
		}
	}
}

// pipelined sends MAIL and all RCPT in one flight (RFC 2920), and with them the
// whole message in one chunk (RFC 3030) where it is small and the server known
// to be there.
func (s *sending) pipelined() error {
	c := s.c
	chunks := c.caps.Has("CHUNKING")
	one := chunks && s.o.whole && len(s.to) <= window && time.Since(c.used) < hot
	reset := s.appendReset()
	c.out = c.appendMail(c.out, s.env, s.o, s.need, s.prdr)
	c.out = append(c.out, '\r', '\n')
	first := min(len(s.to), window)
	for _, i := range s.to[:first] {
		s.appendRcpt(i)
	}
	switch {
	case one:
		s.appendChunk(s.o.head, true)
	case !chunks && first == len(s.to):
		c.out = append(c.out, "DATA\r\n"...)
	}
	if err := c.flush(); err != nil {
		return err
	}
	s.committed = one
	if err := s.readMail(reset); err != nil {
		return err
	}
	if err := s.readRcpts(s.to[:first]); err != nil {
		return err
	}
	switch {
	case one:
		return s.readEnd()
	case first < len(s.to):
		if err := s.moreRcpts(s.to[first:]); err != nil {
			return err
		}
		if !chunks {
			c.out = append(c.out, "DATA\r\n"...)
		}
	}
	if chunks {
		return s.sendChunks()
	}
	return s.sendData()
}

// moreRcpts offers the rest of a long list, a window at a time.
func (s *sending) moreRcpts(rest []int) error {
	for len(rest) > 0 && s.mailed.Positive() {
		n := min(len(rest), window)
		for _, i := range rest[:n] {
			s.appendRcpt(i)
		}
		if err := s.readRcpts(rest[:n]); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

// stepwise sends a command at a time, to a server without PIPELINING.
func (s *sending) stepwise() error {
	c := s.c
	reset := s.appendReset()
	if reset {
		if _, err := c.reply(c.waits.Command); err != nil {
			return err
		}
	}
	c.out = append(c.appendMail(c.out, s.env, s.o, s.need, s.prdr), '\r', '\n')
	if err := s.readMail(false); err != nil || !s.mailed.Positive() {
		return err
	}
	for n := range s.to {
		s.appendRcpt(s.to[n])
		if err := s.readRcpts(s.to[n : n+1]); err != nil {
			return err
		}
	}
	if s.accepted == 0 {
		return nil // the next transaction begins with RSET, which costs no round trip
	}
	if c.caps.Has("CHUNKING") {
		return s.sendChunks()
	}
	c.out = append(c.out, "DATA\r\n"...)
	return s.sendData()
}

// appendReset puts RSET in front where the last transaction was left open.
func (s *sending) appendReset() bool {
	open := s.c.open
	if s.c.open = true; open {
		s.c.out = append(s.c.out, "RSET\r\n"...)
	}
	return open
}

func (s *sending) appendRcpt(i int) {
	s.c.out = append(s.c.appendRcpt(s.c.out, &s.env.To[i], s.need), '\r', '\n')
}

// next reads one reply of this transaction.
func (s *sending) next(wait time.Duration, want bool) (Reply, error) {
	c := s.c
	if err := c.flush(); err != nil {
		return Reply{}, err
	}
	c.wait = wait
	r, err := c.readReply(want)
	if err != nil {
		c.botched = true
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return Reply{}, err
	}
	s.replied = true
	if r.Code != 421 {
		s.begun = true
	}
	if r.Code == 421 { // RFC 5321 §3.8: the server hangs up, and has not taken the message
		c.botched, s.committed = true, false
		return r, &Error{Reply: r}
	}
	return r, nil
}

func (s *sending) readMail(reset bool) (err error) {
	if reset {
		if _, err := s.next(s.c.waits.Command, false); err != nil {
			return err
		}
	}
	if s.mailed, err = s.next(s.c.waits.Command, false); err != nil {
		return err
	}
	if !s.mailed.Positive() {
		s.fate(replyResult(s.mailed, s.c.host))
	}
	return nil
}

// replyResult is the outcome that a reply stands for.
func replyResult(r Reply, host string) Result {
	res := Result{Reply: r, Host: host}
	switch {
	case r.Positive():
		res.Status = Accepted
		return res
	case r.Permanent():
		res.Status = Permanent
	}
	res.Err = &Error{Reply: r}
	return res
}

func (s *sending) readRcpts(list []int) error {
	for _, i := range list {
		r, err := s.next(s.c.waits.Command, false)
		if err != nil {
			return err
		}
		if !s.mailed.Positive() {
			continue // its fate is MAIL's
		}
		if r.Positive() {
			s.accepted++
			continue
		}
		if s.tooMany(r) {
			s.again = append(s.again, i)
			s.results[i] = Result{Reply: r, Host: s.c.host, Err: &Error{Reply: r}}
			continue
		}
		s.results[i] = replyResult(r, s.c.host)
	}
	return nil
}

// tooMany reports that the server has enough recipients for one transaction,
// 452, or in old servers 552 (RFC 5321 §4.5.3.1.10).
func (s *sending) tooMany(r Reply) bool {
	return s.accepted > 0 && (r.Code == 452 || r.Code == 552) && (r.Enhanced == "" || strings.HasSuffix(r.Enhanced, ".5.3"))
}

// appendChunk writes a BDAT command and its octets.
func (s *sending) appendChunk(block []byte, last bool) {
	c := s.c
	if s.o.enc.raw = s.need.body == BodyBinaryMIME; s.o.chunk == 0 {
		s.o.enc.enc = wire.NewEncoder(false)
	}
	s.o.chunk++
	// The size is known when the octets are there: they are put behind the
	// longest header there can be, and moved up to the one it is.
	var room [len("BDAT 131074 LAST\r\n")]byte
	start := len(c.out)
	text := start + len(room)
	c.out = s.o.enc.append(append(c.out, room[:]...), block, last)
	head := strconv.AppendInt(append(room[:0], "BDAT "...), int64(len(c.out)-text), 10)
	if last {
		head = append(head, " LAST"...)
	}
	head = append(head, '\r', '\n')
	n := copy(c.out[start:], head)
	n += copy(c.out[start+n:], c.out[text:])
	c.out = c.out[:start+n]
}

// sendChunks sends the message in chunks, a window of replies ahead.
func (s *sending) sendChunks() error {
	if s.accepted == 0 {
		return nil
	}
	ahead, bad := 0, Reply{}
	err := s.o.each(func(block []byte, last bool) error {
		s.appendChunk(block, last)
		if err := s.c.flush(); err != nil {
			return err
		}
		if s.committed = last; last {
			return nil
		}
		if ahead++; ahead < window/2 {
			return nil
		}
		ahead--
		r, err := s.next(s.c.waits.DataEnd, false)
		if err == nil && !r.Positive() {
			bad, err = r, errRefused
		}
		return err
	})
	if err != nil && err != errRefused {
		s.c.botched = true // the message is half sent: never end it
		return err
	}
	for ; ahead > 0; ahead-- {
		r, err := s.next(s.c.waits.DataEnd, false)
		if err != nil {
			return err
		}
		if !r.Positive() && bad.Code == 0 {
			bad = r
		}
	}
	if bad.Code == 0 {
		return s.readEnd()
	}
	s.fate(replyResult(bad, s.c.host))
	if s.committed { // the last chunk has a reply of its own
		s.committed = false
		_, err = s.next(s.c.waits.DataEnd, false)
		return err
	}
	return nil
}

// errRefused stops the sending of a message the server has said no to.
var errRefused = errors.New("smtp: chunk refused")

// sendData reads the reply to DATA and sends the message if it is wanted.
func (s *sending) sendData() error {
	c := s.c
	r, err := s.next(c.waits.Command, false)
	if err != nil {
		return err
	}
	if r.Code != 354 {
		if r.Positive() {
			return ProtocolError("DATA answered with " + r.String())
		}
		s.fate(replyResult(r, c.host))
		return nil
	}
	if s.accepted == 0 { // RFC 2920 §3.1: end it at once
		c.out = append(c.out, ".\r\n"...)
		_, err := s.next(c.waits.DataEnd, false)
		return err
	}
	e := encoder{enc: wire.NewEncoder(true)}
	err = s.o.each(func(block []byte, last bool) error {
		c.out = e.append(c.out, block, last)
		err := c.flush()
		s.committed = last && err == nil
		return err
	})
	if err != nil {
		c.botched = true // never end a message that is not whole
		return err
	}
	return s.readEnd()
}

// readEnd reads what becomes of the message: one reply, or one for each
// recipient that was taken (RFC 2033 §4.2, PRDR).
func (s *sending) readEnd() error {
	c := s.c
	if c.lmtp {
		return s.readEach(s.accepted > 0)
	}
	r, err := s.next(c.waits.DataEnd, true)
	if err != nil {
		return err
	}
	if r.Code == 353 && s.prdr {
		if err := s.readEach(true); err != nil {
			return err
		}
		if r, err = s.next(c.waits.DataEnd, true); err != nil {
			return nil // each has his answer already
		}
		s.end(r)
		return nil
	}
	if s.accepted > 0 {
		s.fate(s.final(r))
	}
	s.end(r)
	return nil
}

// end notes that the transaction is over and how the server calls the message.
func (s *sending) end(r Reply) {
	if r.Positive() {
		s.c.open = false
		s.queued = queueID(r.Text)
	}
	s.c.used = time.Now()
}

func (s *sending) final(r Reply) Result {
	res := replyResult(r, s.c.host)
	res.DSN = r.Positive() && s.c.caps.Has("DSN")
	return res
}

// readEach reads a reply for each recipient that was taken.
func (s *sending) readEach(any bool) error {
	for _, i := range s.to {
		if !any || s.results[i].refused() {
			continue
		}
		r, err := s.next(s.c.waits.DataEnd, true)
		if err != nil {
			return err
		}
		s.results[i] = s.final(r)
		if s.c.lmtp {
			s.end(r)
		}
	}
	if !any { // nobody was taken, and the data refused
		r, err := s.next(s.c.waits.DataEnd, false)
		if err == nil {
			s.fate(replyResult(r, s.c.host))
		}
		return err
	}
	return nil
}

// queueID finds the server's name for a message in "OK: queued as 4F2D", "Ok
// 0A-1 id=1qX" and the like.
func queueID(text string) string {
	for _, mark := range [...]string{"queued as ", "queued mail for delivery id=", "id=", "queued "} {
		if i := strings.Index(strings.ToLower(text), mark); i >= 0 && i+len(mark) <= len(text) {
			word, _, _ := strings.Cut(text[i+len(mark):], " ")
			return strings.Trim(word, ".,;()<>\n")
		}
	}
	return ""
}

package smtptest

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/postilion-mail/postilion/internal/fake"
	"github.com/postilion-mail/postilion/smtp"
)

// transfer is what a dialogue knows of the transaction under way.
type transfer struct {
	to     []string // recipients the server has
	prdr   bool     // MAIL asked for a reply for each of them
	chunks bool     // BDAT has begun
	pos    int64    // octets of the message so far
	met    map[*Fault]bool
	muted  bool      // the client has an answer already
	spoilt bool      // the message must not be taken
	due    []*action // what goes wrong with the replies that follow
	judged bool      // due is made
	shown  int       // octets in the transcript
}

// follow keeps in step with the transaction. told is what the client believes,
// taken what the server does.
func (m *transfer) follow(stage Stage, arg string, told, taken bool) {
	switch stage {
	case EHLO, HELO, RSET:
		if taken {
			*m = transfer{}
		}
	case MAIL:
		if taken {
			_, params, _ := strings.Cut(arg, "> ")
			*m = transfer{prdr: strings.Contains(" "+strings.ToUpper(params)+" ", " PRDR ")}
		}
	case RCPT:
		if path, _, _ := strings.Cut(arg, ">"); taken {
			m.to = append(m.to, path)
		}
	}
}

// verdict is what goes wrong with the next reply to a message.
func (m *transfer) verdict() *action {
	if len(m.due) == 0 {
		return nil
	}
	a := m.due[0]
	m.due = m.due[1:]
	return a
}

// data is DATA or BDAT and the message behind it.
func (d *dialogue) data(a *action, line []byte, arg string) turn {
	if verb, _, _ := bytes.Cut(bytes.TrimRight(line, "\r\n"), []byte{' '}); equalFold(string(verb), "BDAT") {
		if n, last, ok := parseBDAT(arg); ok {
			return d.bdat(a, line, n, last)
		}
		return d.ordinary(a, DATA, arg, line)
	}
	if a != nil && (a.output == nothing || a.output == scripted && replyCode(a.text) != 354) {
		return d.act(a, nil) // the server never hears of it
	}
	d.forward(line)
	r := d.reply()
	if r == nil {
		return d.serverGone()
	}
	if d.deliver(a, r) == end {
		return end
	}
	d.flush()
	switch {
	case replyCode(r) == 354:
		d.msg = transfer{to: d.msg.to, prdr: d.msg.prdr}
		return d.dots()
	case a != nil && a.output == scripted: // the client believes in 354
		return d.sink(r)
	}
	return next
}

func parseBDAT(arg string) (n int64, last, ok bool) {
	size, word, more := strings.Cut(arg, " ")
	if more && !equalFold(strings.TrimSpace(word), "LAST") {
		return 0, false, false
	}
	n, err := strconv.ParseInt(size, 10, 64)
	return n, more, err == nil && n >= 0
}

// dots hands a message of DATA on and answers it.
func (d *dialogue) dots() turn {
	var s dotScanner
	if d.transmit(func(b []byte) (int, bool) { return s.scan(b) }, d.forward) == end {
		return end
	}
	return d.answer()
}

// sink takes a message that the server did not ask for, and answers with the
// server's own word.
func (d *dialogue) sink(r []byte) turn {
	var s dotScanner
	if d.transmit(func(b []byte) (int, bool) { return s.scan(b) }, func([]byte) {}) == end {
		return end
	}
	return d.deliver(d.pick(EndOfData, ""), r)
}

// bdat hands a chunk on and answers it.
func (d *dialogue) bdat(a *action, line []byte, n int64, last bool) turn {
	if !d.msg.chunks {
		d.msg = transfer{to: d.msg.to, prdr: d.msg.prdr, chunks: true}
	}
	if a != nil && a.output == nothing {
		return d.act(a, nil)
	}
	pass := d.forward
	if a != nil && a.refuses() { // the octets are read in any case
		pass = func([]byte) {}
	}
	pass(line)
	left := n
	count := func(b []byte) (int, bool) {
		m := min(int64(len(b)), left)
		left -= m
		return int(m), left == 0
	}
	if n > 0 && d.transmit(count, pass) == end {
		return end
	}
	switch {
	case a != nil && a.refuses():
		return d.act(a, nil)
	case last:
		d.msg.chunks = false
		if a == nil {
			return d.answer()
		}
	}
	r := d.reply()
	if r == nil {
		return d.serverGone()
	}
	if d.msg.muted {
		d.msg.muted = false
		return next
	}
	return d.deliver(a, r)
}

// chaosOnly is an argument that no fault fits, since no line holds an LF: those
// of Body have their offset.
const chaosOnly = "\n"

// transmit hands octets on until cut finds the end. Faults of Body happen on
// the way, each at its offset.
func (d *dialogue) transmit(cut func([]byte) (n int, end bool), pass func([]byte)) turn {
	d.flush()
	if d.msg.pos == 0 {
		if a := d.pick(Body, chaosOnly); a != nil {
			return d.act(a, nil)
		}
	}
	for over := false; !over; {
		f, at := d.bodyFault(d.msg.pos, d.msg.met)
		if f != nil && at <= d.msg.pos {
			if d.meet(f) == end {
				return end
			}
			continue
		}
		limit := int64(fake.Ahead)
		if f != nil {
			limit = min(limit, at-d.msg.pos)
		}
		b := d.octets(int(limit), func(b []byte) (n int) { n, over = cut(b); return n })
		if b == nil {
			return end
		}
		pass(b)
		d.showBody(b)
		d.msg.pos += int64(len(b))
	}
	return next
}

// octets waits for some of the message; nil: the connection is over.
func (d *dialogue) octets(limit int, cut func([]byte) int) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	for {
		if d.over {
			return nil
		}
		if n := min(len(d.client.Buf), limit); n > 0 {
			return d.client.Take(cut(d.client.Buf[:n]))
		}
		if d.client.Err != nil {
			d.notes.ClientClosed()
			return nil
		}
		if len(d.server.Buf) > 0 || d.server.Err != nil {
			d.mu.Unlock()
			r := d.reply() // 421 most likely
			if r != nil {
				d.say(r)
				d.flush()
			} else {
				d.serverGone()
			}
			d.mu.Lock()
			if r == nil {
				return nil
			}
			continue
		}
		d.cond.Wait()
	}
}

// meet does what a fault of Body says.
func (d *dialogue) meet(f *Fault) turn {
	if d.msg.met == nil {
		d.msg.met = map[*Fault]bool{}
	}
	d.msg.met[f] = true
	a := d.takeBodyFault(f)
	if a.output == scripted {
		d.msg.muted, d.msg.spoilt = true, true
	}
	t := d.act(a, nil)
	d.flush()
	return t
}

// maxShownBody is how much of one message a transcript holds.
const maxShownBody = 64 << 10

// showBody notes the message, up to a limit.
func (d *dialogue) showBody(b []byte) {
	room := maxShownBody - d.msg.shown
	d.msg.shown += len(b)
	if room >= len(b) {
		d.body.add(&d.notes, b)
		return
	}
	if room >= 0 {
		d.body.add(&d.notes, b[:room])
		d.body.end(&d.notes)
		d.notes.Client("[the rest is not shown]\r\n")
	}
}

// answer brings the replies to a whole message to the client.
func (d *dialogue) answer() turn {
	d.body.end(&d.notes)
	r := d.reply()
	if r == nil {
		return d.serverGone()
	}
	d.judge()
	m := &d.msg
	if m.muted {
		m.muted, m.due = false, nil
		return next
	}
	if replyCode(r) == 353 { // PRDR: one for each, and one for all
		d.say(r)
		return next
	}
	if m.prdr {
		m.due = m.due[:1]
	}
	return d.deliver(m.verdict(), r)
}

// judge picks what goes wrong with the replies to a message, once. The
// server's handler asks first, so that it can refuse what the client is told
// is refused; the dialogue asks again where the handler was not called.
func (d *dialogue) judge() []*action {
	m := &d.msg
	if m.judged {
		return m.due
	}
	m.judged = true
	if !d.srv.lmtp && !m.prdr || len(m.to) == 0 {
		m.due = []*action{d.pick(EndOfData, "")}
		return m.due
	}
	for _, to := range m.to {
		m.due = append(m.due, d.pick(EndOfData, to))
	}
	return m.due
}

// outcome is what the handler is to say of a message for n recipients, so that
// the server does what the client is told.
func (d *dialogue) outcome(n int) error {
	if d.msg.spoilt {
		return smtp.Reject(451, "4.3.0", "refused by a fault of Body")
	}
	due := d.judge()
	if len(due) == 1 {
		return due[0].refusal()
	}
	if len(due) != n {
		return nil
	}
	out := smtp.Failed(n, nil)
	for i, a := range due {
		out[i] = smtp.Failed(1, a.refusal())[0]
	}
	return out.Err()
}

// refusal is the error that makes the server refuse; nil if a does not.
func (a *action) refusal() error {
	if a == nil || !a.refuses() {
		return nil
	}
	code := replyCode(a.text)
	if code < 400 || code > 559 {
		code = 451
	}
	return smtp.Reject(code, "", "refused by a fault of EndOfData")
}

// dotScanner finds the end of a message of DATA: CRLF "." CRLF and nothing
// else, or "." CRLF at the very beginning (RFC 5321 §4.1.1.4).
type dotScanner struct{ state int }

const (
	atLine = iota // behind a CRLF, or at the beginning
	afterDot
	afterDotCR
	inLine
	afterCR
)

// scan gives the octets up to the end, or all of them.
func (s *dotScanner) scan(b []byte) (n int, end bool) {
	for i, c := range b {
		switch {
		case c == '\n' && s.state == afterDotCR:
			return i + 1, true
		case c == '\n' && s.state == afterCR:
			s.state = atLine
		case c == '\r' && s.state == afterDot:
			s.state = afterDotCR
		case c == '\r':
			s.state = afterCR
		case c == '.' && s.state == atLine:
			s.state = afterDot
		default:
			s.state = inLine
		}
	}
	return len(b), false
}

// line cuts what a side says into lines. One that is longer than what is read
// ahead goes through as it is.
func line(b []byte) int {
	n := fake.Line(b)
	if n == 0 && len(b) >= fake.Ahead {
		n = len(b)
	}
	return n
}

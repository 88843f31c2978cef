package smtptest

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// probe is the suite's client: it sends octets and counts replies.
type probe struct {
	Target
	ctx  context.Context
	conn net.Conn
	r    *bufio.Reader
	caps map[string]string // EHLO keywords, in upper case
}

// maxProbeLine is the longest reply line that is read, in octets.
const maxProbeLine = 16 << 10

func (p *probe) close() {
	if p.conn != nil {
		p.conn.Close()
		p.conn = nil
	}
}

// open connects anew and says hello.
func (p *probe) open() error {
	p.close()
	dial := p.Dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	var err error
	if p.conn, err = dial(p.ctx, "tcp", p.Addr); err != nil {
		return err
	}
	p.r = bufio.NewReaderSize(p.conn, maxProbeLine)
	if _, err := p.want(220); err != nil {
		return err
	}
	return p.hello()
}

func (p *probe) hello() error {
	verb := "EHLO"
	if p.LMTP {
		verb = "LHLO"
	}
	p.send(verb + " smuggling.example.org\r\n")
	text, err := p.want(250)
	if err != nil {
		return err
	}
	p.caps = map[string]string{}
	for _, l := range strings.Split(text, "\n")[1:] {
		word, arg, _ := strings.Cut(l, " ")
		p.caps[strings.ToUpper(word)] = arg
	}
	return nil
}

func (p *probe) from() string { return cmp.Or(p.From, "sender@example.org") }
func (p *probe) to() string   { return cmp.Or(p.To, "recipient@example.org") }

// begin opens a transaction on a new connection.
func (p *probe) begin() error {
	if err := p.open(); err != nil {
		return err
	}
	for _, line := range []string{"MAIL FROM:<" + p.from() + ">", "RCPT TO:<" + p.to() + ">"} {
		p.send(line + "\r\n")
		if _, err := p.want(250); err != nil {
			return fmt.Errorf("%s: %w", line, err)
		}
	}
	return nil
}

// beginData is begin and DATA.
func (p *probe) beginData() error {
	if err := p.begin(); err != nil {
		return err
	}
	p.send("DATA\r\n")
	_, err := p.want(354)
	return err
}

// send writes s in one piece. An error shows in the replies: who is cut off is
// not smuggled to.
func (p *probe) send(s string) {
	p.arm()
	_, _ = io.WriteString(p.conn, s)
}

// drip writes s octet by octet.
func (p *probe) drip(s string) {
	for i := range len(s) {
		p.send(s[i : i+1])
	}
}

// stepTime is how long a step may take on whose end the suite relies.
const stepTime = 30 * time.Second

// arm gives the next step its time.
func (p *probe) arm() { p.armFor(stepTime) }

func (p *probe) armFor(d time.Duration) {
	until := time.Now().Add(d)
	if d, ok := p.ctx.Deadline(); ok && d.Before(until) {
		until = d
	}
	_ = p.conn.SetDeadline(until)
}

// reply reads one reply.
func (p *probe) reply() (code int, text string, err error) {
	p.arm()
	return p.readReply()
}

func (p *probe) readReply() (code int, text string, err error) {
	for {
		b, err := p.r.ReadSlice('\n')
		if err != nil {
			return 0, "", err
		}
		l := strings.TrimRight(string(b), "\r\n")
		if len(l) < 3 {
			return 0, "", fmt.Errorf("%q is no reply", l)
		}
		if code, err = strconv.Atoi(l[:3]); err != nil {
			return 0, "", fmt.Errorf("%q is no reply", l)
		}
		if text += l[min(len(l), 4):]; lastLine([]byte(l)) {
			return code, text, nil
		}
		text += "\n"
	}
}

// want reads a reply of this code.
func (p *probe) want(code int) (string, error) {
	got, text, err := p.reply()
	if err == nil && got != code {
		err = fmt.Errorf("the server says %d %s, not %d", got, text, code)
	}
	return text, err
}

// rest says QUIT and gives the codes of all replies up to that to QUIT, or to
// the end of the connection. A server that says nothing for too long hangs.
func (p *probe) rest() (codes []int, hangs bool) {
	p.send("QUIT\r\n")
	for {
		p.armFor(cmp.Or(p.Timeout, 5*time.Second))
		code, _, err := p.readReply()
		switch {
		case err != nil:
			timeout, _ := errors.AsType[net.Error](err)
			return codes, timeout != nil && timeout.Timeout()
		case code == 221:
			return codes, false
		}
		codes = append(codes, code)
	}
}

// single demands that one reply came before the end and not one more: that to
// the message. What else there is are answers to commands that were none.
func (p *probe) single() (got string, err error) {
	codes, hangs := p.rest()
	if p.ctx.Err() != nil {
		return "", context.Cause(p.ctx)
	}
	for _, c := range codes[min(1, len(codes)):] {
		if c == 354 {
			return fmt.Sprintf("a second message was asked for: replies %d", codes), nil
		}
	}
	switch {
	case len(codes) > 1:
		return fmt.Sprintf("what stood in the message was read as commands: replies %d", codes), nil
	case hangs:
		return "the server does not find the end of the message", nil
	}
	return "", nil
}

// encrypt shakes hands; the certificate is of no interest, since nothing
// secret is sent.
func (p *probe) encrypt() error {
	tc := tls.Client(p.conn, &tls.Config{InsecureSkipVerify: true})
	p.arm()
	if err := tc.HandshakeContext(p.ctx); err != nil {
		return err
	}
	p.conn = tc
	p.r = bufio.NewReaderSize(tc, maxProbeLine)
	return nil
}

package script

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"syscall"
)

var (
	errBareLF  = errors.New("the line ends in LF without CR")
	errTooLong = fmt.Errorf("a line longer than %d bytes", maxLine)
	errNoTLS   = errors.New("the player has no TLS configuration")
)

// readLine reads one line and its CRLF. On an error it returns what came.
func (p *play) readLine() (string, error) {
	b, err := p.r.ReadSlice('\n')
	s := string(b)
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return s, errTooLong
	case err != nil:
		return s, err
	case !strings.HasSuffix(s, "\r\n"):
		return s, errBareLF
	}
	return s, nil
}

func (p *play) expectLine(it item) error {
	s, err := p.readLine()
	if err != nil || !Match(it.text, strings.TrimSuffix(s, "\r\n")) {
		return p.script.fail(it, &p.notes, it.src, show(it.by, s), err)
	}
	p.note(it.by, s)
	return nil
}

func (p *play) expectBytes(it item) error {
	want := it.bytes()
	b := make([]byte, len(want))
	n, err := io.ReadFull(p.r, b)
	if err != nil || string(b) != want {
		return p.script.fail(it, &p.notes, it.src, show(it.by, string(b[:n])), err)
	}
	p.note(it.by, want)
	return nil
}

// show is what was received, in the form of the file, shortened.
func show(by side, s string) string {
	l, whole := strings.CutSuffix(s, "\r\n")
	switch {
	case s == "":
		return ""
	case len(s) > 1024:
		return fmt.Sprintf("%c! %s… (%d bytes)", by, strconv.Quote(s[:1024]), len(s))
	case whole && printable(l):
		return fmtLine(by, quote(l))
	}
	return fmt.Sprintf("%c! %s", by, strconv.Quote(s))
}

// expectClose waits until the other side closes. A write of ours that failed
// on the way is no difference: the other side had gone.
func (p *play) expectClose(it item) error {
	_, err := p.r.Peek(1)
	switch {
	case err == nil:
		b, _ := p.r.Peek(p.r.Buffered())
		return p.script.fail(it, &p.notes, it.src, show(it.by, string(b)), nil)
	case !gone(err):
		return p.script.fail(it, &p.notes, it.src, "", err)
	}
	p.close(true) // frees a write that nobody reads any more
	if p.writing != nil {
		<-p.writing
		p.writing = nil
	}
	p.notes.mark(it.src)
	return nil
}

// gone reports whether an error of reading means that the peer has closed.
func gone(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, io.ErrClosedPipe) || errors.Is(err, syscall.ECONNRESET)
}

// hangUp closes this side, after the last write is through.
func (p *play) hangUp(it item) error {
	if err := p.settle(it); err != nil {
		return err
	}
	if err := p.surplus(it); err != nil {
		return err
	}
	p.close(false)
	p.notes.mark(it.src)
	return nil
}

// end checks what is left when the file is at its end.
func (p *play) end() error {
	end := item{src: "the end", line: len(p.script.items) + 1}
	if err := p.settle(end); err != nil {
		return err
	}
	return p.surplus(end)
}

// surplus fails on what the other side has sent beyond the file. It sees only
// what has been read already; a file that must be exact ends in -S or -C.
func (p *play) surplus(it item) error {
	b, _ := p.r.Peek(p.r.Buffered())
	if len(b) == 0 {
		return nil
	}
	return p.script.fail(it, &p.notes, it.src, show(p.other(), string(b)), nil)
}

func (p *play) other() side {
	if p.me == client {
		return server
	}
	return client
}

// upgrade starts TLS on both sides. Bytes that came before the handshake were
// sent in the clear by somebody who meant them to be read under TLS, RFC 3207
// §6: a difference.
func (p *play) upgrade(it item) error {
	if p.TLS == nil {
		return p.script.fail(it, &p.notes, it.src, "", errNoTLS)
	}
	if err := p.settle(it); err != nil {
		return err
	}
	if err := p.surplus(it); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(p.ctx, p.Timeout)
	defer cancel()
	t := p.layer(p.conn)
	if err := t.HandshakeContext(ctx); err != nil {
		return p.script.fail(it, &p.notes, it.src, "", err)
	}
	p.conn = t
	p.r.Reset(t)
	p.notes.TLS()
	return nil
}

func (p *play) layer(c net.Conn) *tls.Conn {
	if p.me == client {
		return tls.Client(c, p.TLS)
	}
	return tls.Server(c, p.TLS)
}

package script

import (
	"context"
	"net"
	"strings"
	"time"
)

// Rewrite plays the client's side as PlayClient does, but believes the server:
// it returns the file with the server's lines replaced by those that came.
// Comments stay, and so do patterns that fit. Where the server answers with
// more or fewer lines than the file has, the file follows; where an answer
// ends is told by a pause of 200 ms. Raw bytes and closings are not rewritten:
// there a difference is an [*Error]. It closes c.
func (p Player) Rewrite(ctx context.Context, c net.Conn, s *Script) ([]byte, error) {
	pl := p.start(ctx, c, s, client)
	pl.out = &rewriter{}
	if _, err := pl.finish(pl.run()); err != nil {
		return nil, err
	}
	return []byte(pl.out.b.String()), nil
}

// pause is how long a server is silent when its answer is complete.
const pause = 200 * time.Millisecond

// rewriter collects the new file.
type rewriter struct{ b strings.Builder }

func (w *rewriter) keep(it item)         { w.b.WriteString(it.src + "\n") }
func (w *rewriter) received(line string) { w.b.WriteString(fmtReceived(line) + "\n") }
func fmtReceived(line string) string     { return show(server, line) }
func isAnswer(it item) bool              { return it.kind == line && it.by == server }
func fitsLine(it item, line string) bool { return Match(it.text, strings.TrimSuffix(line, "\r\n")) }

// rewrite reads one answer of the server, which stands in the file as the
// server lines at the head of items, and writes down what came.
func (p *play) rewrite(items []item) (int, error) {
	n := 0 // up to and including the last line of the answer
	for i, it := range items {
		if isAnswer(it) {
			n = i + 1
		} else if it.kind != comment {
			break
		}
	}
	lines, err := p.readAnswer(items[:n], n < len(items) && items[n].kind == raw && items[n].by == server)
	if err != nil {
		return 0, err
	}
	old := items[:n]
	for _, l := range lines {
		p.note(server, l)
		k := find(old, l)
		if k < 0 {
			p.out.received(l)
			continue
		}
		p.keepComments(old[:k])
		p.out.keep(old[k])
		old = old[k+1:]
	}
	p.keepComments(old)
	return n, nil
}

// find returns the place of the first item that fits the line, or -1.
func find(items []item, line string) int {
	for i, it := range items {
		if isAnswer(it) && fitsLine(it, line) {
			return i
		}
	}
	return -1
}

func (p *play) keepComments(items []item) {
	for _, it := range items {
		if it.kind == comment {
			p.out.keep(it)
		}
	}
}

// readAnswer reads lines until the server pauses or closes; when raw bytes
// follow in the file, as many lines as the file has.
func (p *play) readAnswer(items []item, exact bool) ([]string, error) {
	want := 0
	for _, it := range items {
		if isAnswer(it) {
			want++
		}
	}
	var lines []string
	for !exact || len(lines) < want {
		if len(lines) > 0 && !exact && !p.more() {
			break
		}
		l, err := p.readLine()
		if err != nil {
			return nil, p.script.fail(items[0], &p.notes, items[0].src, show(server, l), err)
		}
		lines = append(lines, l)
	}
	return lines, nil
}

// more reports whether the server goes on.
func (p *play) more() bool {
	if p.r.Buffered() > 0 {
		return true
	}
	p.conn.SetReadDeadline(time.Now().Add(pause))
	_, err := p.r.Peek(1)
	return err == nil && p.arm(p.Timeout) == nil
}

package script

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Transcript writes down a conversation in the form of a dialogue file, so
// that [Parse] reads it and [Compare] compares it. The zero Transcript is
// empty and ready; it is safe for concurrent use and must not be copied.
type Transcript struct {
	mu sync.Mutex // guards b
	b  strings.Builder
}

// Client notes bytes that the client sent: one or more lines with their CRLF.
// What is no printable line is noted as raw bytes, and of a line above 4 KiB
// only its beginning, as a comment.
func (t *Transcript) Client(bytes string) { t.add(client, bytes) }

// Server notes bytes that the server sent, as Client does.
func (t *Transcript) Server(bytes string) { t.add(server, bytes) }

// TLS notes that both sides started TLS.
func (t *Transcript) TLS() { t.mark("+TLS") }

// ClientClosed notes that the client closed the connection.
func (t *Transcript) ClientClosed() { t.mark("-C") }

// ServerClosed notes that the server closed the connection.
func (t *Transcript) ServerClosed() { t.mark("-S") }

// String returns the conversation so far.
func (t *Transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}

func (t *Transcript) mark(s string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b.WriteString(s + "\n")
}

// maxShown is the most of one line or raw piece that a transcript keeps.
const maxShown = 4096

func (t *Transcript) add(by side, bytes string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for s := range strings.Lines(bytes) {
		l, whole := strings.CutSuffix(s, "\r\n")
		switch {
		case len(s) > maxShown:
			fmt.Fprintf(&t.b, "%c# %d bytes: %s…\n", by, len(s), strconv.Quote(s[:64]))
		case whole && printable(l):
			t.b.WriteString(fmtLine(by, quote(l)) + "\n")
		default:
			fmt.Fprintf(&t.b, "%c! %s\n", by, strconv.Quote(s))
		}
	}
}

func fmtLine(by side, pattern string) string {
	if pattern == "" {
		return string(by) + ":"
	}
	return string(by) + ": " + pattern
}

// printable reports whether a line can stand in a file as it is.
func printable(l string) bool {
	return utf8.ValidString(l) && strings.IndexFunc(l, func(r rune) bool { return r != '\t' && unicode.IsControl(r) }) < 0
}

// Compare checks a conversation, as a [Transcript] gives it, against a golden
// dialogue whose lines are patterns. Comments count on neither side. It
// returns nil, or an [*Error] about the first difference.
func Compare(want *Script, got string) error {
	played, err := Parse(want.name+" (transcript)", got)
	if err != nil {
		return err
	}
	w, g := want.acts(), played.acts()
	t := new(Transcript)
	for i, it := range w {
		switch {
		case i == len(g):
			return want.fail(it, t, it.src, "the end", nil)
		case it.by != g[i].by || !fits(it, g[i]):
			return want.fail(it, t, it.src, g[i].src, nil)
		}
		t.mark(g[i].src)
	}
	if len(g) > len(w) {
		end := item{line: len(want.items) + 1}
		return want.fail(end, t, "the end", g[len(w)].src, nil)
	}
	return nil
}

// fits reports whether a played item is what the golden one asks for. A line
// that cannot be shown as one was noted as raw bytes, hence the mixed cases.
func fits(want, got item) bool {
	switch {
	case want.kind == line && got.kind == line:
		return Match(want.text, literal(got.text))
	case want.kind == line && got.kind == raw:
		l, whole := strings.CutSuffix(got.bytes(), "\r\n")
		return whole && Match(want.text, l)
	case want.kind == raw && (got.kind == raw || got.kind == line):
		return want.bytes() == got.bytes()
	}
	return want.kind == got.kind
}

// acts are the items that are not comments.
func (s *Script) acts() []item {
	var a []item
	for _, it := range s.items {
		if it.kind != comment {
			a = append(a, it)
		}
	}
	return a
}

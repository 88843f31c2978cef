package mime

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	stdqp "mime/quotedprintable"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A node is an entity that a test has made up: its parts, or its text.
type node struct {
	typ      string
	boundary string
	children []*node
	text     []byte // decoded
	encoding string
}

// A maker makes up messages.
type maker struct {
	*rand.Rand
	boundaries int
}

// entity makes a tree of at most some depth.
func (r *maker) entity(depth int) *node {
	switch k := r.IntN(10); {
	case depth > 0 && k < 4:
		r.boundaries++
		n := &node{typ: "multipart/" + []string{"mixed", "alternative", "related"}[r.IntN(3)], boundary: r.boundary()}
		for range 1 + r.IntN(3) {
			n.children = append(n.children, r.entity(depth-1))
		}
		return n
	case depth > 0 && k == 4:
		return &node{typ: "message/rfc822", children: []*node{r.entity(depth - 1)}}
	}
	n := &node{typ: []string{"text/plain", "text/html", "application/pdf"}[r.IntN(3)]}
	n.encoding = []string{"7bit", "base64", "quoted-printable"}[r.IntN(3)]
	for range r.IntN(6) {
		n.text = append(n.text, r.line()...)
		n.text = append(n.text, "\r\n"...)
	}
	return n
}

// boundary makes a boundary that no other contains, though many begin alike.
func (r *maker) boundary() string {
	return strings.Repeat("=", r.IntN(3)) + "b" + strings.Repeat("-", r.IntN(3)) + strconv.Itoa(r.boundaries) + "_"
}

// line makes a line that looks much like a delimiter.
func (r *maker) line() string {
	return []string{"some text", "-- ", "--", "--b", "--b--1", "a = b", "", ">From", ". ", "x: y", "--=b2"}[r.IntN(11)]
}

// encoded writes the text in the encoding of the node.
func (n *node) encoded() []byte {
	switch n.encoding {
	case "base64":
		return []byte(base64.StdEncoding.EncodeToString(n.text))
	case "quoted-printable":
		var b bytes.Buffer
		w := stdqp.NewWriter(&b)
		w.Binary = true
		w.Write(n.text)
		w.Close()
		return b.Bytes()
	}
	return n.text
}

// write writes the entity with its header.
func (n *node) write(b *bytes.Buffer) {
	b.WriteString("Content-Type: " + n.typ)
	if n.boundary != "" {
		b.WriteString("; boundary=\"" + n.boundary + "\"")
	}
	b.WriteString("\r\n")
	if n.encoding != "" {
		b.WriteString("Content-Transfer-Encoding: " + n.encoding + "\r\n")
	}
	b.WriteString("\r\n")
	switch {
	case n.boundary != "":
		b.WriteString("preamble\r\n")
		for _, c := range n.children {
			b.WriteString("--" + n.boundary + "\r\n")
			c.write(b)
			b.WriteString("\r\n")
		}
		b.WriteString("--" + n.boundary + "--\r\nepilogue")
	case len(n.children) > 0:
		n.children[0].write(b)
	default:
		b.Write(n.encoded())
	}
}

// check compares a part with the node it was written from.
func (n *node) check(t *testing.T, p Part) {
	t.Helper()
	require.Equal(t, n.typ, p.Type().String())
	var parts []Part
	for c := range p.Children() {
		parts = append(parts, c)
	}
	require.Len(t, parts, len(n.children), n.typ)
	for i, c := range n.children {
		c.check(t, parts[i])
	}
	if len(n.children) == 0 {
		require.Equal(t, string(n.text), string(p.Bytes()), n.encoding)
	}
}

// TestWrittenTreesAreReadBack is the law that what is written right is read
// right, whatever it is made of, by all three front ends.
func TestWrittenTreesAreReadBack(t *testing.T) {
	for seed := range uint64(400) {
		r := &maker{Rand: rand.New(rand.NewPCG(seed, 0))}
		n := r.entity(5)
		var b bytes.Buffer
		n.write(&b)
		m := Parse(b.Bytes())
		n.check(t, m.Root())
		for _, d := range m.Defects() {
			require.Contains(t, []Code{TextAfterClose}, d.Code, "seed %d: %v", seed, d)
		}
		if seed%8 == 0 {
			checkMessage(t, b.Bytes())
			checkFrontEnds(t, b.Bytes())
		}
	}
}

// An imapReader reads what a client reads: lists, strings, literals, numbers
// and NIL (RFC 9051 §9).
type imapReader struct {
	t *testing.T
	b []byte
}

// value reads one value: []any, string, int or nil.
func (r *imapReader) value() any {
	switch {
	case len(r.b) == 0:
		r.t.Fatal("the text ends in a list")
	case r.b[0] == '(':
		r.b = r.b[1:]
		list := []any{}
		for r.b[0] != ')' {
			list = append(list, r.value())
			r.b = bytes.TrimPrefix(r.b, []byte(" "))
		}
		r.b = r.b[1:]
		return list
	case r.b[0] == '"':
		var s []byte
		i := 1
		for ; r.b[i] != '"'; i++ {
			if r.b[i] == '\\' {
				i++
			}
			require.NotContains(r.t, "\r\n\x00", string(r.b[i]))
			require.Less(r.t, r.b[i], byte(0x80))
			s = append(s, r.b[i])
		}
		r.b = r.b[i+1:]
		return string(s)
	case r.b[0] == '{':
		head, rest, _ := bytes.Cut(r.b, []byte("}\r\n"))
		n, err := strconv.Atoi(string(head[1:]))
		require.NoError(r.t, err)
		r.b = rest[n:]
		return string(rest[:n])
	}
	i := bytes.IndexAny(r.b, " ()")
	if i < 0 {
		i = len(r.b)
	}
	word := string(r.b[:i])
	r.b = r.b[i:]
	if word == "NIL" {
		return nil
	}
	n, err := strconv.Atoi(word)
	require.NoError(r.t, err, word)
	return n
}

// readIMAP reads a text that holds one value and nothing else.
func readIMAP(t *testing.T, b []byte) []any {
	r := imapReader{t, b}
	v := r.value()
	require.Empty(t, r.b)
	list, ok := v.([]any)
	require.True(t, ok)
	return list
}

// checkBody checks a body structure against the part it describes.
func checkBody(t *testing.T, p Part, body []any, extended bool) {
	t.Helper()
	if _, multi := body[0].([]any); multi {
		n := 0
		for ; n < len(body); n++ {
			if _, ok := body[n].([]any); !ok {
				break
			}
		}
		_, ok := body[n].(string)
		require.True(t, ok, "no subtype")
		require.Len(t, body, n+1+4*b2i(extended))
		i := 0
		for c := range p.Children() {
			checkBody(t, c, body[i].([]any), extended)
			i++
		}
		require.True(t, i == n || i == 0 && n == 1)
		return
	}
	size := 7 + 4*b2i(extended)
	switch {
	case p.IsMessage():
		size += 3
		require.Len(t, body[7], 10)
		checkBody(t, p.Child(), body[8].([]any), extended)
	case strings.EqualFold(body[0].(string), "message") && strings.EqualFold(body[1].(string), "rfc822"): // not looked into
		size += 3
		require.Len(t, body[7], 10)
		require.Len(t, body[8], 8+4*b2i(extended))
	case strings.EqualFold(body[0].(string), "text"):
		size++
		require.Equal(t, int(p.Span().Lines), body[7])
	}
	require.Len(t, body, size)
	require.Equal(t, int(p.Span().CRLFOctets), body[6])
}

// TestIMAPOfTheCorpora: whatever a message holds, what a server prints of it
// can be read, and says what the message is.
func TestIMAPOfTheCorpora(t *testing.T) {
	for name, b := range corpusMail(t) {
		m := Parse(b)
		require.Len(t, readIMAP(t, m.AppendEnvelope(nil)), 10, name)
		checkBody(t, m.Root(), readIMAP(t, m.AppendBodyStructure(nil, false)), false)
		checkBody(t, m.Root(), readIMAP(t, m.AppendBodyStructure(nil, true)), true)
		for path, p := range m.Walk() {
			if p.Parent().IsMessage() && p.IsMultipart() || path == "" {
				continue // has no number of its own
			}
			off, size, ok := m.Section(path)
			require.True(t, ok, "%s %s", name, path)
			require.Equal(t, string(p.RawBody()), string(b[off:off+size]), "%s %s", name, path)
			off, size, ok = m.Section(path + ".MIME")
			require.True(t, ok, "%s %s", name, path)
			if !p.Parent().IsMessage() {
				require.Equal(t, string(p.Header().Raw()), string(b[off:off+size]), "%s %s", name, path)
			}
		}
	}
}

// TestOneMessageForMany reads a message by many goroutines; the race detector
// watches.
func TestOneMessageForMany(t *testing.T) {
	at, err := ParseAt(strings.NewReader(nested), int64(len(nested)))
	require.NoError(t, err)
	for _, m := range []*Message{Parse([]byte(nested)), at} {
		want := fmt.Sprint(m.Inspect(), m.Preview(0), string(m.AppendBodyStructure(nil, true)), fingerprint(m))
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				got := fmt.Sprint(m.Inspect(), m.Preview(0), string(m.AppendBodyStructure(nil, true)), fingerprint(m))
				assert.Equal(t, want, got)
				for _, p := range m.Walk() {
					io.Copy(io.Discard, p.Open())
				}
			})
		}
		wg.Wait()
	}
}

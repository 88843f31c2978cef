package imap

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/postilion-mail/postilion/imap/internal/wire"
	"github.com/postilion-mail/postilion/mime"
)

// needle is a text to be found wherever it stands, without regard to case (RFC
// 9051 §6.4.4).
type needle struct {
	fold  string // folded
	ascii bool   // it is ASCII
	rare  int    // where its least usual octet stands
}

func newNeedle(s string) needle {
	n := needle{fold: fold(s), ascii: isASCII(s)}
	for i := range len(n.fold) {
		if usual(n.fold[i]) < usual(n.fold[n.rare]) {
			n.rare = i
		}
	}
	return n
}

// usual is how usual an octet is in texts, roughly.
func usual(c byte) int {
	if i := strings.IndexByte("zqxjkvbpygfwmucldrhsnioate \r\n-.,:", c); i >= 0 {
		return i + 1
	}
	return 0
}

// fold brings a text into the form in which case does not count: composed and
// in lower case.
func fold(s string) string {
	if isASCII(s) {
		return strings.ToLower(s)
	}
	return strings.ToLower(norm.NFC.String(s))
}

func isASCII[T string | []byte](s T) bool {
	b := []byte(s) // of a []byte this is no copy
	for ; len(b) >= 8; b = b[8:] {
		if binary.LittleEndian.Uint64(b)&0x8080808080808080 != 0 {
			return false
		}
	}
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// in looks in a text.
func (n *needle) in(text string) bool {
	if n.ascii {
		return n.inBytes([]byte(text))
	}
	return !isASCII(text) && strings.Contains(fold(text), n.fold)
}

// inBytes finds an ASCII needle: it goes from one place of its rarest letter,
// great or small, to the next.
func (n *needle) inBytes(b []byte) bool {
	if len(n.fold) == 0 {
		return true
	}
	lo := n.fold[n.rare]
	up := lo
	if 'a' <= lo && lo <= 'z' {
		up -= 'a' - 'A'
	}
	last := len(b) - len(n.fold)
	at := func(c byte, from int) int {
		if from > len(b) {
			return len(b) + 1
		}
		if i := bytes.IndexByte(b[from:], c); i >= 0 {
			return from + i
		}
		return len(b) + 1
	}
	i := at(lo, n.rare)
	j := len(b) + 1
	if up != lo {
		j = at(up, n.rare)
	}
	for {
		k := min(i, j)
		start := k - n.rare
		if start > last {
			return false
		}
		if wire.EqualFold(b[start:start+len(n.fold)], n.fold) {
			return true
		}
		if k == i {
			i = at(lo, k+1)
		} else {
			j = at(up, k+1)
		}
	}
}

// encodings are words of messages in which texts may stand otherwise than they
// are read.
var encodings = [...]needle{newNeedle("=?"), newNeedle("base64"), newNeedle("quoted-printable"), newNeedle("uuencode"),
	newNeedle("iso-2022"), newNeedle("utf-7"), newNeedle("utf-16"), newNeedle("utf-32"), newNeedle("hz-gb")}

// isPlain reports whether all texts of a message stand in it as they are read,
// so that it need not be parsed to be searched.
func isPlain(raw []byte) bool {
	if !isASCII(raw) {
		return false
	}
	for i := range encodings {
		if encodings[i].inBytes(raw) {
			return false
		}
	}
	return true
}

// inField looks in the fields of a name. An empty text is found in any.
func (k *key) inField(h mime.Header) bool {
	for f := range h.All(k.field) {
		if k.text == "" || k.needle.in(f.Text()) {
			return true
		}
	}
	return false
}

// inKept looks in the fields of a name as they stand in a header that is not
// parsed, nil if there is none. It is sure unless one of them is folded, encoded
// or strange.
func (k *key) inKept(b []byte) (matches, sure bool) {
	if b == nil {
		return false, false
	}
	for len(b) > 0 {
		line, rest, _ := bytes.Cut(b, []byte("\n"))
		b = rest
		if len(line) <= len(k.field) || !wire.EqualFold(line[:len(k.field)], k.field) {
			continue
		}
		if k.text == "" && line[len(k.field)] == ':' {
			return true, true
		}
		value := bytes.Trim(line[len(k.field)+1:], " \t\r")
		folded := len(rest) > 0 && (rest[0] == ' ' || rest[0] == '\t')
		switch c := line[len(k.field)]; {
		case c == ' ' || c == '\t' || c == ':' && (folded || !asRead(value)):
			return false, false
		case c == ':' && k.needle.ascii && k.needle.inBytes(value):
			return true, true
		}
	}
	return false, true
}

// asRead reports whether a value is read as it stands: ASCII that can be seen,
// and no encoded word (RFC 2047 §2).
func asRead(value []byte) bool {
	for i, c := range value {
		if c < ' ' || c > '~' || c == '=' && i+1 < len(value) && value[i+1] == '?' {
			return false
		}
	}
	return true
}

// inHeader looks in all fields, names included.
func (n *needle) inHeader(h mime.Header) bool {
	raw := h.Raw()
	if n.ascii && !bytes.Contains(raw, []byte("=?")) && strings.IndexByte(n.fold, ' ') < 0 {
		return n.inBytes(raw) // nothing to decode, nothing to unfold
	}
	for f := range h.Fields() {
		if n.in(f.Name() + ": " + f.Text()) {
			return true
		}
	}
	return false
}

// inBody looks in the texts, and in the headers of messages within the message.
// Fields of parts are no text (RFC 9051 §6.4.4: BODY).
func (n *needle) inBody(m *mime.Message) bool {
	for i := range m.Len() {
		p := m.Part(i)
		if n.inText(p) || p.Parent().IsMessage() && n.inHeader(p.Header()) {
			return true
		}
	}
	return false
}

// inParts looks in the texts and in the headers of all parts (RFC 9051 §6.4.4:
// TEXT), but not in that of the message.
func (n *needle) inParts(m *mime.Message) bool {
	for i := range m.Len() {
		p := m.Part(i)
		if n.inText(p) || i > 0 && n.inHeader(p.Header()) {
			return true
		}
	}
	return false
}

// inText looks in one part, if it is a text. What need not be decoded is not.
func (n *needle) inText(p mime.Part) bool {
	if !p.IsText() || p.Child().Valid() {
		return false
	}
	h := p.Header()
	if n.ascii && plainEncoding(h.Get("Content-Transfer-Encoding")) {
		if raw := p.RawBody(); isASCII(raw) && plainCharset(h) {
			return n.inBytes(raw)
		}
	}
	return n.in(p.Text())
}

func plainEncoding(s string) bool {
	switch wire.Upper(s) {
	case "", "7BIT", "8BIT", "BINARY":
		return true
	}
	return false
}

// plainCharset reports that octets below 128 are ASCII.
func plainCharset(h mime.Header) bool {
	if !h.Has("Content-Type") {
		return true
	}
	cs := wire.Upper(h.ContentType().Param("charset"))
	return !strings.HasPrefix(cs, "ISO-2022") && !strings.HasPrefix(cs, "UTF-7") && !strings.HasPrefix(cs, "UTF-16") &&
		!strings.HasPrefix(cs, "UTF-32") && !strings.HasPrefix(cs, "HZ")
}

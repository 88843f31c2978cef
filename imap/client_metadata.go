package imap

import (
	"bytes"
	"context"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

// MetadataOptions choose what [Conn.Metadata] tells (RFC 5464 §4.2). The zero value
// is the entries that are named and nothing below them.
type MetadataOptions struct {
	MaxSize int64 // octets of a value; larger ones are left out; 0 any size
	Depth   int   // 1 the entries right below too, more or less than 0 all below
}

var errMetadata = errors.New("imap: no entries, or one that there cannot be")

// isEntryName reports whether an annotation can be called so (RFC 5464 §3.1). No
// other name is sent: what a server makes of it is anybody's guess.
func isEntryName(s string) bool {
	if !strings.HasPrefix(s, "/") || strings.HasSuffix(s, "/") || strings.Contains(s, "//") || strings.ContainsAny(s, "*%") {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r >= 0x7f }) < 0
}

// Metadata gives annotations of a mailbox, or those of the server for the name ""
// (RFC 5464 §4.2). Entries are paths such as "/private/comment", in ASCII without
// controls, "*" and "%". One that is not there is left out, or has a nil Value, as
// the server likes.
func (c *Conn) Metadata(ctx context.Context, name string, opts MetadataOptions, entries ...string) ([]mailbox.Entry, error) {
	if len(entries) == 0 || slices.ContainsFunc(entries, func(e string) bool { return !isEntryName(e) }) {
		return nil, errMetadata
	}
	if err := c.known(ctx); err != nil {
		return nil, err
	}
	x := &call{verb: "GETMETADATA"}
	if o := opts.words(); o != "" {
		x.word("(" + o + ")")
	}
	x.mailbox(c, name)
	x.raw(" (")
	for i, e := range entries {
		if i > 0 {
			x.raw(" ")
		}
		x.value(c, e)
	}
	x.raw(")")
	var found []mailbox.Entry
	x.data = func(r *response) (bool, error) {
		if r.word != "METADATA" {
			return false, nil
		}
		return c.gatherMetadata(r, name, &found)
	}
	if err := c.do(ctx, x); err != nil {
		return nil, err
	}
	return found, nil
}

func (o MetadataOptions) words() string {
	var words []string
	if o.MaxSize > 0 {
		words = append(words, "MAXSIZE "+strconv.FormatInt(min(o.MaxSize, math.MaxUint32), 10)) // RFC 5464 §5: a number
	}
	switch o.Depth {
	case 0:
	case 1:
		words = append(words, "DEPTH 1")
	default:
		words = append(words, "DEPTH infinity")
	}
	return strings.Join(words, " ")
}

// gatherMetadata takes name (entry value …). What comes without values says only
// that something changed (RFC 5464 §4.4.2); that, and what is of another mailbox, is
// news and goes to Events.
func (c *Conn) gatherMetadata(r *response, name string, found *[]mailbox.Entry) (mine bool, err error) {
	v := c.values(r.args)
	if !c.names(v.next(), name) {
		return false, nil
	}
	list := v.next()
	if !v.bad && list.kind == isAtom {
		return false, nil
	}
	if v.bad || list.kind == isString || len(list.list)%2 != 0 {
		return true, c.malformed("METADATA")
	}
	for l := list.list; len(l) > 0; l = l[2:] {
		e := mailbox.Entry{Name: l[0].text()}
		if l[1].kind != isNil {
			e.Value = []byte(l[1].text())
		}
		*found = append(*found, e)
	}
	return true, c.gather(r)
}

// cannotBe reports that an entry cannot be sent: a value holds no NUL where it is no
// literal8, which not all servers take.
func cannotBe(e mailbox.Entry) bool {
	return !isEntryName(e.Name) || bytes.IndexByte(e.Value, 0) >= 0
}

// SetMetadata changes annotations of a mailbox, or of the server for the name "",
// all or none (RFC 5464 §4.3). One with a nil Value is removed. Values hold no NUL.
func (c *Conn) SetMetadata(ctx context.Context, name string, entries ...mailbox.Entry) error {
	if len(entries) == 0 || slices.ContainsFunc(entries, cannotBe) {
		return errMetadata
	}
	if err := c.known(ctx); err != nil {
		return err
	}
	x := (&call{verb: "SETMETADATA"}).mailbox(c, name)
	x.raw(" (")
	for i, e := range entries {
		if i > 0 {
			x.raw(" ")
		}
		x.value(c, e.Name)
		x.raw(" ")
		switch {
		case e.Value == nil:
			x.raw("NIL")
		case len(e.Value) == 0:
			x.raw(`""`)
		default:
			x.literal(strings.NewReader(string(e.Value)), int64(len(e.Value)))
		}
	}
	x.raw(")")
	return c.do(ctx, x)
}

package imap

import (
	"container/list"
	"encoding/binary"
	"slices"
	"sync"

	"github.com/postilion-mail/postilion/imap/internal/wire"
	"github.com/postilion-mail/postilion/mime"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// forms are what FETCH tells of a message's structure, as it goes onto the
// wire, in one run of octets that a [mailbox.Cacher] can keep: a version, then
// ENVELOPE, BODY, BODYSTRUCTURE, PREVIEW and the fields of the header that are
// asked for most, each with its length before it, then the places of all
// sections. The preview may be missing.
type forms []byte

const formsVersion = 3

// keptFields are the fields of the header that are kept, in upper case: those
// that lists, SORT, THREAD and most searches look at.
var keptFields = []string{"DATE", "FROM", "SENDER", "REPLY-TO", "TO", "CC", "BCC", "SUBJECT", "MESSAGE-ID", "IN-REPLY-TO", "REFERENCES"}

// isKept reports whether a field is among them.
func isKept(name string) bool {
	return slices.ContainsFunc(keptFields, func(kept string) bool { return wire.EqualFold(kept, name) })
}

// The fields of forms.
const (
	formEnvelope = iota
	formBody
	formStructure
	formPreview
	formHeader
	formFields
)

// makeForms reads what forms hold. A preview is costly and seldom wanted.
func makeForms(m *mime.Message, preview bool) forms {
	f := forms{formsVersion}
	f = f.add(m.AppendEnvelope(nil))
	f = f.add(m.AppendBodyStructure(nil, false))
	f = f.add(m.AppendBodyStructure(nil, true))
	if preview {
		f = f.add([]byte("p" + m.Preview(0)))
	} else {
		f = f.add(nil)
	}
	f = f.add(m.Header().AppendFields(nil, keptFields, false))
	for path, part := range m.Walk() {
		f = f.addSection(m, path)
		if path == "" {
			f = f.addSection(m, "HEADER")
			f = f.addSection(m, "TEXT")
			continue
		}
		f = f.addSection(m, path+".MIME")
		if part.IsMessage() {
			f = f.addSection(m, path+".HEADER")
			f = f.addSection(m, path+".TEXT")
		}
	}
	if _, _, found := f.section("1"); !found {
		f = f.addSection(m, "1") // of a message that is no multipart
		f = f.addSection(m, "1.MIME")
		f = f.addNested(m)
	}
	return f
}

// addNested adds the sections of a message that is one message/rfc822.
func (f forms) addNested(m *mime.Message) forms {
	if m.Root().IsMessage() {
		f = f.addSection(m, "1.HEADER")
		f = f.addSection(m, "1.TEXT")
	}
	return f
}

func (f forms) add(b []byte) forms {
	f = binary.AppendUvarint(f, uint64(len(b)))
	return append(f, b...)
}

func (f forms) addSection(m *mime.Message, spec string) forms {
	offset, size, ok := m.Section(spec)
	if !ok {
		return f
	}
	f = f.add([]byte(spec))
	f = binary.AppendUvarint(f, uint64(offset))
	return binary.AppendUvarint(f, uint64(size))
}

// valid reports whether f is what this version writes; a store may give back
// what an older one kept.
func (f forms) valid() bool { return len(f) > formFields && f[0] == formsVersion }

// field returns one of the fields, and what stands behind it.
func (f forms) field(i int) (b, rest []byte) {
	rest = f[1:]
	for ; i >= 0; i-- {
		b, rest = cutForm(rest)
	}
	return b, rest
}

func cutForm(f []byte) (b, rest []byte) {
	n, k := binary.Uvarint(f)
	if k <= 0 || n > uint64(len(f)-k) {
		return nil, nil
	}
	return f[k : k+int(n)], f[k+int(n):]
}

// preview returns the preview, if it is there.
func (f forms) preview() (text string, ok bool) {
	b, _ := f.field(formPreview)
	if len(b) == 0 {
		return "", false
	}
	return string(b[1:]), true
}

// section finds a section, given in upper case, as mime.Message.Section does.
func (f forms) section(spec string) (offset, size int64, ok bool) {
	_, rest := f.field(formHeader)
	for len(rest) > 0 {
		var name []byte
		name, rest = cutForm(rest)
		o, k := binary.Uvarint(rest)
		if k <= 0 {
			break
		}
		n, l := binary.Uvarint(rest[k:])
		if l <= 0 {
			break
		}
		if string(name) == spec {
			return int64(o), int64(n), true
		}
		rest = rest[k+l:]
	}
	return 0, 0, false
}

// cache keeps forms of messages of stores that do not keep them themselves, the
// latest used, within a limit.
type cache struct {
	limit int64

	mu    sync.Mutex // guards all below
	size  int64
	m     map[cacheKey]*list.Element
	order list.List // of *cached, the latest used first
}

type cacheKey struct {
	box      viewKey
	validity uint32
	uid      mailbox.UID
}

type cached struct {
	key cacheKey
	f   forms
}

// cachedCost is what an entry costs beside its octets.
const cachedCost = 200

func (c *cache) get(key cacheKey) forms {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.m[key]
	if e == nil {
		return nil
	}
	c.order.MoveToFront(e)
	return e.Value.(*cached).f
}

func (c *cache) put(key cacheKey, f forms) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.m == nil {
		c.m = make(map[cacheKey]*list.Element)
	}
	if e := c.m[key]; e != nil {
		c.remove(e)
	}
	c.m[key] = c.order.PushFront(&cached{key, f})
	c.size += int64(len(f)) + cachedCost
	for c.size > c.limit && c.order.Len() > 0 {
		c.remove(c.order.Back())
	}
}

func (c *cache) remove(e *list.Element) {
	v := c.order.Remove(e).(*cached)
	delete(c.m, v.key)
	c.size -= int64(len(v.f)) + cachedCost
}

package imap

import (
	"context"
	"errors"
	"io"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/postilion-mail/postilion/imap/internal/wire"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// Items are what [Conn.Fetch] asks for. UID comes in any case. What the server
// cannot tell is left out.
type Items struct {
	Flags     bool
	Envelope  bool
	Structure bool // of the MIME parts
	Size      bool // octets of the message
	Received  bool // INTERNALDATE
	Saved     bool // when it came into the mailbox (RFC 8514)
	EmailID   bool // name of its content (RFC 8474)
	ThreadID  bool // name of its conversation (RFC 8474)
	Preview   bool // a few words of it (RFC 8970)
	Bodies    []Section
	// ChangedSince leaves out messages that have not changed since (RFC 7162
	// §3.1.4); 0 none.
	ChangedSince mailbox.ModSeq
}

// Section is a piece of a message (RFC 9051 §6.4.5). The zero value is all of
// it.
type Section struct {
	Part   string   // number of a MIME part, "1.2"; "" the message
	What   string   // "HEADER", "TEXT" or "MIME"; "" all of it
	Fields []string // of the header, and no others; What is not used
	Binary bool     // with its transfer encoding undone, where the server has BINARY (RFC 3516)
	Offset int64    // from here on
	Octets int64    // at most so many; 0 all
	Seen   bool     // sets \Seen
}

// append writes what is asked for; with answer what the server calls it.
func (s Section) append(b []byte, answer bool) []byte {
	name := "BODY"
	if s.Binary {
		name = "BINARY"
	}
	b = append(b, name...)
	if !s.Seen && !answer {
		b = append(b, ".PEEK"...)
	}
	b = append(b, '[')
	b = append(b, s.Part...)
	what := s.What
	if len(s.Fields) > 0 {
		what = "HEADER.FIELDS (" + strings.Join(s.Fields, " ") + ")"
	}
	if s.Part != "" && what != "" {
		b = append(b, '.')
	}
	b = append(append(b, what...), ']')
	switch {
	case s.Offset == 0 && s.Octets == 0:
	case answer:
		b = append(strconv.AppendInt(append(b, '<'), s.Offset, 10), '>')
	default:
		n := s.Octets
		if n == 0 {
			n = 1<<32 - 1
		}
		b = strconv.AppendInt(append(b, '<'), s.Offset, 10)
		b = append(strconv.AppendInt(append(b, '.'), n, 10), '>')
	}
	return b
}

// valid reports whether a section can be asked for: part numbers and names of
// fields hold nothing else.
func (s Section) valid() bool {
	for _, f := range s.Fields {
		if !wire.IsAtom(f) {
			return false
		}
	}
	switch s.What {
	case "", "HEADER", "TEXT", "MIME":
	default:
		return false
	}
	return strings.Trim(s.Part, "0123456789.") == "" && s.Offset >= 0 && s.Octets >= 0
}

// Message is what the server tells of a message. Fields that were not asked for
// have their zero values.
type Message struct {
	Seq       uint32 // its number now; changes with each expunge, 0 after UIDONLY
	UID       mailbox.UID
	Flags     mailbox.Flags
	HasFlags  bool           // the server told Flags
	Recent    bool           // IMAP4rev1: this session is the first to see it
	ModSeq    mailbox.ModSeq // of the last change; 0 the server has none
	Size      int64
	Received  time.Time
	Saved     time.Time // zero: the server does not know
	EmailID   string
	ThreadID  string
	Preview   string
	Envelope  *Envelope
	Structure *Part

	bodies []body
}

type body struct {
	name string
	text string
	ok   bool // not NIL
}

// Body is a section that was fetched; ok is false if the message has none.
func (m *Message) Body(s Section) (text []byte, ok bool) {
	name := wire.Upper(string(s.append(nil, true)))
	for _, b := range m.bodies {
		if b.name == name {
			return []byte(b.text), b.ok
		}
	}
	return nil, false
}

var errSection = errors.New("imap: malformed Section")

// fetchCall asks for items.
func (c *Conn) fetchCall(uids mailbox.Set, it Items) (*call, error) {
	b := []byte("(UID")
	add := func(on bool, word string) {
		if on {
			b = append(append(b, ' '), word...)
		}
	}
	add(it.Flags, "FLAGS")
	add(it.Envelope, "ENVELOPE")
	add(it.Structure, "BODYSTRUCTURE")
	add(it.Size, "RFC822.SIZE")
	add(it.Received, "INTERNALDATE")
	add(it.Saved && c.caps.Has("SAVEDATE"), "SAVEDATE")
	add(it.EmailID && c.caps.Has("OBJECTID"), "EMAILID")
	add(it.ThreadID && c.caps.Has("OBJECTID"), "THREADID")
	add(it.Preview && c.caps.Has("PREVIEW"), "PREVIEW")
	for _, s := range it.Bodies {
		if !s.valid() {
			return nil, errSection
		}
		b = s.append(append(b, ' '), false)
	}
	x := (&call{verb: "UID FETCH"}).word(uidArg(uids), string(append(b, ')')))
	if it.ChangedSince != 0 {
		x.word("(CHANGEDSINCE " + strconv.FormatUint(uint64(it.ChangedSince), 10) + ")")
	}
	return x, nil
}

// Fetch tells of messages, as the server sends them. Bodies are held in memory
// one message at a time: for large ones see [Conn.Download]. Messages that are
// gone are left out. The loop may be left at any time; what the server still
// sends is then read and dropped. No other method may be called within it.
//
//	for m, err := range conn.Fetch(ctx, imap.AllUIDs(), imap.Items{Envelope: true}) {
//		if err != nil { … }
//		fmt.Println(m.UID, m.Envelope.Subject)
//	}
func (c *Conn) Fetch(ctx context.Context, uids mailbox.Set, it Items) iter.Seq2[*Message, error] {
	return func(yield func(*Message, error) bool) {
		err := c.known(ctx)
		var x *call
		if err == nil {
			x, err = c.fetchCall(uids, it)
		}
		if err != nil || len(uids) == 0 {
			if err != nil {
				yield(nil, err)
			}
			return
		}
		wanted := true
		x.data = func(r *response) (bool, error) {
			if r.word != "FETCH" && r.word != "UIDFETCH" || !wanted {
				return r.word == "FETCH" || r.word == "UIDFETCH", nil
			}
			m, err := c.parseMessage(r)
			if err != nil {
				return true, err
			}
			if m.UID == 0 || !uids.Contains(m.UID) {
				return false, nil // unasked, of another message
			}
			c.busy = true
			wanted = yield(m, nil)
			c.busy = false
			return true, nil
		}
		if err := c.do(ctx, x); err != nil && wanted {
			yield(nil, err)
		}
	}
}

// parseMessage reads a FETCH response.
func (c *Conn) parseMessage(r *response) (*Message, error) {
	m := &Message{Seq: r.num}
	if r.word == "UIDFETCH" { // RFC 9586
		m.Seq, m.UID = 0, mailbox.UID(r.num)
	}
	v := c.values(r.args)
	items := v.next()
	if v.bad || items.kind != isList {
		return nil, c.broken("malformed FETCH")
	}
	for i := 0; i+1 < len(items.list); i += 2 {
		m.set(wire.Upper(items.list[i].text()), items.list[i+1])
	}
	return m, nil
}

func (m *Message) set(name string, v value) {
	switch name {
	case "UID":
		m.UID = mailbox.UID(v.num())
	case "FLAGS":
		m.HasFlags = true
		m.setFlags(v.list)
	case "MODSEQ":
		m.ModSeq = mailbox.ModSeq(v.at(0).num())
	case "RFC822.SIZE":
		m.Size = int64(v.num())
	case "INTERNALDATE":
		m.Received = dateTime(v.text())
	case "SAVEDATE":
		m.Saved = dateTime(v.text())
	case "EMAILID":
		m.EmailID = v.at(0).text()
	case "THREADID":
		m.ThreadID = v.at(0).text()
	case "PREVIEW":
		m.Preview = v.text()
	case "ENVELOPE":
		m.Envelope = parseEnvelope(v)
	case "BODYSTRUCTURE", "BODY":
		m.Structure = parsePart(v, "", 0)
	default:
		m.bodies = append(m.bodies, body{strings.ReplaceAll(name, `"`, ""), v.text(), v.kind != isNil})
	}
}

// setFlags leaves out what is no flag to us: some servers send the strangest.
func (m *Message) setFlags(list []value) {
	m.Flags = mailbox.Flags{}
	for _, f := range list {
		if strings.EqualFold(f.text(), `\Recent`) {
			m.Recent = true
			continue
		}
		if one, err := mailbox.ParseFlags(f.text()); err == nil {
			m.Flags = mailbox.AddFlags.Apply(m.Flags, one)
		}
	}
}

// Download is a section of a message as it streams in.
type Download struct {
	UID  mailbox.UID // 0: the server tells it only behind the body
	Size int64       // octets of the body
	Body io.Reader   // valid until the next round of the loop
}

// Download streams a section of each message, however large. Messages that are
// gone, or have no such section, are left out. What is left of a body is
// dropped. The loop may be left at any time; where much is still to come that
// costs the connection. No other method may be called within it.
func (c *Conn) Download(ctx context.Context, uids mailbox.Set, s Section) iter.Seq2[*Download, error] {
	return func(yield func(*Download, error) bool) {
		err := c.known(ctx)
		var x *call
		if err == nil {
			x, err = c.fetchCall(uids, Items{Bodies: []Section{s}})
		}
		if err == nil {
			err = c.ready()
		}
		if err != nil || len(uids) == 0 {
			if err != nil {
				yield(nil, err)
			}
			return
		}
		d := &downloading{c: c, yield: yield, wanted: true, left: maxDrain}
		c.hook = d.hook
		err = c.do(ctx, x)
		c.hook = nil
		if err != nil && d.wanted {
			yield(nil, err)
		}
	}
}

// maxDrain is how much of bodies that nobody wants is read to stay in step.
const maxDrain = 1 << 20

// downloading is one run of [Conn.Download].
type downloading struct {
	c      *Conn
	yield  func(*Download, error) bool
	wanted bool
	left   int64
}

// hook takes the literal of a body out of the response that is being read. line
// is all of that so far, and ends in the announcement. It reports whether the
// literal was read.
func (d *downloading) hook(line []byte, size int64) (read bool, err error) {
	c := d.c
	uid, isBody := fetchHead(line)
	if !isBody {
		return false, nil
	}
	body := &literalBody{c: c, left: size}
	if d.wanted {
		c.busy = true
		d.wanted = d.yield(&Download{UID: uid, Size: size, Body: body}, nil)
		c.busy = false
	}
	if body.err != nil {
		return true, body.err
	}
	if !d.wanted {
		if d.left -= body.left; d.left < 0 {
			return true, errStopped
		}
	}
	_, err = io.Copy(io.Discard, body)
	return true, err
}

// fetchHead reports whether line is a FETCH response up to the literal of a
// body, and the UID if it stands before it.
func fetchHead(line []byte) (uid mailbox.UID, ok bool) {
	text := wire.Upper(string(line))
	open := strings.IndexByte(text, '(')
	lit := strings.LastIndexByte(text, '{')
	if open < 0 || lit < open || !strings.HasPrefix(text, "* ") || !strings.HasSuffix(strings.TrimSpace(text[:open]), "FETCH") {
		return 0, false
	}
	name := strings.TrimRight(text[open+1:lit], " ~")
	at := max(strings.LastIndex(name, "BODY["), strings.LastIndex(name, "BINARY["))
	if at < 0 || strings.Contains(name[at:], `"`) && !strings.Contains(name[at:], "FIELDS") {
		return 0, false
	}
	if i := strings.Index(text, "UID "); i >= 0 && i < open+1+at {
		digits, _, _ := strings.Cut(text[i+4:], " ")
		n, _ := number([]byte(digits))
		uid = mailbox.UID(n)
	}
	return uid, true
}

// literalBody reads the octets of a literal.
type literalBody struct {
	c    *Conn
	left int64
	err  error
}

func (b *literalBody) Read(p []byte) (int, error) {
	switch {
	case b.err != nil:
		return 0, b.err
	case b.left == 0:
		return 0, io.EOF
	case len(p) == 0:
		return 0, nil
	}
	n, err := b.c.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	if err != nil {
		b.err = b.c.readError(err)
	}
	return n, b.err
}

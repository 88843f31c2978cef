package imap

import (
	"context"
	"errors"
	"iter"
	"slices"
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
	case "", "HEADER", "TEXT":
	case "MIME":
		if s.Part == "" {
			return false
		}
	default:
		return false
	}
	if s.Binary && (s.What != "" || len(s.Fields) > 0) { // RFC 3516 §4.2
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
	items  int // how many were told beside UID, FLAGS and MODSEQ
}

type body struct {
	name string
	text string
	ok   bool // not NIL
}

// Body is a section that was fetched; ok is false if the message has none.
func (m *Message) Body(s Section) (text []byte, ok bool) {
	name := sectionName(string(s.append(nil, true)))
	for _, b := range m.bodies {
		if b.name == name || s.Offset == 0 && b.name+"<0>" == name {
			return []byte(b.text), b.ok
		}
	}
	return nil, false
}

// sectionName makes one of the ways to spell a section: servers quote the names
// of fields, change their case and their order.
func sectionName(s string) string {
	s = wire.Upper(strings.ReplaceAll(s, `"`, ""))
	before, list, ok := strings.Cut(s, "(")
	list, after, closed := strings.Cut(list, ")")
	if !ok || !closed {
		return s
	}
	fields := strings.Fields(list)
	slices.Sort(fields)
	return strings.TrimSpace(before) + " (" + strings.Join(fields, " ") + ")" + after
}

var errSection = errors.New("imap: malformed Section")

// fetchCalls ask for items, in as many commands as the set takes.
func (c *Conn) fetchCalls(uids mailbox.Set, it Items, data func(*response) (bool, error)) (calls []*call, err error) {
	items, err := c.items(it)
	if err != nil {
		return nil, err
	}
	for _, set := range setArgs(uids) {
		x := &call{verb: "UID FETCH", data: data}
		calls = append(calls, x.word(set, items))
	}
	return calls, nil
}

// items writes what is asked for.
func (c *Conn) items(it Items) (string, error) {
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
			return "", errSection
		}
		b = s.append(append(b, ' '), false)
	}
	b = append(b, ')')
	if it.ChangedSince != 0 {
		b = append(strconv.AppendUint(append(b, " (CHANGEDSINCE "...), uint64(it.ChangedSince), 10), ')')
	}
	return string(b), nil
}

// answered reports whether m holds anything that was asked for beside flags. If
// not it is news of flags that another client has changed meanwhile.
func (it *Items) answered(m *Message) bool {
	return m.items > 0 || !it.more() && (!it.Flags || m.HasFlags)
}

// more reports whether anything is asked for beside flags.
func (it *Items) more() bool {
	return it.Envelope || it.Structure || it.Size || it.Received || it.Saved || it.EmailID || it.ThreadID || it.Preview || len(it.Bodies) > 0
}

// any reports whether anything is asked for beside the UID.
func (it *Items) any() bool { return it.Flags || it.more() }

// complete makes up for what a server has left out against the protocol.
func (it *Items) complete(m *Message) {
	if it.Envelope && m.Envelope == nil {
		m.Envelope = &Envelope{}
	}
	if it.Structure && m.Structure == nil {
		m.Structure = &Part{}
	}
}

// Fetch tells of messages, as the server sends them. Bodies are held in memory
// one message at a time: for large ones see [Conn.Download]. Messages that are
// gone are left out, and flags that another client changes meanwhile go to
// Events. Envelope and Structure are not nil if they were asked for. The loop may
// be left at any time; what the server still sends is then read and dropped. No
// other method may be called within it but Close.
//
//	for m, err := range conn.Fetch(ctx, imap.AllUIDs(), imap.Items{Envelope: true}) {
//		if err != nil { … }
//		fmt.Println(m.UID, m.Envelope.Subject)
//	}
func (c *Conn) Fetch(ctx context.Context, uids mailbox.Set, it Items) iter.Seq2[*Message, error] {
	return func(yield func(*Message, error) bool) {
		f := &fetchLoop{c: c, uids: uids, it: it, yield: yield, wanted: true}
		if err := f.run(ctx); err != nil && f.wanted {
			yield(nil, err)
		}
	}
}

// fetchLoop is one run of [Conn.Fetch].
type fetchLoop struct {
	c      *Conn
	uids   mailbox.Set
	it     Items
	yield  func(*Message, error) bool
	wanted bool
}

func (f *fetchLoop) run(ctx context.Context) error {
	if err := f.c.known(ctx); err != nil {
		return err
	}
	calls, err := f.c.fetchCalls(f.uids, f.it, f.data)
	if err != nil {
		return err
	}
	for len(calls) > 0 && f.wanted {
		n := min(len(calls), 2) // the next is on its way while one is answered
		if err := f.c.do(ctx, calls[:n]...); err != nil {
			return err
		}
		calls = calls[n:]
	}
	return f.c.ready()
}

func (f *fetchLoop) data(r *response) (mine bool, err error) {
	if r.word != "FETCH" && r.word != "UIDFETCH" {
		return false, nil
	}
	if !f.wanted {
		return true, nil
	}
	m, err := f.c.parseMessage(r)
	if err != nil {
		return true, err
	}
	if m.UID == 0 || !f.uids.Contains(m.UID) || !f.it.answered(m) {
		return false, nil // unasked
	}
	f.it.complete(m)
	f.c.busy = true
	f.wanted = f.yield(m, nil)
	f.c.busy = false
	return true, nil
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
		m.UID = mailbox.UID(min(v.num(), 1<<32-1))
		return
	case "FLAGS":
		m.HasFlags = true
		m.setFlags(v.list)
		return
	case "MODSEQ":
		m.ModSeq = mailbox.ModSeq(v.at(0).num())
		return
	}
	m.items++
	m.setItem(name, v)
}

// setItem takes in what a server only tells if it is asked for.
func (m *Message) setItem(name string, v value) {
	switch name {
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
		m.bodies = append(m.bodies, body{sectionName(name), v.text(), v.kind != isNil})
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

package imap

import (
	"strings"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

// Events are funcs that are told what a server says by itself: within any
// method, while it waits for its own answer, and within [Conn.Idle]. Each may
// be nil. They run on the goroutine of the method and must not call the Conn.
type Events struct {
	Exists   func(n uint32)         // so many messages are there now; at each new one
	Expunge  func(seq uint32)       // the message with this number is gone, all behind it move up
	Vanished func(uids mailbox.Set) // these are gone; in place of Expunge after [Conn.Enable] of QRESYNC or UIDONLY
	Message  func(m *Message)       // flags of a message have changed, or it is new and was asked for by [Conn.Notify]
	Status   func(s *MailboxStatus) // of another mailbox, after [Conn.Notify]
	List     func(m *MailboxInfo)   // of another mailbox, after [Conn.Notify]
	// Metadata has the names of annotations of a mailbox that have changed, or for
	// the name "" of the server; [Conn.Metadata] tells what they are now.
	Metadata func(name string, entries []string)
	// Overflow says that the server has given up what [Conn.Notify] asked for: it
	// tells nothing from then on, not of the selected mailbox either, until Notify
	// asks anew, and something may have been lost (RFC 5465 §5.8).
	Overflow func()
	Alert    func(text string)              // words that must be shown to the user (RFC 9051 §7.1)
	Other    func(word string, rest []byte) // any other response; rest is valid until it returns
}

// Capabilities are what a server can do: keywords in upper case.
type Capabilities map[string]bool

// Has reports whether the server has a capability, which is in upper case.
func (c Capabilities) Has(keyword string) bool { return c[keyword] }

// Values gives what stands behind "=" of the capabilities of a kind: those of
// "AUTH" are the mechanisms.
func (c Capabilities) Values(kind string) (list []string) {
	for k := range c {
		if v, ok := strings.CutPrefix(k, kind+"="); ok {
			list = append(list, v)
		}
	}
	return list
}

func parseCapabilities(args string) Capabilities {
	caps := Capabilities{}
	for _, w := range strings.Fields(args) {
		if len(caps) < 1000 {
			caps[strings.ToUpper(cleanText(w))] = true
		}
	}
	return caps
}

// untagged gives a response to the command that runs, or to Events.
func (c *Conn) untagged(x *call, r *response) error {
	if x != nil && x.data != nil {
		mine, err := x.data(r)
		if err != nil || mine {
			return err
		}
	}
	return c.note(r)
}

// note takes in what any response may say.
func (c *Conn) note(r *response) error {
	busy := c.busy
	c.busy = true // Events must not call the Conn: a command would go out within another
	defer func() { c.busy = busy }()
	switch r.word {
	case "OK", "NO", "BAD", "PREAUTH":
		c.noteCode(r)
	case "BYE":
		c.bye = r.refusal("")
		c.noteCode(r)
	case "CAPABILITY":
		c.caps = parseCapabilities(string(r.args))
	case "ENABLED":
		c.noteEnabled(string(r.args))
	case "EXISTS", "RECENT", "EXPUNGE", "VANISHED", "FETCH", "UIDFETCH", "FLAGS":
		return c.noteMailbox(r)
	case "STATUS":
		if f := c.Events.Status; f != nil {
			if s := c.parseStatus(r.args, nil); s != nil {
				f(s)
			}
		}
	case "LIST":
		if f := c.Events.List; f != nil {
			if m := c.parseList(r.args); m != nil {
				f(m)
			}
		}
	case "METADATA":
		return c.noteMetadata(r)
	default:
		if f := c.Events.Other; f != nil {
			f(r.word, r.args)
		}
	}
	return nil
}

// noteCode takes in response codes that may stand anywhere.
func (c *Conn) noteCode(r *response) {
	switch r.code {
	case "CAPABILITY":
		c.caps = parseCapabilities(r.carg)
	case "ALERT":
		if f := c.Events.Alert; f != nil {
			f(r.text)
		}
	case "NOTIFICATIONOVERFLOW": // with a tag it is the refusal of a NOTIFY, and what was chosen before stands
		if f := c.Events.Overflow; f != nil && r.tag == "*" {
			f()
		}
	case "HIGHESTMODSEQ":
		if s := c.selected; s != nil {
			s.State.HighestModSeq = mailbox.ModSeq(value{s: r.carg}.num())
		}
	case "CLOSED": // RFC 7162 §3.2.11: what came before was of the old mailbox
		c.selected = nil
		if c.closed != nil {
			c.closed()
		}
	}
}

// noteMailbox keeps the selected mailbox up to date.
func (c *Conn) noteMailbox(r *response) error {
	s := c.selected
	if s == nil {
		s = &Selected{} // what comes between two mailboxes is of no use
	}
	switch r.word {
	case "EXISTS":
		s.Messages = r.num
		if f := c.Events.Exists; f != nil {
			f(r.num)
		}
	case "EXPUNGE":
		if r.num == 0 || r.num > s.Messages && c.client.Strict {
			return c.broken("EXPUNGE of a message that is not there")
		}
		if s.Messages > 0 {
			s.Messages--
		}
		if f := c.Events.Expunge; f != nil {
			f(r.num)
		}
	case "VANISHED":
		uids, earlier, ok := c.parseVanished(r.args)
		if !ok {
			return c.broken("malformed VANISHED")
		}
		if !earlier {
			s.Messages -= uint32(min(uids.Len(), int64(s.Messages)))
		}
		if f := c.Events.Vanished; f != nil {
			f(uids)
		}
	case "FLAGS":
		s.Flags = flagList(c.values(r.args))
	case "FETCH", "UIDFETCH":
		if f := c.Events.Message; f != nil {
			m, err := c.parseMessage(r)
			if err != nil {
				return err
			}
			f(m)
		}
	}
	return nil
}

func flagList(r reader) (flags []string) {
	for _, v := range r.next().list {
		flags = append(flags, v.text())
	}
	return flags
}

// parseVanished reads "[(EARLIER)] uids" (RFC 7162 §3.2.10).
func (c *Conn) parseVanished(b []byte) (uids mailbox.Set, earlier, ok bool) {
	r := c.values(b)
	v := r.next()
	if v.kind == isList {
		earlier = strings.EqualFold(v.at(0).text(), "EARLIER")
		v = r.next()
	}
	uids, ok = parseUIDs(v.text())
	return uids, earlier, ok && !r.bad
}

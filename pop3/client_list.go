package pop3

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Message is one message of the maildrop.
type Message struct {
	Number int    // for this session only; from 1
	Size   int64  // octets, as the server tells it
	UID    string // unique id that stays for ever (RFC 1939 §7); "" the server has none
}

// Stat tells how much mail there is, without what was deleted.
func (c *Conn) Stat(ctx context.Context) (messages int, octets int64, err error) {
	text, err := c.ask(ctx, "STAT", "")
	if err != nil {
		return 0, 0, err
	}
	m, err := c.scan("STAT", text)
	return m.Number, m.Size, err
}

// scan reads "number size", behind which servers may say more.
func (c *Conn) scan(verb, line string) (Message, error) {
	f := strings.Fields(line)
	if len(f) >= 2 {
		n, err1 := strconv.ParseInt(f[0], 10, 32)
		size, err2 := strconv.ParseInt(f[1], 10, 64)
		if err1 == nil && err2 == nil && n >= 0 && size >= 0 {
			return Message{Number: int(n), Size: size}, nil
		}
	}
	c.botched = true
	return Message{}, ProtocolError(fmt.Sprintf("malformed reply to %s: %.80q", verb, line))
}

// List gives all messages, with sizes and unique ids: LIST and UIDL in one
// round trip. UIDs are empty where the server has no UIDL.
func (c *Conn) List(ctx context.Context) ([]Message, error) {
	if err := c.ready(); err != nil {
		return nil, err
	}
	defer c.bound(ctx)()
	_ = c.queue("LIST", "")
	_ = c.queue("UIDL", "") // two short commands fit any window, PIPELINING or not
	list, err := c.readList()
	refusal, refused := errors.AsType[*Error](err)
	if err != nil && !refused {
		return nil, cause(ctx, err)
	}
	if err := c.readUIDL(list); err != nil {
		return nil, cause(ctx, err)
	}
	if refused {
		return nil, refusal
	}
	return list, nil
}

func (c *Conn) readList() ([]Message, error) {
	if _, err := c.status("LIST"); err != nil {
		return nil, err
	}
	var list []Message
	err := c.lines(func(line string) error {
		m, err := c.scan("LIST", line)
		list = append(list, m)
		return err
	})
	return list, err
}

// readUIDL gives the messages their ids. Both lists are in order in all but the
// strangest servers; for those the list is searched.
func (c *Conn) readUIDL(list []Message) error {
	_, err := c.status("UIDL")
	if _, refused := errors.AsType[*Error](err); refused {
		return nil
	}
	if err != nil {
		return err
	}
	at := 0
	return c.lines(func(line string) error {
		f := strings.Fields(line)
		if len(f) < 2 {
			return ProtocolError(fmt.Sprintf("malformed reply to UIDL: %.80q", line))
		}
		n, err := strconv.Atoi(f[0])
		if err != nil {
			return ProtocolError(fmt.Sprintf("malformed reply to UIDL: %.80q", line))
		}
		if at >= len(list) || list[at].Number != n {
			at = find(list, n)
		}
		if at < len(list) {
			list[at].UID = cleanText([]byte(f[1]))
		}
		at++
		return nil
	})
}

func find(list []Message, number int) int {
	for i := range list {
		if list[i].Number == number {
			return i
		}
	}
	return len(list)
}

// Delete marks messages; they go at [Conn.Quit]. The commands are sent in
// batches. The error is that of the first that was refused; the others are
// marked. See [Conn.Fetch] for calling it within its loop.
func (c *Conn) Delete(ctx context.Context, numbers ...int) error {
	if f := c.fetch; f != nil && !c.botched {
		for _, n := range numbers {
			f.ask("DELE", Message{Number: n})
		}
		return nil
	}
	if err := c.ready(); err != nil {
		return err
	}
	defer c.bound(ctx)()
	var first error
	for len(numbers) > 0 {
		// So many replies fit any window: RFC 2449 §6.6.
		batch := numbers[:min(len(numbers), maxAhead)]
		numbers = numbers[len(batch):]
		for _, n := range batch {
			_ = c.queue("DELE", strconv.Itoa(n))
		}
		for range batch {
			_, err := c.status("DELE")
			if _, refused := errors.AsType[*Error](err); err != nil && !refused {
				return cause(ctx, err)
			}
			if first == nil {
				first = err
			}
		}
	}
	return first
}

// Reset takes all deletions back.
func (c *Conn) Reset(ctx context.Context) error {
	_, err := c.ask(ctx, "RSET", "")
	return err
}

// UTF8 asks for messages with UTF-8 in their header as they are (RFC 6856
// §2.1). It must come before the login, and after StartTLS.
func (c *Conn) UTF8(ctx context.Context) error {
	_, err := c.ask(ctx, "UTF8", "")
	return err
}

package pop3

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

// counted says how much mail there is.
func counted(n int, size int64) string {
	what := "messages"
	if n == 1 {
		what = "message"
	}
	return fmt.Sprintf("%d %s (%d octets)", n, what, size)
}

// STAT is the drop listing (RFC 1939 §5).
func (c *conn) STAT(string) (reply, error) {
	n, size := c.drop.total()
	return ok(strconv.Itoa(n) + " " + strconv.FormatInt(size, 10)), nil
}

// LIST gives sizes, of one message or of all (RFC 1939 §5). They are the
// octets that RETR sends, dots not doubled (RFC 1939 §11).
func (c *conn) LIST(arg string) (reply, error) {
	scan := func(dst []byte, i int, m *message) []byte {
		dst = append(strconv.AppendInt(dst, int64(i+1), 10), ' ')
		return strconv.AppendInt(dst, m.size, 10)
	}
	n, size := c.drop.total()
	return c.listing(arg, counted(n, size), scan)
}

// UIDL gives names that stay (RFC 1939 §7).
func (c *conn) UIDL(arg string) (reply, error) {
	ctx, cancel := c.stored()
	defer cancel()
	var failed error
	r, err := c.listing(arg, "Unique ids follow", func(dst []byte, i int, m *message) []byte {
		id, err := mailbox.POP3ID(ctx, c.drop.box, c.drop.validity, m.uid)
		if err != nil { // gone by now: a name that nothing else has
			failed = err
			id = strconv.FormatUint(uint64(m.uid), 10) + "-" + strconv.FormatUint(uint64(c.drop.validity), 10)
		}
		dst = append(strconv.AppendInt(dst, int64(i+1), 10), ' ')
		return append(dst, id...)
	})
	if failed != nil && !errors.Is(failed, mailbox.ErrNotExist) {
		// With a wrong id the client would download the message again: better it
		// gets half a list and knows.
		c.warn("unique id could not be found", failed)
		return reply{}, failed
	}
	return r, err
}

// listing answers for one message in the reply, for all in lines behind it.
func (c *conn) listing(arg, text string, line func(dst []byte, i int, m *message) []byte) (reply, error) {
	all := c.drop.messages
	if arg != "" {
		m, r := c.drop.find(arg)
		if m == nil {
			return r, nil
		}
		n, _ := strconv.Atoi(arg)
		return ok(string(line(nil, n-1, m))), nil
	}
	c.put(ok(text))
	c.list(len(all), func(dst []byte, i int) []byte {
		if all[i].deleted {
			return dst
		}
		return append(line(dst, i, &all[i]), '\r', '\n')
	})
	return done, nil
}

// DELE marks a message; it goes at QUIT (RFC 1939 §5).
func (c *conn) DELE(arg string) (reply, error) {
	m, r := c.drop.find(arg)
	if m == nil {
		return r, nil
	}
	m.deleted = true
	return ok("Deleted at QUIT"), nil
}

// NOOP does nothing (RFC 1939 §5).
func (c *conn) NOOP(string) (reply, error) { return ok(""), nil }

// RSET takes all marks of DELE back (RFC 1939 §5).
func (c *conn) RSET(string) (reply, error) {
	for i := range c.drop.messages {
		c.drop.messages[i].deleted = false
	}
	n, size := c.drop.total()
	return ok(counted(n, size)), nil
}

// QUIT ends the session; after a login it is the UPDATE state, the only place
// where messages are removed (RFC 1939 §6).
func (c *conn) QUIT(string) (reply, error) {
	c.quit = true
	if c.drop == nil {
		return ok("Goodbye"), nil
	}
	ctx, cancel := c.stored()
	defer cancel()
	err := c.drop.update(ctx, c.srv.KeepUnseen)
	c.leave()
	if err == nil {
		return ok("Goodbye"), nil
	}
	c.warn("update failed", err)
	if errors.Is(err, errUnseen) {
		return ok("Goodbye"), nil // what was asked for was done
	}
	return fail("SYS/TEMP", "Some deleted messages were not removed"), nil
}

// leave lets the next session at the maildrop.
func (c *conn) leave() {
	if c.drop != nil {
		c.drop.leave()
		c.drop = nil
	}
}

package imap

import (
	"strconv"
	"strings"

	"github.com/postilion-mail/postilion/smtp/sasl"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// A capability is one row of what is offered: what the predicate says is true
// of the connection as it stands, so that nothing is told that does not work.
type capability struct {
	name string
	when func(*conn) bool
	arg  func(*conn) string // behind the name; nil none
}

// capabilities are the table; IMAP4rev1 comes first (RFC 3501 §6.1.1).
var capabilities = [...]capability{
	{name: "IMAP4rev1", when: always},
	{name: "IMAP4rev2", when: always},
	{name: "STARTTLS", when: (*conn).offersTLS},
	{name: "LOGINDISABLED", when: func(c *conn) bool { return c.store == nil && !c.takesLOGIN() }},
	{name: "AUTH=", when: func(c *conn) bool { return c.store == nil && c.srv.Auth != nil }},
	{name: "SASL-IR", when: always}, // RFC 4959
	{name: "LITERAL-", when: func(c *conn) bool { return c.store == nil || c.srv.withholds("LITERAL+") }},
	{name: "LITERAL+", when: loggedOn}, // RFC 7888
	{name: "ID", when: always},         // RFC 2971
	{name: "ENABLE", when: always},     // RFC 5161

	{name: "IDLE", when: loggedOn},               // RFC 2177
	{name: "NAMESPACE", when: loggedOn},          // RFC 2342
	{name: "UNSELECT", when: loggedOn},           // RFC 3691
	{name: "UIDPLUS", when: loggedOn},            // RFC 4315
	{name: "MOVE", when: loggedOn},               // RFC 6851
	{name: "CHILDREN", when: loggedOn},           // RFC 3348
	{name: "LIST-EXTENDED", when: loggedOn},      // RFC 5258
	{name: "LIST-STATUS", when: loggedOn},        // RFC 5819
	{name: "STATUS=SIZE", when: loggedOn},        // RFC 8438
	{name: "SPECIAL-USE", when: loggedOn},        // RFC 6154
	{name: "CREATE-SPECIAL-USE", when: loggedOn}, // RFC 6154
	{name: "ESEARCH", when: loggedOn},            // RFC 4731
	{name: "SEARCHRES", when: loggedOn},          // RFC 5182
	{name: "WITHIN", when: loggedOn},             // RFC 5032
	{name: "PARTIAL", when: loggedOn},            // RFC 9394
	{name: "CONTEXT=SEARCH", when: loggedOn},     // RFC 5267
	{name: "MULTISEARCH", when: loggedOn},        // RFC 7377
	{name: "SORT", when: loggedOn},               // RFC 5256
	{name: "SORT=DISPLAY", when: loggedOn},       // RFC 5957
	{name: "ESORT", when: loggedOn},              // RFC 5267
	{name: "THREAD=ORDEREDSUBJECT", when: loggedOn},
	{name: "THREAD=REFERENCES", when: loggedOn}, // RFC 5256
	{name: "BINARY", when: loggedOn},            // RFC 3516
	{name: "CONDSTORE", when: loggedOn},         // RFC 7162
	{name: "QRESYNC", when: loggedOn},           // RFC 7162
	{name: "UTF8=ACCEPT", when: loggedOn},       // RFC 6855
	{name: "UIDONLY", when: loggedOn},           // RFC 9586
	{name: "MULTIAPPEND", when: loggedOn},       // RFC 3502
	{name: "CATENATE", when: loggedOn},          // RFC 4469
	{name: "REPLACE", when: loggedOn},           // RFC 8508
	{name: "APPENDLIMIT", when: func(c *conn) bool { return c.store != nil && c.srv.limits.MessageBytes > 0 },
		arg: func(c *conn) string { return "=" + strconv.FormatInt(c.srv.limits.MessageBytes, 10) }}, // RFC 7889
	{name: "MESSAGELIMIT", when: func(c *conn) bool { return c.store != nil && c.srv.limits.Messages > 0 },
		arg: func(c *conn) string { return "=" + strconv.Itoa(c.srv.limits.Messages) }}, // RFC 9738
	{name: "OBJECTID", when: loggedOn},       // RFC 8474
	{name: "PREVIEW", when: loggedOn},        // RFC 8970
	{name: "SAVEDATE", when: loggedOn},       // RFC 8514
	{name: "INPROGRESS", when: loggedOn},     // RFC 9585
	{name: "NOTIFY", when: loggedOn},         // RFC 5465
	{name: "UNAUTHENTICATE", when: loggedOn}, // RFC 8437
	{name: "COMPRESS=DEFLATE", when: func(c *conn) bool { return c.store != nil && c.deflate == nil }}, // RFC 4978 §3

	{name: "QUOTA", when: storeIs[mailbox.Quota]}, // RFC 9208
	{name: "QUOTA=RES-STORAGE", when: storeIs[mailbox.Quota]},
	{name: "QUOTA=RES-MESSAGE", when: storeIs[mailbox.Quota]},
	{name: "QUOTA=RES-MAILBOX", when: storeIs[mailbox.Quota]},
	{name: "QUOTASET", when: storeIs[mailbox.QuotaSetter]},
	{name: "ACL", when: storeIs[mailbox.ACL]},                // RFC 4314
	{name: "RIGHTS=kxte", when: storeIs[mailbox.ACL]},        // RFC 4314 §2.2
	{name: "LIST-MYRIGHTS", when: storeIs[mailbox.ACL]},      // RFC 8440
	{name: "METADATA", when: storeIs[mailbox.Metadata]},      // RFC 5464
	{name: "LIST-METADATA", when: storeIs[mailbox.Metadata]}, // RFC 9590
}

func always(*conn) bool     { return true }
func loggedOn(c *conn) bool { return c.store != nil }

// storeIs reports whether the user's store has an optional interface.
func storeIs[T any](c *conn) bool {
	_, is := c.store.(T)
	return is
}

// has reports whether a capability is offered here and now.
func (c *conn) has(name string) bool {
	for i := range capabilities {
		if row := &capabilities[i]; row.name == name {
			return row.when(c) && !c.srv.withholds(name)
		}
	}
	return false
}

// capabilities lists what is offered, in one line.
func (c *conn) capabilities() string {
	var b strings.Builder
	for i := range capabilities {
		row := &capabilities[i]
		switch {
		case !row.when(c) || c.srv.withholds(row.name):
		case row.name == "AUTH=":
			for _, m := range c.mechanisms() {
				b.WriteString(" AUTH=" + m)
			}
		default:
			b.WriteString(" " + row.name)
			if row.arg != nil {
				b.WriteString(row.arg(c))
			}
		}
	}
	return b.String()[1:]
}

func (c *conn) offersTLS() bool {
	return c.store == nil && c.session.TLS == nil && c.srv.TLSConfig != nil
}

// mechanisms are those that may be used on this connection: none that shows a
// password to the network (RFC 9051 §11.3).
func (c *conn) mechanisms() []string {
	var out []string
	for _, m := range c.srv.Auth.Mechanisms(c.login("")) {
		if c.mayShow() || !sasl.Plaintext(m) {
			out = append(out, m)
		}
	}
	return out
}

// CAPABILITY tells what is offered (RFC 9051 §6.1.1).
func (c *conn) CAPABILITY(p *parser) reply {
	if r := p.done(); r.status != "" {
		return r
	}
	c.put("CAPABILITY ", c.capabilities())
	return ok("CAPABILITY completed")
}

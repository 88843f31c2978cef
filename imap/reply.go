package imap

import (
	"context"
	"errors"

	"github.com/postilion-mail/postilion/imap/internal/wire"
)

// status is how a command ended (RFC 9051 §7.1).
type status string

const (
	statusOK  status = "OK"
	statusNo  status = "NO"
	statusBad status = "BAD"
)

// A reply ends a command. code is the response code with its arguments and
// without brackets; it may be empty. The zero reply is none: the command has
// answered by itself, or the connection is over.
type reply struct {
	status status
	code   string
	text   string
}

func ok(text string) reply        { return reply{statusOK, "", text} }
func okCode(c, text string) reply { return reply{statusOK, c, text} }
func no(c, text string) reply     { return reply{statusNo, c, text} }
func bad(text string) reply       { return reply{statusBad, "", text} }

// append appends the reply behind its tag, with CRLF.
func (r reply) append(dst []byte, tag string) []byte {
	dst = append(dst, tag...)
	dst = append(dst, ' ')
	return append(r.appendLine(dst), '\r', '\n')
}

func (r reply) appendLine(dst []byte) []byte {
	dst = append(dst, r.status...)
	dst = append(dst, ' ')
	if r.code != "" {
		dst = append(dst, '[')
		dst = append(dst, r.code...)
		dst = append(dst, "] "...)
	}
	return wire.AppendText(dst, r.text)
}

// texts are what the codes of stores say to people (RFC 9051 §7.1).
var texts = map[string]string{
	"NONEXISTENT":   "No such mailbox",
	"TRYCREATE":     "No such mailbox",
	"ALREADYEXISTS": "Mailbox already exists",
	"OVERQUOTA":     "Not enough room",
	"NOPERM":        "Permission denied",
	"CANNOT":        "Not possible",
	"TOOBIG":        "Message is too large",
	"LIMIT":         "Limit reached",
	"INUSE":         "Mailbox is in use",
	"CORRUPTION":    "Mailbox is damaged",
	"EXPUNGEISSUED": "Some of the messages no longer exist",
	"UNAVAILABLE":   "Temporary failure",
}

// codeOf asks an error for its response code; "" is none.
func codeOf(err error) string {
	if err == nil {
		return ""
	}
	var r interface{ Response() string }
	if errors.As(err, &r) {
		if code := r.Response(); code != "" && wire.IsAtom(code) {
			return code
		}
	}
	return ""
}

// failure makes the reply to a store's error. What nobody understands is
// logged, and the peer hears that it may try again.
func (c *conn) failure(err error) reply {
	var own *replyError
	if errors.As(err, &own) {
		return own.reply
	}
	code := codeOf(err)
	if code == "" {
		if !errors.Is(err, context.Canceled) {
			c.warn("command failed", err)
		}
		code = "UNAVAILABLE"
	}
	text := texts[code]
	if text == "" {
		text = "Failed"
	}
	return no(code, text)
}

// replyError carries a reply through functions that return errors.
type replyError struct{ reply }

func (e *replyError) Error() string { return "imap: " + string(e.status) + " " + e.text }

// tryCreate makes the missing target of COPY and its like what clients expect
// (RFC 9051 §7.1: TRYCREATE).
func (c *conn) tryCreate(err error) reply {
	r := c.failure(err)
	if r.code == "NONEXISTENT" {
		r.code = "TRYCREATE"
	}
	return r
}

package mime

import (
	"strconv"
	"strings"
)

// AppendEnvelope appends the IMAP ENVELOPE of the message to dst (RFC 9051
// §7.5.2): what a server prints after the word ENVELOPE. Values are unfolded
// but not decoded, as clients expect them. A text that a quoted string cannot
// hold becomes a literal.
func (m *Message) AppendEnvelope(dst []byte) []byte { return m.Root().appendEnvelope(dst) }

// appendEnvelope appends the envelope of the message that p is: ten fields, in
// the order of RFC 9051 §7.5.2.
func (p Part) appendEnvelope(dst []byte) []byte {
	h := p.Header()
	dst = append(dst, '(')
	dst = h.appendRaw(dst, fieldDate)
	dst = append(dst, ' ')
	dst = h.appendRaw(dst, fieldSubject)
	// From is needed up to three times.
	from := h.appendAddresses(nil, "From")
	for _, name := range [...]string{"From", "Sender", "Reply-To", "To", "Cc", "Bcc"} {
		dst = append(dst, ' ')
		start := len(dst)
		if dst = h.appendAddresses(dst, name); len(dst) > start {
			continue
		}
		switch {
		// RFC 9051 §7.5.2: Sender and Reply-To that are absent or empty are
		// those of From.
		case (name == "Sender" || name == "Reply-To") && len(from) > 0:
			dst = append(dst, from...)
		default:
			dst = append(dst, "NIL"...)
		}
	}
	dst = append(dst, ' ')
	dst = h.appendRaw(dst, fieldInReplyTo)
	dst = append(dst, ' ')
	dst = h.appendRaw(dst, fieldMessageID)
	return append(dst, ')')
}

// appendRaw appends the unfolded value of a field, or NIL.
func (h Header) appendRaw(dst []byte, id fieldID) []byte {
	f, ok := h.first(id)
	if !ok {
		return append(dst, "NIL"...)
	}
	return appendString(dst, appendUnfolded(nil, trimSpace(f.value())))
}

// appendAddresses appends the address structures of all fields of a name, and
// nothing if there are none.
func (h Header) appendAddresses(dst []byte, name string) []byte {
	p := addressParser{undecoded: true}
	for i := h.next(name, 0); i >= 0; i = h.next(name, i+1) {
		p.parse(Field{h.raw, h.fields[i]}.value())
	}
	groups := p.groups()
	if len(groups) == 0 {
		return dst
	}
	start := len(dst)
	dst = append(dst, '(')
	for _, g := range groups {
		if g.Named { // RFC 9051 §7.5.2: a group begins with a name for its mailbox
			dst = append(dst, "(NIL NIL "...)
			dst = appendString(dst, []byte(g.Name))
			dst = append(dst, " NIL)"...)
		}
		for _, a := range g.Members {
			if !onlyComment(a) {
				dst = appendAddress(dst, a)
			}
		}
		if g.Named {
			dst = append(dst, "(NIL NIL NIL NIL)"...)
		}
	}
	if len(dst) == start+1 { // comments, and no address among them
		return dst[:start]
	}
	return append(dst, ')')
}

// onlyComment reports whether an entry has no address and no phrase: a comment
// is no part of what a field says (RFC 5322 §3.2.2).
func onlyComment(a Address) bool {
	return a.Addr == "" && a.Route == "" && a.Comment != "" && a.Name == a.Comment
}

// appendAddress appends name, route, mailbox and host. A missing host is the
// empty string: NIL would begin a group.
func appendAddress(dst []byte, a Address) []byte {
	dst = append(dst, '(')
	for _, s := range [...]string{a.Name, a.Route} {
		if s == "" {
			dst = append(dst, "NIL "...)
			continue
		}
		dst = appendString(dst, []byte(s))
		dst = append(dst, ' ')
	}
	dst = appendString(dst, []byte(unquoteLocal(a.Local())))
	dst = append(dst, ' ')
	dst = appendString(dst, []byte(a.Domain()))
	return append(dst, ')')
}

// unquoteLocal removes the quotes of a local part: an IMAP string has its own.
func unquoteLocal(s string) string {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return s
	}
	return string(unescape([]byte(s[1 : len(s)-1])))
}

// appendString appends an IMAP string: quoted where that can hold it, else a
// literal (RFC 9051 §4.3). NUL, which neither can hold, is left out.
func appendString(dst, s []byte) []byte {
	// Clients bound the length of a line, and a quoted string is part of one.
	quoted := len(s) <= 1024
	for _, c := range s {
		if c == 0 {
			return appendString(dst, []byte(strings.ReplaceAll(string(s), "\x00", "")))
		}
		quoted = quoted && c < 0x80 && c != '\r' && c != '\n'
	}
	if !quoted {
		dst = append(dst, '{')
		dst = strconv.AppendInt(dst, int64(len(s)), 10)
		dst = append(dst, "}\r\n"...)
		return append(dst, s...)
	}
	dst = append(dst, '"')
	for _, c := range s {
		if c == '"' || c == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, c)
	}
	return append(dst, '"')
}

package smtp

import (
	"net/netip"
	"strconv"
	"strings"
	"unicode"
)

// xclientNames are the attributes a trusted peer may set.
const xclientNames = "NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT"

// XCLIENT lets a trusted peer say for whom it speaks. The session begins anew,
// with a new greeting, as that client's.
func (c *conn) XCLIENT(arg string) (Reply, error) {
	if !c.mayXCLIENT() {
		return Reply{550, "5.7.0", "You may not use XCLIENT"}, nil
	}
	if arg == "" {
		return Reply{501, "5.5.4", "Syntax: XCLIENT name=value"}, nil
	}
	// Nothing that the trusted peer did for itself is its client's: a login
	// above all.
	s := Session{ID: c.session.ID, Remote: c.session.Remote, Local: c.session.Local, TLS: c.session.TLS, Protocol: "SMTP"}
	for word := range strings.FieldsSeq(arg) {
		name, value, ok := strings.Cut(word, "=")
		value, err := parseXtext(value)
		if !ok || err != nil || !setClient(&s, upper(name), value) {
			return Reply{501, "5.5.4", "Bad XCLIENT attribute"}, nil
		}
	}
	if why := c.sc.Rehome(s.Remote.Addr()); why != 0 {
		return Reply{}, c.lastWord(refusal(why))
	}
	c.session, c.state, c.esmtp, c.coded = s, fresh, false, false
	return Reply{}, c.greet()
}

// setClient sets one attribute. Both words for "unknown" leave it empty.
func setClient(s *Session, name, value string) bool {
	if strings.ContainsFunc(value, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return false
	}
	unknown := value == "[UNAVAILABLE]" || value == "[TEMPUNAVAIL]"
	switch name {
	case "NAME", "PROTO":
		return true // a name is looked up here if at all; EHLO tells the protocol
	case "HELO":
		if s.Hello = value; unknown {
			s.Hello = ""
		}
		return true
	case "LOGIN":
		if s.User = value; unknown {
			s.User = ""
		}
		return true
	case "ADDR":
		return setAddr(&s.Remote, value, unknown)
	case "DESTADDR":
		return setAddr(&s.Local, value, unknown)
	case "PORT":
		return setPort(&s.Remote, value, unknown)
	case "DESTPORT":
		return setPort(&s.Local, value, unknown)
	}
	return false
}

func setAddr(ap *netip.AddrPort, value string, unknown bool) bool {
	if unknown {
		*ap = netip.AddrPortFrom(netip.Addr{}, ap.Port())
		return true
	}
	const tag = "IPV6:"
	if len(value) > len(tag) && upper(value[:len(tag)]) == tag {
		value = value[len(tag):]
	}
	ip, err := netip.ParseAddr(value)
	if err != nil || ip.Zone() != "" {
		return false
	}
	*ap = netip.AddrPortFrom(ip.Unmap(), ap.Port())
	return true
}

func setPort(ap *netip.AddrPort, value string, unknown bool) bool {
	n, err := strconv.ParseUint(value, 10, 16)
	if err != nil && !unknown {
		return false
	}
	*ap = netip.AddrPortFrom(ap.Addr(), uint16(n))
	return true
}

package list

import (
	"strings"

	"github.com/postilion-mail/postilion/internal/addr"
	"github.com/postilion-mail/postilion/smtp"
)

// role is one of the addresses of a list; what is done there stands in deeds.
type role struct {
	suffix string // of the list's name
	tagged tag
}

// tag says whether something may stand behind a "+".
type tag uint8

const (
	noTag   tag = iota
	anyTag      // a token or nothing
	needTag     // a token
)

// The addresses of a list. Those that need a token are never published: who has
// one got it from us.
const (
	posts = iota
	requests
	joins
	leaves
	owners
	bounces
	confirms
	admits
	accepts
	discards
	probes
)

var roles = [...]role{
	posts:    {"", noTag},
	requests: {"-request", noTag}, // RFC 2142 §6
	joins:    {"-join", noTag},
	leaves:   {"-leave", anyTag},
	owners:   {"-owner", noTag},
	bounces:  {"-bounces", anyTag},
	confirms: {"-confirm", needTag}, // the subscriber says yes
	admits:   {"-admit", needTag},   // an owner says yes
	accepts:  {"-accept", needTag},  // an owner lets a post through
	discards: {"-discard", needTag}, // or drops it
	probes:   {"-probe", needTag},   // a probe came back
}

// deeds are what is done with mail for each of them. They are a table of their own
// since they ask find.
var deeds = [len(roles)]func(*visit) error{
	posts:    (*visit).post,
	requests: (*visit).request,
	joins:    (*visit).join,
	leaves:   (*visit).leave,
	owners:   (*visit).owner,
	bounces:  (*visit).bounce,
	confirms: (*visit).confirmJoin,
	admits:   (*visit).admit,
	accepts:  (*visit).accept,
	discards: (*visit).discard,
	probes:   (*visit).probeBounced,
}

// find says which list and which of its roles an address belongs to. The name of a
// list goes before a role of another.
func (m *Manager) find(p smtp.Path) (l *List, at int, ok bool) {
	base, token, tagged := strings.Cut(addr.Lower(p.Local()), "+")
	for i, r := range roles {
		name, found := strings.CutSuffix(base, r.suffix)
		if !found {
			continue
		}
		if l := m.index()[name+"@"+p.Domain()]; l != nil {
			return l, i, r.takes(token, tagged)
		}
	}
	// owner-team@, as old lists have it.
	if name, found := strings.CutPrefix(base, "owner-"); found && !tagged {
		if l := m.index()[name+"@"+p.Domain()]; l != nil {
			return l, owners, true
		}
	}
	return nil, 0, false
}

func (r role) takes(token string, tagged bool) bool {
	switch r.tagged {
	case needTag:
		return token != ""
	case anyTag:
		return token != "" || !tagged
	}
	return !tagged
}

package list

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/postilion-mail/postilion/internal/addr"
	"github.com/postilion-mail/postilion/mime"
	"github.com/postilion-mail/postilion/smtp"
)

// List is one mailing list. Only Address must be set. It must not change once a
// [Manager] has it.
type List struct {
	Address     smtp.Path   // where posts go: team@hamburger.edu; no "+" in it
	ID          string      // List-Id (RFC 2919 §2); "" is team.hamburger.edu, if the name fits there
	Description string      // for people, one line
	Owners      []smtp.Path // who moderate, and get what goes to team-owner@; none: it is refused

	Post        PostPolicy
	Join        JoinPolicy
	Refuse      bool  // what the policy would hold for the owners is refused instead
	MaxSize     int64 // octets of a post; more is held. 0 means no limit but the server's
	Sublist     bool  // is a member of other lists: need not stand in To or Cc, and keeps their List-Archive
	PosterToo   bool  // who posts gets a copy too
	ExplicitToo bool  // so do members who stand in To or Cc, and have one already

	Tag     string // in front of subjects: "[team]"; "" none. It breaks DKIM signatures
	Help    string // URL of a manual; "" is mail to team-request@
	Archive string // URL; "" none

	// Munge says that a domain's DMARC policy refuses mail sent on by lists: posts
	// from there come from the list's own address, and answers go to the poster.
	// Nil leaves all as it is.
	Munge func(ctx context.Context, domain string) bool
	// Edit changes a post further, for all members at once. An error refuses the
	// post as it says.
	Edit func(ctx context.Context, m *mime.Message, e *mime.Editor) error

	MaxBounces int // days with bounces until a member is probed; 0 means 5
}

// PostPolicy says whose posts are sent on. Owners always may.
type PostPolicy uint8

const (
	MembersPost PostPolicy = iota // members; others are held
	AnyonePosts                   // everybody
	OwnersPost                    // nobody else: announcements
	Moderated                     // all are held
)

// JoinPolicy says who becomes a member by asking. Whoever asks confirms it first,
// by a token sent to the address that is to be a member.
type JoinPolicy uint8

const (
	AnyoneJoins JoinPolicy = iota // with that
	OwnersAdmit                   // an owner says yes as well
	NobodyJoins                   // members are put in by hand
)

// check is for mistakes that would else become header fields or bounce about.
func (l *List) check() error {
	a := l.Address
	switch {
	case a.IsNull() || a.Domain() == "":
		return errors.New("list: an address with a domain is needed")
	case strings.Contains(a.Local(), "+"):
		return fmt.Errorf("list: %s: no %q in the name of a list", a.Address(), "+")
	case !printable(l.Description) || len(l.Description) > 200:
		return fmt.Errorf("list: %s: the description is no short line", a.Address())
	case !printable(l.Tag) || len(l.Tag) > 50:
		return fmt.Errorf("list: %s: the tag is no short line", a.Address())
	}
	if _, err := l.fields(); err != nil {
		return fmt.Errorf("list: %s: %w", a.Address(), err)
	}
	return nil
}

// printable reports that s is one line of text.
func printable(s string) bool {
	return strings.ToValidUTF8(s, "") == s && !strings.ContainsFunc(s, func(r rune) bool {
		return r < ' ' || r >= 0x7f && r <= 0x9f || r == 0x2028 || r == 0x2029
	})
}

// id is what List-Id says, without its brackets.
func (l *List) id() string {
	if l.ID != "" {
		return l.ID
	}
	domain := l.Address.Domain()
	if ascii, err := addr.ToASCII(domain); err == nil {
		domain = ascii
	}
	return addr.Lower(l.Address.Local()) + "." + domain
}

// at is the address of one of the list's roles: team-request@hamburger.edu.
func (l *List) at(suffix string) smtp.Path {
	p, err := smtp.ParsePath(addr.Quote(l.Address.Local()+suffix) + "@" + l.Address.Domain())
	if err != nil {
		return smtp.Path{} // the name is too long; check has seen to it that it is not
	}
	return p
}

// isOwner reports whether p is one of the owners.
func (l *List) isOwner(p smtp.Path) bool {
	for _, o := range l.Owners {
		if key(o) == key(p) {
			return true
		}
	}
	return false
}

// key is an address as members are told apart: without regard to case.
func key(p smtp.Path) string {
	if ascii, ok := p.ToASCII(); ok {
		p = ascii
	}
	return strings.ToLower(p.Address())
}

package mime

import (
	"errors"
	"slices"

	"github.com/postilion-mail/postilion/internal/addr"
)

// Reply says how a message is answered; see [Message.Reply]. The zero value
// answers those who wrote it and quotes their text.
type Reply struct {
	From Address   // who answers
	Own  []Address // further addresses of the same person, which get no copy
	All  bool      // answer everybody who has the message, not only who wrote it
	Text string    // the answer; it stands above the quotation

	NoQuote bool
	// Attribution is the line above the quotation; "" makes one in English of
	// the date and the name.
	Attribution string
}

// Forward says how a message is passed on; see [Message.Forward].
type Forward struct {
	From     Address
	To       []Address
	Text     string // stands above what is forwarded
	Attached bool   // as a message within the message, rather than as text
	Intro    string // the line above the header block; "" one in English
}

// errNobody takes the place of recipients that a message does not give.
var errNobody = errors.New("the message has no address to answer to")

// Reply begins an answer to m. The Builder holds what a person would expect and
// may be changed in every way before it is built:
//
//   - To is the Reply-To of m, or its From (RFC 5322 §3.6.2). An answer to
//     one's own message goes to those it went to. With All, everyone in To and
//     Cc gets a copy (RFC 5322 §3.6.3), unless a Mail-Followup-To says where
//     answers belong. Nobody is named twice, the addresses of From and Own not
//     at all, and what is no address is left out. If none is left, Build
//     reports it as a mistake in To.
//   - Subject has one "Re: ", whatever stood there before, in any language.
//   - InReplyTo and References continue the thread (RFC 5322 §3.6.4), with at
//     most 25 ids: the first, and the latest.
//   - Text is the answer, and below it the text of m with ">" marks. Flowed
//     paragraphs are joined and wrapped anew, HTML becomes text where there is
//     nothing else, a signature is left out, and after 256 KiB it ends.
//
// Nothing a message holds can become a field or a part of the answer. That it
// could not be read is told by Build.
func (m *Message) Reply(r Reply) *Builder {
	b := &Builder{From: []Address{r.From}}
	m.thread(b)
	b.Subject = replySubject("Re:", m.Header().Subject(), replyMarks[:])
	own := newAddressSet(r.Own)
	own.add(r.From)
	b.To, b.Cc = m.answerTo(own, r.All)
	if len(b.To) == 0 {
		b.To = []Address{{err: errNobody}}
	}
	b.Text = r.Text
	if !r.NoQuote {
		b.Text, b.unread = m.quoted(r.Text, r.Attribution)
	}
	return b
}

// answerTo gives the recipients of an answer.
func (m *Message) answerTo(seen addressSet, all bool) (to, cc []Address) {
	h := m.Header()
	if all {
		// Not standard, but senders who write it mean it: where a list gets the
		// answers already, no member wants a second copy.
		if to = seen.usable(h.Addresses("Mail-Followup-To")); len(to) > 0 {
			return to, nil
		}
	}
	authors := h.Addresses("Reply-To")
	if len(newAddressSet(nil).usable(authors)) == 0 {
		authors = h.Addresses("From")
	}
	to = seen.usable(authors)
	if len(to) == 0 { // one's own message
		to = seen.usable(h.Addresses("To"))
	}
	if !all {
		return to, nil
	}
	cc = append(seen.usable(h.Addresses("To")), seen.usable(h.Addresses("Cc"))...)
	if len(to) == 0 {
		to, cc = cc, nil
	}
	return to, cc
}

// addressSet knows addresses by what they deliver to. Domains have no case; nor
// has any local-part that a person would have by two spellings.
type addressSet map[string]bool

// newAddressSet begins with those that are known already.
func newAddressSet(list []Address) addressSet {
	s := make(addressSet, len(list)+1)
	for _, a := range list {
		s.add(a)
	}
	return s
}

// add reports whether a is new.
func (s addressSet) add(a Address) bool {
	key := addr.Lower(headerSpec(a.Addr))
	if s[key] {
		return false
	}
	s[key] = true
	return true
}

// usable keeps the addresses that mail can be sent to and that s has not seen,
// without anything but name and address.
func (s addressSet) usable(list []Address) []Address {
	var out []Address
	for _, a := range list {
		a = Address{Name: shorten(fit(a.Name), maxName), Addr: a.Addr}
		if checkMailbox(a) == nil && s.add(a) {
			out = append(out, a)
		}
	}
	return out
}

// maxName bounds the names that are taken over.
const maxName = 200

// maxReferences is how many ids a thread goes on with.
const maxReferences = 25

// thread makes b an answer to m (RFC 5322 §3.6.4).
func (m *Message) thread(b *Builder) {
	h := m.Header()
	refs := fitIDs(slices.Collect(h.References()))
	if len(refs) == 0 {
		if parents := fitIDs(slices.Collect(h.InReplyTo())); len(parents) == 1 {
			refs = parents
		}
	}
	if own := fitIDs([]string{h.MessageID()}); len(own) > 0 {
		b.InReplyTo = own
		refs = append(slices.DeleteFunc(refs, func(id string) bool { return id == own[0] }), own[0])
	}
	if n := len(refs); n > maxReferences {
		refs = slices.Delete(refs, 1, n-maxReferences+1) // the first one holds the thread together
	}
	b.References = refs
}

// fitIDs leaves out what is no message id, and what was there before.
func fitIDs(list []string) []string {
	seen := make(map[string]bool, len(list))
	return slices.DeleteFunc(list, func(id string) bool {
		bad := seen[id] || checkID(id) != nil
		seen[id] = true
		return bad
	})
}

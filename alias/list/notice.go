package list

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/postilion-mail/postilion/mime"
	"github.com/postilion-mail/postilion/smtp"
)

// Kind says what a [Notice] is about.
type Kind string

const (
	ConfirmJoin  Kind = "confirm-join"  // to who may become a member: answer Reply to join
	ConfirmLeave Kind = "confirm-leave" // to a member: answer Reply to leave
	Joined       Kind = "joined"        // to a new member
	Left         Kind = "left"          // to who was a member
	IsMember     Kind = "is-member"     // to who asked to become what he is
	Help         Kind = "help"          // to who writes to -request what is no command
	PostHeld     Kind = "post-held"     // to a poster
	Decide       Kind = "decide"        // to an owner: answer Reply to let Post through, Other to drop it
	Admit        Kind = "admit"         // to an owner: answer Reply to make Member one
	Probe        Kind = "probe"         // to a member whose mail bounces; if this does too, he gets no more
	Stopped      Kind = "stopped"       // to an owner: Member gets no more
)

// Notice is something that the manager tells somebody.
type Notice struct {
	Kind   Kind
	List   *List
	To     smtp.Path     // who is told
	Member smtp.Path     // whom it is about, where it is not To
	Reply  smtp.Path     // an answer to this address does it; null if there is nothing to answer
	Other  smtp.Path     // of Decide
	Why    string        // of PostHeld and Decide
	Post   *mime.Message // of Decide, as long as the notice is under way

	Now  func() time.Time // nil means time.Now
	Rand io.Reader        // nil means crypto/rand
}

// words are what the usual notices say. Nothing in them comes from whoever caused
// them: an address that somebody else writes in is not to carry his message.
var words = map[Kind][2]string{
	ConfirmJoin: {"Please confirm: subscribe to %s", "Somebody, perhaps you, asked that %s become a member of\nthe mailing list %s.\n\n" +
		"If you want this, just answer this message. If not, do nothing.\n"},
	ConfirmLeave: {"Please confirm: leave %s", "Somebody, perhaps you, asked that %s leave the mailing\nlist %s.\n\n" +
		"If you want this, just answer this message. If not, do nothing.\n"},
	Joined:   {"You are a member of %s", "%s is a member of the mailing list %s now.\n"},
	Left:     {"You have left %s", "%s is no member of the mailing list %s any more.\n"},
	IsMember: {"You are a member of %s", "%s is a member of the mailing list %s already.\n"},
	Help: {"The mailing list %s", "Your message (of %s) to the mailing list %s\nheld no command. " +
		"The commands are, as the subject or the first line:\n\n    subscribe\n    unsubscribe\n    help\n"},
	PostHeld: {"Your message to %s waits for approval", "Your message (of %s) to the mailing list %s\nwaits until an owner of the list has seen it.\n"},
	Decide: {"A message to %s waits for you", "%s has posted what stands below to the mailing list\n%s.\n\n" +
		"To send it to all members answer this message. To drop it write to\n"},
	Admit:   {"Somebody wants to join %s", "%s asks to become a member of the mailing list\n%s.\n\nTo say yes answer this message. If not, do nothing.\n"},
	Probe:   {"Messages from %s come back", "Messages to %s from the mailing list %s\nhave come back several times. If this one arrives all is well, and there is\nnothing to do.\n"},
	Stopped: {"A member of %s cannot be reached", "Messages to %s come back. The mailing list %s sends\nno more.\n"},
}

// Draft is the usual notice, in English. RFC 3834 §3.1 is why it says that nobody
// wrote it.
func (n Notice) Draft() (*mime.Draft, error) {
	who := n.Member
	if who.IsNull() {
		who = n.To
	}
	w := words[n.Kind]
	if w[0] == "" {
		return nil, fmt.Errorf("list: no such notice: %q", n.Kind)
	}
	name := n.List.Address.Address()
	b := &mime.Builder{}
	text := fmt.Sprintf(w[1], who.Address(), name)
	if n.Kind == Decide {
		text += "\n    " + n.Other.Address() + "\n\nIt waits because " + n.Why + ".\n"
		if n.Post != nil {
			b = n.Post.Forward(mime.Forward{Attached: true})
		}
	}
	b.From = []mime.Address{{Addr: n.List.at("-request").Address()}}
	b.To = []mime.Address{{Addr: n.To.Address()}}
	b.Subject, b.Text, b.HTML = fmt.Sprintf(w[0], name), text, ""
	b.List = &mime.List{ID: n.List.id(), Description: n.List.Description} // RFC 2919 §3: on answers too
	b.Now, b.Rand = n.Now, n.Rand
	if !n.Reply.IsNull() {
		b.ReplyTo = []mime.Address{{Addr: n.Reply.Address()}}
	}
	how := "auto-replied"
	if n.Kind == Probe || n.Kind == Stopped || n.Kind == Decide || n.Kind == Admit {
		how = "auto-generated"
	}
	b.Extra = append(b.Extra, mime.Extra{Name: "Auto-Submitted", Value: how})
	return b.Build()
}

// tell sends a notice. Its sender is null unless it is to be heard of again, so
// that nobody answers (RFC 3834 §3.3).
func (m *Manager) tell(ctx context.Context, n Notice, from smtp.Path) error {
	n.Now, n.Rand = m.now, m.Rand
	write := m.Notify
	if write == nil {
		write = func(_ context.Context, n Notice) (*mime.Draft, error) { return n.Draft() }
	}
	d, err := write(ctx, n)
	if err != nil || d == nil {
		return err
	}
	env := smtp.Envelope{From: from, To: []smtp.Recipient{{Path: n.To}}}
	utf8, eight := d.Needs()
	env.Params.UTF8 = utf8 || !n.To.IsASCII()
	if eight {
		env.Params.Body = smtp.Body8BitMIME
	}
	r := d.Reader()
	if c, ok := r.(io.Closer); ok {
		defer c.Close()
	}
	m.log().Info("list: notice", "kind", string(n.Kind), "list", n.List.Address.Address(), "to", n.To.Address())
	return m.Post(ctx, r, env)
}

// tellOwners sends a notice to each owner.
func (m *Manager) tellOwners(ctx context.Context, n Notice) error {
	for _, o := range n.List.Owners {
		n.To = o
		if err := m.tell(ctx, n, smtp.Path{}); err != nil {
			return err
		}
	}
	return nil
}

// cutVerb splits a line into the word of a command and what follows it.
func cutVerb(line string) (verb, rest string) {
	verb, rest, _ = strings.Cut(strings.TrimSpace(line), " ")
	return strings.ToLower(verb), strings.TrimSpace(rest)
}

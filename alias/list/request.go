package list

import (
	"context"
	"errors"
	"strings"

	"github.com/postilion-mail/postilion/alias"
	"github.com/postilion-mail/postilion/smtp"
)

// request takes commands: in the subject, or in the first line of the text.
func (v *visit) request() error {
	for _, line := range firstLines(v.msg) {
		if len(line) > 3 && strings.EqualFold(line[:3], "re:") {
			line = line[3:]
		}
		verb, rest := cutVerb(line)
		who, ok := v.whom(rest)
		if !ok {
			continue // words behind it: a sentence, and no command
		}
		switch verb {
		case "subscribe", "join":
			return v.askJoin(who)
		case "unsubscribe", "leave", "remove", "signoff":
			return v.askLeave(who)
		}
	}
	return v.answer(Help)
}

// join and leave are commands of their own.
func (v *visit) join() error {
	who, ok := v.from()
	if !ok {
		return smtp.Reject(550, "5.6.0", "Who joins must stand in From")
	}
	return v.askJoin(who)
}

// leave with a token needs no further question: the token was in a message to the
// member.
func (v *visit) leave() error {
	if strings.Contains(v.to.Local(), "+") {
		return v.leaveByToken()
	}
	who, ok := v.from()
	if !ok {
		return smtp.Reject(550, "5.6.0", "Who leaves must stand in From")
	}
	return v.askLeave(who)
}

func (v *visit) leaveByToken() error {
	if v.Rewriter == nil {
		return errToken
	}
	if autoReplied(v.msg.Header()) {
		return nil
	}
	who, err := v.holder(v.lasting(), "-leave")
	if err != nil {
		return err
	}
	news, err := v.unsubscribe(v.ctx, v.list, who)
	if err != nil || !news {
		return err
	}
	return v.tell(v.ctx, Notice{Kind: Left, List: v.list, To: who}, smtp.Path{})
}

// whom is the address in a command, or the author.
func (v *visit) whom(rest string) (smtp.Path, bool) {
	if rest == "" {
		return v.from()
	}
	p, err := smtp.ParsePath(rest)
	return p, err == nil && !p.IsNull() && p.Domain() != ""
}

// errToken says that an address that needs a token has none of ours.
var errToken = smtp.Reject(550, "5.7.1", "Address not valid")

// errJoin is what whoever asks hears: the same for everybody, member or not.
var errJoin = smtp.Reject(550, "5.7.1", "Nobody joins this list by mail")

// askJoin sends the question to the address that is to be a member, and to nobody
// else: neither does who asks for another learn whether he is one, nor can he make
// him one. How often is bounded, so that nobody is bombed with questions.
func (v *visit) askJoin(who smtp.Path) error {
	if v.list.Join == NobodyJoins || v.Rewriter == nil {
		return errJoin
	}
	if !v.mayAnswer(who) {
		return nil
	}
	// A member is told that he is one, at his own address, instead of being asked.
	// One whose mail bounced joins again to end that.
	x, err := v.get(v.ctx, v.list, who)
	if err != nil {
		return err
	}
	n := Notice{Kind: ConfirmJoin, List: v.list, To: who}
	if x.State == Subscribed && x.Probed.IsZero() {
		n.Kind = IsMember
	} else if n.Reply, err = v.Rewriter.VERP(v.list.at("-confirm"), who); err != nil {
		return err
	}
	if !v.mayTell(v.list, n.Kind, who) {
		return nil
	}
	return v.tell(v.ctx, n, smtp.Path{})
}

// askLeave asks the member, if he is one.
func (v *visit) askLeave(who smtp.Path) error {
	if v.Rewriter == nil {
		return smtp.Reject(550, "5.7.1", "Nobody leaves this list by mail")
	}
	x, err := v.get(v.ctx, v.list, who)
	if err != nil || x.State == "" || !v.mayAnswer(who) {
		return err
	}
	token, err := v.lasting().VERP(v.list.at("-leave"), who)
	if err != nil || !v.mayTell(v.list, ConfirmLeave, who) {
		return err
	}
	return v.tell(v.ctx, Notice{Kind: ConfirmLeave, List: v.list, To: who, Reply: token}, smtp.Path{})
}

// answer tells who sent the message something, once a day: the sender of the
// envelope and not the author, who may be somebody else's victim (RFC 3834 §4).
func (v *visit) answer(kind Kind) error {
	who := v.env.From
	if !v.mayAnswer(who) || !v.mayTell(v.list, kind, who) {
		return nil
	}
	return v.tell(v.ctx, Notice{Kind: kind, List: v.list, To: who}, smtp.Path{})
}

// confirmJoin is the answer to ConfirmJoin. An auto-responder that answers it has
// confirmed nothing.
func (v *visit) confirmJoin() error {
	if v.Rewriter == nil {
		return errToken
	}
	if v.env.From.IsNull() || autoReplied(v.msg.Header()) {
		return nil
	}
	who, err := v.holder(v.Rewriter, "-confirm")
	switch {
	case err != nil:
		return err
	case v.list.Join == NobodyJoins:
		return errJoin
	case v.list.Join == OwnersAdmit:
		return v.askOwners(who)
	}
	return v.makeMember(who)
}

// askOwners asks whether who may join. Members need not be asked about.
func (v *visit) askOwners(who smtp.Path) error {
	x, err := v.get(v.ctx, v.list, who)
	if err != nil {
		return err
	}
	if x.State != "" {
		return v.makeMember(who) // one whose mail had bounced
	}
	token, err := v.Rewriter.VERP(v.list.at("-admit"), who)
	if err != nil || !v.mayTell(v.list, Admit, who) {
		return err
	}
	// A digest can be checked against the members, and who asks is none.
	if orig, _, err := v.Rewriter.Reverse(token); err != nil || orig.IsNull() {
		return smtp.Reject(550, "5.1.3", "The address is too long for this list")
	}
	return v.tellOwners(v.ctx, Notice{Kind: Admit, List: v.list, Member: who, Reply: token})
}

// admit is the answer of an owner to Admit.
func (v *visit) admit() error {
	if v.Rewriter == nil {
		return errToken
	}
	if v.env.From.IsNull() || autoReplied(v.msg.Header()) {
		return nil
	}
	who, err := v.holder(v.Rewriter, "-admit")
	if err != nil {
		return err
	}
	return v.makeMember(who)
}

func (v *visit) makeMember(who smtp.Path) error {
	news, err := v.subscribe(v.ctx, v.list, who)
	if err != nil || !news {
		return err
	}
	return v.tell(v.ctx, Notice{Kind: Joined, List: v.list, To: who}, smtp.Path{})
}

// holder is whose token stands in the address that the message came to.
func (v *visit) holder(w *alias.Rewriter, suffix string) (smtp.Path, error) {
	base := v.list.at(suffix)
	// Who is meant may be the author, with the case of his name as he writes it;
	// a token that holds a digest says only that it is he.
	if p, ok := v.from(); ok && w.Match(v.to, base, p) {
		return p, nil
	}
	return v.read(v.ctx, v.list, w, base, v.to)
}

// read reads a token. One that was not signed by us, for this role, is refused.
func (m *Manager) read(ctx context.Context, l *List, w *alias.Rewriter, base, token smtp.Path) (smtp.Path, error) {
	orig, scheme, err := w.Reverse(token)
	if err != nil {
		return smtp.Path{}, err
	}
	if scheme != alias.SchemeVERP {
		return smtp.Path{}, errToken
	}
	if !orig.IsNull() {
		if !w.Match(token, base, orig) {
			return smtp.Path{}, errToken
		}
		return orig, nil
	}
	for x, err := range m.Members.All(ctx, l.Address) { // a digest
		if err != nil {
			return smtp.Path{}, err
		}
		if w.Match(token, base, x.Path) {
			return x.Path, nil
		}
	}
	return smtp.Path{}, errGone
}

// errGone says that whose token it is is no member any more.
var errGone error = &smtp.Error{Reply: smtp.Reply{Code: 550, Enhanced: "5.7.1", Text: "Address not valid"}, Err: errors.New("list: nobody's token")}

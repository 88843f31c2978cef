package list

import (
	"cmp"
	"strings"

	"github.com/postilion-mail/postilion/mime"
	"github.com/postilion-mail/postilion/smtp"
)

// verdict is what a rule says of a post: the zero verdict nothing.
type verdict struct {
	hold   string // why an owner must look
	refuse error
}

// rules are asked in this order. The first that refuses, or else holds, decides.
var rules = [...]func(*visit) (verdict, error){
	(*visit).loops,
	(*visit).automatic,
	(*visit).author,
	(*visit).command,
	(*visit).poster,
	(*visit).explicit,
	(*visit).size,
}

// post takes a message for all members.
func (v *visit) post() error {
	hold := ""
	for _, rule := range rules {
		d, err := rule(v)
		switch {
		case err != nil:
			return err
		case d.refuse != nil:
			return d.refuse
		}
		hold = cmp.Or(hold, d.hold)
	}
	if hold == "" {
		return v.distribute()
	}
	if v.list.Refuse || v.Held == nil || len(v.list.Owners) == 0 || v.Rewriter == nil {
		// RFC 3463 §3.8: mailing list expansion prohibited.
		return smtp.Reject(550, "5.7.2", "Not accepted by this list: "+hold)
	}
	return v.hold(hold)
}

func refuse(code int, enhanced, text string) (verdict, error) {
	return verdict{refuse: smtp.Reject(code, enhanced, text)}, nil
}

func hold(why string) (verdict, error) { return verdict{hold: why}, nil }

// loops finds a post that was here before. List-Id is our own; Delivered-To stays
// in the message when it goes on through other lists, whose List-Id takes the
// place of ours.
func (v *visit) loops() (verdict, error) {
	h := v.msg.Header()
	for f := range h.All("Delivered-To") {
		if p, err := smtp.ParsePath(strings.TrimSpace(f.Value())); err == nil && key(p) == key(v.list.Address) {
			return refuse(554, "5.4.6", "Mail loop: this list has had the message before")
		}
	}
	if id, _ := h.ListID(); strings.EqualFold(id, v.list.id()) {
		return refuse(554, "5.4.6", "Mail loop: the message comes from this list")
	}
	hops := 0
	for range h.All("Received") {
		hops++
	}
	if hops > cmp.Or(v.MaxHops, 50) { // RFC 5321 §6.3
		return refuse(554, "5.4.6", "Mail loop: too many hops")
	}
	return verdict{}, nil
}

// automatic keeps bounces and vacation notices from everybody. What a program
// writes on purpose may be posted (RFC 3834 §5: auto-generated).
func (v *visit) automatic() (verdict, error) {
	if v.env.From.IsNull() || autoReplied(v.msg.Header()) {
		return refuse(550, "5.7.1", "No automatic replies to this list")
	}
	return verdict{}, nil
}

// author wants one that can be asked for (RFC 5322 §3.6.2).
func (v *visit) author() (verdict, error) {
	if _, ok := v.from(); !ok {
		return refuse(550, "5.6.0", "A post needs one author in From")
	}
	return verdict{}, nil
}

// from is the author of the message.
func (v *visit) from() (smtp.Path, bool) {
	list := v.msg.Header().Addresses("From")
	if len(list) != 1 {
		return smtp.Path{}, false
	}
	p, err := smtp.ParsePath(list[0].Addr)
	return p, err == nil && !p.IsNull() && p.Domain() != ""
}

// command finds what was meant for another address: all members would get it.
func (v *visit) command() (verdict, error) {
	switch strings.ToLower(strings.TrimSpace(v.msg.Header().Subject())) {
	case "subscribe", "unsubscribe", "help", "remove", "signoff":
		return refuse(550, "5.7.2", "For commands write to "+v.list.at("-request").Address())
	}
	return verdict{}, nil
}

// poster is the policy. Author and sender of the envelope may be forged, both:
// a list where that matters is moderated.
func (v *visit) poster() (verdict, error) {
	from, _ := v.from()
	owner := v.list.isOwner(from) || v.list.isOwner(v.env.From)
	switch {
	case owner && v.list.Post != Moderated:
		return verdict{}, nil
	case v.list.Post == OwnersPost:
		return refuse(550, "5.7.2", "Only the owners post to this list")
	case v.list.Post == Moderated:
		return hold("all posts are looked at")
	}
	for _, p := range []smtp.Path{from, v.env.From} {
		x, err := v.get(v.ctx, v.list, p)
		switch {
		case err != nil:
			return verdict{}, err
		case x.Moderated:
			return hold("posts of this member are looked at")
		case x.State != "":
			return verdict{}, nil
		}
	}
	if v.list.Post == AnyonePosts {
		return verdict{}, nil
	}
	return hold("the author is no member")
}

// explicit finds mail that nobody addressed to the list: most of it is spam.
func (v *visit) explicit() (verdict, error) {
	if v.list.Sublist || v.named()[key(v.list.Address)] {
		return verdict{}, nil
	}
	return hold("the list stands neither in To nor in Cc")
}

// named are the recipients that the message itself names.
func (v *visit) named() map[string]bool {
	out := map[string]bool{}
	for _, name := range [...]string{"To", "Cc"} {
		for _, a := range v.msg.Header().Addresses(name) {
			if p, err := smtp.ParsePath(a.Addr); err == nil {
				out[key(p)] = true
			}
		}
	}
	return out
}

func (v *visit) size() (verdict, error) {
	if v.list.MaxSize > 0 && v.body.Size() > v.list.MaxSize {
		return hold("it is very large")
	}
	return verdict{}, nil
}

// autoReplied reports that nobody has written the message by hand, or on purpose.
func autoReplied(h mime.Header) bool {
	return autoSubmitted(h) == "auto-replied" || h.Has("X-Autoreply") || h.Has("X-Autorespond")
}

// autoSubmitted is the keyword of that field (RFC 3834 §5), without its parameters
// and comments, "" where there is none.
func autoSubmitted(h mime.Header) string {
	word := strings.ToLower(strings.TrimSpace(h.Get("Auto-Submitted")))
	if i := strings.IndexAny(word, "; \t("); i >= 0 {
		word = word[:i]
	}
	return word
}

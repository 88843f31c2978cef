package list

import (
	"bytes"
	"io"
	"strings"

	"github.com/postilion-mail/postilion/alias"
	"github.com/postilion-mail/postilion/internal/addr"
	"github.com/postilion-mail/postilion/mime"
	"github.com/postilion-mail/postilion/smtp"
)

// distribute posts the message to all members: one body, and an envelope for each
// of them with a sender and fields of his own.
func (v *visit) distribute() error {
	edited, err := v.edit()
	if err != nil {
		return err
	}
	common, err := v.list.fields()
	if err != nil {
		return err
	}
	named, from := v.named(), map[string]bool{key(v.env.From): true}
	if p, ok := v.from(); ok {
		from[key(p)] = true
	}
	// All envelopes are made before any is posted: a store that fails in the middle
	// then leaves nobody with a copy, and the next try leaves nobody with two.
	var envs []smtp.Envelope
	for x, err := range v.Members.All(v.ctx, v.list.Address) {
		if err != nil {
			return err
		}
		k := key(x.Path)
		if x.State != Subscribed || from[k] && !v.list.PosterToo || named[k] && !from[k] && !v.list.ExplicitToo {
			continue
		}
		env, err := v.copyFor(x, common)
		if err != nil {
			return err
		}
		envs = append(envs, env)
	}
	if len(envs) == 0 {
		return nil // nobody else is there, and that is no mistake of the poster's
	}
	// What an owner lets through is dropped when it is queued, so it cannot wait
	// for the outcome of his answer.
	again := func() (io.Reader, error) { return edited.Reader(), nil }
	if !v.owners && v.Next != nil && v.Next(v.ctx, v.to, again, envs...) {
		return nil
	}
	return v.Post(v.ctx, edited.Reader(), envs...)
}

// copyFor is the envelope for one member: on top of what all copies have in common
// his own way out, and a sender by which a bounce tells whose it is. It inherits
// what the message needs on its way, and nothing of what its sender wanted to hear
// (RFC 3461 §5.2.7.1 b).
func (v *visit) copyFor(x Member, common []byte) (smtp.Envelope, error) {
	env := smtp.Envelope{ID: v.env.ID, To: []smtp.Recipient{{Path: x.Path}}, Params: v.env.Params}
	p := &env.Params
	p.EnvID, p.RetFull, p.RetHeaders, p.Auth, p.Size, p.Other = "", false, false, "", 0, nil
	env.From = v.list.at("-bounces")
	env.Prefix = common
	if v.Rewriter == nil {
		return env, nil
	}
	var err error
	if env.From, err = v.Rewriter.VERP(env.From, x.Path); err != nil {
		return env, err
	}
	leave, post, err := v.leaveURLs(v.list, x.Path)
	if err != nil {
		return env, err
	}
	env.Prefix = bytes.Clone(common)
	if post { // RFC 8058 §3.1: both fields, with a DKIM signature over both
		err = env.AddField("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")
	}
	if err == nil {
		err = env.AddField("List-Unsubscribe", leave)
	}
	return env, err
}

// dropped are the fields that only a list may set, and those that lead answers or
// bounces elsewhere: who posts could forge them. DKIM-Signature stays, since it
// says who wrote the message, and so does Auto-Submitted.
var dropped = [...]string{"Precedence", "Return-Path", "Sender", "Errors-To", "Return-Receipt-To", "Disposition-Notification-To",
	"List-Id", "List-Help", "List-Subscribe", "List-Unsubscribe", "List-Unsubscribe-Post", "List-Post", "List-Owner", "List-Archive"}

// edit is the body for all members.
func (v *visit) edit() (*mime.Editor, error) {
	e, root, h := mime.Edit(v.msg), v.msg.Root(), v.msg.Header()
	for _, name := range dropped {
		if name == "List-Archive" && v.list.Sublist && v.list.Archive == "" {
			continue // RFC 2369 §4
		}
		if h.Has(name) {
			e.Remove(root, name)
		}
	}
	// Whatever other List- fields there are to come (RFC 2369 §2).
	for f := range h.Fields() {
		if name := f.Name(); len(name) > 5 && addr.EqualFold(name[:5], "List-") && !addr.EqualFold(name, "List-Archive") {
			e.Remove(root, name)
		}
	}
	if err := v.tag(e); err != nil {
		return nil, err
	}
	if err := v.munge(e); err != nil {
		return nil, err
	}
	if v.list.Edit != nil {
		if err := v.list.Edit(v.ctx, v.msg, e); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// tag puts the tag in front of the subject, unless it stands there.
func (v *visit) tag(e *mime.Editor) error {
	subject := v.msg.Header().Subject()
	if v.list.Tag == "" || strings.Contains(strings.ToLower(subject), strings.ToLower(v.list.Tag)) {
		return nil
	}
	value, err := rawField("Subject", func(b *mime.Builder) { b.Subject = v.list.Tag + " " + subject })
	if err != nil {
		return err
	}
	return e.Set(v.msg.Root(), "Subject", value)
}

// munge makes the list the author where the author's domain would have the copies
// refused.
func (v *visit) munge(e *mime.Editor) error {
	from, ok := v.from()
	if !ok || v.list.Munge == nil || !v.list.Munge(v.ctx, from.Domain()) {
		return nil
	}
	author := v.msg.Header().Addresses("From")[0]
	name := author.Name
	if name == "" {
		name = author.Local()
	}
	fill := func(b *mime.Builder) {
		b.From = []mime.Address{{Name: name + " via " + v.list.Address.Local(), Addr: v.list.Address.Address()}}
		b.ReplyTo = []mime.Address{author}
	}
	value, err := rawField("From", fill)
	if err != nil {
		return err
	}
	if err := e.Set(v.msg.Root(), "From", value); err != nil || v.msg.Header().Has("Reply-To") {
		return err
	}
	if value, err = rawField("Reply-To", fill); err != nil {
		return err
	}
	return e.Set(v.msg.Root(), "Reply-To", value)
}

// leaveURLs is the value of List-Unsubscribe for one member. Its https URL, if
// there is one, takes a POST.
func (m *Manager) leaveURLs(l *List, p smtp.Path) (value string, post bool, err error) {
	token, err := m.lasting().VERP(l.at("-leave"), p)
	if err != nil {
		return "", false, err
	}
	to := escape(token.Address())
	value = "<mailto:" + to + ">"
	if strings.HasPrefix(m.URL, "https://") {
		value, post = "<"+m.URL+sep(m.URL)+"to="+to+">,\r\n "+value, true
	}
	return value, post, nil
}

// lasting is the Rewriter for what people find in old mail.
func (m *Manager) lasting() *alias.Rewriter {
	w := *m.Rewriter
	w.MaxAge = 400 * day
	return &w
}

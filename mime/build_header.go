package mime

import "fmt"

// header writes the fields of the message itself; those of its structure come
// behind.
func (c *compiler) header() []byte {
	w := &fieldWriter{}
	w.date("Date", c.now())
	lists := []struct {
		name string
		list []Address
	}{{"From", c.From}, {"Sender", c.senders()}, {"Reply-To", c.ReplyTo}, {"To", c.To}, {"Cc", c.Cc}}
	for _, l := range lists {
		if len(l.list) > 0 {
			w.addresses(l.name, l.list)
		}
	}
	if c.Subject != "" {
		w.text("Subject", c.Subject)
	}
	w.ids("Message-ID", c.messageID())
	if len(c.InReplyTo) > 0 {
		w.ids("In-Reply-To", c.InReplyTo...)
	}
	if len(c.References) > 0 {
		w.ids("References", c.References...)
	}
	c.listFields(w)
	for _, x := range c.Extra {
		w.text(x.Name, x.Value)
	}
	return w.b
}

// senders is the Sender, which is not written where it says no more than From
// (RFC 5322 §3.6.2).
func (c *compiler) senders() []Address {
	if c.Sender == (Address{}) || len(c.From) == 1 && c.From[0].Addr == c.Sender.Addr {
		return nil
	}
	return []Address{c.Sender}
}

// messageID is the one given, or a new one that tells nothing of this host.
func (c *compiler) messageID() string {
	if c.MessageID != "" {
		return c.MessageID
	}
	domain := c.Domain
	if domain == "" {
		domain = c.From[0].Domain()
	}
	domain, ok := idDomain(domain)
	if !ok {
		c.fail("Domain", fmt.Errorf("%q has no form in ASCII", c.From[0].Domain()))
	}
	return c.random() + "@" + domain
}

// listFields writes RFC 2369 §3, RFC 2919 §3 and RFC 8058 §3.1.
func (c *compiler) listFields(w *fieldWriter) {
	l := c.List
	if l == nil {
		return
	}
	if l.ID != "" {
		w.begin("List-Id")
		if l.Description != "" {
			w.phrase(l.Description)
		}
		w.token("<" + l.ID + ">")
		w.end()
	}
	for _, f := range []struct {
		name string
		urls []string
	}{{"List-Help", l.Help}, {"List-Subscribe", l.Subscribe}, {"List-Unsubscribe", l.Unsubscribe},
		{"List-Post", l.Post}, {"List-Owner", l.Owner}, {"List-Archive", l.Archive}} {
		if len(f.urls) > 0 {
			w.urls(f.name, f.urls)
		}
	}
	if l.NoPost && len(l.Post) == 0 {
		w.text("List-Post", "NO")
	}
	if l.OneClick {
		w.text("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")
	}
}

package mime

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/postilion-mail/postilion/internal/addr"
)

var (
	errControl = errors.New("control character")
	errUTF8    = errors.New("not UTF-8")
	errWord    = errors.New("would be taken for an encoded-word") // RFC 2047 §5 forbids them here
)

// checkText refuses what could end a line in anybody's eyes. Tab is white
// space.
func checkText(s string) error {
	if !utf8.ValidString(s) {
		return errUTF8
	}
	for _, r := range s {
		switch {
		case r < ' ' && r != '\t', r >= 0x7f && r <= 0x9f, r == 0x2028, r == 0x2029:
			return fmt.Errorf("%w %U", errControl, r)
		}
	}
	return nil
}

// check looks at everything that goes into the header.
func (c *compiler) check() {
	if len(c.From) == 0 {
		c.fail("From", errors.New("nobody"))
	}
	if len(c.From) > 1 && c.Sender.Addr == "" {
		c.fail("Sender", errors.New("needed when several people write"))
	}
	for field, list := range map[string][]Address{"From": c.From, "To": c.To, "Cc": c.Cc, "Bcc": c.Bcc, "ReplyTo": c.ReplyTo} {
		for _, a := range list {
			c.fail(field, c.checkAddress(a))
		}
	}
	if c.Sender != (Address{}) {
		c.fail("Sender", c.checkAddress(c.Sender))
	}
	c.fail("Subject", checkText(c.Subject))
	if c.Domain != "" && !addr.ValidDomain(c.Domain) {
		c.fail("Domain", errors.New("not a domain"))
	}
	if c.MessageID != "" {
		c.fail("MessageID", checkID(c.MessageID))
	}
	for _, id := range c.InReplyTo {
		c.fail("InReplyTo", checkID(id))
	}
	for _, id := range c.References {
		c.fail("References", checkID(id))
	}
	for _, x := range c.Extra {
		c.fail("Extra", x.check())
	}
	c.checkList()
	c.checkParts()
}

// checkAddress refuses what no envelope can carry.
func (c *compiler) checkAddress(a Address) error {
	if a.err != nil {
		return fmt.Errorf("%q: %w", a.Addr, a.err)
	}
	local, domain, err := addr.ParseMailbox(a.Addr)
	if err != nil {
		return fmt.Errorf("%q: %w", a.Addr, err)
	}
	switch {
	case domain == "":
		return fmt.Errorf("%q has no domain", a.Addr)
	case strings.Contains(a.Addr, "=?"):
		return fmt.Errorf("%q: %w", a.Addr, errWord)
	}
	c.utf8 = c.utf8 || !addr.IsASCII(local)
	return checkText(a.Name)
}

// checkID wants left "@" right, of printable ASCII or UTF-8, which is what all
// that were ever seen have in common.
func checkID(id string) error {
	if err := checkText(id); err != nil {
		return err
	}
	left, right, ok := strings.Cut(id, "@")
	if !ok || left == "" || right == "" || strings.ContainsAny(id, "<> \t") || strings.Contains(id, "=?") || len(id) > maxLine-4 {
		return fmt.Errorf("%q is no message id", id)
	}
	return nil
}

// own are the fields that an Extra cannot write.
var own = [...]string{"from", "sender", "to", "cc", "bcc", "reply-to", "subject", "date", "message-id", "in-reply-to", "references", "mime-version"}

func (x Extra) check() error {
	if err := checkName(x.Name); err != nil {
		return err
	}
	name := strings.ToLower(x.Name)
	for _, o := range own {
		if name == o {
			return fmt.Errorf("%s has a field of its own", x.Name)
		}
	}
	if strings.HasPrefix(name, "content-") {
		return fmt.Errorf("%s belongs to the structure", x.Name)
	}
	if err := checkText(x.Value); err != nil {
		return fmt.Errorf("%s: %w", x.Name, err)
	}
	return nil
}

// checkName wants a field name. RFC 5322 §3.6.8 allows nearly everything; what
// is no token nobody uses, and somebody misreads.
func checkName(name string) error {
	if !isToken(name) || len(name) > 76 {
		return fmt.Errorf("bad field name %q", name)
	}
	return nil
}

func (c *compiler) checkList() {
	l := c.List
	if l == nil {
		return
	}
	if l.ID != "" && !addr.ValidDomain(l.ID) {
		c.fail("List", fmt.Errorf("ID %q is not like a domain (RFC 2919 §2)", l.ID))
	}
	c.fail("List", checkText(l.Description))
	https := false
	for _, list := range [][]string{l.Post, l.Help, l.Subscribe, l.Unsubscribe, l.Owner, l.Archive} {
		for _, s := range list {
			u, err := url.Parse(s)
			if err != nil || u.Scheme == "" || strings.ContainsAny(s, "<>, ") || strings.Contains(s, "=?") || checkText(s) != nil || !addr.IsASCII(s) || len(s) > maxLine-4 {
				c.fail("List", fmt.Errorf("%q is no URL", s))
			}
		}
	}
	for _, s := range l.Unsubscribe {
		https = https || strings.HasPrefix(s, "https:")
	}
	if l.OneClick && !https {
		c.fail("List", errors.New("OneClick needs an https URL (RFC 8058 §3.1)"))
	}
}

// checkParts looks at what goes into the headers of the parts.
func (c *compiler) checkParts() {
	if cal := c.Calendar; cal != nil && !isToken(cal.Method) {
		c.fail("Calendar", fmt.Errorf("bad method %q", cal.Method))
	}
	cids := make(map[string]bool)
	for i := range c.Files {
		f := &c.Files[i]
		switch {
		case f.err == nil && f.open == nil && f.data == nil:
			c.fail("Files", errors.New("nothing to attach"))
		case checkText(f.name) != nil:
			c.fail("Files", fmt.Errorf("name %q: %w", f.name, checkText(f.name)))
		case f.typ != "" && !isMediaType(f.typ):
			c.fail("Files", fmt.Errorf("%s: bad media type %q", f.name, f.typ))
		case f.cid != "" && (!isCID(f.cid) || cids[f.cid]):
			c.fail("Files", fmt.Errorf("%s: bad or repeated content id %q", f.name, f.cid))
		}
		cids[f.cid] = true
	}
}

func isMediaType(s string) bool {
	typ, sub, ok := strings.Cut(s, "/")
	return ok && isToken(typ) && isToken(sub) && !strings.EqualFold(typ, "multipart")
}

// isCID wants something that stands in <> and in a cid: URL (RFC 2392 §2).
func isCID(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`<>()[]"\,;:`, c) >= 0 {
			return false
		}
	}
	return len(s) <= 200
}

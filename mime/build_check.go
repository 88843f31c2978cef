package mime

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
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
		if r != '\t' && isControl(r) {
			return fmt.Errorf("%w %U", errControl, r)
		}
	}
	return nil
}

// check looks at everything that goes into the header.
func (c *compiler) check() {
	c.fail("Text", c.unread)
	if len(c.From) == 0 {
		c.fail("From", errors.New("nobody"))
	}
	if len(c.From) > 1 && c.Sender.Addr == "" {
		c.fail("Sender", errors.New("needed when several people write")) // RFC 5322 §3.6.2
	}
	for _, l := range []struct {
		field string
		list  []Address
	}{{"From", c.From}, {"Sender", c.someSender()}, {"ReplyTo", c.ReplyTo}, {"To", c.To}, {"Cc", c.Cc}, {"Bcc", c.Bcc}} {
		for _, a := range l.list {
			c.fail(l.field, c.checkAddress(a))
		}
	}
	c.fail("Subject", checkText(c.Subject))
	if year := c.now().Year(); year < 1900 || year > 9999 { // RFC 5322 §3.3
		c.fail("Date", fmt.Errorf("no mail in the year %d", year))
	}
	c.checkIDs()
	for _, x := range c.Extra {
		c.fail("Extra", x.check(c.List != nil))
	}
	c.checkList()
	c.checkParts()
}

// someSender is the Sender whether it is written or not.
func (c *compiler) someSender() []Address {
	if c.Sender == (Address{}) {
		return nil
	}
	return []Address{c.Sender}
}

// checkIDs looks at the message ids, and at what makes new ones.
func (c *compiler) checkIDs() {
	if _, ok := idDomain(c.Domain); !ok && c.Domain != "" {
		c.fail("Domain", fmt.Errorf("%q is no domain", c.Domain))
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
}

// checkAddress refuses what no envelope can carry.
func (c *compiler) checkAddress(a Address) error {
	err := a.err
	if err == nil {
		err = checkMailbox(a)
	}
	if err != nil {
		return fmt.Errorf("%q: %w", a.Addr, err)
	}
	c.utf8 = c.utf8 || !addr.IsASCII(a.Local())
	return checkText(a.Name)
}

// checkMailbox refuses what no envelope can carry.
func checkMailbox(a Address) error {
	_, domain, err := addr.ParseMailbox(a.Addr)
	switch {
	case err != nil:
		return err
	case domain == "":
		return errors.New("no domain")
	case strings.Contains(a.Addr, "=?"):
		return errWord
	}
	return nil
}

// checkID wants left "@" right, which is what all ids that work have in common.
// UTF-8 in an id would make the whole message one that few can carry (RFC 6532
// §3.3).
func checkID(id string) error {
	left, right, ok := strings.Cut(id, "@")
	if !ok || left == "" || right == "" || len(id) > maxLine-4 || strings.ContainsAny(id, "<> ") || strings.Contains(id, "=?") || !isPrintable(id) {
		return fmt.Errorf("%q is no message id", shorten(id, 80))
	}
	return nil
}

// isPrintable reports ASCII without control characters.
func isPrintable(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// idDomain is the right side of the ids of a domain.
func idDomain(domain string) (string, bool) {
	if ip, ok := addr.ParseLiteral(domain); ok {
		return addr.Literal(ip), true
	}
	ascii, err := addr.ToASCII(domain)
	return ascii, err == nil
}

// own are the fields that an Extra cannot write: they have fields of the
// Builder, or, as Return-Path, are none of the sender's business (RFC 5321
// §4.4), or would tell what Bcc is to hide.
var own = [...]string{"from", "sender", "to", "cc", "bcc", "reply-to", "subject", "date", "message-id", "in-reply-to", "references", "mime-version", "return-path", "resent-bcc"}

// check looks at name and value; list says that the List-* fields are taken.
func (x Extra) check(list bool) error {
	if err := checkFieldName(x.Name); err != nil {
		return err
	}
	if list && len(x.Name) > 5 && strings.EqualFold(x.Name[:5], "list-") {
		return fmt.Errorf("%s belongs to List", x.Name)
	}
	if err := checkText(x.Value); err != nil {
		return fmt.Errorf("%s: %w", x.Name, err)
	}
	return nil
}

// checkFieldName refuses fields that a message has already.
func checkFieldName(name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	lower := strings.ToLower(name)
	if slices.Contains(own[:], lower) {
		return fmt.Errorf("%s is not a further field", name)
	}
	if strings.HasPrefix(lower, "content-") {
		return fmt.Errorf("%s belongs to the structure", name)
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

// checkList looks at the fields of a mailing list.
func (c *compiler) checkList() {
	l := c.List
	if l == nil {
		return
	}
	if l.ID != "" && (!addr.ValidDomain(l.ID) || !addr.IsASCII(l.ID)) {
		c.fail("List", fmt.Errorf("ID %q is not like a domain (RFC 2919 §2)", l.ID))
	}
	if l.ID == "" && l.Description != "" {
		c.fail("List", errors.New("a description needs an ID (RFC 2919 §3)"))
	}
	c.fail("List", checkText(l.Description))
	for _, list := range [][]string{l.Post, l.Help, l.Subscribe, l.Unsubscribe, l.Owner, l.Archive} {
		for _, s := range list {
			if !isURL(s) {
				c.fail("List", fmt.Errorf("%q is no URL", s))
			}
		}
	}
	if l.NoPost && len(l.Post) > 0 {
		c.fail("List", errors.New("both Post and NoPost"))
	}
	web := 0
	for _, s := range l.Unsubscribe {
		if len(s) > 6 && strings.EqualFold(s[:6], "https:") {
			web++
		}
	}
	if l.OneClick && web != 1 {
		c.fail("List", errors.New("OneClick needs one https URL in Unsubscribe (RFC 8058 §3.1)"))
	}
}

// isURL wants a URL that stands in <> unchanged.
func isURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Scheme != "" && isPrintable(s) && len(s) <= maxLine-4 &&
		!strings.ContainsAny(s, "<>, ") && !strings.Contains(s, "=?")
}

// checkParts looks at what goes into the headers of the parts.
func (c *compiler) checkParts() {
	if c.Calendar != nil {
		c.fail("Calendar", c.Calendar.check())
	}
	cids := make(map[string]bool)
	for i := range c.Files {
		f := &c.Files[i]
		switch err := checkText(f.name); {
		case err != nil:
			c.fail("Files", fmt.Errorf("name %q: %w", f.name, err))
		case f.typ != "" && !isMediaType(f.typ):
			c.fail("Files", fmt.Errorf("%s: bad media type %q", f.name, f.typ))
		case f.cid != "" && (!isCID(f.cid) || cids[f.cid]):
			c.fail("Files", fmt.Errorf("%s: bad or repeated content id %q", f.name, f.cid))
		}
		cids[f.cid] = true
	}
}

// check compares the method with the one within (RFC 6047 §2.4).
func (cal *Calendar) check() error {
	if !isToken(cal.Method) || len(cal.Method) > maxMediaType {
		return fmt.Errorf("bad method %q", cal.Method)
	}
	for line := range strings.Lines(string(cal.Data)) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), ":")
		if ok && strings.EqualFold(name, "METHOD") {
			if !strings.EqualFold(value, cal.Method) {
				return fmt.Errorf("method %q, but METHOD:%s in Data", cal.Method, shorten(value, 40))
			}
			break
		}
	}
	return nil
}

// maxMediaType is the length of a media type: what a line takes, and more than
// any that is registered.
const maxMediaType = 128

// isMediaType wants a type that a part of its own can have.
func isMediaType(s string) bool {
	typ, sub, ok := strings.Cut(s, "/")
	return ok && isToken(typ) && isToken(sub) && !strings.EqualFold(typ, "multipart") && len(s) <= maxMediaType
}

// isCID wants something that stands in <> and, as it is, in a cid: URL (RFC
// 2392 §2).
func isCID(s string) bool {
	return isPrintable(s) && !strings.ContainsAny(s, ` <>()[]"\,;:%`) && !strings.Contains(s, "=?") && len(s) <= 200
}

package spf

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/postilion-mail/postilion/mx/dns"
	"github.com/postilion-mail/postilion/spf/authres"
)

// ReceivedSPF makes the Received-SPF field of a report (RFC 7208 §9.1): that of the
// reverse-path, or of the HELO name if the reverse-path is empty. Nothing that a
// sender writes can end the field or one of its values. The value is folded where a
// line would have more than 78 octets; it never has 998 or more in all.
func (r Report) ReceivedSPF() (name, value string) {
	v := r.MailFrom
	if r.Request.MailFrom == "" {
		v = r.Hello
	}
	receiver := r.Request.Receiver
	if receiver == "" {
		receiver = "unknown"
	}
	name = "Received-SPF"
	f := field{column: len(name) + 2}
	f.word(string(v.Result))
	f.word(" (" + comment(v.reason(receiver)) + ")")
	f.pair("client-ip", v.IP.String())
	if r.Request.MailFrom != "" {
		f.pair("envelope-from", v.Sender)
	}
	f.pair("helo", r.Request.Hello)
	f.pair("receiver", receiver)
	f.pair("identity", string(v.Identity))
	switch {
	case v.Err != nil:
		f.pair("problem", problem(v.Err))
	case v.Term != "":
		f.pair("mechanism", v.Term)
	case v.Result == Neutral:
		f.pair("mechanism", "default")
	}
	return name, f.b.String()
}

// reason is the comment of the field, in the words of RFC 7208 §9.1.
func (v *Verdict) reason(receiver string) string {
	domain, ip := clean(v.Domain, 100), v.IP.String()
	text := ""
	switch v.Result {
	case Pass:
		text = "domain of " + domain + " designates " + ip + " as permitted sender"
	case Fail:
		text = "domain of " + domain + " does not designate " + ip + " as permitted sender"
	case SoftFail:
		text = "domain of transitioning " + domain + " does not designate " + ip + " as permitted sender"
	case Neutral:
		text = ip + " is neither permitted nor denied by domain of " + domain
	case None:
		text = "domain of " + domain + " does not designate permitted senders"
	case TempError:
		text = "error in processing during lookup of " + domain
	case PermError:
		text = "permanent error in the records of " + domain
	}
	return clean(receiver, 100) + ": " + text
}

// problem says in a few words what an error was about. Its own text might hold what
// the sender or the DNS of the receiver put there.
func problem(err error) string {
	for _, known := range []error{ErrTerms, ErrVoids, ErrMX, ErrQueries, ErrMultiple, ErrNoRecord} {
		if errors.Is(err, known) {
			return strings.TrimPrefix(known.Error(), "spf: ")
		}
	}
	var syntax *SyntaxError
	if errors.As(err, &syntax) {
		return syntax.Text
	}
	var lookup *dns.Error
	if errors.As(err, &lookup) && lookup.RCode != dns.NoError {
		return "DNS " + lookup.RCode.String()
	}
	return "DNS lookup failed"
}

// comment keeps the characters that end or nest a comment out of it (RFC 5322
// §3.2.2).
func comment(s string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case '(', ')', '\\':
			return '?'
		}
		return r
	}, s)
}

// field builds a folded value.
type field struct {
	b      strings.Builder
	column int
	pairs  int
}

// word adds a piece that is not divided. If it begins with a space, a fold may stand
// there: RFC 5322 §2.2.3.
func (f *field) word(s string) {
	if f.column+len(s) > 78 && strings.HasPrefix(s, " ") {
		f.b.WriteString("\r\n\t")
		f.column, s = 8, s[1:]
	}
	f.b.WriteString(s)
	f.column += len(s)
}

// pair adds key=value (RFC 7208 §9.1). What would make the field too long is left
// out, which concerns senders longer than SMTP allows.
func (f *field) pair(key, value string) {
	quoted := quote(value)
	if f.b.Len()+len(key)+len(quoted) > 900 {
		return
	}
	if f.pairs++; f.pairs > 1 {
		f.word(";")
	}
	f.word(" " + key + "=" + quoted)
}

// quote writes a dot-atom as it is and all else as a quoted-string. Control
// characters and broken UTF-8 become "?"; whole UTF-8 stays, since it only comes
// from senders of internationalized mail (RFC 6532 §3.2).
func quote(s string) string {
	if dotAtom(s) {
		return s
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || 0x7f <= r && r < 0xa0 || r == utf8.RuneError || r == '\u2028' || r == '\u2029':
			b.WriteByte('?')
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// dotAtom is 1*atext *( "." 1*atext ), RFC 5322 §3.2.3.
func dotAtom(s string) bool {
	for atom := range strings.SplitSeq(s, ".") {
		if atom == "" {
			return false
		}
		for i := range len(atom) {
			if !isAlnum(atom[i]) && strings.IndexByte("!#$%&'*+-/=?^_`{|}~", atom[i]) < 0 {
				return false
			}
		}
	}
	return true
}

// AuthResult is the verdict as an entry of an Authentication-Results field: method
// spf with smtp.mailfrom or smtp.helo (RFC 8601 §2.7.2).
func (v Verdict) AuthResult() authres.Result {
	res := authres.Result{Method: "spf", Value: string(v.Result)}
	if v.Err != nil {
		res.Reason = problem(v.Err)
	}
	value := v.Domain
	if v.Identity == MailFrom && v.Sender != "" {
		value = v.Sender
	}
	res.Props = [][2]string{{"smtp." + string(v.Identity), value}}
	return res
}

// AuthResults is the Authentication-Results field of a report: both identities, or
// the HELO name alone if the reverse-path is empty. id is the authserv-id of the
// receiver, by which its readers know whose word it is (RFC 8601 §2.5).
func (r Report) AuthResults(id string) authres.Field {
	f := authres.Field{ID: id}
	if r.Request.MailFrom != "" {
		f.Results = append(f.Results, r.MailFrom.AuthResult())
	}
	f.Results = append(f.Results, r.Hello.AuthResult())
	return f
}

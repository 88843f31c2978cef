package smtp

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/postilion-mail/postilion/internal/addr"
)

// paramContext is what the meaning of a parameter depends on.
type paramContext struct {
	offers  func(keyword string) bool // what EHLO told this peer
	private func(name string) bool    // accepted into Other
	trusted bool                      // the peer logged in: its AUTH= counts
	now     time.Time
	maxHold time.Duration
	minBy   time.Duration
	prdr    *bool
}

// A paramRow is one parameter: its name, the EHLO keyword that allows it, and
// how its value is read into the envelope.
type paramRow[T any] struct {
	name, keyword string
	set           func(c *paramContext, to *T, value string) error
}

var mailParams = [...]paramRow[MailParams]{
	{"SIZE", "SIZE", setSize},                         // RFC 1870 §6
	{"BODY", "8BITMIME", setBody},                     // RFC 6152 §3
	{"SMTPUTF8", "SMTPUTF8", word(setUTF8)},           // RFC 6531 §3.4
	{"REQUIRETLS", "REQUIRETLS", word(setRequireTLS)}, // RFC 8689 §2
	{"RET", "DSN", setRet},                            // RFC 3461 §4.3
	{"ENVID", "DSN", setEnvID},                        // RFC 3461 §4.4
	{"AUTH", "AUTH", setAuthParam},                    // RFC 4954 §5
	{"MT-PRIORITY", "MT-PRIORITY", setPriority},       // RFC 6710 §4.3
	{"BY", "DELIVERBY", setDeliverBy},                 // RFC 2852 §4
	{"HOLDFOR", "FUTURERELEASE", setHoldFor},          // RFC 4865 §5
	{"HOLDUNTIL", "FUTURERELEASE", setHoldUntil},      // RFC 4865 §5
	{"PRDR", "PRDR", func(c *paramContext, _ *MailParams, v string) error { // per-recipient data response
		*c.prdr = true
		return noValue(v)
	}},
}

var rcptParams = [...]paramRow[Recipient]{
	{"NOTIFY", "DSN", setNotify}, // RFC 3461 §4.1
	{"ORCPT", "DSN", setORcpt},   // RFC 3461 §4.2
	{"RRVS", "RRVS", setRRVS},    // RFC 7293 §3.1
}

// setMail reads the parameters of MAIL.
func (c *paramContext) setMail(args string, p *MailParams) error {
	return readParams(c, mailParams[:], args, p, &p.Other)
}

// setRcpt reads the parameters of RCPT.
func (c *paramContext) setRcpt(args string, r *Recipient) error {
	return readParams(c, rcptParams[:], args, r, &r.Other)
}

// maxParams bounds the work for one command.
const maxParams = 32

func readParams[T any](c *paramContext, rows []paramRow[T], args string, to *T, other *[]Param) error {
	var seen [maxParams]string
	n := 0
	for args = strings.TrimLeft(args, " "); args != ""; args = strings.TrimLeft(args, " ") {
		var word string
		word, args, _ = strings.Cut(args, " ")
		name, value, hasValue := strings.Cut(word, "=")
		if !isKeyword(name) || hasValue && !isParamValue(value) || n == maxParams {
			return Reject(501, "5.5.4", "Malformed parameter")
		}
		name = upper(name)
		for _, s := range seen[:n] {
			if s == name {
				return Reject(501, "5.5.4", "Parameter "+name+" given twice")
			}
		}
		seen[n], n = name, n+1
		if err := setParam(c, rows, name, value, to, other); err != nil {
			return err
		}
	}
	return nil
}

func setParam[T any](c *paramContext, rows []paramRow[T], name, value string, to *T, other *[]Param) error {
	for i := range rows {
		if rows[i].name != name || !c.offers(rows[i].keyword) {
			continue
		}
		return rows[i].set(c, to, value)
	}
	if c.private != nil && c.private(name) {
		*other = append(*other, Param{name, value})
		return nil
	}
	return Reject(555, "5.5.4", "Unknown parameter "+name) // RFC 5321 §4.1.1.11
}

// isKeyword is esmtp-keyword (RFC 5321 §4.1.2).
func isKeyword(s string) bool {
	if s == "" || s[0] == '-' {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-') {
			return false
		}
	}
	return true
}

// isParamValue is esmtp-value, with the UTF-8 of RFC 6531 §3.3. The "=" that
// base64 ends with is let pass.
func isParamValue(s string) bool {
	if s == "" || !utf8.ValidString(s) {
		return false
	}
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] == 0x7f {
			return false
		}
	}
	return true
}

// upper folds ASCII only.
func upper(s string) string {
	for i := 0; i < len(s); i++ {
		if 'a' <= s[i] && s[i] <= 'z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if 'a' <= b[i] && b[i] <= 'z' {
					b[i] -= 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}

var badValue = Reject(501, "5.5.4", "Malformed parameter value")

func noValue(v string) error {
	if v != "" {
		return badValue
	}
	return nil
}

func word(set func(p *MailParams)) func(*paramContext, *MailParams, string) error {
	return func(_ *paramContext, p *MailParams, v string) error {
		set(p)
		return noValue(v)
	}
}

func setUTF8(p *MailParams)       { p.UTF8 = true }
func setRequireTLS(p *MailParams) { p.RequireTLS = true }

func setSize(_ *paramContext, p *MailParams, v string) error {
	if !isNumber(v, 20) {
		return badValue
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil { // twenty digits and more than 2^63: larger than any limit
		n = 1<<63 - 1
	}
	p.Size = n
	return nil
}

func setBody(c *paramContext, p *MailParams, v string) error {
	switch {
	case addr.EqualFold(v, "7BIT"):
		p.Body = Body7Bit
	case addr.EqualFold(v, "8BITMIME"):
		p.Body = Body8BitMIME
	case addr.EqualFold(v, "BINARYMIME") && c.offers("BINARYMIME"):
		p.Body = BodyBinaryMIME
	default:
		return badValue
	}
	return nil
}

func setRet(_ *paramContext, p *MailParams, v string) error {
	p.RetFull, p.RetHeaders = addr.EqualFold(v, "FULL"), addr.EqualFold(v, "HDRS")
	if !p.RetFull && !p.RetHeaders {
		return badValue
	}
	return nil
}

func setEnvID(_ *paramContext, p *MailParams, v string) error {
	id, err := parseXtext(v)
	if err != nil || len(id) > 100 || id == "" {
		return badValue
	}
	p.EnvID = id
	return nil
}

func setAuthParam(c *paramContext, p *MailParams, v string) error {
	s, err := parseXtext(v)
	if err != nil || s == "" {
		return badValue
	}
	if s != "<>" {
		if _, err := ParsePath(s); err != nil {
			return badValue
		}
	}
	if !c.trusted {
		s = "<>" // RFC 4954 §5: what a stranger claims is worth nothing
	}
	p.Auth = s
	return nil
}

func setPriority(_ *paramContext, p *MailParams, v string) error {
	digit := strings.TrimPrefix(v, "-") // RFC 6710 §7
	if len(digit) != 1 || digit[0] < '0' || digit[0] > '9' || v == "-0" {
		return badValue
	}
	p.Priority = int8(digit[0] - '0')
	if digit != v {
		p.Priority = -p.Priority
	}
	return nil
}

func setDeliverBy(c *paramContext, p *MailParams, v string) error {
	by, mode, _ := strings.Cut(upper(v), ";")
	digits := by
	if by != "" && (by[0] == '-' || by[0] == '+') {
		digits = by[1:]
	}
	n, err := strconv.Atoi(by)
	if err != nil || !isNumber(digits, 9) {
		return badValue
	}
	mode, trace := strings.CutSuffix(mode, "T")
	switch {
	case mode == "R" && n <= 0: // RFC 2852 §4: too late before it began
		return Reject(501, "5.5.4", "Deliver-by time is over")
	case mode != "R" && mode != "N":
		return badValue
	case mode == "R" && time.Duration(n)*time.Second < c.minBy: // RFC 2852 §3
		return Reject(552, "5.4.7", "Deliver-by time too short")
	}
	p.DeliverBy = DeliverBy{c.now.Add(time.Duration(n) * time.Second), mode == "R", trace}
	return nil
}

func setHoldFor(c *paramContext, p *MailParams, v string) error {
	if !isNumber(v, 9) || v[0] == '0' { // RFC 4865 §2
		return badValue
	}
	n, _ := strconv.Atoi(v)
	return c.hold(p, c.now.Add(time.Duration(n)*time.Second))
}

func setHoldUntil(c *paramContext, p *MailParams, v string) error {
	t, err := time.Parse(time.RFC3339, upper(v))
	if _, zone := t.Zone(); err != nil || zone != 0 { // RFC 4865 §2: normalized to UTC
		return badValue
	}
	return c.hold(p, t.UTC())
}

func (c *paramContext) hold(p *MailParams, until time.Time) error {
	switch {
	case !p.HoldUntil.IsZero():
		return Reject(501, "5.5.4", "One hold parameter only") // RFC 4865 §4.2
	case until.Sub(c.now) > c.maxHold:
		return Reject(501, "5.5.4", "Hold time too long")
	}
	p.HoldUntil = until
	return nil
}

func setNotify(_ *paramContext, r *Recipient, v string) error {
	for word := range strings.SplitSeq(upper(v), ",") {
		var bit Notify
		switch word {
		case "SUCCESS":
			bit = NotifySuccess
		case "FAILURE":
			bit = NotifyFailure
		case "DELAY":
			bit = NotifyDelay
		case "NEVER":
			bit = NotifyNever
		}
		if bit == 0 || r.Notify&bit != 0 {
			return badValue
		}
		r.Notify |= bit
	}
	if r.Notify&NotifyNever != 0 && r.Notify != NotifyNever {
		return badValue // RFC 3461 §4.1: NEVER stands alone
	}
	return nil
}

func setORcpt(_ *paramContext, r *Recipient, v string) error {
	s, err := parseORcpt(v)
	if err != nil {
		return badValue
	}
	r.ORcpt = s
	return nil
}

func setRRVS(_ *paramContext, r *Recipient, v string) error {
	when, action, found := strings.Cut(upper(v), ";")
	t, err := time.Parse(time.RFC3339, when)
	if err != nil || strings.Contains(when, ".") || found && action != "C" && action != "R" {
		return badValue
	}
	r.ValidSince, r.ValidRelay = t, action == "C"
	return nil
}

package smtp

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/postilion-mail/postilion/smtp/sasl"
)

// Extension is one of your own: an EHLO line, a verb, parameters. What RFCs
// define is there already and cannot be replaced.
type Extension struct {
	// Keyword is the EHLO line, "XTHING" or "XTHING arguments"; "" none.
	Keyword string
	// Verb and Command add a command, legal at any time; a Submission server
	// wants TLS and login first. Its error is answered as [ReplyTo] says.
	Verb    string
	Command func(ctx context.Context, s *Session, arg string) (Reply, error)
	// Mail and Rcpt name parameters to accept into Other; in upper case.
	Mail, Rcpt []string
}

// keyword is one row of EHLO: who gets it, and what follows it.
type keyword struct {
	name string
	when func(c *conn) bool
	arg  func(c *conn) string // nil: none
}

// The EHLO list. What is advertised is what works: the same predicates decide
// which parameters and verbs are accepted.
var keywords = [...]keyword{
	{"PIPELINING", always, nil},                         // RFC 2920
	{"SIZE", always, (*conn).sizeArg},                   // RFC 1870
	{"8BITMIME", always, nil},                           // RFC 6152
	{"ENHANCEDSTATUSCODES", always, nil},                // RFC 2034
	{"CHUNKING", always, nil},                           // RFC 3030
	{"BINARYMIME", (*conn).mayBinary, nil},              // RFC 3030 §3
	{"SMTPUTF8", (*conn).mayUTF8, nil},                  // RFC 6531 §3.1
	{"STARTTLS", (*conn).maySTARTTLS, nil},              // RFC 3207
	{"AUTH", (*conn).mayAUTH, (*conn).authArg},          // RFC 4954
	{"DSN", has(ExtDSN), nil},                           // RFC 3461
	{"REQUIRETLS", (*conn).mayRequireTLS, nil},          // RFC 8689 §2
	{"DELIVERBY", has(ExtDeliverBy), (*conn).minByArg},  // RFC 2852
	{"FUTURERELEASE", (*conn).mayHold, (*conn).holdArg}, // RFC 4865
	{"MT-PRIORITY", has(ExtMTPriority), nil},            // RFC 6710
	{"RRVS", has(ExtRRVS), nil},                         // RFC 7293
	{"PRDR", (*conn).mayPRDR, nil},                      // per-recipient data response
	{"LIMITS", (*conn).hasLimits, (*conn).limitsArg},    // RFC 9422
	{"HELP", always, nil},                               // RFC 5321 §4.1.1.1
	{"VRFY", (*conn).mayVerify, nil},                    // RFC 5321 §3.5.2
	{"EXPN", (*conn).mayExpand, nil},                    // RFC 5321 §3.5.2
	{"XCLIENT", (*conn).mayXCLIENT, func(*conn) string { return xclientNames }},
}

func always(*conn) bool { return true }

func has(x Extensions) func(c *conn) bool {
	return func(c *conn) bool { return c.srv.Extensions&x != 0 }
}

// offers reports whether this peer was, or would be, told the keyword.
func (c *conn) offers(name string) bool {
	if name == "AUTH" { // offered no more after a login, but MAIL keeps its parameter
		return c.esmtp && c.srv.Auth != nil && !c.srv.withholds(name)
	}
	for i := range keywords {
		if keywords[i].name == name {
			return c.esmtp && keywords[i].when(c) && !c.srv.withholds(name)
		}
	}
	return false
}

// accepts reports whether a parameter that keyword allows may be used. AUTH is
// not offered a second time, but only now its parameter counts (RFC 4954 §5).
func (c *conn) accepts(keyword string) bool {
	return c.offers(keyword) || keyword == "AUTH" && c.esmtp && c.session.User != ""
}

// withholds reports whether the program does not want the extension.
func (s *Server) withholds(name string) bool {
	for _, w := range s.Without {
		if upper(w) == name {
			return true
		}
	}
	return false
}

// keywords writes the EHLO list.
func (c *conn) keywords() []string {
	var list []string
	for i := range keywords {
		k := &keywords[i]
		if !k.when(c) || c.srv.withholds(k.name) {
			continue
		}
		line := k.name
		if k.arg != nil {
			line = strings.TrimRight(line+" "+k.arg(c), " ")
		}
		list = append(list, line)
	}
	for _, x := range c.srv.Private {
		if x.Keyword != "" {
			list = append(list, x.Keyword)
		}
	}
	return list
}

// mayBinary: a body with any bytes in it can only come in chunks.
func (c *conn) mayBinary() bool {
	return c.srv.Extensions&ExtBinaryMIME != 0 && !c.srv.withholds("CHUNKING") && !c.srv.withholds("8BITMIME")
}

// mayUTF8: SMTPUTF8 stands on 8BITMIME.
func (c *conn) mayUTF8() bool {
	return c.srv.Extensions&ExtSMTPUTF8 != 0 && !c.srv.withholds("8BITMIME")
}

func (c *conn) mayVerify() bool { return c.srv.Handler.Verify != nil }
func (c *conn) mayExpand() bool { return c.srv.Handler.Expand != nil }

func (c *conn) maySTARTTLS() bool { return c.srv.TLSConfig != nil && c.session.TLS == nil }

func (c *conn) mayAUTH() bool {
	return c.srv.Auth != nil && c.session.User == "" && len(c.mechanisms()) > 0
}

func (c *conn) mayRequireTLS() bool {
	return c.srv.Extensions&ExtRequireTLS != 0 && c.session.TLS != nil
}

// mayHold: RFC 4865 §4.2 forbids it outside submission.
func (c *conn) mayHold() bool {
	return c.srv.Extensions&ExtFutureRelease != 0 && c.srv.Profile == Submission
}

// mayPRDR: LMTP answers for each recipient anyway.
func (c *conn) mayPRDR() bool { return c.srv.Extensions&ExtPRDR != 0 && c.srv.Profile != LMTP }

func (c *conn) mayXCLIENT() bool {
	return c.srv.XClient != nil && c.srv.XClient(c.peer)
}

func (c *conn) hasLimits() bool { return c.limitsArg() != "" }

func (c *conn) limitsArg() string {
	var list []string
	if n := c.srv.limits.Messages; n > 0 {
		list = append(list, "MAILMAX="+strconv.Itoa(n))
	}
	if n := c.srv.limits.Recipients; n > 0 {
		list = append(list, "RCPTMAX="+strconv.Itoa(n))
	}
	return strings.Join(list, " ")
}

func (c *conn) sizeArg() string {
	if n := c.srv.limits.MessageBytes; n > 0 {
		return strconv.FormatInt(n, 10)
	}
	return "0" // RFC 1870 §3: no fixed maximum
}

func (c *conn) minByArg() string {
	if d := c.srv.MinBy; d > 0 {
		return strconv.Itoa(int(d / time.Second))
	}
	return ""
}

func (s *Server) maxHold() time.Duration {
	if s.MaxHold > 0 {
		return s.MaxHold
	}
	return 30 * 24 * time.Hour
}

func (c *conn) holdArg() string {
	d := c.srv.maxHold()
	return fmt.Sprintf("%d %s", int(d/time.Second), c.srv.now().Add(d).UTC().Format(time.RFC3339))
}

// mechanisms lists what AUTH offers here and now.
func (c *conn) mechanisms() []string {
	all := c.srv.Auth.Mechanisms(c.login(""))
	if c.session.TLS != nil || c.srv.InsecureAuth {
		return all
	}
	var safe []string
	for _, m := range all {
		if !sasl.Plaintext(m) {
			safe = append(safe, m)
		}
	}
	return safe
}

func (c *conn) authArg() string { return strings.Join(c.mechanisms(), " ") }

// private finds the verb of an extension of the program's own.
func (s *Server) private(verb string) *Extension {
	for i := range s.Private {
		if x := &s.Private[i]; x.Command != nil && x.Verb != "" && upper(verb) == upper(x.Verb) {
			return x
		}
	}
	return nil
}

// privateParam reports whether an extension of the program's own accepts name.
func (s *Server) privateParam(name string, list func(*Extension) []string) bool {
	for i := range s.Private {
		for _, p := range list(&s.Private[i]) {
			if upper(p) == name {
				return true
			}
		}
	}
	return false
}

package pop3

import (
	"strconv"
	"strings"
	"time"

	"github.com/postilion-mail/postilion/smtp/sasl"
)

// A capability is one line of CAPA: what is there is what is told. value gives
// its arguments and whether it is offered now. RFC 2449 §5 wants those of the
// AUTHORIZATION state in both states.
type capability struct {
	keyword string
	value   func(c *conn) (args string, offered bool)
}

var capabilities = [...]capability{
	{"TOP", always}, // RFC 2449 §6.1
	{"USER", func(c *conn) (string, bool) { return "", c.offersPassword() }}, // RFC 2449 §6.2
	{"SASL", (*conn).mechanisms},                                        // RFC 2449 §6.3
	{"STLS", func(c *conn) (string, bool) { return "", c.offersTLS() }}, // RFC 2595 §4
	{"RESP-CODES", always},                                              // RFC 2449 §6.4
	{"AUTH-RESP-CODE", always},                                          // RFC 3206 §5
	{"LOGIN-DELAY", (*conn).loginDelay},                                 // RFC 2449 §6.5
	{"PIPELINING", always},                                              // RFC 2449 §6.6
	{"EXPIRE", (*conn).expire},                                          // RFC 2449 §6.7
	{"UIDL", always},                                                    // RFC 2449 §6.8
	{"UTF8", func(*conn) (string, bool) { return "USER", true }},        // RFC 6856 §2
	{"LANG", always},                                                    // RFC 6856 §3
	{"IMPLEMENTATION", (*conn).implementation},                          // RFC 2449 §6.9
}

func always(*conn) (string, bool) { return "", true }

// CAPA lists what can be done here (RFC 2449 §5).
func (c *conn) CAPA(string) (reply, error) {
	var lines []string
	for i := range capabilities {
		x := &capabilities[i]
		if args, offered := x.value(c); offered && !c.srv.withholds(x.keyword) {
			lines = append(lines, strings.TrimSpace(x.keyword+" "+args))
		}
	}
	return c.lines(ok("Capability list follows"), lines)
}

// lines answers with a list of lines that hold no dot at their beginning.
func (c *conn) lines(r reply, lines []string) (reply, error) {
	c.put(r)
	c.list(len(lines), func(dst []byte, i int) []byte { return append(append(dst, lines[i]...), '\r', '\n') })
	return done, nil
}

func (c *conn) offersPassword() bool { return c.srv.takesPasswords() && c.mayShow() }

// offersTLS: RFC 2595 §4 has STLS announced in the AUTHORIZATION state, and no
// longer once TLS is there.
func (c *conn) offersTLS() bool { return c.srv.TLSConfig != nil && c.session.TLS == nil }

func (c *conn) mechanisms() (string, bool) {
	var names []string
	for _, m := range c.srv.Auth.Mechanisms(c.login("")) {
		if !sasl.Plaintext(m) || c.mayShow() {
			names = append(names, m)
		}
	}
	return strings.Join(names, " "), len(names) > 0
}

func (c *conn) loginDelay() (string, bool) {
	return seconds(c.srv.LoginDelay), c.srv.LoginDelay > 0
}

// seconds rounds up: who waits as long as was told has waited long enough.
func seconds(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}

func (c *conn) expire() (string, bool) {
	switch d := c.srv.Expire; {
	case d == 0:
		return "NEVER", true
	default:
		return strconv.FormatInt(int64(d/(24*time.Hour)), 10), d > 0
	}
}

func (c *conn) implementation() (string, bool) {
	switch name := c.srv.Implementation; name {
	case "":
		return "postilion", true
	case "-":
		return "", false
	default:
		return printable(name), true
	}
}

// printable keeps what a line may hold.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
	return s[:min(len(s), 200)]
}

// UTF8 lets messages with UTF-8 in their headers through (RFC 6856 §2.1).
func (c *conn) UTF8(string) (reply, error) {
	c.utf8 = true
	return ok("UTF-8 mode"), nil
}

// LANG chooses the language of texts, of which there is one (RFC 6856 §3.2).
func (c *conn) LANG(arg string) (reply, error) {
	switch strings.ToLower(arg) {
	case "":
		return c.lines(ok("Language listing follows"), []string{"en English"})
	case "*", "en", "i-default":
		return ok("en English it is"), nil
	}
	return fail("", "No such language"), nil
}

package smtp

import (
	"strconv"
	"strings"

	"github.com/postilion-mail/postilion/internal/addr"
)

// Capabilities is what a server offered in reply to EHLO or LHLO: keywords in
// upper case, each with its arguments. It is nil after HELO.
type Capabilities map[string]string

// Has reports whether the keyword was offered; it is given in upper case.
func (c Capabilities) Has(keyword string) bool {
	_, ok := c[keyword]
	return ok
}

// number reads a numeric argument of a keyword; 0 where there is none.
func (c Capabilities) number(keyword string) int64 {
	word, _, _ := strings.Cut(c[keyword], " ")
	if word == "" {
		return 0
	}
	n, err := strconv.ParseInt(word, 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// Limit reads one of LIMITS (RFC 9422): MAILMAX, RCPTMAX, RCPTDOMAINMAX; 0
// where it is not given.
func (c Capabilities) Limit(name string) int {
	for word := range strings.FieldsSeq(c["LIMITS"]) {
		key, value, _ := strings.Cut(word, "=")
		if addr.EqualFold(key, name) {
			n, err := strconv.Atoi(value)
			if err == nil && n > 0 {
				return n
			}
		}
	}
	return 0
}

// mechanisms lists what AUTH offers, also in the form that servers of 1997
// gave it, "AUTH=LOGIN".
func (c Capabilities) mechanisms() []string {
	return strings.Fields(c["AUTH"])
}

// parseCapabilities reads the lines after the first.
func parseCapabilities(text string) Capabilities {
	caps := make(Capabilities)
	_, text, _ = strings.Cut(text, "\n")
	for line := range strings.SplitSeq(text, "\n") {
		word, arg, _ := strings.Cut(strings.TrimSpace(line), " ")
		key, old, legacy := strings.Cut(word, "=")
		key = upper(key)
		if legacy && key == "AUTH" {
			arg = strings.TrimSpace(old + " " + arg + " " + caps[key])
		}
		if isKeyword(key) {
			if key == "AUTH" && !legacy && caps[key] != "" {
				arg += " " + caps[key]
			}
			caps[key] = strings.TrimSpace(arg)
		}
	}
	return caps
}

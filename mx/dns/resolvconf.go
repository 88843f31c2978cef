package dns

import (
	"cmp"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// What holds if nobody says anything else.
const (
	defaultTimeout  = 3 * time.Second
	defaultAttempts = 2
)

// conf is what resolv.conf(5) says, as far as it concerns a Client.
type conf struct {
	servers  []string // with ports
	timeout  time.Duration
	attempts int
	trustAD  bool

	modified time.Time // of the file
	size     int64
}

// resolvConf gives the contents of the file, read again if it changed since.
func (c *Client) resolvConf() conf {
	path := cmp.Or(c.ResolvConf, "/etc/resolv.conf")
	info, err := os.Stat(path)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		if c.conf.servers == nil {
			c.conf = parseConf("")
		}
		return c.conf // the file is being replaced: what it said still holds
	}
	if c.conf.servers == nil || !info.ModTime().Equal(c.conf.modified) || info.Size() != c.conf.size {
		if text, err := os.ReadFile(path); err == nil {
			c.conf = parseConf(string(text))
			c.conf.modified, c.conf.size = info.ModTime(), info.Size()
		} else if c.conf.servers == nil {
			c.conf = parseConf("")
		}
	}
	return c.conf
}

// parseConf reads the text of resolv.conf; what it does not know it ignores.
func parseConf(text string) conf {
	cf := conf{timeout: defaultTimeout, attempts: defaultAttempts}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 2 || strings.ContainsAny(f[0][:1], "#;") {
			continue
		}
		switch f[0] {
		case "nameserver":
			if len(cf.servers) < 3 {
				cf.servers = append(cf.servers, withPort(f[1]))
			}
		case "options":
			for _, o := range f[1:] {
				cf.option(o)
			}
		}
	}
	if cf.servers == nil {
		cf.servers = []string{"127.0.0.1:53", "[::1]:53"}
	}
	return cf
}

// option reads one word of an options line; the caps are those of resolv.conf(5).
func (cf *conf) option(o string) {
	name, value, _ := strings.Cut(o, ":")
	n, _ := strconv.Atoi(value)
	switch {
	case name == "timeout" && n > 0:
		cf.timeout = time.Duration(min(n, 30)) * time.Second
	case name == "attempts" && n > 0:
		cf.attempts = min(n, 5)
	case name == "trust-ad":
		cf.trustAD = true
	}
}

// withPorts is withPort for a list, which it does not change.
func withPorts(servers []string) []string {
	all := make([]string, len(servers))
	for i, s := range servers {
		all[i] = withPort(s)
	}
	return all
}

// withPort adds the port of the DNS to an address that has none.
func withPort(server string) string {
	if _, _, err := net.SplitHostPort(server); err == nil {
		return server
	}
	return net.JoinHostPort(strings.Trim(server, "[]"), "53")
}

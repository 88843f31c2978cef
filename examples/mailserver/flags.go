package main

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/postilion-mail/postilion/alias"
	"github.com/postilion-mail/postilion/alias/list"
	"github.com/postilion-mail/postilion/mx"
	"github.com/postilion-mail/postilion/mx/dns"
	"github.com/postilion-mail/postilion/mx/dns/dnstest"
	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/smtp/sasl"
	"github.com/postilion-mail/postilion/spf"
	"github.com/postilion-mail/postilion/spool"
	"github.com/postilion-mail/postilion/spool/dirspool"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// config is what the command line says, made usable.
type config struct {
	dir, host, relay, port string
	domains                []string
	first                  string // user: gets what is for Postmaster
	users                  map[string]string
	aliases                alias.Resolver
	lists                  []*list.List
	members                *list.Dir
	key                    []byte // signs the addresses of lists
	resolver               dns.Resolver
	mayDial                func(netip.Addr) bool // nil: what is no private address
	allow                  []netip.Prefix
	addrs                  map[string]string // of the listeners
	tls                    *tls.Config
	scanner                string
	spf                    string
	maxSize                int64
	maxConns, failures     int
	release                bool // what the queue holds back
	log                    *slog.Logger
}

// services are the listeners with their default addresses.
var services = []struct{ name, addr string }{
	{"smtp", "127.0.0.1:2525"}, {"submission", "127.0.0.1:2587"}, {"submissions", "127.0.0.1:2465"}, {"lmtp", "127.0.0.1:2424"},
	{"pop3", "127.0.0.1:2110"}, {"pop3s", "127.0.0.1:2995"}, {"imap", "127.0.0.1:2143"}, {"imaps", "127.0.0.1:2993"},
}

// many is a flag that may be given several times.
type many []string

func (m *many) String() string     { return strings.Join(*m, ",") }
func (m *many) Set(s string) error { *m = append(*m, s); return nil }

func parse(args []string, errOut io.Writer) (*config, error) {
	c := &config{users: make(map[string]string), addrs: make(map[string]string), log: slog.New(slog.NewTextHandler(errOut, nil))}
	f := flag.NewFlagSet("mailserver", flag.ContinueOnError)
	f.SetOutput(errOut)
	var domains, users, lists, allow many
	f.StringVar(&c.dir, "dir", "mail", "spool, mailboxes and certificates")
	f.StringVar(&c.host, "hostname", "localhost", "what this host is called")
	f.Var(&domains, "domain", "take mail for this domain; may be repeated")
	f.Var(&users, "user", "`name:password` of a user; may be repeated. The first gets mail for Postmaster")
	aliases := f.String("aliases", "", "an aliases(5) `file`")
	f.Var(&lists, "list", "run a mailing list of this `name`; may be repeated. The first user owns it")
	f.StringVar(&c.scanner, "scan", "", "a `command` that gets each message on standard input: exit 0 passes, 1 refuses, else try later")
	addrs := make(map[string]*string)
	for _, s := range services {
		addrs[s.name] = f.String(s.name, s.addr, "`address` of this listener, empty: none")
	}
	cert, key := f.String("cert", "", "certificate chain, a PEM `file`; without it one is made"), f.String("key", "", "its key, a PEM `file`")
	f.StringVar(&c.relay, "relay", "", "send mail for elsewhere through this `host:port`")
	f.StringVar(&c.port, "port", "", "of other mail hosts, for tests")
	zone := f.String("zone", "", "answer DNS from this zone `file`, and speak to hosts on loopback")
	f.StringVar(&c.spf, "spf", "off", "off, mark or reject")
	f.Var(&allow, "allow", "networks (`CIDR`) that may use submission, POP3 and IMAP; may be repeated, default all")
	f.Int64Var(&c.maxSize, "max-size", 25<<20, "octets of a message")
	f.IntVar(&c.maxConns, "max-conns-per-ip", 100, "connections of one address at the same time")
	f.IntVar(&c.failures, "auth-failures", 30, "failed logins a minute of one address before it is slowed")
	f.BoolVar(&c.release, "release", false, "try again at once what the queue holds back: what waits, and what was on its way at several crashes")
	if err := f.Parse(args); err != nil {
		return nil, flag.ErrHelp
	}
	for name, addr := range addrs {
		c.addrs[name] = *addr
	}
	return c, errors.Join(c.setDomains(domains), c.setUsers(users), c.setAllow(allow), c.setSPF(),
		c.setAliases(*aliases), c.setLists(lists), c.setDNS(*zone), c.setTLS(*cert, *key))
}

func (c *config) setDomains(domains []string) error {
	for _, d := range domains {
		c.domains = append(c.domains, strings.ToLower(d))
	}
	if len(c.domains) == 0 {
		return errors.New("-domain: for whom?")
	}
	return nil
}

func (c *config) setUsers(users []string) error {
	for _, u := range users {
		name, password, ok := strings.Cut(u, ":")
		if !ok || name == "" || password == "" || strings.ContainsAny(name, "@+/") {
			return errors.New("-user: name:password") // the password is nobody's business
		}
		name = strings.ToLower(name)
		if c.first == "" {
			c.first = name
		}
		c.users[name] = password
	}
	if c.first == "" {
		return errors.New("-user: nobody would get the mail for Postmaster")
	}
	return nil
}

func (c *config) setAllow(networks []string) error {
	for _, n := range networks {
		p, err := netip.ParsePrefix(n)
		if err != nil {
			return fmt.Errorf("-allow: %w", err)
		}
		c.allow = append(c.allow, p.Masked())
	}
	return nil
}

func (c *config) setSPF() error {
	if !slices.Contains([]string{"off", "mark", "reject"}, c.spf) {
		return fmt.Errorf("-spf %q: off, mark or reject", c.spf)
	}
	return nil
}

func (c *config) setAliases(file string) error {
	if file == "" || len(c.domains) == 0 {
		return nil
	}
	table, err := alias.Open(file, alias.ParseOptions{Domain: c.domains[0], Report: func(err error) { c.log.Warn("aliases", "err", err) }})
	if err == nil {
		c.aliases = table
	}
	return err
}

// setLists keeps the members of lists, and the key that signs for them, in dir.
func (c *config) setLists(names []string) (err error) {
	if len(c.domains) == 0 || c.first == "" {
		return nil
	}
	if c.members, err = list.OpenDir(c.sub("lists")); err != nil {
		return err
	}
	owner, err := smtp.ParsePath(c.first + "@" + c.domains[0])
	if err != nil {
		return err
	}
	for _, name := range names {
		address, err := smtp.ParsePath(name + "@" + c.domains[0])
		if err != nil {
			return fmt.Errorf("-list: %w", err)
		}
		c.lists = append(c.lists, &list.List{Address: address, Owners: []smtp.Path{owner}})
	}
	c.key, err = secret(filepath.Join(c.dir, "key"))
	return err
}

// secret reads a random key, or makes it.
func secret(file string) ([]byte, error) {
	if b, err := os.ReadFile(file); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return b, err
	}
	b := make([]byte, 32)
	if _, err := rand.Read(b); err != nil {
		return nil, err
	}
	return b, os.WriteFile(file, b, 0o600)
}

func (c *config) setDNS(zone string) error {
	if zone == "" {
		c.resolver = &dns.Cache{Next: &dns.Client{}}
		return nil
	}
	text, err := os.ReadFile(zone)
	if err != nil {
		return err
	}
	c.mayDial = func(a netip.Addr) bool { return a.IsLoopback() || mx.DefaultAllow(a) }
	c.resolver, err = dnstest.Parse(string(text))
	return err
}

// openQueue opens the queue, and lets go what is held in it where that is asked.
func (c *config) openQueue(ctx context.Context) (*dirspool.Store, error) {
	queue, err := dirspool.Open(filepath.Join(c.dir, "spool"), dirspool.Options{Log: c.log})
	if err != nil || !c.release {
		return queue, err
	}
	for _, action := range []spool.Action{spool.Release, spool.Flush} {
		if _, err := queue.Apply(ctx, spool.Filter{}, action); err != nil {
			queue.Close()
			return nil, err
		}
	}
	return queue, nil
}

// sub is a folder in dir, which is made.
func (c *config) sub(name string) string {
	name = filepath.Join(c.dir, name)
	_ = os.MkdirAll(name, 0o700) // who uses it sees whether it is there
	return name
}

// eachUser makes what each user needs, if it is not there yet.
func (c *config) eachUser(create func(user string) error) error {
	for user := range c.users {
		if err := create(user); err != nil && !errors.Is(err, mailbox.ErrExists) {
			return err
		}
	}
	return nil
}

// listeners are those that are up.
type listeners map[string]net.Listener

func (l listeners) String() string {
	var b strings.Builder
	for _, s := range services {
		if one := l[s.name]; one != nil {
			fmt.Fprintf(&b, " %s=%s", s.name, one.Addr())
		}
	}
	return strings.TrimSpace(b.String())
}

// listen opens all of them or none.
func (c *config) listen() (listeners, error) {
	l := make(listeners)
	for _, s := range services {
		if c.addrs[s.name] == "" {
			continue
		}
		one, err := net.Listen("tcp", c.addrs[s.name])
		if err != nil {
			for _, open := range l {
				open.Close()
			}
			return nil, err
		}
		l[s.name] = one
	}
	return l, nil
}

// ours reports an address of one of our domains, or Postmaster without a domain
// (RFC 5321 §4.5.1).
func (c *config) ours(p smtp.Path) bool {
	return slices.Contains(c.domains, p.Domain()) || p.Domain() == "" && strings.EqualFold(p.Local(), "postmaster")
}

// mailboxOf is a local.Agent's User.
func (c *config) mailboxOf(_ context.Context, p smtp.Path) (user, folder string, err error) {
	user = userOf(p.Local())
	if _, ok := c.users[user]; ok {
		return user, "", nil
	}
	if user == "postmaster" {
		return c.first, "", nil
	}
	return "", "", mailbox.ErrNotExist
}

func (c *config) mayUse(a netip.Addr) bool {
	return len(c.allow) == 0 || slices.ContainsFunc(c.allow, func(p netip.Prefix) bool { return p.Contains(a) })
}

func (c *config) checkPassword(_ context.Context, l sasl.Login, password string) error {
	want, known := c.users[userOf(l.User)]
	if subtle.ConstantTimeCompare([]byte(want), []byte(password)) != 1 || !known {
		return sasl.ErrCredentials
	}
	return nil
}

// authorize lets users log in as name or as name@domain.
func (c *config) authorize(_ context.Context, l sasl.Login) (string, error) {
	if _, domain, has := strings.Cut(l.User, "@"); has && !slices.Contains(c.domains, strings.ToLower(domain)) || l.Authz != "" && l.Authz != l.User {
		return "", sasl.ErrCredentials
	}
	return userOf(l.User), nil
}

// checkSPF is a Handler's Mail.
func (c *config) checkSPF(checker *spf.Checker) func(context.Context, *smtp.Transaction) error {
	if c.spf == "off" {
		return nil
	}
	return func(ctx context.Context, t *smtp.Transaction) error {
		report := checker.Check(ctx, spf.Request{IP: t.Session.Remote.Addr(), Hello: t.Session.Hello, MailFrom: t.From.Address(), Receiver: c.host})
		if err := report.Err(spf.Policy{RejectFail: c.spf == "reject"}); err != nil {
			return err
		}
		return t.AddField(report.ReceivedSPF())
	}
}

// scan runs the command of -scan on a message.
func (c *config) scan(ctx context.Context, _ *smtp.Transaction, r io.Reader) error {
	if c.scanner == "" {
		return nil
	}
	words := strings.Fields(c.scanner)
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Stdin = r
	err := cmd.Run()
	if e, ok := errors.AsType[*exec.ExitError](err); ok && e.ExitCode() == 1 {
		return smtp.Reject(550, "5.7.1", "The message was refused by the scanner")
	}
	return err
}

// userOf is the user of a login or a local part: "bob+lists" is bob.
func userOf(s string) string {
	s, _, _ = strings.Cut(s, "@")
	s, _, _ = strings.Cut(s, "+")
	return strings.ToLower(s)
}

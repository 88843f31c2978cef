package main

import (
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
)

// config is what the command line says, made usable.
type config struct {
	host      string
	keep      int
	keepBytes int64
	maxSize   int64
	faults    []fault
	addrs     map[string]string // of the listeners
	tls       *tls.Config
	ca        []byte // PEM
	log       *slog.Logger
}

// services are the listeners with their default addresses.
var services = []struct{ name, addr string }{
	{"smtp", "127.0.0.1:1025"}, {"smtps", "127.0.0.1:1465"}, {"pop3", "127.0.0.1:1110"}, {"pop3s", "127.0.0.1:1995"},
	{"imap", "127.0.0.1:1143"}, {"imaps", "127.0.0.1:1993"}, {"http", "127.0.0.1:8025"},
}

// parse reads the command line. The error is flag.ErrHelp where the flag package
// has said already what is wrong.
func parse(args []string, errOut io.Writer) (*config, error) {
	c := &config{addrs: make(map[string]string)}
	f := flag.NewFlagSet("fakemail", flag.ContinueOnError)
	f.SetOutput(errOut)
	addrs := make(map[string]*string)
	for _, s := range services {
		addrs[s.name] = f.String(s.name, s.addr, "`address` of this listener, on loopback; empty: none")
	}
	caFile := f.String("ca", "", "write the authority's certificate to this PEM `file`")
	f.StringVar(&c.host, "hostname", "localhost", "what the server calls itself")
	f.IntVar(&c.keep, "keep", 1000, "messages to keep; the oldest go")
	f.Int64Var(&c.keepBytes, "keep-bytes", 256<<20, "octets of memory for them, copies in mailboxes counted")
	f.Int64Var(&c.maxSize, "max-size", 25<<20, "octets of one message")
	f.Func("fault", "a fault for every recipient, such as defer-451 or data-slow-2s; may be repeated", c.addFault)
	talk := f.Bool("log", false, "tell what the servers do, on standard error")
	if err := f.Parse(args); err != nil {
		return nil, flag.ErrHelp
	}
	if f.NArg() > 0 {
		f.Usage()
		return nil, flag.ErrHelp
	}
	if *talk {
		c.log = slog.New(slog.NewTextHandler(errOut, nil))
	}
	for name, addr := range addrs {
		c.addrs[name] = *addr
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	return c, c.setTLS(*caFile)
}

func (c *config) addFault(word string) error {
	x, ok := parseFault(word)
	if !ok {
		return errors.New("no such fault")
	}
	c.faults = append(c.faults, x)
	return nil
}

// check refuses what would not work, and all that the network could reach: a
// server that lets anyone in is for this machine alone.
func (c *config) check() error {
	if c.keep < 1 || c.keepBytes < 1 || c.maxSize < 1 {
		return errors.New("-keep, -keep-bytes and -max-size: more than nothing")
	}
	for name, addr := range c.addrs {
		if addr == "" {
			continue
		}
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return fmt.Errorf("-%s: %w", name, err)
		}
		if !loopback(host) {
			return fmt.Errorf("-%s %s: not an address of loopback", name, addr)
		}
	}
	return nil
}

// loopback reports a host that is this machine and no other, without asking DNS.
func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

// setTLS makes an authority and a certificate of it. Its key is forgotten at
// once.
func (c *config) setTLS(caFile string) error {
	pair, ca, err := issue(c.host, "localhost", "127.0.0.1", "::1")
	if err != nil {
		return err
	}
	c.tls, c.ca = &tls.Config{Certificates: []tls.Certificate{pair}}, ca
	if caFile == "" {
		return nil
	}
	return os.WriteFile(caFile, ca, 0o644) // a certificate is no secret
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

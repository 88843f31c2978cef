package main

import (
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/postilion-mail/postilion/mime"
	"github.com/postilion-mail/postilion/mx/dns"
	"github.com/postilion-mail/postilion/mx/dns/dnstest"
	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/smtp/sasl"
)

// options are what the command line says.
type options struct {
	message  mime.Builder
	client   smtp.Client
	resolver dns.Resolver
	loopback bool // mail hosts on loopback are fine
	port     string
	quiet    bool
}

// many is a flag that may be given several times.
type many []string

func (m *many) String() string     { return strings.Join(*m, ",") }
func (m *many) Set(s string) error { *m = append(*m, s); return nil }

var modes = map[string]smtp.TLSMode{"implicit": smtp.TLSImplicit, "starttls": smtp.TLSRequired, "none": smtp.TLSNone}

// parse reads the command line, and the text.
func parse(args []string, password string, in io.Reader, errOut io.Writer) (*options, error) {
	o := &options{}
	flags := flag.NewFlagSet("send", flag.ContinueOnError)
	flags.SetOutput(errOut)
	from := flags.String("from", "", "who writes")
	to := flags.String("to", "", "the recipients")
	cc := flags.String("cc", "", "further recipients")
	bcc := flags.String("bcc", "", "further recipients, unseen")
	flags.StringVar(&o.message.Subject, "subject", "", "what it is about")
	html := flags.String("html", "", "the same for those who see HTML: a `file`")
	var attach many
	flags.Var(&attach, "attach", "attach a `file`")
	flags.StringVar(&o.client.Addr, "server", "", "the submission server, `host:port`")
	user := flags.String("user", "", "log in there; the password is in SEND_PASSWORD")
	mode := flags.String("tls", "starttls", "implicit, starttls or none")
	ca := flags.String("ca", "", "trust the certificates in this PEM `file`")
	flags.StringVar(&o.client.LocalName, "name", "", "how this host calls itself")
	zone := flags.String("zone", "", "ask this zone `file` instead of the DNS")
	flags.StringVar(&o.port, "port", "", "of mail hosts")
	flags.BoolVar(&o.quiet, "quiet", false, "say nothing but what went wrong")
	flags.Usage = func() {
		fmt.Fprintln(errOut, "usage: send -from addr -to addr[,addr] [flags] [text]")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	m := &o.message
	m.From, m.To, m.Cc, m.Bcc = addresses(*from), addresses(*to), addresses(*cc), addresses(*bcc)
	for _, file := range attach {
		m.Files = append(m.Files, mime.AttachFile(file))
	}
	if err := o.read(flags.Args(), *html, in); err != nil {
		return nil, err
	}
	return o, o.connect(*mode, *user, password, *ca, *zone)
}

// addresses are those of a flag, which may be absent.
func addresses(list string) []mime.Address {
	if list == "" {
		return nil
	}
	return mime.To(list)
}

// read finds the text.
func (o *options) read(args []string, html string, in io.Reader) error {
	o.message.Text = strings.Join(args, " ")
	if len(args) == 0 {
		b, err := io.ReadAll(in)
		if err != nil {
			return err
		}
		o.message.Text = string(b)
	}
	if html != "" {
		b, err := os.ReadFile(html)
		if err != nil {
			return err
		}
		o.message.HTML = string(b)
	}
	return nil
}

// connect decides how the message travels.
func (o *options) connect(mode, user, password, ca, zone string) (err error) {
	var known bool
	if o.client.TLS, known = modes[mode]; !known {
		return fmt.Errorf("-tls %q: implicit, starttls or none", mode)
	}
	if user != "" {
		o.client.Auth = &sasl.Credentials{User: user, Password: password, Cleartext: mode == "none"}
	}
	if ca != "" {
		if o.client.TLSConfig, err = trust(ca); err != nil {
			return err
		}
	}
	if zone == "" {
		o.resolver = &dns.Cache{Next: &dns.Client{}}
		return nil
	}
	text, err := os.ReadFile(zone)
	if err != nil {
		return err
	}
	o.loopback = true
	o.resolver, err = dnstest.Parse(string(text))
	return err
}

func trust(file string) (*tls.Config, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s: no certificate in it", file)
	}
	return &tls.Config{RootCAs: pool}, nil
}

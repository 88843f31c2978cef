// Popfetch downloads a mailbox over POP3: each message into a file of its own.
//
//	popfetch -user NAME [flags] HOST[:PORT]
//
//	-dir DIR      where the files go (default ".")
//	-user NAME    who logs in; the password is in POPFETCH_PASSWORD
//	-tls MODE     implicit (default, port 995), starttls (port 110) or none
//	-ca FILE      trust the certificates in this PEM file instead of the system's
//	-delete       delete from the server what was downloaded
//	-quiet        no progress bar
//
// What was downloaded is remembered in DIR/seen, so that the next call brings
// only what is new. A file has its name when it is whole and on the disk, and
// only then its message is remembered, or deleted. The exit code is 0 if all
// went well, 1 if not, 2 if the arguments are wrong.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"

	"github.com/postilion-mail/postilion/pop3"
	"github.com/postilion-mail/postilion/smtp/sasl"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Getenv("POPFETCH_PASSWORD"), os.Stdout, os.Stderr))
}

// options are what the command line says.
type options struct {
	client *pop3.Client
	dir    string
	delete bool
	quiet  bool
}

func run(ctx context.Context, args []string, password string, out, errOut io.Writer) int {
	o, err := parse(args, password, errOut)
	if err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(errOut, "popfetch:", err)
		}
		return 2
	}
	n, err := o.fetch(ctx, out)
	fmt.Fprintf(out, "%d new\n", n)
	if err != nil {
		fmt.Fprintln(errOut, "popfetch:", err)
		return 1
	}
	return 0
}

// parse reads the command line.
func parse(args []string, password string, errOut io.Writer) (*options, error) {
	flags := flag.NewFlagSet("popfetch", flag.ContinueOnError)
	flags.SetOutput(errOut)
	o := &options{}
	flags.StringVar(&o.dir, "dir", ".", "where the files go")
	flags.BoolVar(&o.delete, "delete", false, "delete from the server what was downloaded")
	flags.BoolVar(&o.quiet, "quiet", false, "no progress bar")
	user := flags.String("user", "", "who logs in; the password is in POPFETCH_PASSWORD")
	mode := flags.String("tls", "implicit", "implicit, starttls or none")
	ca := flags.String("ca", "", "trust the certificates in this PEM `file`")
	flags.Usage = func() {
		fmt.Fprintln(errOut, "usage: popfetch -user name [flags] host[:port]")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() != 1 || *user == "" {
		flags.Usage()
		return nil, flag.ErrHelp
	}
	m, known := modes[*mode]
	if !known {
		return nil, fmt.Errorf("-tls %q: implicit, starttls or none", *mode)
	}
	addr := flags.Arg(0)
	if _, _, err := net.SplitHostPort(addr); err != nil {
		addr = net.JoinHostPort(addr, m.port)
	}
	o.client = &pop3.Client{Addr: addr, TLS: m.mode, Auth: &sasl.Credentials{User: *user, Password: password, Cleartext: m.mode == pop3.TLSNone}}
	var err error
	if *ca != "" {
		o.client.TLSConfig, err = trust(*ca)
	}
	return o, err
}

// modes are the ways to TLS, each with its port.
var modes = map[string]struct {
	mode pop3.TLSMode
	port string
}{
	"implicit": {pop3.TLSImplicit, "995"},
	"starttls": {pop3.TLSRequired, "110"},
	"none":     {pop3.TLSNone, "110"},
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

// Imapls lists the folders of an IMAP account, and the newest messages of one.
//
//	imapls -user NAME [flags] HOST[:PORT]
//
//	-user NAME    who logs in; the password is in IMAPLS_PASSWORD
//	-folder NAME  whose messages are listed (default INBOX)
//	-n COUNT      how many, the newest first (default 10)
//	-watch        go on and tell of new messages as they come
//	-tls MODE     implicit (default, port 993), starttls (port 143) or none
//	-ca FILE      trust the certificates in this PEM file instead of the system's
//
// The exit code is 0 if all went well, 1 if not, 2 if the arguments are wrong.
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
	"strings"

	"github.com/postilion-mail/postilion/imap"
	"github.com/postilion-mail/postilion/smtp/sasl"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Getenv("IMAPLS_PASSWORD"), os.Stdout, os.Stderr))
}

// options are what the command line says.
type options struct {
	client *imap.Client
	folder string
	n      int
	watch  bool
}

func run(ctx context.Context, args []string, password string, out, errOut io.Writer) int {
	o, err := parse(args, password, errOut)
	if err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(errOut, "imapls:", err)
		}
		return 2
	}
	if err := o.list(ctx, out); err != nil {
		fmt.Fprintln(errOut, "imapls:", err)
		return 1
	}
	return 0
}

// parse reads the command line.
func parse(args []string, password string, errOut io.Writer) (*options, error) {
	flags := flag.NewFlagSet("imapls", flag.ContinueOnError)
	flags.SetOutput(errOut)
	o := &options{}
	flags.StringVar(&o.folder, "folder", "INBOX", "whose messages are listed")
	flags.IntVar(&o.n, "n", 10, "how many, the newest first")
	flags.BoolVar(&o.watch, "watch", false, "go on and tell of new messages as they come")
	user := flags.String("user", "", "who logs in; the password is in IMAPLS_PASSWORD")
	mode := flags.String("tls", "implicit", "implicit, starttls or none")
	ca := flags.String("ca", "", "trust the certificates in this PEM `file`")
	flags.Usage = func() {
		fmt.Fprintln(errOut, "usage: imapls -user name [flags] host[:port]")
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
	o.client = &imap.Client{Addr: addr, TLS: m.mode, ID: []string{"name", "imapls"},
		Auth: &sasl.Credentials{User: *user, Password: password, Cleartext: m.mode == imap.TLSNone}}
	var err error
	if *ca != "" {
		o.client.TLSConfig, err = trust(*ca)
	}
	return o, err
}

// modes are the ways to TLS, each with its port.
var modes = map[string]struct {
	mode imap.TLSMode
	port string
}{
	"implicit": {imap.TLSImplicit, "993"},
	"starttls": {imap.TLSRequired, "143"},
	"none":     {imap.TLSNone, "143"},
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

// list prints folders and messages, and with -watch what comes.
func (o *options) list(ctx context.Context, out io.Writer) error {
	conn, err := o.client.Connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	for f, err := range conn.List(ctx, "*", imap.ListOptions{Status: true, SpecialUse: true}) {
		if err != nil {
			return err
		}
		fmt.Fprintln(out, folder(f))
	}
	if _, err := conn.Examine(ctx, o.folder); err != nil {
		return err
	}
	all, err := conn.Search(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\nnewest of %s\n", o.folder)
	if err := o.messages(ctx, out, conn, newest(all, o.n)); err != nil || !o.watch {
		return errors.Join(err, logout(ctx, conn, o.watch))
	}
	return o.follow(ctx, out, conn, all)
}

func logout(ctx context.Context, conn *imap.Conn, watch bool) error {
	if watch {
		return nil
	}
	return conn.Logout(ctx)
}

// folder is one line of the list.
func folder(f *imap.MailboxInfo) string {
	line := f.Name
	if f.Status != nil {
		line = fmt.Sprintf("%-30s %6d messages, %d unseen", f.Name, f.Status.Messages, f.Status.Unseen)
	}
	for _, a := range f.Attrs {
		switch strings.ToLower(a) {
		case `\sent`, `\drafts`, `\trash`, `\junk`, `\archive`, `\all`, `\flagged`:
			line += " " + a
		}
	}
	return line
}

// newest are the last n of a set.
func newest(all mailbox.Set, n int) mailbox.Set {
	var uids []mailbox.UID
	for u := range all.All() {
		uids = append(uids, u)
	}
	return mailbox.SetOf(uids[max(len(uids)-max(n, 0), 0):]...)
}

// messages prints one line for each, the newest first.
func (o *options) messages(ctx context.Context, out io.Writer, conn *imap.Conn, uids mailbox.Set) error {
	var lines []string
	for m, err := range conn.Fetch(ctx, uids, imap.Items{Flags: true, Envelope: true, Size: true, Received: true}) {
		if err != nil {
			return err
		}
		lines = append(lines, message(m))
	}
	for i := range lines {
		fmt.Fprintln(out, lines[len(lines)-1-i])
	}
	return nil
}

func message(m *imap.Message) string {
	mark := " "
	if !m.Flags.Has(`\Seen`) {
		mark = "*"
	}
	who, subject := "", ""
	if m.Envelope != nil {
		subject = m.Envelope.Subject
		if from := m.Envelope.From; len(from) > 0 {
			if who = from[0].Name; who == "" {
				who = from[0].Addr
			}
		}
	}
	return fmt.Sprintf("%s %6d  %s  %-20.20s  %s", mark, m.UID, m.Received.Format("2006-01-02 15:04"), who, subject)
}

// follow waits for new messages until ctx ends.
func (o *options) follow(ctx context.Context, out io.Writer, conn *imap.Conn, known mailbox.Set) error {
	for {
		news := false
		conn.Events.Exists = func(uint32) { news = true }
		if err := conn.Idle(ctx, func() bool { return !news }); err != nil {
			if ctx.Err() != nil {
				return nil // as asked
			}
			return err
		}
		all, err := conn.Search(ctx)
		if err != nil {
			return err
		}
		if err := o.messages(ctx, out, conn, all.Without(known)); err != nil {
			return err
		}
		known = all
	}
}

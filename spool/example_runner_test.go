package spool_test

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/postilion-mail/postilion/mime"
	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/spool"
	"github.com/postilion-mail/postilion/spool/memspool"
)

// A message for somebody who does not exist comes back as a report.
func ExampleRunner() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	store := &memspool.Store{}
	runner := spool.Runner{Store: store, Name: "crepes.fr",
		Deliver: func(_ context.Context, env smtp.Envelope, body *io.SectionReader) smtp.Results {
			if env.From.IsNull() {
				raw, _ := io.ReadAll(body)
				dsn, _ := mime.ParseDSN(mime.Parse(raw))
				fmt.Println("to", env.To[0].Path, "of", dsn.Recipients[0].Final, dsn.Recipients[0].Action, dsn.Recipients[0].Status)
				stop()
			}
			return smtp.Failed(len(env.To), smtp.Reject(550, "5.1.1", "no such user"))
		}}
	env, _ := smtp.NewEnvelope("ann@crepes.fr", "nobody@hamburger.edu")
	spool.Put(ctx, store, strings.NewReader("Subject: hello\r\n\r\n"), env)
	fmt.Println(runner.Run(ctx))
	// Output:
	// to <ann@crepes.fr> of nobody@hamburger.edu failed 5.1.1
	// <nil>
}

// A report in the language of the house.
func ExampleReport() {
	report := func(_ context.Context, r spool.Report) (*mime.Draft, error) {
		d := r.DSN()
		d.Subject, d.Text = "Non remis", "Votre message n'est pas arrivé.\n"
		return r.DraftOf(d)
	}
	runner := spool.Runner{Report: report}

	env, _ := smtp.NewEnvelope("ann@crepes.fr", "nobody@hamburger.edu")
	draft, err := runner.Report(context.Background(), spool.Report{Name: "crepes.fr", Item: &spool.Item{Envelope: env},
		Rcpts: []spool.ReportRcpt{{Action: "failed", Result: smtp.Failed(1, smtp.Reject(550, "5.1.1", "no such user"))[0]}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	raw, _ := draft.Bytes()
	fmt.Println(mime.Parse(raw).Header().Get("Subject"), draft.Recipients(), draft.Sender() == "")
	// Output: Non remis [ann@crepes.fr] true
}

// Counters for a dashboard.
func ExampleObserver() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	store := &memspool.Store{}
	runner := spool.Runner{Store: store,
		Deliver: func(_ context.Context, env smtp.Envelope, _ *io.SectionReader) smtp.Results {
			return smtp.Results{{Status: smtp.Accepted}, {Status: smtp.Permanent}}
		},
		Observe: spool.Observer{
			Sent:   func(env smtp.Envelope, _ smtp.Results) { fmt.Println("sent", env.To[0].Path) },
			Failed: func(env smtp.Envelope, _ smtp.Results) { fmt.Println("failed", env.To[0].Path); stop() },
		}}
	env, _ := smtp.NewEnvelope("", "bob@hamburger.edu", "nobody@hamburger.edu")
	spool.Put(ctx, store, strings.NewReader("Subject: hello\r\n\r\n"), env)
	runner.Run(ctx)
	// Output:
	// sent <bob@hamburger.edu>
	// failed <nobody@hamburger.edu>
}

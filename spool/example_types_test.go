package spool_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/spool"
	"github.com/postilion-mail/postilion/spool/memspool"
)

// oneQueued is a store with one message for two recipients.
func oneQueued() *memspool.Store {
	store := &memspool.Store{Now: func() time.Time { return time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC) }}
	env, _ := smtp.NewEnvelope("ann@example.org", "bob@hamburger.edu", "tom@example.com")
	if _, err := spool.Put(context.Background(), store, strings.NewReader("hello\r\n"), env); err != nil {
		fmt.Println(err)
	}
	return store
}

// A body is written as it comes, and one commit queues it for several envelopes.
func ExampleWriter() {
	ctx, store := context.Background(), &memspool.Store{}
	w, err := store.Begin(ctx, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer w.Abort() // does nothing after a Commit
	io.WriteString(w, "hello\r\n")
	one, _ := smtp.NewEnvelope("list-1@example.org", "bob@hamburger.edu")
	two, _ := smtp.NewEnvelope("list-2@example.org", "eve@hamburger.edu")
	fmt.Println(w.Commit(ctx, &spool.Item{Envelope: one}, &spool.Item{Envelope: two}))
	claims, _ := store.Claim(ctx, spool.Query{Max: 10})
	fmt.Println(len(claims))
	// Output:
	// <nil>
	// 2
}

func ExampleBlob() {
	ctx, store := context.Background(), oneQueued()
	claims, _ := store.Claim(ctx, spool.Query{})
	blob, err := store.Open(ctx, claims[0].Item.ID)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer blob.Close()
	b, err := io.ReadAll(io.NewSectionReader(blob, 0, blob.Size()))
	fmt.Printf("%q %v\n", b, err)
	// Output: "hello\r\n" <nil>
}

// A claim is one transaction: what goes to one place.
func ExampleClaim() {
	claims, _ := oneQueued().Claim(context.Background(), spool.Query{Max: 10})
	for _, c := range claims {
		fmt.Println(c.Dest(), c.Envelope().To[0].Path)
	}
	// Output:
	// hamburger.edu <bob@hamburger.edu>
	// example.com <tom@example.com>
}

func ExampleQuery() {
	q := spool.Query{Worker: "mx1", Max: 10, PerDest: 1, Lease: time.Minute, Skip: []string{"hamburger.edu"}}
	claims, _ := oneQueued().Claim(context.Background(), q)
	fmt.Println(len(claims), claims[0].Dest())
	// Output: 1 example.com
}

// A worker that needs longer says so before its lease runs out.
func ExampleLease() {
	ctx, store := context.Background(), oneQueued()
	claims, _ := store.Claim(ctx, spool.Query{Lease: time.Minute})
	l := claims[0].Lease
	fmt.Println(l.Until.Format(time.TimeOnly), store.Extend(ctx, l, time.Hour))
	// Output: 03:01:00 <nil>
}

// The zero Next settles a recipient, any other puts it off.
func ExampleOutcome() {
	ctx, store := context.Background(), oneQueued()
	claims, _ := store.Claim(ctx, spool.Query{Max: 2})
	for _, c := range claims {
		out := spool.Outcome{Rcpt: c.Due[0].Rcpt, Result: smtp.Result{Status: smtp.Accepted}}
		if c.Dest() == "example.com" {
			out.Result.Status, out.Next = smtp.Temporary, c.Lease.Until.Add(time.Hour)
		}
		fmt.Println(c.Dest(), store.Settle(ctx, c.Lease, []spool.Outcome{out}))
	}
	for info := range store.List(ctx, spool.Filter{}) {
		fmt.Println(len(info.Rcpts), "left")
	}
	// Output:
	// hamburger.edu <nil>
	// example.com <nil>
	// 1 left
}

func ExampleProgress() {
	claims, _ := oneQueued().Claim(context.Background(), spool.Query{})
	for _, p := range claims[0].Due {
		fmt.Println(claims[0].Item.Envelope.To[p.Rcpt].Path, "attempt", p.Attempts)
	}
	// Output: <bob@hamburger.edu> attempt 1
}

func ExampleInfo() {
	for info, err := range oneQueued().List(context.Background(), spool.Filter{}) {
		fmt.Println(info.Item.Envelope.From, len(info.Rcpts), "recipients,", info.Size, "octets", err)
	}
	// Output: <ann@example.org> 2 recipients, 7 octets <nil>
}

func ExampleState() {
	ctx, store := context.Background(), oneQueued()
	store.Claim(ctx, spool.Query{})
	for info := range store.List(ctx, spool.Filter{}) {
		for _, p := range info.Rcpts {
			fmt.Println(info.Item.Envelope.To[p.Rcpt].Path, p.State)
		}
	}
	// Output:
	// <bob@hamburger.edu> claimed
	// <tom@example.com> queued
}

func ExampleFilter() {
	ctx, store := context.Background(), oneQueued()
	n, err := store.Apply(ctx, spool.Filter{Dest: "hamburger.edu"}, spool.Hold)
	fmt.Println(n, err)
	n, err = store.Apply(ctx, spool.Filter{State: spool.StateHeld}, spool.Delete)
	fmt.Println(n, err)
	// Output:
	// 1 <nil>
	// 1 <nil>
}

func ExampleAction() {
	ctx, store := context.Background(), oneQueued()
	for _, a := range []spool.Action{spool.Hold, spool.Flush, spool.Release, spool.Delete} {
		n, err := store.Apply(ctx, spool.Filter{}, a)
		fmt.Println(a, n, err)
	}
	// Output:
	// hold 2 <nil>
	// flush 2 <nil>
	// release 2 <nil>
	// delete 2 <nil>
}

func ExampleID() {
	id, err := spool.NewID(time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC), bytes.NewReader(make([]byte, 100)))
	fmt.Println(len(id), err)
	_, err = spool.ParseID("../../etc/passwd")
	fmt.Println(err != nil)
	first, again := spool.DerivedID("order", "4711"), spool.DerivedID("order", "4711")
	fmt.Println(first == again) // the same order gives the same message
	// Output:
	// 26 <nil>
	// true
	// true
}

func ExampleReportRcpt() {
	env, _ := smtp.NewEnvelope("ann@example.org", "nobody@hamburger.edu")
	report := spool.Report{
		Item: &spool.Item{Envelope: env}, Name: "mail.example.org",
		Rcpts: []spool.ReportRcpt{{Rcpt: 0, Action: "failed", Result: smtp.Result{Status: smtp.Permanent, Host: "mx.hamburger.edu",
			Reply: smtp.Reply{Code: 550, Enhanced: "5.1.1", Text: "No such user"}}}},
	}
	for _, r := range report.DSN().Recipients {
		fmt.Println(r.Final, r.Action, r.Status, "-", r.Diagnostic)
	}
	// Output: nobody@hamburger.edu failed 5.1.1 - 550 5.1.1 No such user
}

// impatient gives up after three attempts.
type impatient struct{ spool.Schedule }

func (r *impatient) Next(it *spool.Item, p spool.Progress, res smtp.Result) time.Time {
	if p.Attempts >= 3 {
		return time.Time{}
	}
	return r.Schedule.Next(it, p, res)
}

// A Retry of one's own is best made of a Schedule.
func ExampleRetry() {
	var r spool.Retry = &impatient{}
	env, _ := smtp.NewEnvelope("ann@example.org", "bob@hamburger.edu")
	item := &spool.Item{Envelope: env, Created: time.Now()}
	for attempts := 2; attempts <= 3; attempts++ {
		next := r.Next(item, spool.Progress{Attempts: attempts}, smtp.Result{Status: smtp.Temporary})
		fmt.Println(attempts, next.IsZero())
	}
	// Output:
	// 2 false
	// 3 true
}

// A Window is the Limiter of a Runner that has none.
func ExampleLimiter() {
	var l spool.Limiter = &spool.Window{}
	release, dead := l.Acquire("hamburger.edu")
	fmt.Println(release != nil, dead.IsZero(), l.Full())
	release(smtp.Result{Status: smtp.Accepted})
	// Output: true true []
}

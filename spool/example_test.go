package spool_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/spool"
	"github.com/postilion-mail/postilion/spool/memspool"
)

// A server that queues: the reply follows from what Put returns.
func ExamplePut() {
	store := &memspool.Store{MaxBytes: 1000}
	handler := smtp.Handler{Message: func(ctx context.Context, t *smtp.Transaction, body io.Reader) error {
		id, err := spool.Put(ctx, store, body, t.Envelope)
		t.Queued = string(id)
		return err
	}}
	for _, size := range []int{10, 10_000} {
		env, _ := smtp.NewEnvelope("ann@example.org", "bob@hamburger.edu")
		t := &smtp.Transaction{Envelope: env}
		err := handler.Message(context.Background(), t, strings.NewReader(strings.Repeat("x", size)))
		fmt.Println(smtp.ReplyTo(err), len(t.Queued))
	}
	// Output:
	// 250 2.0.0 OK 26
	// 452 4.3.1 Insufficient system storage 0
}

// The same order twice gives one message.
func ExamplePutItems() {
	ctx, store := context.Background(), &memspool.Store{}
	for range 2 {
		env, _ := smtp.NewEnvelope("shop@example.org", "bob@hamburger.edu")
		item := &spool.Item{ID: spool.DerivedID("order", "4711"), Envelope: env, Class: "orders"}
		if err := spool.PutItems(ctx, store, strings.NewReader("Thank you.\r\n"), item); err != nil {
			fmt.Println(err)
		}
	}
	claims, _ := store.Claim(ctx, spool.Query{Max: 10})
	fmt.Println(len(claims))
	// Output: 1
}

// A worker claims, delivers and settles.
func ExampleStore() {
	ctx := context.Background()
	var store spool.Store = &memspool.Store{}
	env, _ := smtp.NewEnvelope("ann@example.org", "bob@hamburger.edu", "eve@hamburger.edu", "tom@example.com")
	if _, err := spool.Put(ctx, store, strings.NewReader("hello\r\n"), env); err != nil {
		fmt.Println(err)
	}
	claims, _ := store.Claim(ctx, spool.Query{Max: 10})
	for _, c := range claims {
		blob, _ := store.Open(ctx, c.Item.ID)
		fmt.Printf("%s: %d recipients, %d bytes\n", c.Dest(), len(c.Envelope().To), blob.Size())
		blob.Close()
		var out []spool.Outcome
		for _, p := range c.Due {
			out = append(out, spool.Outcome{Rcpt: p.Rcpt, Result: smtp.Result{Status: smtp.Accepted}})
		}
		fmt.Println(store.Settle(ctx, c.Lease, out))
		fmt.Println(errors.Is(store.Settle(ctx, c.Lease, out), spool.ErrLost))
	}
	// Output:
	// hamburger.edu: 2 recipients, 7 bytes
	// <nil>
	// true
	// example.com: 1 recipients, 7 bytes
	// <nil>
	// true
}

// A bounce is queued in the step that settles what it is about.
func ExampleFollowup() {
	ctx, store := context.Background(), &memspool.Store{}
	env, _ := smtp.NewEnvelope("ann@example.org", "nobody@hamburger.edu")
	spool.Put(ctx, store, strings.NewReader("hello\r\n"), env)
	claims, _ := store.Claim(ctx, spool.Query{})
	back, _ := smtp.NewEnvelope("", claims[0].Item.Envelope.From.Address())
	bounce := spool.Followup{Items: []*spool.Item{{Envelope: back}}, Body: strings.NewReader("no such user\r\n")}
	failed := spool.Outcome{Rcpt: 0, Result: smtp.Result{Status: smtp.Permanent}}
	fmt.Println(store.Settle(ctx, claims[0].Lease, []spool.Outcome{failed}, bounce))
	claims, _ = store.Claim(ctx, spool.Query{})
	fmt.Println(claims[0].Item.Envelope.From, claims[0].Item.Envelope.To[0].Path)
	// Output:
	// <nil>
	// <> <ann@example.org>
}

// Who looks after the queue asks the store whether it can be looked after.
func ExampleAdmin() {
	ctx := context.Background()
	var store spool.Store = &memspool.Store{}
	env, _ := smtp.NewEnvelope("ann@example.org", "bob@hamburger.edu", "tom@example.com")
	spool.Put(ctx, store, strings.NewReader("hello\r\n"), env)
	admin, ok := store.(spool.Admin)
	if !ok {
		return
	}
	n, err := admin.Apply(ctx, spool.Filter{Dest: "example.com"}, spool.Hold)
	fmt.Println(n, err)
	for info := range admin.List(ctx, spool.Filter{}) {
		for _, p := range info.Rcpts {
			fmt.Println(info.Item.Envelope.To[p.Rcpt].Path, p.State)
		}
	}
	// Output:
	// 1 <nil>
	// <bob@hamburger.edu> queued
	// <tom@example.com> held
}

func ExampleSchedule() {
	came := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	env, _ := smtp.NewEnvelope("ann@example.org", "bob@hamburger.edu")
	item := &spool.Item{Envelope: env, Created: came}
	s := &spool.Schedule{Jitter: -1, Now: func() time.Time { return came.Add(time.Hour) }}
	fmt.Println(s.Next(item, spool.Progress{Attempts: 3}, smtp.Result{Status: smtp.Temporary}).Format(time.TimeOnly))
	fmt.Println(s.Next(item, spool.Progress{Attempts: 3}, smtp.Result{Status: smtp.Permanent}).IsZero())
	fmt.Println(s.Warn(item, spool.Progress{}))
	// Output:
	// 04:20:00
	// true
	// false
}

func ExampleItem() {
	env, _ := smtp.NewEnvelope("ann@example.org", "bob@hamburger.edu")
	item := &spool.Item{ID: spool.DerivedID("1"), Envelope: env, Meta: map[string]string{"user": "ann"}}
	b, err := item.MarshalBinary()
	var back spool.Item
	fmt.Println(err, back.UnmarshalBinary(b), back.Meta["user"], back.DestOf(0))
	// Output: <nil> <nil> ann hamburger.edu
}

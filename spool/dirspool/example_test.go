package dirspool_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/spool"
	"github.com/postilion-mail/postilion/spool/dirspool"
)

// A message that was put is there for the next process.
func ExampleOpen() {
	dir, err := os.MkdirTemp("", "spool")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	store, err := dirspool.Open(dir, dirspool.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	env, _ := smtp.NewEnvelope("ann@crepes.example", "bob@hamburger.example")
	if _, err := spool.Put(context.Background(), store, strings.NewReader("Subject: hi\r\n\r\n"), env); err != nil {
		fmt.Println(err)
		return
	}
	store.Close()

	store, err = dirspool.Open(dir, dirspool.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()
	claims, _ := store.Claim(context.Background(), spool.Query{})
	fmt.Println(claims[0].Envelope().To[0].Path)
	// Output: <bob@hamburger.example>
}

// A health check of a server asks whether the disk still works.
func ExampleStore_Err() {
	health := func(s *dirspool.Store) string {
		if err := s.Err(); err != nil {
			return "restart me: " + err.Error()
		}
		return "ok"
	}
	dir, _ := os.MkdirTemp("", "spool")
	defer os.RemoveAll(dir)
	store, err := dirspool.Open(dir, dirspool.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(health(store))
	store.Close()
	fmt.Println(health(store))
	// Output:
	// ok
	// restart me: spool: store is closed
}

// A small machine keeps less free, and less in the queue.
func ExampleOptions() {
	o := dirspool.Options{
		ReserveBytes: 8 << 20,
		MaxItems:     10_000,
		Log:          slog.New(slog.DiscardHandler),
	}
	dir, _ := os.MkdirTemp("", "spool")
	defer os.RemoveAll(dir)
	store, err := dirspool.Open(dir, o)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()
	// Output:
}

// What Open found belongs in the log of a server.
func ExampleRecovery() {
	dir, _ := os.MkdirTemp("", "spool")
	defer os.RemoveAll(dir)
	store, err := dirspool.Open(dir, dirspool.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()
	if r := store.Recovery(); r.Corrupt > 0 {
		fmt.Println("look into corrupt/")
	} else {
		fmt.Println(r.Items, "items")
	}
	// Output: 0 items
}

package list_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/postilion-mail/postilion/alias/list"
	"github.com/postilion-mail/postilion/smtp"
)

// Members on disk are there again after a restart.
func ExampleDir() {
	name, err := os.MkdirTemp("", "lists")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(name)
	ctx, team := context.Background(), parse("team@hamburger.edu")
	for range 2 {
		d, err := list.OpenDir(name)
		if err != nil {
			fmt.Println(err)
			return
		}
		for m, err := range d.All(ctx, team) {
			fmt.Println(m.Path, m.State, err)
		}
		d.Update(ctx, team, parse("bob@hamburger.edu"), func(m *list.Member) error {
			m.State = list.Subscribed
			return nil
		})
		d.Close()
	}
	// Output: <bob@hamburger.edu> subscribed <nil>
}

func ExampleMember() {
	ctx, team, members := context.Background(), parse("team@hamburger.edu"), &list.Memory{}
	bob := parse("bob@hamburger.edu")
	members.Update(ctx, team, bob, func(m *list.Member) error {
		m.State, m.Moderated = list.Subscribed, true
		return nil
	})
	members.Update(ctx, team, bob, func(m *list.Member) error {
		fmt.Println(m.Path, m.State, m.Moderated)
		*m = list.Member{} // he leaves
		return nil
	})
	for range members.All(ctx, team) {
		fmt.Println("somebody is left")
	}
	// Output: <bob@hamburger.edu> subscribed true
}

// Who is on leave may post and gets nothing.
func ExampleState() {
	ctx, team, members := context.Background(), parse("team@hamburger.edu"), &list.Memory{}
	for name, state := range map[string]list.State{"ann": list.NoMail, "bob": list.Subscribed, "eve": list.Disabled} {
		members.Update(ctx, team, parse(name+"@hamburger.edu"), func(m *list.Member) error {
			m.State = state
			return nil
		})
	}
	lists := &list.Manager{Lists: []*list.List{{Address: team}}, Members: members, Post: show}
	env, _ := smtp.NewEnvelope("ann@hamburger.edu", "team@hamburger.edu")
	body := strings.NewReader("From: ann@hamburger.edu\r\nTo: team@hamburger.edu\r\nSubject: sunny here\r\n\r\n")
	fmt.Println(lists.Deliver(ctx, env, io.NewSectionReader(body, 0, body.Size())).Err())
	// Output:
	// <bob@hamburger.edu> sunny here
	// <nil>
}

func ExamplePostPolicy() {
	news := &list.List{Address: parse("news@hamburger.edu"), Owners: []smtp.Path{parse("zoe@hamburger.edu")},
		Post: list.OwnersPost, Refuse: true}
	lists := &list.Manager{Lists: []*list.List{news}, Members: &list.Memory{}, Post: show}
	env, _ := smtp.NewEnvelope("ann@hamburger.edu", "news@hamburger.edu")
	body := strings.NewReader("From: ann@hamburger.edu\r\nTo: news@hamburger.edu\r\nSubject: buy!\r\n\r\n")
	res := lists.Deliver(context.Background(), env, io.NewSectionReader(body, 0, body.Size()))
	fmt.Println(res[0].Reply.Code, res[0].Reply.Enhanced)
	// Output: 550 5.7.2
}

func ExampleJoinPolicy() {
	closed := &list.List{Address: parse("board@hamburger.edu"), Join: list.NobodyJoins}
	lists := &list.Manager{Lists: []*list.List{closed}, Members: &list.Memory{}, Post: show}
	fmt.Println(lists.Check())
	// Output: <nil>
}

// Notices can be in any language, or not be sent.
func ExampleKind() {
	team := &list.List{Address: parse("team@hamburger.edu")}
	for _, kind := range []list.Kind{list.Joined, list.Left} {
		d, err := list.Notice{Kind: kind, List: team, To: parse("bob@crepes.fr")}.Draft()
		fmt.Println(kind, d != nil, err)
	}
	// Output:
	// joined true <nil>
	// left true <nil>
}

// A post that is held can be read.
func ExampleBlob() {
	ctx, store := context.Background(), &list.Memory{}
	env, _ := smtp.NewEnvelope("al@crepes.fr", "team@hamburger.edu")
	store.Hold(ctx, "abcdefgh12", env, strings.NewReader("Subject: hello\r\n\r\n"))
	_, post, err := store.Open(ctx, "abcdefgh12")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer post.Close()
	text, _ := io.ReadAll(io.NewSectionReader(post, 0, post.Size()))
	fmt.Printf("%q\n", text)
	// Output: "Subject: hello\r\n\r\n"
}

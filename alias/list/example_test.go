package list_test

import (
	"context"
	"fmt"
	"io"
	"iter"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/postilion-mail/postilion/alias"
	"github.com/postilion-mail/postilion/alias/list"
	"github.com/postilion-mail/postilion/mime"
	"github.com/postilion-mail/postilion/smtp"
)

// show is a Post that prints who gets what; spool.Put takes its place.
func show(_ context.Context, body io.Reader, envs ...smtp.Envelope) error {
	h, _, err := mime.ReadHeader(body)
	for _, e := range envs {
		fmt.Println(e.To[0].Path, h.Subject())
	}
	return err
}

func parse(s string) smtp.Path {
	p, err := smtp.ParsePath(s)
	if err != nil {
		fmt.Println(err)
	}
	return p
}

// A post to a list of two.
func ExampleManager() {
	ctx, team, members := context.Background(), parse("team@hamburger.edu"), &list.Memory{}
	for _, name := range []string{"ann@crepes.fr", "bob@hamburger.edu", "eve@hamburger.edu"} {
		members.Update(ctx, team, parse(name), func(m *list.Member) error {
			m.State = list.Subscribed
			return nil
		})
	}
	lists := &list.Manager{Lists: []*list.List{{Address: team}}, Members: members, Post: show}
	env, _ := smtp.NewEnvelope("ann@crepes.fr", "team@hamburger.edu")
	body := strings.NewReader("From: ann@crepes.fr\r\nTo: team@hamburger.edu\r\nSubject: lunch?\r\n\r\n")
	fmt.Println(lists.Deliver(ctx, env, io.NewSectionReader(body, 0, body.Size())).Err())
	// Output:
	// <bob@hamburger.edu> lunch?
	// <eve@hamburger.edu> lunch?
	// <nil>
}

// A list of announcements, with a tag in its subjects.
func ExampleList() {
	l := &list.List{Address: parse("news@hamburger.edu"), Description: "News of Hamburger", Post: list.OwnersPost,
		Owners: []smtp.Path{parse("zoe@hamburger.edu")}, Join: list.AnyoneJoins, Tag: "[news]"}
	lists := &list.Manager{Lists: []*list.List{l}, Members: &list.Memory{}, Post: show}
	fmt.Println(lists.Check(), lists.Owns(parse("news-request@hamburger.edu")), lists.Owns(parse("other@hamburger.edu")))
	// Output: <nil> true false
}

// One click in a mail program ends a subscription.
func ExampleManager_OneClick() {
	ctx, team, members := context.Background(), parse("team@hamburger.edu"), &list.Memory{}
	bob := parse("bob@hamburger.edu")
	members.Update(ctx, team, bob, func(m *list.Member) error { m.State = list.Subscribed; return nil })
	keys := &alias.Rewriter{Keys: [][]byte{[]byte("sixteen octets or more")}}
	lists := &list.Manager{Lists: []*list.List{{Address: team}}, Members: members, Rewriter: keys, Post: show}

	token, _ := keys.VERP(parse("team-leave@hamburger.edu"), bob) // as it stands in List-Unsubscribe
	r := httptest.NewRequest("POST", "/leave?to="+url.QueryEscape(token.Address()), strings.NewReader("List-Unsubscribe=One-Click"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	lists.OneClick().ServeHTTP(w, r)
	fmt.Println(w.Code)
	for m := range members.All(ctx, team) {
		fmt.Println("still there:", m.Path)
	}
	// Output: 200
}

// Notices in the language of the house.
func ExampleNotice() {
	lists := &list.Manager{Notify: func(_ context.Context, n list.Notice) (*mime.Draft, error) {
		if n.Kind == list.Joined {
			return nil, nil // no welcome
		}
		return n.Draft()
	}}
	n := list.Notice{Kind: list.ConfirmJoin, List: &list.List{Address: parse("team@hamburger.edu")}, To: parse("bob@crepes.fr"),
		Reply: parse("team-confirm+x@hamburger.edu"), Now: func() time.Time { return time.Unix(0, 0) }}
	d, err := lists.Notify(context.Background(), n)
	if err != nil {
		fmt.Println(err)
		return
	}
	b, _ := d.Bytes()
	h := mime.Parse(b).Header()
	fmt.Println(h.Subject(), h.Get("Auto-Submitted"), h.Addresses("Reply-To"))
	// Output: Please confirm: subscribe to team@hamburger.edu auto-replied [team-confirm+x@hamburger.edu]
}

func ExampleMemory() {
	var m list.Memory
	team := parse("team@hamburger.edu")
	m.Update(context.Background(), team, parse("bob@crepes.fr"), func(x *list.Member) error {
		x.State, x.Moderated = list.Subscribed, true
		return nil
	})
	for x, err := range m.All(context.Background(), team) {
		fmt.Println(x.Path, x.State, x.Moderated, err)
	}
	// Output: <bob@crepes.fr> subscribed true <nil>
}

func ExampleOpenDir() {
	name, err := os.MkdirTemp("", "lists")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(name)
	d, err := list.OpenDir(name)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer d.Close()
	lists := &list.Manager{Members: d, Held: d}
	fmt.Println(lists.Check())
	// Output: <nil>
}

// staff is a list whose members stand somewhere else: everybody who works here.
type staff []string

func (s staff) All(context.Context, smtp.Path) iter.Seq2[list.Member, error] {
	return func(yield func(list.Member, error) bool) {
		for _, name := range s {
			p, err := smtp.ParsePath(name + "@hamburger.edu")
			if !yield(list.Member{Path: p, State: list.Subscribed}, err) {
				return
			}
		}
	}
}

// Update lets the Manager look, and changes nothing.
func (s staff) Update(_ context.Context, _, member smtp.Path, fn func(*list.Member) error) error {
	m := list.Member{Path: member}
	if slices.Contains(s, member.Local()) {
		m.State = list.Subscribed
	}
	if err := fn(&m); err != nil {
		return err
	}
	return smtp.Reject(550, "5.7.1", "The personnel office keeps this list")
}

// Members may come from anywhere: here from a list of who works here.
func ExampleMembers() {
	lists := &list.Manager{Lists: []*list.List{{Address: parse("all@hamburger.edu")}}, Members: staff{"ann", "bob", "eve"}, Post: show}
	env, _ := smtp.NewEnvelope("bob@hamburger.edu", "all@hamburger.edu")
	body := strings.NewReader("From: bob@hamburger.edu\r\nTo: all@hamburger.edu\r\nSubject: cake\r\n\r\n")
	fmt.Println(lists.Deliver(context.Background(), env, io.NewSectionReader(body, 0, body.Size())).Err())
	// Output:
	// <ann@hamburger.edu> cake
	// <eve@hamburger.edu> cake
	// <nil>
}

// A stranger's post waits for the owner, who lets it through by answering.
func ExampleHeld() {
	var ask *mime.Message
	store, zoe := &list.Memory{}, parse("zoe@hamburger.edu")
	team := &list.List{Address: parse("team@hamburger.edu"), Owners: []smtp.Path{zoe}}
	lists := &list.Manager{Lists: []*list.List{team}, Members: store, Held: store,
		Rewriter: &alias.Rewriter{Keys: [][]byte{[]byte("sixteen octets or more")}},
		Post: func(_ context.Context, body io.Reader, envs ...smtp.Envelope) error {
			raw, err := io.ReadAll(body)
			if m := mime.Parse(raw); envs[0].To[0].Path == zoe {
				ask = m
			} else {
				fmt.Println(envs[0].To[0].Path, m.Header().Subject())
			}
			return err
		}}
	ctx := context.Background()
	store.Update(ctx, team.Address, parse("bob@hamburger.edu"), func(m *list.Member) error { m.State = list.Subscribed; return nil })
	deliver := func(from, to string, body *strings.Reader) {
		env, _ := smtp.NewEnvelope(from, to)
		if err := lists.Deliver(ctx, env, io.NewSectionReader(body, 0, body.Size())).Err(); err != nil {
			fmt.Println(err)
		}
	}
	deliver("al@crepes.fr", "team@hamburger.edu", strings.NewReader("From: al@crepes.fr\r\nTo: team@hamburger.edu\r\nSubject: hello\r\n\r\n"))
	deliver("zoe@hamburger.edu", ask.Header().Addresses("Reply-To")[0].Addr, strings.NewReader("From: zoe@hamburger.edu\r\n\r\nok\r\n"))
	// Output:
	// <al@crepes.fr> Your message to team@hamburger.edu waits for approval
	// <bob@hamburger.edu> hello
}

package listtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/postilion-mail/postilion/alias/list"
)

var membersCases = []testCase[list.Members]{
	{"members/new", "Who is no member is given with Path set and the zero State, and nothing else.", membersNew},
	{"members/kept", "What fn leaves of a member is kept, all of it.", membersKept},
	{"members/case", "Member addresses are told apart without regard to case, and kept as they were written first.", membersCase},
	{"members/lists", "Each list has members of its own.", membersLists},
	{"members/error", "An error of fn is returned and changes nothing.", membersError},
	{"members/removed", "A member with the zero State is removed; one who was none stays none.", membersRemoved},
	{"members/once", "All yields each member once.", membersOnce},
	{"members/no lock", "No lock is held while the caller looks at a member, nor after he has had enough.", membersNoLock},
	{"members/context", "When ctx has ended Update changes nothing and All ends, both with its error.", membersContext},
	{"members/atomic", "Update is one atomic step: of many at the same time none is lost.", membersAtomic},
}

// all are the members of a list.
func all(ctx context.Context, s list.Members, name string) (out []list.Member, err error) {
	for m, err := range s.All(ctx, path(name)) {
		if err != nil {
			return out, fmt.Errorf("calling All: %w", err)
		}
		out = append(out, m)
	}
	return out, nil
}

// set changes a member of team.
func set(ctx context.Context, s list.Members, name string, fn func(*list.Member)) error {
	if err := s.Update(ctx, path("team"), path(name), func(m *list.Member) error { fn(m); return nil }); err != nil {
		return fmt.Errorf("updating %s: %w", name, err)
	}
	return nil
}

func subscribed(m *list.Member) { m.State = list.Subscribed }

// look is a member of team as the store has him.
func look(ctx context.Context, s list.Members, name string) (m list.Member, err error) {
	err = s.Update(ctx, path("team"), path(name), func(x *list.Member) error { m = *x; return errTest })
	return m, wantErr("Update with an error of fn", err, errTest)
}

func membersNew(ctx context.Context, s list.Members) error {
	m, err := look(ctx, s, "bob")
	if err == nil {
		err = want("who is no member", m, list.Member{Path: path("bob")})
	}
	if err == nil {
		err = errors.Join(set(ctx, s, "bob", subscribed), set(ctx, s, "bob", func(m *list.Member) { m.Bounces, m.State = 3, "" }))
	}
	if err != nil {
		return err
	}
	if m, err = look(ctx, s, "bob"); err != nil {
		return err
	}
	return want("who was one", m, list.Member{Path: path("bob")})
}

func membersKept(ctx context.Context, s list.Members) error {
	at := time.Date(2026, 2, 14, 12, 0, 0, 0, time.UTC)
	full := list.Member{Path: path("bob"), State: list.NoMail, Moderated: true, Joined: at, Bounces: 4,
		Bounced: at.Add(24 * time.Hour), Probed: at.Add(48 * time.Hour)}
	if err := set(ctx, s, "bob", func(m *list.Member) { *m = full }); err != nil {
		return err
	}
	got, err := all(ctx, s, "team")
	if err != nil {
		return err
	}
	for i := range got { // times are the same in any zone
		m := &got[i]
		m.Joined, m.Bounced, m.Probed = m.Joined.UTC(), m.Bounced.UTC(), m.Probed.UTC()
	}
	return want("the members", got, []list.Member{full})
}

func membersCase(ctx context.Context, s list.Members) error {
	err := errors.Join(set(ctx, s, "Bob", subscribed), set(ctx, s, "bob@HAMBURGER.EDU", func(m *list.Member) { m.Bounces++ }))
	if err != nil {
		return err
	}
	got, err := all(ctx, s, "TEAM")
	if err == nil {
		err = want("how many Bobs", len(got), 1)
	}
	if err != nil {
		return err
	}
	return errors.Join(want("bounces of Bob", got[0].Bounces, 1), want("the way he is written", got[0].Path.Local(), "Bob"))
}

func membersLists(ctx context.Context, s list.Members) error {
	if err := set(ctx, s, "bob", subscribed); err != nil {
		return err
	}
	got, err := all(ctx, s, "other")
	return errors.Join(err, want("members of another list", got, []list.Member(nil)))
}

func membersError(ctx context.Context, s list.Members) error {
	if err := set(ctx, s, "bob", subscribed); err != nil {
		return err
	}
	for _, name := range []string{"bob", "eve"} {
		err := s.Update(ctx, path("team"), path(name), func(m *list.Member) error { m.State, m.Bounces = list.Disabled, 9; return errTest })
		if err := wantErr("Update of "+name, err, errTest); err != nil {
			return err
		}
	}
	got, err := all(ctx, s, "team")
	return errors.Join(err, want("the members", got, []list.Member{{Path: path("bob"), State: list.Subscribed}}))
}

func membersRemoved(ctx context.Context, s list.Members) error {
	err := errors.Join(set(ctx, s, "bob", subscribed), set(ctx, s, "eve", subscribed), set(ctx, s, "bob", func(m *list.Member) { m.State = "" }),
		set(ctx, s, "nobody", func(m *list.Member) { m.Bounces = 1 }))
	if err != nil {
		return err
	}
	got, err := all(ctx, s, "team")
	return errors.Join(err, want("who is left", got, []list.Member{{Path: path("eve"), State: list.Subscribed}}))
}

func membersOnce(ctx context.Context, s list.Members) error {
	const n = 40
	for round := range 2 {
		for i := range n {
			if err := set(ctx, s, fmt.Sprint("m", i), func(m *list.Member) { m.State, m.Bounces = list.Subscribed, round }); err != nil {
				return err
			}
		}
	}
	got, err := all(ctx, s, "team")
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, m := range got {
		seen[strings.ToLower(m.Path.Address())] = true
	}
	return errors.Join(want("members", len(seen), n), want("times that a member was given", len(got), n))
}

func membersNoLock(ctx context.Context, s list.Members) error {
	err := errors.Join(set(ctx, s, "bob", subscribed), set(ctx, s, "eve", subscribed))
	for m, e := range s.All(ctx, path("team")) {
		if err = errors.Join(err, e); err != nil {
			return err
		}
		err = set(ctx, s, m.Path.Address(), func(m *list.Member) { m.Bounces++ })
		break // and what it held is let go
	}
	return errors.Join(err, set(ctx, s, "bob", func(m *list.Member) { m.Bounces++ }))
}

func membersContext(ctx context.Context, s list.Members) error {
	if err := set(ctx, s, "bob", subscribed); err != nil {
		return err
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	err := s.Update(ended, path("team"), path("eve"), func(m *list.Member) error { subscribed(m); return nil })
	if err := wantErr("Update", err, context.Canceled); err != nil {
		return err
	}
	err = nil
	for _, e := range s.All(ended, path("team")) {
		err = e
	}
	if err := wantErr("All", err, context.Canceled); err != nil {
		return err
	}
	got, err := all(ctx, s, "team")
	return errors.Join(err, want("members", len(got), 1))
}

func membersAtomic(ctx context.Context, s list.Members) error {
	const workers, each = 8, 10
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for range each {
				errs[w] = errors.Join(errs[w], set(ctx, s, "bob", func(m *list.Member) { m.State, m.Bounces = list.Subscribed, m.Bounces+1 }),
					set(ctx, s, fmt.Sprint("m", w), subscribed))
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	got, err := all(ctx, s, "team")
	if err != nil {
		return err
	}
	bounces := 0
	for _, m := range got {
		bounces += m.Bounces
	}
	return errors.Join(want("members", len(got), workers+1), want("counts", bounces, workers*each))
}

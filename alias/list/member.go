package list

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/postilion-mail/postilion/smtp"
)

// Member is one subscription.
type Member struct {
	Path      smtp.Path
	State     State
	Moderated bool      // posts are held whatever the policy
	Joined    time.Time // when
	Bounces   int       // days with bounces lately
	Bounced   time.Time // the last of them
	Probed    time.Time // when a probe went out; zero: not
}

// State is what a member gets. The zero State is no member.
type State string

const (
	Subscribed State = "subscribed" // all posts
	NoMail     State = "nomail"     // may post, gets nothing: on leave
	Disabled   State = "disabled"   // gets nothing, since his mail bounced
)

// Members is where subscriptions are kept. list is the address of a list; member
// addresses are told apart without regard to case, and kept as they were written
// first. The methods may be called concurrently. [Memory] and [Dir] are two;
// package listtest checks one of your own.
type Members interface {
	// All yields the members of a list, each once. Who joins or leaves meanwhile
	// may be missing or not. No lock is held while the caller looks at one; an
	// error ends it.
	All(ctx context.Context, list smtp.Path) iter.Seq2[Member, error]

	// Update changes one member in one atomic step, durable on nil where the store
	// is. fn is given the member as he is, with Path set and the zero State if he
	// is none; what it leaves is kept, and one with the zero State removed. An
	// error of fn is returned and changes nothing. fn must be quick and must not
	// call the store.
	Update(ctx context.Context, list, member smtp.Path, fn func(*Member) error) error
}

// errOnlyLooking makes an Update change nothing.
var errOnlyLooking = errors.New("list: only looking")

// get looks at one member.
func (m *Manager) get(ctx context.Context, l *List, p smtp.Path) (Member, error) {
	var out Member
	if m.Members == nil {
		return out, errors.New("list: no members")
	}
	err := m.Members.Update(ctx, l.Address, p, func(x *Member) error {
		out = *x
		return errOnlyLooking
	})
	if err == nil || errors.Is(err, errOnlyLooking) {
		return out, nil
	}
	return out, err
}

// errUnchanged says that there was nothing to do.
var errUnchanged = errors.New("list: unchanged")

// subscribe makes a member, and reports whether that is news.
func (m *Manager) subscribe(ctx context.Context, l *List, p smtp.Path) (news bool, err error) {
	now := m.now()
	err = m.Members.Update(ctx, l.Address, p, func(x *Member) error {
		if x.State == Subscribed && x.Probed.IsZero() {
			return errUnchanged
		}
		if x.State == "" {
			x.Joined = now
		}
		x.State, x.Bounces, x.Bounced, x.Probed = Subscribed, 0, time.Time{}, time.Time{}
		return nil
	})
	if errors.Is(err, errUnchanged) {
		return false, nil
	}
	return err == nil, err
}

// unsubscribe removes a member, and reports whether that is news.
func (m *Manager) unsubscribe(ctx context.Context, l *List, p smtp.Path) (news bool, err error) {
	err = m.Members.Update(ctx, l.Address, p, func(x *Member) error {
		if x.State == "" {
			return errUnchanged
		}
		x.State = ""
		return nil
	})
	if errors.Is(err, errUnchanged) {
		return false, nil
	}
	return err == nil, err
}

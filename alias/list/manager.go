package list

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/postilion-mail/postilion/alias"
	"github.com/postilion-mail/postilion/internal/addr"
	"github.com/postilion-mail/postilion/mime"
	"github.com/postilion-mail/postilion/smtp"
)

// Manager runs mailing lists: it takes the mail for all their addresses and posts
// what comes of it. Lists, Members and Post are needed. The fields must not change
// after the first use; the methods may be called concurrently.
type Manager struct {
	Lists   []*List
	Members Members
	// Post queues one body for all envelopes, in one step: spool.Put, bound to a
	// store.
	Post func(ctx context.Context, body io.Reader, envs ...smtp.Envelope) error
	// Next, which may be nil, is spool.Next: it is asked before Post, and queues a
	// post to all members in the step that settles the message it came by. With Post
	// alone a crash between the two sends it to all a second time. It reports false
	// where it cannot, and Post does it.
	Next func(ctx context.Context, to smtp.Path, body func() (io.Reader, error), envs ...smtp.Envelope) bool

	// Rewriter signs: senders of copies, so that a bounce says whose it is and
	// nobody can forge one, and the addresses that confirm. Without it senders are
	// the same for all, and nothing is done by mail that would need a token.
	Rewriter *alias.Rewriter
	// Held keeps posts that wait for an owner; nil refuses them.
	Held Held
	// URL is where [Manager.OneClick] can be reached, https; "" leaves
	// unsubscribing by POST out.
	URL string
	// Notify writes what the manager says to people; nil means [Notice.Draft]. A
	// nil draft says nothing.
	Notify func(ctx context.Context, n Notice) (*mime.Draft, error)

	MaxHops    int              // Received fields of a post; more is a loop. 0 means 50
	MaxAnswers int              // questions and answers that go to strangers in an hour; 0 means 200
	Log        *slog.Logger     // nil is silent
	Now        func() time.Time // nil means time.Now
	Rand       io.Reader        // used concurrently; nil means crypto/rand

	once   sync.Once
	lists  map[string]*List // by address in lower case; made by once
	broken error            // why Lists cannot be used; made by once
	quota  quota
	busy   busy // posts that owners decide on at this moment
}

var _ smtp.DeliverFunc = (*Manager)(nil).Deliver

// index is Lists by address. Lists with mistakes are left out.
func (m *Manager) index() map[string]*List {
	m.once.Do(func() {
		m.lists = make(map[string]*List, len(m.Lists))
		var errs []error
		for _, l := range m.Lists {
			if err := l.check(); err != nil {
				errs = append(errs, err)
				continue
			}
			m.lists[addr.Lower(l.Address.Local())+"@"+l.Address.Domain()] = l
		}
		m.broken = errors.Join(errs...)
	})
	return m.lists
}

// Check tells the mistakes of Lists, whose mail waits until they are mended: call
// it at the start.
func (m *Manager) Check() error {
	m.index()
	return m.broken
}

// Owns reports whether an address belongs to a list, under any of its roles. It
// fits smtp.Route.Match, and says at RCPT who exists.
func (m *Manager) Owns(p smtp.Path) bool {
	if _, _, ok := m.find(p); ok {
		return true
	}
	for _, l := range m.Lists { // those with mistakes: better late than refused
		if m.broken != nil && key(l.Address) == key(p) {
			return true
		}
	}
	return false
}

// Verify says at RCPT what Deliver would refuse later by a bounce, perhaps to
// somebody whose name was forged: an address that no list has, or with a token
// that is not ours or too old. It fits alias.Expander.Verify.
func (m *Manager) Verify(ctx context.Context, p smtp.Path) error {
	l, at, ok := m.find(p)
	switch {
	case !ok && m.Owns(p):
		return nil // of a list with mistakes: it waits
	case !ok:
		return errNoList
	case !strings.Contains(p.Local(), "+"):
		return nil
	case m.Rewriter == nil:
		return errToken
	case m.Members == nil:
		return errSetup
	}
	w := m.Rewriter
	if at == leaves {
		w = m.lasting()
	}
	_, err := m.read(ctx, l, w, l.at(roles[at].suffix), p)
	if errors.Is(err, errGone) {
		return nil // Deliver knows what to do with his mail
	}
	return err
}

var (
	errNoList = smtp.Reject(550, "5.1.1", "No such list")
	errSetup  = errors.New("list: a Manager needs Members and Post")
)

// Deliver is a DeliverFunc: it does what the mail for one address of a list is for.
// Accepted means that it was done and what came of it is queued; a post that is
// held is accepted too (RFC 3461 §5.2.7.1).
func (m *Manager) Deliver(ctx context.Context, env smtp.Envelope, body *io.SectionReader) smtp.Results {
	out := make(smtp.Results, len(env.To))
	for i, to := range env.To {
		out[i] = smtp.Failed(1, m.deliver(ctx, env, to.Path, body))[0]
	}
	return out
}

func (m *Manager) deliver(ctx context.Context, env smtp.Envelope, to smtp.Path, body *io.SectionReader) error {
	l, at, ok := m.find(to)
	if !ok {
		if m.broken != nil && m.Owns(to) {
			return m.broken // a plain error: the mail waits
		}
		return errNoList
	}
	if m.Members == nil || m.Post == nil {
		return errSetup
	}
	msg, err := mime.ParseAt(body, body.Size())
	if err != nil {
		return err
	}
	v := &visit{Manager: m, ctx: ctx, list: l, env: env, to: to, body: body, msg: msg}
	err = deeds[at](v)
	m.log().Info("list: mail", "id", env.ID, "list", l.Address.Address(), "role", roles[at].suffix, "from", env.From.String(), "err", err)
	return err
}

// visit is one message at one address.
type visit struct {
	*Manager
	ctx  context.Context
	list *List
	env  smtp.Envelope
	to   smtp.Path
	body *io.SectionReader
	msg  *mime.Message

	owners bool // an owner lets the message through; it came by another one
}

func (m *Manager) now() time.Time {
	if m.Now != nil {
		return m.Now()
	}
	return time.Now()
}

func (m *Manager) log() *slog.Logger {
	if m.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return m.Log
}

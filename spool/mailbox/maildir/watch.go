package maildir

import (
	"cmp"
	"context"
	"time"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

// defaultPoll is how often directories that somebody watches are looked at.
const defaultPoll = time.Second

// Watch calls fn after changes; see [mailbox.Mailbox]. What this process does
// rings at once, what others do at the next look.
func (b *box) Watch(fn func()) (stop func()) {
	stop, first := b.watchers.Add(func(struct{}) { fn() })
	if first {
		b.watch()
	}
	return stop
}

// watch has the timer run, unless it does.
func (f *folder) watch() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.polling {
		f.polling = true
		time.AfterFunc(f.interval(), f.glance)
	}
}

// interval is Tree.Poll.
func (f *folder) interval() time.Duration { return cmp.Or(f.poll, defaultPoll) }

// glance looks once, and again later as long as somebody watches.
func (f *folder) glance() {
	if f.watchers.Len() > 0 && !f.gone.Load() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		_ = f.upToDate(ctx) // an error meets whoever asks for Changes
		cancel()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.polling = f.watchers.Len() > 0 && !f.gone.Load(); f.polling {
		time.AfterFunc(f.interval(), f.glance)
	}
}

// WatchAll calls fn after changes; see [mailbox.StoreWatcher]. What others do is
// seen in mailboxes that somebody watches by themselves.
func (s *store) WatchAll(fn func(mailbox.ID)) (stop func()) {
	stop, _ = s.watchers.Add(fn)
	return stop
}

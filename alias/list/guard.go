package list

import (
	"cmp"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/postilion-mail/postilion/internal/addr"
	"github.com/postilion-mail/postilion/mime"
	"github.com/postilion-mail/postilion/smtp"
)

// mayAnswer is RFC 3834 §2: who is answered automatically, and who never. An
// answer to the wrong message begins a loop, or is a gift to a spammer.
func (v *visit) mayAnswer(to smtp.Path) bool {
	h := v.msg.Header()
	if word := autoSubmitted(h); word != "" && word != "no" || autoReplied(h) {
		return false
	}
	switch strings.ToLower(strings.TrimSpace(h.Get("Precedence"))) {
	case "bulk", "list", "junk":
		return false
	}
	if author, ok := v.from(); ok && (isRobot(author) || v.Owns(author)) {
		return false
	}
	return !v.env.From.IsNull() && !h.Has("List-Id") && !isRobot(v.env.From) && !isRobot(to) && !v.Owns(to)
}

// isRobot knows the names behind which nobody reads.
func isRobot(p smtp.Path) bool {
	local := addr.Lower(p.Local())
	for _, name := range [...]string{"mailer-daemon", "postmaster", "noreply", "no-reply", "listserv", "majordomo"} {
		if local == name {
			return true
		}
	}
	for _, suffix := range [...]string{"-request", "-owner", "-bounces", "-relay"} {
		if strings.HasSuffix(local, suffix) {
			return true
		}
	}
	return p.IsNull() || strings.HasPrefix(local, "owner-")
}

// mayTell reports whether somebody may be sent something of a kind now, and notes
// that he was: an address that others keep writing in gets one message, however
// often they do.
func (m *Manager) mayTell(l *List, kind Kind, to smtp.Path) bool {
	every, max := day, cmp.Or(m.MaxAnswers, 200)
	switch kind {
	case ConfirmJoin, ConfirmLeave: // one may get lost
		every = time.Hour
	case Admit: // no stranger's
		max = 0
	}
	return m.quota.take(m.now(), string(kind)+"\x00"+key(l.Address)+"\x00"+key(to), every, max)
}

// quota remembers who was told. It is of one process, and bounded: where it is
// full nobody new is told.
//
// Each address has a time until which it is left alone, for each kind of message;
// beside that all strangers together have a number an hour. Without the first one
// person is bombed, without the second the list is a tool to write to everybody.
type quota struct {
	mu    sync.Mutex // guards all below
	until map[string]time.Time
	hour  time.Time // since when asked counts
	asked int
	swept time.Time
}

const maxQuota = 50_000

// take takes one of max an hour (0: no limit), if none was taken for name since
// every.
func (q *quota) take(now time.Time, name string, every time.Duration, max int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if now.Sub(q.hour) >= time.Hour || now.Before(q.hour) {
		q.hour, q.asked = now, 0
	}
	if now.Before(q.until[name]) || max > 0 && q.asked >= max {
		return false
	}
	if len(q.until) >= maxQuota && !q.sweep(now) {
		return false
	}
	if q.until == nil {
		q.until = map[string]time.Time{}
	}
	q.until[name] = now.Add(every)
	if max > 0 {
		q.asked++
	}
	return true
}

// sweep forgets what is over, once a minute, and reports whether there is room.
func (q *quota) sweep(now time.Time) bool {
	if d := now.Sub(q.swept); d >= 0 && d < time.Minute {
		return false
	}
	q.swept = now
	maps.DeleteFunc(q.until, func(_ string, t time.Time) bool { return !now.Before(t) })
	return len(q.until) < maxQuota
}

// busy are posts that somebody works on.
type busy struct {
	mu  sync.Mutex // guards ids
	ids map[string]bool
}

// begin reports false if id is being worked on already.
func (b *busy) begin(id string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ids[id] {
		return false
	}
	if b.ids == nil {
		b.ids = map[string]bool{}
	}
	b.ids[id] = true
	return true
}

func (b *busy) end(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.ids, id)
}

// firstLines are where a command may stand: the subject, and the first line of the
// text that is not empty.
func firstLines(m *mime.Message) []string {
	lines := []string{m.Header().Subject()}
	for _, p := range m.TextBody() {
		if p.Section().Size() > 64<<10 {
			break // nobody writes a command like that
		}
		for line := range strings.SplitSeq(p.Text(), "\n") {
			if line = strings.TrimSpace(line); line != "" {
				return append(lines, line)
			}
		}
	}
	return lines
}

package mailboxtest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

var raceCases = []testCase{
	{"race/sessions", "A ModSeq becomes visible only after all lower ones: sessions that only ask for what is new see in the end what is there.", raceSessions},
	{"race/appends", "Concurrent Appends all succeed, each UID given out once, each message whole.", raceAppends},
	{"race/flags", "Of concurrent conditional changes of one flag state exactly one succeeds.", raceFlags},
	{"race/moves", "Of concurrent moves of one message exactly one succeeds, and it is never lost.", raceMoves},
	{"race/create", "Of concurrent creations of one name exactly one succeeds.", raceCreate},
}

// parallel runs n at once and returns the first error.
func parallel(n int, do func(i int) error) error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = do(i) })
	}
	wg.Wait()
	return first(errs...)
}

// session is one that asks for what is new and never for all again, and checks
// that what it is told fits together.
type session struct {
	m        *mbox
	seq      mailbox.ModSeq
	validity uint32
	view     map[mailbox.UID]mailbox.Meta
	gone     mailbox.Set
}

func (s *session) pull() error {
	d, err := s.m.changes(s.seq)
	if err != nil {
		return err
	}
	if s.validity != 0 && d.State.UIDValidity != s.validity {
		return errors.New("UIDVALIDITY has changed")
	}
	if d.State.HighestModSeq < s.seq {
		return fmt.Errorf("HighestModSeq went back from %d to %d", s.seq, d.State.HighestModSeq)
	}
	if d.Full {
		s.view = map[mailbox.UID]mailbox.Meta{}
	}
	for _, x := range d.Messages {
		if s.gone.Contains(x.UID) {
			return fmt.Errorf("UID %d vanished and came back", x.UID)
		}
		if old, ok := s.view[x.UID]; ok && (old.ModSeq > x.ModSeq || old.Size != x.Size || old.Received != x.Received) {
			return fmt.Errorf("message %d became %+v after %+v", x.UID, x, old)
		}
		s.view[x.UID] = x
	}
	for u := range s.view {
		if d.Vanished.Contains(u) {
			delete(s.view, u)
			s.gone.Add(u)
		}
	}
	s.seq, s.validity = d.State.HighestModSeq, d.State.UIDValidity
	return nil
}

// step does something at random, by way of what the session has seen.
func (s *session) step(h *harness, rnd *rand.Rand, who int) error {
	var some mailbox.Set
	for u := range s.view {
		if some.Add(u); some.Len() > 3 {
			break
		}
	}
	switch rnd.IntN(6) {
	case 0, 1:
		_, err := s.m.add(fmt.Sprintf("by %d: %s", who, text(rnd.IntN(2000))))
		return err
	case 2, 3:
		word := []string{`\Seen`, `\Flagged`, "k1", "k2"}[rnd.IntN(4)]
		return s.m.flag(some, mailbox.FlagOp(rnd.IntN(3)), word)
	case 4:
		return s.m.Expunge(h.ctx, some)
	}
	return s.pull()
}

func raceSessions(h *harness) error {
	const sessions, steps = 4, 60
	all := make([]*session, sessions)
	for i := range all {
		m, err := h.inbox()
		if err != nil {
			return err
		}
		all[i] = &session{m: m, view: map[mailbox.UID]mailbox.Meta{}}
	}
	err := parallel(sessions, func(i int) error {
		rnd := rand.New(rand.NewPCG(uint64(i), 0))
		for range steps {
			if err := first(all[i].step(h, rnd, i), all[i].pull()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	fresh, err := h.inbox()
	if err != nil {
		return err
	}
	d, err := fresh.changes(0)
	if err != nil {
		return err
	}
	for i, s := range all {
		if err := s.pull(); err != nil {
			return err
		}
		if err := want(fmt.Sprintf("number of messages that session %d sees", i), len(s.view), len(d.Messages)); err != nil {
			return err
		}
		for _, x := range d.Messages {
			if s.view[x.UID] != x {
				return fmt.Errorf("session %d sees %+v, there is %+v", i, s.view[x.UID], x)
			}
		}
	}
	return nil
}

func raceAppends(h *harness) error {
	const senders, each = 6, 10
	var mu sync.Mutex
	sent := map[mailbox.UID]string{}
	err := parallel(senders, func(i int) error {
		m, err := mailbox.OpenName(h.ctx, h.store, mailbox.Inbox)
		if err != nil {
			return err
		}
		defer m.Close()
		for j := range each {
			body := fmt.Sprintf("%d %d\r\n%s", i, j, strings.Repeat("x", 100*j))
			uid, err := (&mbox{m, h}).add(body)
			if err != nil {
				return err
			}
			mu.Lock()
			_, twice := sent[uid]
			sent[uid] = body
			mu.Unlock()
			if twice {
				return fmt.Errorf("UID %d was given out twice", uid)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	m, err := h.inbox()
	if err != nil {
		return err
	}
	uids, err := m.all()
	if err != nil {
		return err
	}
	for _, u := range uids {
		if err := m.content(u, sent[u]); err != nil {
			return err
		}
	}
	return want("number of messages", len(uids), senders*each)
}

func raceFlags(h *harness) error {
	m, err := h.filled(1)
	if err != nil {
		return err
	}
	for range 10 {
		d, err := m.changes(0)
		if err != nil {
			return err
		}
		var mu sync.Mutex
		won := 0
		err = parallel(4, func(i int) error {
			f := mailbox.Flags{Keywords: fmt.Sprintf("k%d-%d", i, d.State.HighestModSeq)}
			skipped, err := m.SetFlags(h.ctx, mailbox.SetOf(1), mailbox.ReplaceFlags, f, d.State.HighestModSeq)
			if err == nil && len(skipped) == 0 {
				mu.Lock()
				won++
				mu.Unlock()
			}
			return err
		})
		if err := first(err, want("number of changes that succeeded", won, 1)); err != nil {
			return err
		}
	}
	return nil
}

func raceMoves(h *harness) error {
	src, err := h.filled(5)
	if err != nil {
		return err
	}
	targets := make([]*mbox, 4)
	for i := range targets {
		if targets[i], _, err = h.create(fmt.Sprintf("Target %d", i)); err != nil {
			return err
		}
	}
	if _, ok := src.Mailbox.(mailbox.Mover); !ok {
		h.skip = "a move is not one step without Mover"
		return nil
	}
	moved := make([]int64, len(targets))
	err = parallel(len(targets), func(i int) error {
		for u := range mailbox.UID(5) {
			from, to, err := mailbox.Move(h.ctx, src.Mailbox, mailbox.SetOf(u+1), targets[i].Mailbox)
			if err != nil {
				return fmt.Errorf("calling Move: %w", err)
			}
			if from.Len() != to.Len() {
				return fmt.Errorf("moved were %v to %v", from, to)
			}
			moved[i] += to.Len()
		}
		return nil
	})
	if err != nil {
		return err
	}
	total := 0
	for i, m := range targets {
		uids, err := m.all()
		if err := first(err, want("number of messages where they were moved to", int64(len(uids)), moved[i])); err != nil {
			return err
		}
		total += len(uids)
	}
	left, err := src.all()
	return first(err, want("number of messages left", len(left), 0), want("number of messages moved", total, 5))
}

func raceCreate(h *harness) error {
	var mu sync.Mutex
	made := 0
	err := parallel(5, func(int) error {
		_, err := h.store.Create(h.ctx, "Work")
		if errors.Is(err, mailbox.ErrExists) {
			return nil
		}
		mu.Lock()
		made++
		mu.Unlock()
		return err
	})
	if err != nil {
		return err
	}
	all, err := h.list()
	return first(err, want("number of creations that succeeded", made, 1), want("number of mailboxes", len(all), 2))
}

package pop3

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Seen is the memory of a client that leaves mail on the server: the unique ids
// of what it has downloaded already. Its zero value has seen nothing. It is
// kept in a file or a database by [Seen.WriteTo] and [ReadSeen]. A Seen is used
// by one goroutine at a time.
type Seen struct {
	ids map[string]bool // true: still on the server
}

// ReadSeen reads what [Seen.WriteTo] wrote: one id on each line.
func ReadSeen(r io.Reader) (*Seen, error) {
	s := &Seen{}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if id := lines.Text(); id != "" {
			s.Add(id)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("pop3: reading seen ids: %w", err)
	}
	return s, nil
}

// WriteTo writes the ids, one on each line, in order.
func (s *Seen) WriteTo(w io.Writer) (int64, error) {
	ids := make([]string, 0, len(s.ids))
	for id := range s.ids {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	var b strings.Builder
	for _, id := range ids {
		b.WriteString(id)
		b.WriteByte('\n')
	}
	n, err := io.WriteString(w, b.String())
	return int64(n), err
}

// Len is how many ids are remembered.
func (s *Seen) Len() int { return len(s.ids) }

// Has reports whether the message with this id was downloaded.
func (s *Seen) Has(id string) bool { return s.ids[id] }

// Add notes that the message with this id was downloaded, and is safe: call it
// only when it is. Ids that no server may send (RFC 1939 §7 wants printable
// ASCII without space) are not kept.
func (s *Seen) Add(id string) {
	if id == "" || strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return
	}
	if s.ids == nil {
		s.ids = make(map[string]bool)
	}
	s.ids[id] = true
}

// New gives the messages of list that were not downloaded yet, and forgets ids
// that are not in list any more: list must be all that the server has.
// Messages without an id are always new.
func (s *Seen) New(list []Message) []Message {
	var fresh []Message
	kept := make(map[string]bool, len(s.ids))
	for _, m := range list {
		if s.ids[m.UID] {
			kept[m.UID] = true
		} else {
			fresh = append(fresh, m)
		}
	}
	s.ids = kept
	return fresh
}

package imap

import (
	"cmp"
	"slices"
	"sort"
	"strings"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

// chunkSize is how many messages of an index stand together. A change copies
// one chunk and the list of chunks.
const chunkSize = 256

// An index is what is known of all messages of a mailbox, in ascending order of
// UID, at one moment. It never changes: [index.apply] makes a new one, which
// shares with the old what did not change. So any number of sessions hold the
// same index, each as old as its client has been told of, and finding out what
// lies between two of them takes time for the differences alone.
type index struct {
	state    mailbox.State
	chunks   [][]mailbox.Meta
	starts   []uint32 // how many messages stand before each chunk
	n        uint32
	keywords []string // all that messages have or had, in order, case folded
}

// emptyIndex is where all begin.
var emptyIndex = &index{}

// at returns the message with a sequence number, which must be there.
func (x *index) at(seq uint32) *mailbox.Meta {
	i := sort.Search(len(x.starts), func(i int) bool { return x.starts[i] >= seq }) - 1
	return &x.chunks[i][seq-1-x.starts[i]]
}

// from returns the sequence number of the first message with this UID or a
// higher one, n+1 if there is none.
func (x *index) from(uid mailbox.UID) uint32 {
	i := sort.Search(len(x.chunks), func(i int) bool { return x.chunks[i][len(x.chunks[i])-1].UID >= uid })
	if i == len(x.chunks) {
		return x.n + 1
	}
	j, _ := slices.BinarySearchFunc(x.chunks[i], uid, func(m mailbox.Meta, uid mailbox.UID) int { return cmp.Compare(m.UID, uid) })
	return x.starts[i] + uint32(j) + 1
}

// find returns the message with a UID and its sequence number.
func (x *index) find(uid mailbox.UID) (*mailbox.Meta, uint32) {
	seq := x.from(uid)
	if seq > x.n {
		return nil, 0
	}
	if m := x.at(seq); m.UID == uid {
		return m, seq
	}
	return nil, 0
}

// last is the highest UID, 0 without messages.
func (x *index) last() mailbox.UID {
	if x.n == 0 {
		return 0
	}
	return x.at(x.n).UID
}

// each calls f for the messages with sequence numbers from to to, until it
// returns false.
func (x *index) each(from, to uint32, f func(seq uint32, m *mailbox.Meta) bool) bool {
	if to > x.n {
		to = x.n
	}
	if from == 0 || from > to {
		return true
	}
	i := sort.Search(len(x.starts), func(i int) bool { return x.starts[i] >= from }) - 1
	for seq := from; i < len(x.chunks); i++ {
		c := x.chunks[i]
		for j := seq - 1 - x.starts[i]; j < uint32(len(c)); j++ {
			if seq > to {
				return true
			}
			if !f(seq, &c[j]) {
				return false
			}
			seq++
		}
	}
	return true
}

// uids are all there are.
func (x *index) uids() (s mailbox.Set) {
	for _, c := range x.chunks {
		for i := range c {
			s.Add(c[i].UID)
		}
	}
	return s
}

// apply returns the index as it is after the changes.
func (x *index) apply(d mailbox.Delta) *index {
	y := &index{state: d.State, keywords: x.keywords}
	msgs := d.Messages
	if !d.Full {
		y.chunks = make([][]mailbox.Meta, 0, len(x.chunks)+1)
		msgs = y.merge(x.chunks, msgs, d.Vanished)
	}
	y.add(msgs)
	y.count()
	y.learn(d.Messages)
	return y
}

// merge takes the chunks over, those that change anew, and returns the messages
// behind all of them.
func (x *index) merge(chunks [][]mailbox.Meta, msgs []mailbox.Meta, gone mailbox.Set) []mailbox.Meta {
	for _, c := range chunks {
		last := c[len(c)-1].UID
		n, _ := slices.BinarySearchFunc(msgs, last+1, func(m mailbox.Meta, uid mailbox.UID) int { return cmp.Compare(m.UID, uid) })
		if last == mailbox.MaxUID {
			n = len(msgs)
		}
		if n > 0 || overlaps(gone, c[0].UID, last) {
			c = mergeChunk(c, msgs[:n], gone)
			msgs = msgs[n:]
		}
		if len(c) > 0 {
			x.chunks = append(x.chunks, c)
		}
	}
	return msgs
}

// overlaps reports whether the set has a UID of the range.
func overlaps(s mailbox.Set, from, to mailbox.UID) bool {
	i, _ := slices.BinarySearchFunc(s, from, func(r mailbox.Range, u mailbox.UID) int {
		if r.To < u {
			return -1
		}
		return 1
	})
	return i < len(s) && s[i].From <= to
}

// mergeChunk puts changed messages in place of old ones, and leaves out what is
// gone.
func mergeChunk(c, msgs []mailbox.Meta, gone mailbox.Set) []mailbox.Meta {
	out := make([]mailbox.Meta, 0, len(c)+len(msgs))
	for len(c) > 0 || len(msgs) > 0 {
		switch {
		case len(msgs) == 0 || len(c) > 0 && c[0].UID < msgs[0].UID:
			if !gone.Contains(c[0].UID) {
				out = append(out, c[0])
			}
			c = c[1:]
		default:
			if len(c) > 0 && c[0].UID == msgs[0].UID {
				c = c[1:]
			}
			out = append(out, msgs[0])
			msgs = msgs[1:]
		}
	}
	return out
}

// add puts messages behind all others.
func (x *index) add(msgs []mailbox.Meta) {
	if k := len(x.chunks) - 1; k >= 0 && len(msgs) > 0 && len(x.chunks[k]) < chunkSize {
		n := min(chunkSize-len(x.chunks[k]), len(msgs))
		x.chunks[k] = slices.Concat(x.chunks[k], msgs[:n])
		msgs = msgs[n:]
	}
	for c := range slices.Chunk(msgs, chunkSize) {
		x.chunks = append(x.chunks, slices.Clip(c))
	}
}

// count finds the sequence numbers of the chunks.
func (x *index) count() {
	x.starts = make([]uint32, len(x.chunks))
	for i, c := range x.chunks {
		x.starts[i] = x.n
		x.n += uint32(len(c))
	}
}

// learn adds the keywords of messages to those that are known.
func (x *index) learn(msgs []mailbox.Meta) {
	known, same := "", false // most messages have the keywords of the one before
	for i := range msgs {
		k := msgs[i].Flags.Keywords
		if k == "" || same && k == known {
			continue
		}
		known, same = k, true
		for word := range strings.SplitSeq(k, " ") {
			at, found := slices.BinarySearchFunc(x.keywords, word, compareKeywords)
			if !found {
				x.keywords = slices.Insert(slices.Clip(x.keywords), at, word)
			}
		}
	}
}

func compareKeywords(a, b string) int {
	return strings.Compare(strings.ToLower(a), strings.ToLower(b))
}

// difference is what lies between two indexes.
type difference struct {
	gone     []position    // by the numbers of the old one
	changed  []mailbox.UID // that are in both
	added    uint32
	disorder bool // a message appeared before one that was there
}

type position struct {
	seq uint32
	uid mailbox.UID
}

// diff compares. Chunks that both have are not looked into.
func diff(x, y *index) (d difference) {
	i, j, oi, oj := 0, 0, 0, 0 // chunk and offset in it
	for {
		if oi == 0 && oj == 0 {
			for i < len(x.chunks) && j < len(y.chunks) && &x.chunks[i][0] == &y.chunks[j][0] && len(x.chunks[i]) == len(y.chunks[j]) {
				i++
				j++
			}
		}
		if i == len(x.chunks) {
			for ; j < len(y.chunks); j++ {
				d.added += uint32(len(y.chunks[j]) - oj)
				oj = 0
			}
			return d
		}
		a := &x.chunks[i][oi]
		if j == len(y.chunks) || a.UID < y.chunks[j][oj].UID {
			d.gone = append(d.gone, position{x.starts[i] + uint32(oi) + 1, a.UID})
			i, oi = x.next(i, oi)
			continue
		}
		b := &y.chunks[j][oj]
		if a.UID == b.UID {
			if a.ModSeq != b.ModSeq || a.Flags != b.Flags {
				d.changed = append(d.changed, a.UID)
			}
			i, oi = x.next(i, oi)
		} else {
			d.added++
			d.disorder = true
		}
		j, oj = y.next(j, oj)
	}
}

// next is the place behind a place.
func (x *index) next(i, offset int) (int, int) {
	if offset+1 < len(x.chunks[i]) {
		return i, offset + 1
	}
	return i + 1, 0
}

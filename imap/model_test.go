package imap

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/spool/mailbox"
	"github.com/postilion-mail/postilion/spool/mailbox/memory"
)

// The reference model: several sessions do what they like to one mailbox, and
// to each belongs the plainest client there can be, which believes every
// untagged response and nothing else. What it then knows must be what a session
// that selects the mailbox afresh is told.

// modelClient knows what it was told.
type modelClient struct {
	p       *peer
	r       *rand.Rand
	qresync bool
	uids    []uint32          // by number; 0 not asked for yet
	flags   map[uint32]string // by UID, without \Recent
	modseq  map[uint32]uint64
	high    uint64
}

// hear takes in one untagged response.
func (m *modelClient) hear(t testing.TB, line string) {
	t.Helper()
	var n uint32
	switch {
	case strings.HasSuffix(line, " EXISTS"):
		_, err := fmt.Sscanf(line, "%d EXISTS", &n)
		require.NoError(t, err)
		require.GreaterOrEqual(t, int(n), len(m.uids), "EXISTS takes messages away: %s", line)
		for len(m.uids) < int(n) {
			m.uids = append(m.uids, 0)
		}
	case strings.HasSuffix(line, " EXPUNGE"):
		require.False(t, m.qresync, "EXPUNGE to a client of QRESYNC")
		_, err := fmt.Sscanf(line, "%d EXPUNGE", &n)
		require.NoError(t, err)
		require.True(t, n >= 1 && int(n) <= len(m.uids), line)
		m.forget(m.uids[n-1])
		m.uids = slices.Delete(m.uids, int(n)-1, int(n))
	case strings.HasPrefix(line, "VANISHED "):
		require.True(t, m.qresync)
		for _, uid := range uidsOfText(t, strings.TrimPrefix(line, "VANISHED ")) {
			i := slices.Index(m.uids, uid)
			if i < 0 { // one of those it never asked about
				for j, u := range m.uids {
					if u != 0 && u < uid {
						i = j
					}
				}
				i++
				require.True(t, i < len(m.uids) && m.uids[i] == 0, "%s, which was never there", line)
			}
			m.uids = slices.Delete(m.uids, i, i+1)
			m.forget(uid)
		}
	case strings.Contains(line, " FETCH ("):
		m.hearFetch(t, line)
	}
}

func (m *modelClient) forget(uid uint32) {
	delete(m.flags, uid)
	delete(m.modseq, uid)
}

func (m *modelClient) hearFetch(t testing.TB, line string) {
	t.Helper()
	var n uint32
	_, err := fmt.Sscanf(line, "%d FETCH", &n)
	require.NoError(t, err)
	require.True(t, n >= 1 && int(n) <= len(m.uids), "%s of %d", line, len(m.uids))
	if uid, has := between(line, "UID ", " )"); has {
		var u uint32
		_, err := fmt.Sscan(uid, &u)
		require.NoError(t, err)
		if m.uids[n-1] != 0 {
			require.Equal(t, m.uids[n-1], u, "%s: the UID of a number changed", line)
		}
		m.uids[n-1] = u
	} else {
		require.False(t, m.qresync, "%s: no UID though QRESYNC is on", line)
	}
	uid := m.uids[n-1]
	if f, has := between(line, "FLAGS (", ")"); has && uid != 0 {
		words := slices.DeleteFunc(strings.Fields(f), func(s string) bool { return s == `\Recent` })
		slices.Sort(words)
		m.flags[uid] = strings.Join(words, " ")
	}
	if s, has := between(line, "MODSEQ (", ")"); has && uid != 0 {
		var v uint64
		_, err := fmt.Sscan(s, &v)
		require.NoError(t, err)
		require.GreaterOrEqual(t, v, m.modseq[uid], "%s: MODSEQ went down", line)
		m.modseq[uid] = v
		m.high = max(m.high, v)
	}
}

// between is the text behind start up to one of the octets of end.
func between(s, start, end string) (string, bool) {
	i := strings.Index(s, start)
	if i < 0 {
		return "", false
	}
	s = s[i+len(start):]
	if j := strings.IndexAny(s, end); j >= 0 {
		s = s[:j]
	}
	return s, true
}

func uidsOfText(t testing.TB, s string) (out []uint32) {
	for r := range strings.SplitSeq(s, ",") {
		from, to, ranged := strings.Cut(r, ":")
		if !ranged {
			to = from
		}
		var a, b uint32
		_, err := fmt.Sscan(from, &a)
		require.NoError(t, err)
		_, err = fmt.Sscan(to, &b)
		require.NoError(t, err)
		for ; a <= b; a++ {
			out = append(out, a)
		}
	}
	return out
}

// do sends a command and hears what comes.
func (m *modelClient) do(t testing.TB, command string) string {
	t.Helper()
	untagged, reply := m.p.do(command)
	for _, l := range untagged {
		m.hear(t, l)
	}
	require.False(t, strings.HasPrefix(reply, "BAD"), "%s: %s", command, reply)
	return reply
}

// numbers are some that there are, as the client knows it.
func (m *modelClient) numbers() string {
	if len(m.uids) == 0 {
		return ""
	}
	a := m.r.IntN(len(m.uids)) + 1
	b := min(len(m.uids), a+m.r.IntN(3))
	return fmt.Sprintf("%d:%d", a, b)
}

var modelFlags = []string{`\Seen`, `\Flagged`, `\Answered`, `\Draft`, `$Work`, `$Junk`, `\Deleted`, `\Deleted`}

// step does one thing at random.
func (m *modelClient) step(t testing.TB, other string) {
	t.Helper()
	flag := modelFlags[m.r.IntN(len(modelFlags))]
	silent := []string{"", ".SILENT"}[m.r.IntN(2)]
	n := m.numbers()
	switch k := m.r.IntN(20); {
	case k < 2:
		m.do(t, "NOOP")
	case k < 4 || n == "" || len(m.uids) < 5:
		m.p.tag++
		tag := fmt.Sprintf("t%d", m.p.tag)
		m.p.send(tag + " APPEND INBOX (" + flag + ") {12+}\r\nSubject: x\r\n\r\n")
		untagged, reply := m.p.until(tag)
		require.True(t, strings.HasPrefix(reply, "OK"), reply)
		for _, l := range untagged {
			m.hear(t, l)
		}
	case k < 8:
		m.store(t, n, true, silent, flag)
	case k < 11:
		m.store(t, n, false, silent, flag)
	case k < 12:
		m.store(t, fmt.Sprintf("1:%d", len(m.uids)), false, silent, flag)
	case k < 14:
		m.do(t, "FETCH "+n+" (UID FLAGS)")
	case k < 15:
		m.do(t, "UID FETCH 1:* (FLAGS)")
	case k < 16:
		m.do(t, "EXPUNGE")
	case k < 17:
		m.do(t, "COPY "+n+" "+other)
	case k < 18:
		m.do(t, "MOVE "+n+" "+other)
	case k < 19:
		m.do(t, "SEARCH "+flagKey(flag))
	default:
		m.do(t, "FETCH "+n+" BODY[]")
	}
}

// store changes flags. After .SILENT the client knows by itself what they are.
func (m *modelClient) store(t testing.TB, n string, add bool, silent, flag string) {
	t.Helper()
	var from, to int
	_, err := fmt.Sscanf(n, "%d:%d", &from, &to)
	require.NoError(t, err)
	sign := "-"
	if add {
		sign = "+"
	}
	for _, uid := range m.uids[from-1 : to] {
		f, known := m.flags[uid]
		if silent == "" || !known {
			continue
		}
		words := slices.DeleteFunc(strings.Fields(f), func(s string) bool { return s == flag })
		if add {
			words = append(words, flag)
		}
		slices.Sort(words)
		m.flags[uid] = strings.Join(words, " ")
	}
	m.do(t, "STORE "+n+" "+sign+"FLAGS"+silent+" ("+flag+")")
}

func flagKey(flag string) string {
	if key, is := strings.CutPrefix(flag, `\`); is {
		return key
	}
	return "KEYWORD " + flag
}

// check compares what a client knows with what a fresh session is told.
func (m *modelClient) check(t testing.TB, s *Server) {
	t.Helper()
	m.do(t, "NOOP")
	m.do(t, "UID FETCH 1:* UID") // numbers it has never asked about
	fresh := newModelClient(t, s, m.r, true)
	defer fresh.p.conn.Close()
	require.True(t, slices.Equal(fresh.uids, m.uids), "%v, want %v", m.uids, fresh.uids)
	for uid, f := range fresh.flags {
		if known, has := m.flags[uid]; has {
			require.Equal(t, f, known, "flags of UID %d", uid)
		}
		if v := m.modseq[uid]; v > 0 {
			require.LessOrEqual(t, v, fresh.modseq[uid])
		}
	}
}

// newModelClient selects the mailbox and asks for everything.
func newModelClient(t testing.TB, s *Server, r *rand.Rand, qresync bool) *modelClient {
	t.Helper()
	m := &modelClient{p: login(t, s), r: r, qresync: qresync, flags: map[uint32]string{}, modseq: map[uint32]uint64{}}
	if qresync {
		m.p.ok("ENABLE QRESYNC")
	}
	m.do(t, "SELECT INBOX")
	m.do(t, "UID FETCH 1:* (FLAGS MODSEQ)")
	return m
}

// TestModel: 20,000 operations, a million with POSTILION_LONG.
func TestModel(t *testing.T) {
	ops := 20_000
	if os.Getenv("POSTILION_LONG") != "" {
		ops = 1_000_000
	}
	if testing.Short() {
		ops = 2000
	}
	r := rand.New(rand.NewPCG(1, 2))
	for done := 0; done < ops; {
		store := &memory.Store{User: "alice", MaxMessages: -1}
		s := serverOf(store)
		put(t, store, "INBOX", 1, 2, 3, 4, 5)
		_, err := store.Create(context.Background(), "Other")
		require.NoError(t, err)
		var clients []*modelClient
		for i := range 4 {
			clients = append(clients, newModelClient(t, s, r, i%2 == 0))
		}
		for n := range 2000 {
			m := clients[r.IntN(len(clients))]
			m.step(t, "Other")
			done++
			if n%100 == 0 {
				for _, m := range clients {
					m.check(t, s)
				}
			}
		}
		for _, m := range clients {
			m.check(t, s)
			m.p.conn.Close()
		}
	}
}

// TestResync: a client that goes away and comes back with QRESYNC knows in the
// end what one knows that never left.
func TestResync(t *testing.T) {
	rounds := 150
	if os.Getenv("POSTILION_LONG") != "" {
		rounds = 20_000
	}
	r := rand.New(rand.NewPCG(3, 4))
	store := testStore()
	s := serverOf(store)
	put(t, store, "INBOX", 1, 2, 3, 4, 5, 6, 7, 8)
	_, err := store.Create(context.Background(), "Other")
	require.NoError(t, err)
	away := newModelClient(t, s, r, true)
	for range rounds {
		high := highest(t, away.p)
		away.p.conn.Close()
		other := newModelClient(t, s, r, r.IntN(2) == 0)
		for range r.IntN(30) {
			other.step(t, "Other")
		}
		other.p.conn.Close()
		back := &modelClient{p: login(t, s), r: r, qresync: true, flags: away.flags, modseq: away.modseq}
		back.p.ok("ENABLE QRESYNC")
		untagged, reply := back.p.do(fmt.Sprintf("SELECT INBOX (QRESYNC (1000 %d))", high))
		require.True(t, strings.HasPrefix(reply, "OK"), reply)
		known := slices.Sorted(maps.Keys(away.flags))
		back.resync(t, untagged, known)
		fresh := newModelClient(t, s, r, true)
		require.Equal(t, fresh.flags, back.flags)
		fresh.p.conn.Close()
		away = back
	}
}

// resync takes in the answer to SELECT (QRESYNC …).
func (m *modelClient) resync(t testing.TB, untagged []string, known []uint32) {
	t.Helper()
	for _, l := range untagged {
		if gone, is := strings.CutPrefix(l, "VANISHED (EARLIER) "); is {
			for _, uid := range uidsOfText(t, gone) {
				m.forget(uid)
				if i := slices.Index(known, uid); i >= 0 {
					known = slices.Delete(known, i, i+1)
				}
			}
			continue
		}
		if strings.HasSuffix(l, " EXISTS") {
			var n int
			_, err := fmt.Sscanf(l, "%d EXISTS", &n)
			require.NoError(t, err)
			m.uids = make([]uint32, n)
			continue
		}
		if strings.Contains(l, " FETCH (") {
			m.hearFetch(t, l)
		}
	}
}

// highest asks where the mailbox stands.
func highest(t testing.TB, p *peer) uint64 {
	t.Helper()
	p.ok("NOOP")
	var n uint64
	_, err := fmt.Sscanf(p.ok("STATUS INBOX (HIGHESTMODSEQ)")[0], "STATUS INBOX (HIGHESTMODSEQ %d)", &n)
	require.NoError(t, err)
	return n
}

// TestIndexModel: an index that is changed step by step is the one that is made
// of all messages at once, and the difference of two is what lies between them.
func TestIndexModel(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	x, all := emptyIndex, []mailbox.Meta(nil)
	next, seq := mailbox.UID(1), mailbox.ModSeq(1)
	for range 600 {
		d := mailbox.Delta{}
		before := slices.Clone(all)
		seq++
		for i := range all {
			switch r.IntN(60) {
			case 0:
				all[i].Flags.Sys ^= mailbox.Seen
				all[i].ModSeq = seq
				d.Messages = append(d.Messages, all[i])
			case 1:
				d.Vanished.Add(all[i].UID)
			}
		}
		all = slices.DeleteFunc(all, func(m mailbox.Meta) bool { return d.Vanished.Contains(m.UID) })
		d.Messages = slices.DeleteFunc(d.Messages, func(m mailbox.Meta) bool { return d.Vanished.Contains(m.UID) })
		for range r.IntN(30) {
			m := mailbox.Meta{UID: next, ModSeq: seq}
			next += mailbox.UID(1 + r.IntN(3))
			all = append(all, m)
			d.Messages = append(d.Messages, m)
		}
		y := x.apply(d)
		require.EqualValues(t, len(all), y.n)
		i := 0
		y.each(1, y.n, func(n uint32, m *mailbox.Meta) bool {
			_, at := y.find(m.UID)
			if all[i] != *m || all[i] != *y.at(n) || at != n {
				t.Fatalf("message %d is %v, want %v", n, *m, all[i])
			}
			i++
			return true
		})
		checkDiff(t, before, all, diff(x, y))
		x = y
	}
	assert.Greater(t, len(x.chunks), 1)
}

func checkDiff(t testing.TB, before, after []mailbox.Meta, d difference) {
	t.Helper()
	now := map[mailbox.UID]mailbox.Meta{}
	for _, m := range after {
		now[m.UID] = m
	}
	var gone []position
	var changed []mailbox.UID
	for i, m := range before {
		switch n, there := now[m.UID]; {
		case !there:
			gone = append(gone, position{uint32(i + 1), m.UID})
		case n != m:
			changed = append(changed, m.UID)
		}
		delete(now, m.UID)
	}
	require.Equal(t, gone, d.gone)
	require.Equal(t, changed, d.changed)
	require.EqualValues(t, len(now), d.added)
	require.False(t, d.disorder)
}

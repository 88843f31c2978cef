package dirspool

import (
	"bytes"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/spool"
	"github.com/postilion-mail/postilion/spool/internal/schedule"
)

var aName, _ = parseName(string(spool.DerivedID("file")))

func fullState() state {
	return state{item: 3, children: []fileName{aName}, rcpts: []rcptState{
		{index: 0, rcpt: rcpt{done: true}},
		{index: 70_000, rcpt: rcpt{due: schedule.Nanos(day), attempts: 65535, held: true, warned: true}},
		{index: 2, rcpt: rcpt{due: -5}, result: &smtp.Result{Status: smtp.Unknown, Host: "mx.example", DSN: true,
			Reply: smtp.Reply{Code: 451, Enhanced: "4.7.1", Text: "greylisted"}}},
	}}
}

func TestRecordData(t *testing.T) {
	s, err := parseState(fullState().append(nil))
	require.NoError(t, err)
	assert.Equal(t, fullState(), s)
	a := attempt{run: [8]byte{1, 2}, item: 1, rcpts: []tried{{0, 1}, {5, 2}}}
	b, err := parseAttempt(a.append(nil))
	require.NoError(t, err)
	assert.Equal(t, a, b)
	for _, c := range []commit{{items: 4}, {items: 1, parent: aName}} {
		d, err := parseCommit(c.append(nil))
		require.NoError(t, err)
		assert.Equal(t, c, d)
	}
	whole := fullState().append(nil)
	for cut := range whole {
		_, err := parseState(whole[:cut])
		require.ErrorIs(t, err, spool.ErrCorrupt, "cut at %d", cut)
	}
	_, err = parseState(append(whole, 0))
	assert.ErrorIs(t, err, spool.ErrCorrupt)
}

// TestRecordBelongsToFile: a record of another file, or of one with another
// nonce, is not one of this file.
func TestRecordBelongsToFile(t *testing.T) {
	h := header{nonce: [8]byte{1}}
	rec := endRecord(fullState().append(beginRecord(nil, kindState, 7)), 0, h.seed(aName))
	r, ok := parseRecord(append(rec, "more"...), h.seed(aName))
	require.True(t, ok)
	assert.Equal(t, record{kindState, 7, fullState().append(nil), len(rec)}, r)
	other, _ := parseName(string(spool.DerivedID("other")))
	_, ok = parseRecord(rec, h.seed(other))
	assert.False(t, ok)
	_, ok = parseRecord(rec, header{nonce: [8]byte{2}}.seed(aName))
	assert.False(t, ok)
	for i := range rec {
		for bit := range 8 {
			bad := bytes.Clone(rec)
			bad[i] ^= 1 << bit
			_, ok := parseRecord(bad, h.seed(aName))
			require.False(t, ok, "byte %d", i)
		}
	}
}

func TestHeader(t *testing.T) {
	h := header{nonce: [8]byte{1, 2, 3}, body: 1 << 40, sum: 5, records: 6}
	b := h.append([]byte("x"), aName)[1:]
	require.Len(t, b, headerLen)
	got, err := parseHeader(b, aName)
	require.NoError(t, err)
	assert.Equal(t, h, got)
	for i := range b {
		bad := bytes.Clone(b)
		bad[i]++
		_, err := parseHeader(bad, aName)
		require.ErrorIs(t, err, spool.ErrCorrupt, "byte %d", i)
	}
	_, err = parseHeader(b, fileName{})
	assert.ErrorIs(t, err, spool.ErrCorrupt)
	_, err = parseHeader(b[:63], aName)
	assert.ErrorIs(t, err, spool.ErrCorrupt)
}

// fixture is a file with one item and some records, without its body.
func fixture(t testing.TB, records ...[]byte) (header, []byte) {
	h := header{nonce: [8]byte{9}, body: 100}
	it := message("fixture", "", "ok@a.example", "later@b.example")
	it.Created = day
	b, err := it.AppendBinary(beginRecord(nil, kindItem, 0))
	require.NoError(t, err)
	b = endRecord(b, 0, h.seed(aName))
	b = endRecord(commit{items: 1}.append(beginRecord(b, kindCommit, 0)), len(b), h.seed(aName))
	h.records = uint32(len(b))
	for _, r := range records {
		b = append(b, r...)
	}
	return h, b
}

func stateRecord(h header, base uint32, s state) []byte {
	return endRecord(s.append(beginRecord(nil, kindState, base)), 0, h.seed(aName))
}

func attemptRecord(h header, base uint32, n uint16) []byte {
	return endRecord(attempt{[8]byte{byte(n)}, 0, []tried{{0, n}}}.append(beginRecord(nil, kindAttempt, base)), 0, h.seed(aName))
}

// TestTornOrCorrupt: the same bad record is the trace of a crash or damage,
// depending on whether a later one says that it was on the disk.
func TestTornOrCorrupt(t *testing.T) {
	h, fixed := fixture(t)
	base := h.records
	mark := attemptRecord(h, base, 1)
	next := base + uint32(len(mark))
	bad := bytes.Clone(mark)
	bad[12] ^= 1
	settled := state{rcpts: []rcptState{{rcpt: rcpt{done: true}}}}
	for name, tt := range map[string]struct {
		tail    [][]byte
		corrupt bool
		good    int // bytes of the tail that count
	}{
		"nothing":                              {nil, false, 0},
		"a mark":                               {[][]byte{mark}, false, len(mark)},
		"half a mark":                          {[][]byte{mark[:9]}, false, 0},
		"zeros":                                {[][]byte{mark, make([]byte, 5000)}, false, len(mark)},
		"bad, then nothing":                    {[][]byte{bad}, false, 0},
		"bad, then what was not synced either": {[][]byte{bad, stateRecord(h, base, settled)}, false, 0},
		"bad, then one that knew it":           {[][]byte{bad, stateRecord(h, next, settled)}, true, 0},
		"bad, then a mark that knew it":        {[][]byte{bad, attemptRecord(h, next, 2)}, true, 0},
		"a base beyond itself":                 {[][]byte{attemptRecord(h, next+1, 2)}, true, 0},
		"a recipient that is not there":        {[][]byte{stateRecord(h, base, state{rcpts: []rcptState{{index: 2}}})}, true, 0},
		"an item that is not there":            {[][]byte{stateRecord(h, base, state{item: 1})}, true, 0},
		"a second commit":                      {[][]byte{endRecord(commit{items: 1}.append(beginRecord(nil, kindCommit, base)), 0, h.seed(aName))}, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := bytes.Clone(fixed)
			for _, r := range tt.tail {
				b = append(b, r...)
			}
			im, err := parseImage(h, b, aName)
			if tt.corrupt {
				require.ErrorIs(t, err, spool.ErrCorrupt)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tt.good, int(im.tail-h.records))
			assert.Equal(t, len(b) > int(im.tail), im.torn)
		})
	}
	for cut := range fixed {
		_, err := parseImage(h, fixed[:cut], aName)
		require.ErrorIs(t, err, spool.ErrCorrupt, "what was on the disk is not there")
	}
}

// TestReplayKeepsLast: of many records the last one counts, for each recipient.
func TestReplayKeepsLast(t *testing.T) {
	h, b := fixture(t)
	first := state{rcpts: []rcptState{{index: 1, rcpt: rcpt{due: 5, attempts: 1}, result: &smtp.Result{}}}}
	held := state{rcpts: []rcptState{{index: 0, rcpt: rcpt{done: true}}, {index: 1, rcpt: rcpt{due: 5, attempts: 1, held: true}}}}
	at := uint32(len(b))
	b = append(b, stateRecord(h, at, first)...)
	b = append(b, attemptRecord(h, at, 4)...)
	b = append(b, stateRecord(h, uint32(len(b)), held)...)
	im, err := parseImage(h, b, aName)
	require.NoError(t, err)
	assert.Equal(t, []rcpt{{done: true}, {due: 5, attempts: 1, held: true, last: at}}, im.items[0].rcpts, "the result is that of the first")
	assert.Greater(t, im.relied, im.synced, "that it is done was perhaps not synced")
}

// FuzzImage: nothing that a file may hold does harm, and what is good of it is
// good by itself.
func FuzzImage(f *testing.F) {
	h, b := fixture(f)
	settled := stateRecord(h, h.records, fullState())
	f.Add(b, byte(0))
	f.Add(append(bytes.Clone(b), attemptRecord(h, h.records, 3)...), byte(1))
	f.Add(append(bytes.Clone(b), settled...), byte(2))
	f.Fuzz(func(t *testing.T, b []byte, fix byte) {
		h := h
		if fix&1 != 0 { // let it get behind the sums
			b = resum(b, h.seed(aName))
			h.records = uint32(min(int(h.records)+int(fix>>1), len(b)))
		}
		im, err := parseImage(h, b, aName)
		if err != nil {
			if !errors.Is(err, spool.ErrCorrupt) {
				t.Fatal(err)
			}
			return
		}
		if int(im.tail) > len(b) || im.synced > im.tail || im.relied > im.tail || im.tail < h.records {
			t.Fatalf("tail %d, synced %d, relied %d of %d", im.tail, im.synced, im.relied, len(b))
		}
		again, err := parseImage(h, b[:im.tail], aName)
		if err != nil || again.torn || again.tail != im.tail {
			t.Errorf("without its torn end: %v", err)
		}
	})
}

// resum gives all records of b the sums they should have.
func resum(b []byte, seed uint32) []byte {
	b = bytes.Clone(b)
	for at := 0; len(b)-at >= recordMore; {
		n := int(uint32(b[at+1])<<24|uint32(b[at+2])<<16|uint32(b[at+3])<<8|uint32(b[at+4])) + recordHead
		if n < 0 || n > len(b)-at-4 {
			break
		}
		copy(b[at:], endRecord(bytes.Clone(b[at:at+n]), 0, seed))
		at += n + 4
	}
	return b
}

// FuzzState: what is read can be written and read again.
func FuzzState(f *testing.F) {
	f.Add(fullState().append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := parseState(b)
		if err != nil {
			return
		}
		again, err := parseState(s.append(nil))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again.append(nil), s.append(nil)) {
			t.Errorf("%+v\n%+v", s, again)
		}
	})
}

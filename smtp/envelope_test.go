package smtp

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// full is an envelope with everything in it.
func full(t testing.TB) Envelope {
	e := envelope(t, "ann@example.org", `"b c"@example.org`, "d@[IPv6:::1]")
	e.ID = "id"
	e.Params = MailParams{Size: 1 << 40, Body: BodyBinaryMIME, UTF8: true, RequireTLS: true, RetFull: true, EnvID: "e+", Auth: "<>", Priority: -9,
		DeliverBy: DeliverBy{time.Date(1900, 1, 1, 0, 0, 0, 1, time.UTC), true, true}, HoldUntil: clock(), Other: []Param{{"X", ""}, {"Y", "1"}}}
	e.To[0].Notify, e.To[0].ORcpt, e.To[0].Expanded = NotifyNever, "rfc822;x", true
	e.To[1].ValidSince, e.To[1].ValidRelay, e.To[1].Other, e.To[1].Delivered = clock(), true, []Param{{"Z", "2"}}, true
	e.Prefix = []byte("X: y\r\n")
	return e
}

func TestEnvelopeBinary(t *testing.T) {
	for _, e := range []Envelope{{}, full(t), envelope(t, "", "a@b.c")} {
		b, err := e.MarshalBinary()
		require.NoError(t, err)
		var back Envelope
		require.NoError(t, back.UnmarshalBinary(b))
		assert.Equal(t, e, back)
		for cut := range b {
			assert.Error(t, new(Envelope).UnmarshalBinary(b[:cut]), "cut at %d", cut)
		}
		assert.Error(t, new(Envelope).UnmarshalBinary(append(b, 0)))
	}
	// A store cannot put bytes on the wire that no ParsePath let through.
	evil := Envelope{From: Path{"a>\r\nRCPT TO:<x", "b"}}
	b, err := evil.AppendBinary(nil)
	require.NoError(t, err)
	assert.Error(t, new(Envelope).UnmarshalBinary(b))
}

// FuzzEnvelopeBinary: what is read is written back as the same value, whatever
// the input, and never needs more memory than it deserves.
func FuzzEnvelopeBinary(f *testing.F) {
	b, _ := full(f).MarshalBinary()
	f.Add(b)
	f.Add([]byte{envelopeVersion})
	f.Fuzz(func(t *testing.T, in []byte) {
		var e, back Envelope
		if e.UnmarshalBinary(in) != nil {
			return
		}
		out, err := e.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := back.UnmarshalBinary(out); err != nil {
			t.Fatalf("%x: %v", out, err)
		}
		again, _ := back.AppendBinary(nil)
		if string(again) != string(out) {
			t.Errorf("%x\n%x", out, again)
		}
	})
}

func TestCloneSharesNothing(t *testing.T) {
	e := full(t)
	c := e.Clone()
	assert.Equal(t, e, c)
	c.To[1].Other[0].Name, c.Params.Other[0].Name, c.Prefix[0] = "changed", "changed", 'C'
	assert.Equal(t, full(t), e)
	w := e.With(e.To[1])
	assert.Len(t, w.To, 1)
	assert.Len(t, e.To, 2)
	assert.Equal(t, e.Params, w.Params)
}

func TestNewEnvelope(t *testing.T) {
	_, err := NewEnvelope("a@", "b@c.d")
	assert.ErrorContains(t, err, `sender "a@"`)
	_, err = NewEnvelope("", "b")
	assert.ErrorContains(t, err, `recipient "b"`)
	_, err = NewEnvelope("", "<>")
	assert.Error(t, err)
}

func TestAddField(t *testing.T) {
	var e Envelope
	require.NoError(t, e.AddField("B", "two\r\n\tfolded"))
	require.NoError(t, e.AddField("A", "one é"))
	assert.Equal(t, "A: one é\r\nB: two\r\n\tfolded\r\n", string(e.Prefix))
	before := string(e.Prefix)
	for _, c := range [][2]string{{"", "x"}, {"A:", "x"}, {"A B", "x"}, {"A\r\nB", "x"}, {"É", "x"}, {"A", "x\r\nB: y"}, {"A", "x\ny"}, {"A", "x\ry"}, {"A", "x\x00"},
		{"A", "x\r\n"}, {"A", "x\r\n \r\n y"}, {"A", "\xff"}, {"A", "\u2028"}, {"A", "\u0085"}, {"A", strings.Repeat("x", 999)}, {strings.Repeat("x", 77), "x"}} {
		assert.Error(t, e.AddField(c[0], c[1]), "%q", c)
	}
	assert.Equal(t, before, string(e.Prefix))
}

// FuzzAddField: whatever is accepted is one field and leaves the rest alone.
func FuzzAddField(f *testing.F) {
	f.Add("Subject", "x\r\n y")
	f.Add("A", "x\r\nBcc: y")
	f.Fuzz(func(t *testing.T, name, value string) {
		e := Envelope{Prefix: []byte("Last: 1\r\n")}
		if e.AddField(name, value) != nil {
			return
		}
		fields := 0
		for line := range strings.SplitSeq(strings.TrimSuffix(string(e.Prefix), "\r\n"), "\r\n") {
			if line == "" || strings.ContainsAny(line, "\r\n\x00") || len(line) > 998 {
				t.Errorf("line %q", line)
			}
			if line[0] != ' ' && line[0] != '\t' {
				fields++
			}
		}
		if fields != 2 || !strings.HasPrefix(string(e.Prefix), name+": ") {
			t.Errorf("%d fields in %q", fields, e.Prefix)
		}
	})
}

func TestSectionReadsPrefixAndBody(t *testing.T) {
	body := io.NewSectionReader(strings.NewReader("xxbody"), 2, 4)
	for prefix, want := range map[string]string{"": "body", "P: 1\r\n": "P: 1\r\nbody"} {
		e := Envelope{Prefix: []byte(prefix)}
		s := e.Section(body)
		assert.EqualValues(t, len(want), s.Size())
		require.NoError(t, iotest.TestReader(s, []byte(want)))
		for off := range want {
			for n := range len(want) - off + 1 {
				p := make([]byte, n)
				_, err := s.ReadAt(p, int64(off))
				require.NoError(t, err)
				assert.Equal(t, want[off:off+n], string(p))
			}
		}
		all, err := io.ReadAll(e.Reader(strings.NewReader("body")))
		require.NoError(t, err)
		assert.Equal(t, want, string(all))
	}
}

func TestNotify(t *testing.T) {
	assert.True(t, Notify(0).Has(NotifyFailure))
	assert.False(t, Notify(0).Has(NotifySuccess))
	assert.False(t, NotifyNever.Has(NotifyFailure))
	assert.Equal(t, "NEVER", NotifyNever.String())
	assert.Empty(t, Notify(0).String())
	assert.Equal(t, "SUCCESS,FAILURE,DELAY", (NotifySuccess | NotifyFailure | NotifyDelay).String())
	assert.Equal(t, []string{"7BIT", "8BITMIME", "BINARYMIME"}, []string{Body7Bit.String(), Body8BitMIME.String(), BodyBinaryMIME.String()})
}

package sasl

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPrepareRFC4013Examples(t *testing.T) {
	for in, want := range map[string]string{ // RFC 4013 §3
		"I\u00adX": "IX", "user": "user", "USER": "USER", "\u00aa": "a", "\u2168": "IX",
	} {
		got, err := Prepare(in)
		require.NoError(t, err, "%q", in)
		assert.Equal(t, want, got)
	}
	_, err := Prepare("\u0007")
	assert.ErrorIs(t, err, errProhibited)
	_, err = Prepare("\u0627\u0031")
	assert.ErrorIs(t, err, errBidi)
}

func TestPrepare(t *testing.T) {
	for _, c := range []struct {
		in, out       string
		query, stored error
	}{
		{"", "", nil, nil},
		{" two  words ", " two  words ", nil, nil},
		{"a\u00a0b\u3000c", "a b c", nil, nil},                 // RFC 5802 §3 suggests these two:
		{"\u00bd\u00b4", "1\u20442 \u0301", nil, nil},          // vulgar fraction and acute accent
		{"e\u0301", "\u00e9", nil, nil},                        // composed
		{"\u200b\ufeff\u00ad", "", nil, nil},                   // nothing is left
		{"\u0627\u0628", "\u0627\u0628", nil, nil},             // right to left
		{"\u0627\u0031\u0628", "\u0627\u0031\u0628", nil, nil}, // with a digit within
		{"\u0627a\u0628", "", errBidi, errBidi},
		{"\u0031\u0627", "", errBidi, errBidi},
		{"\u0627\u0031", "", errBidi, errBidi},
		{"a\x7f", "", errProhibited, errProhibited},
		{"a\nb", "", errProhibited, errProhibited},
		{"a\x00", "", errProhibited, errProhibited},
		{"\ue000", "", errProhibited, errProhibited},     // private use
		{"\U000e0041", "", errProhibited, errProhibited}, // tag
		{"\ufdd0", "", errProhibited, errProhibited},     // not a character
		{"\u2028", "", errProhibited, errProhibited},     // line separator
		{"\u202e", "", errProhibited, errProhibited},     // override
		{"a\xff", "", errNotUTF8, errNotUTF8},
		{"\xed\xa0\x80", "", errNotUTF8, errNotUTF8},     // surrogate
		{"\U0001f600", "\U0001f600", nil, errUnassigned}, // newer than Unicode 3.2
		{"\u0221", "\u0221", nil, errUnassigned},
		{strings.Repeat("a", MaxMessage+1), "", errLong, errLong},
	} {
		got, err := Prepare(c.in)
		assert.Equal(t, c.out, got, "%.20q", c.in)
		assert.ErrorIs(t, err, c.query, "%.20q", c.in)
		_, err = PrepareStored(c.in)
		assert.ErrorIs(t, err, c.stored, "%.20q", c.in)
	}
}

func TestTablesAscend(t *testing.T) {
	for name, table := range map[string]runeRanges{"spaces": spaces, "nothing": nothing, "prohibited": prohibited,
		"rightToLeft": rightToLeft, "leftToRight": leftToRight, "unassigned": unassigned} {
		last := rune(-1)
		for _, r := range table {
			assert.True(t, last < r.lo && r.lo <= r.hi, "%s at %x", name, r.lo)
			last = r.hi
		}
	}
}

// pythonPrep prints, for each code point, in which of our tables Python's
// own stringprep has it; in steps, as that takes Python its time.
const pythonPrep = `
import stringprep as s
for c in range(0, 0x110000, STEP):
    if 0xd800 <= c < 0xe000: continue
    r = chr(c)
    p = any(f(r) for f in (s.in_table_c12, s.in_table_c21_c22, s.in_table_c3, s.in_table_c4,
        s.in_table_c5, s.in_table_c6, s.in_table_c7, s.in_table_c8, s.in_table_c9))
    print(int(s.in_table_c12(r)) | int(s.in_table_b1(r)) << 1 | int(p) << 2 |
        int(s.in_table_d1(r)) << 3 | int(s.in_table_d2(r)) << 4 | int(s.in_table_a1(r)) << 5)
`

func TestTablesAgainstPython(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 here")
	}
	if exec.CommandContext(t.Context(), python, "-c", "import stringprep").Run() != nil {
		t.Skip("this python3 has no stringprep")
	}
	step := rune(31)
	if os.Getenv("POSTILION_LONG") != "" {
		step = 1
	}
	script := strings.ReplaceAll(pythonPrep, "STEP", fmt.Sprint(step))
	out, err := exec.CommandContext(t.Context(), python, "-c", script).Output()
	require.NoError(t, err)
	lines := bufio.NewScanner(strings.NewReader(string(out)))
	tables := [...]runeRanges{spaces, nothing, prohibited, rightToLeft, leftToRight, unassigned}
	for r := rune(0); r <= 0x10ffff; r += step {
		if r >= 0xd800 && r < 0xe000 { // surrogates are not in UTF-8
			continue
		}
		bits := 0
		for i, table := range tables {
			if table.has(r) {
				bits |= 1 << i
			}
		}
		require.True(t, lines.Scan())
		if lines.Text() != fmt.Sprint(bits) {
			t.Fatalf("U+%04X: tables say %d, Python %s", r, bits, lines.Text())
		}
	}
}

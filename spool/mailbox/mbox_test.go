package mailbox

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// readMbox reads all of a file.
func readMbox(r io.Reader) (msgs []*Incoming, texts []string, err error) {
	for in, err := range Mbox(r) {
		if err != nil {
			return msgs, texts, err
		}
		b, err := io.ReadAll(in.Body)
		if err != nil {
			return msgs, texts, err
		}
		msgs, texts = append(msgs, in), append(texts, string(b))
	}
	return msgs, texts, nil
}

func TestMbox(t *testing.T) {
	file := "From ann@example.org Thu Jan  1 00:00:10 1970\n" +
		"Subject: one\nStatus: RO\nX-Status: AF\n\n>From here\n>>From there\n> From\nFrom inside\n\n" +
		"From bob@example.org  Sat Jan  3 01:05:34 1996\r\n" +
		"Subject: two\r\n\r\n\r\nend without a line end"
	msgs, texts, err := readMbox(strings.NewReader(file))
	require.NoError(t, err)
	assert.Equal(t, []string{
		"Subject: one\r\nStatus: RO\r\nX-Status: AF\r\n\r\nFrom here\r\n>From there\r\n> From\r\nFrom inside\r\n",
		"Subject: two\r\n\r\n\r\nend without a line end",
	}, texts)
	assert.Equal(t, Flags{Sys: Seen | Answered | Flagged}, msgs[0].Flags)
	assert.EqualValues(t, 10, msgs[0].Received.Unix())
	assert.Equal(t, 1996, msgs[1].Received.Year())
	assert.Equal(t, Flags{}, msgs[1].Flags)
}

func TestMboxDates(t *testing.T) {
	for line, want := range map[string]int64{
		"From a@b Thu Jan  1 00:00:10 1970":           10,
		"From \"a b\"@c Thu Jan 01 00:00:10 1970\r\n": 10,
		"From a@b Thu Jan  1 00:00:10 UTC 1970":       10,
		"From a@b Thu Jan  1 02:00:10 +0200 1970":     10,
		"From a@b Thu Jan  1 02:00:10 1970 +0200":     10,
		"From - Thu, 1 Jan 1970 00:00:10 +0000":       10,
		"From MAILER-DAEMON Thu Jan  1 00:01 1970":    60,
		"From a@b": time.Time{}.Unix(),
		"From " + strings.Repeat("x ", 1000) + "yesterday": time.Time{}.Unix(),
	} {
		assert.Equal(t, want, fromDate(line).Unix(), line)
	}
}

func TestMboxBad(t *testing.T) {
	for _, s := range []string{"Subject: x\n", "from x\n", "\nFrom x\n", strings.Repeat("x", 2*mboxBuffer)} {
		_, _, err := readMbox(strings.NewReader(s))
		assert.ErrorIs(t, err, errNoMbox, "%.10q", s)
	}
	_, texts, err := readMbox(strings.NewReader(""))
	assert.NoError(t, err)
	assert.Empty(t, texts)
	broken := errors.New("broken")
	for _, s := range []string{"", "From x\n", "From x\nabc\n", "From x"} {
		_, _, err := readMbox(io.MultiReader(strings.NewReader(s), iotest.ErrReader(broken)))
		assert.ErrorIs(t, err, broken, "%q", s)
	}
}

// TestMboxSkipped: what is left of a Body is skipped.
func TestMboxSkipped(t *testing.T) {
	n := 0
	for in, err := range Mbox(strings.NewReader("From a\nx\n\nFrom b\ny\n\n")) {
		require.NoError(t, err)
		require.NotNil(t, in.Body)
		n++
	}
	assert.Equal(t, 2, n)
}

// TestMboxSender: pitfall: a sender cannot end the From line, and no message can
// begin another.
func TestMboxSender(t *testing.T) {
	for top, want := range map[string]string{
		"Return-Path: <ann@example.org>\r\n": "ann@example.org", "return-path:ann@example.org\r\n": "ann@example.org",
		"Return-Path: <>\r\n": "MAILER-DAEMON", "Subject: x\r\n": "MAILER-DAEMON", "": "MAILER-DAEMON",
		"Return-Path: <\"a b\"@c>\r\n": "MAILER-DAEMON", "Return-Path: <a\nFrom b>\r\n": "MAILER-DAEMON",
		"Return-Path: <" + strings.Repeat("x", 600) + ">\r\n": strings.Repeat("x", 512-14),
	} {
		assert.Equal(t, want, returnPath(Bytes([]byte(top))), "%.40q", top)
	}
}

// write is the file of some messages.
func write(t testing.TB, texts ...string) string {
	var b bytes.Buffer
	w := bufio.NewWriter(&b)
	for _, s := range texts {
		require.NoError(t, writeMbox(w, iotest.HalfReader(strings.NewReader(s)), "a@b.c", time.Unix(10, 0)))
	}
	require.NoError(t, w.Flush())
	return b.String()
}

// ended is what comes back of a message.
func ended(s string) string {
	s = crlf(s)
	if strings.HasSuffix(s, "\r") {
		return s + "\n" // which is a line end now
	}
	if !strings.HasSuffix(s, "\n") && s != "" {
		s += "\r\n"
	}
	return s
}

func TestMboxRoundTrip(t *testing.T) {
	long := strings.Repeat("x", mboxBuffer-1)
	texts := []string{
		"Subject: a\r\n\r\nFrom x\r\n>From y\r\n>>From z\r\n\r\n\r\nFrom \r\n", "x", "From x", "\r\n", "\r\n\r\n", "a\r\n\r\n",
		long + "\r\nFrom x\r\n", "From " + long + "From \r\n", long + "x\r\r\n", strings.Repeat(">", 70_000) + "From \r\n", "a\rb\r",
	}
	file := write(t, texts...)
	assert.NotContains(t, file[:200], "\r")
	_, got, err := readMbox(iotest.HalfReader(strings.NewReader(file)))
	require.NoError(t, err)
	require.Len(t, got, len(texts))
	for i, s := range texts {
		if strings.HasPrefix(s, ">>>") {
			continue // more ">" than fit: nobody writes this
		}
		assert.Equal(t, ended(s), got[i], "%.20q", s)
	}
}

// FuzzMbox: messages come back as they were.
func FuzzMbox(f *testing.F) {
	f.Add("Subject: a\r\n\r\nFrom x\r\n", "\r\nFrom ", "")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		_, got, err := readMbox(strings.NewReader(write(t, a, b, c)))
		require.NoError(t, err)
		require.Equal(t, []string{ended(a), ended(b), ended(c)}, got)
		// Whatever a file is, it is read without a surprise.
		_, texts, _ := readMbox(iotest.OneByteReader(strings.NewReader(a)))
		for _, s := range texts {
			require.NotContains(t, strings.ReplaceAll(s, "\r\n", ""), "\n")
		}
	})
}

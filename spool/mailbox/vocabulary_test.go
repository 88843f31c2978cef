package mailbox

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCheckName(t *testing.T) {
	for in, want := range map[string]string{
		"INBOX": "INBOX", "inbox": "INBOX", "Inbox/x": "INBOX/x", "InboxX": "InboxX", "a/inbox": "a/inbox", "ä": "ä", "a b": "a b",
		strings.Repeat("x", MaxName): strings.Repeat("x", MaxName), "...": "...", ".a": ".a",
	} {
		got, err := CheckName(in)
		assert.NoError(t, err)
		assert.Equal(t, want, got)
	}
	for _, bad := range []string{
		"", "/", "a/", "/a", "a//b", ".", "..", "a/..", "a\x00", "a\nb", "\x7f", "a\u2029", "\xff", "\u0085", "\ufffd",
		strings.Repeat("x", MaxName+1), strings.Repeat("x/", MaxDepth) + "x",
	} {
		_, err := CheckName(bad)
		assert.ErrorIs(t, err, ErrCannot, "%q", bad)
		assert.NotContains(t, err.Error(), "\n")
	}
}

// FuzzCheckName: what is accepted is accepted again, unchanged.
func FuzzCheckName(f *testing.F) {
	f.Add("inbox/Work")
	f.Fuzz(func(t *testing.T, s string) {
		n, err := CheckName(s)
		if err != nil {
			return
		}
		again, err := CheckName(n)
		require.NoError(t, err)
		assert.Equal(t, n, again)
		assert.NotContains(t, "/"+n+"/", "/../")
	})
}

// TestErrors: each has its reply, and keeps its cause to itself.
func TestErrors(t *testing.T) {
	for err, want := range map[error]string{
		ErrNotExist: "550 5.1.1 NONEXISTENT", ErrExists: "451 4.3.0 ALREADYEXISTS", ErrOverQuota: "452 4.2.2 OVERQUOTA",
		ErrReadOnly: "550 5.2.1 NOPERM", ErrCannot: "451 4.3.0 CANNOT", ErrTooBig: "552 5.2.3 TOOBIG", ErrLimit: "452 4.3.1 LIMIT",
		ErrInUse: "450 4.2.0 INUSE", ErrCorrupt: "451 4.3.0 CORRUPTION", &Error{Code: "NEW"}: "451 4.3.0 NEW",
	} {
		var e *Error
		require.ErrorAs(t, err, &e)
		code, enhanced, text := e.SMTP()
		assert.Equal(t, want, fmt.Sprint(code, " ", enhanced, " ", e.Response()))
		assert.NotEmpty(t, text)
		wrapped := fmt.Errorf("around: %w", &Error{Code: e.Code, Err: fs.ErrClosed})
		assert.ErrorIs(t, wrapped, err)
		assert.ErrorIs(t, wrapped, fs.ErrClosed)
		assert.ErrorContains(t, wrapped, "file already closed")
	}
	assert.False(t, errors.Is(ErrCannot, ErrLimit))
}

func TestBytes(t *testing.T) {
	b := Bytes([]byte("0123456789"))
	assert.EqualValues(t, 10, b.Size())
	p := make([]byte, 4)
	n, err := b.ReadAt(p, 8)
	assert.Equal(t, 2, n)
	assert.Equal(t, io.EOF, err)
	_, err = b.ReadAt(p, 10)
	assert.Equal(t, io.EOF, err)
	_, err = b.ReadAt(p, -1)
	assert.Error(t, err)
	var w strings.Builder
	_, err = io.Copy(&w, reader(b))
	assert.NoError(t, err)
	assert.Equal(t, "0123456789", w.String())
	require.NoError(t, b.Close())
	assert.ErrorIs(t, b.Close(), fs.ErrClosed)
	_, err = b.ReadAt(p, 0)
	assert.ErrorIs(t, err, fs.ErrClosed)
}

func TestRights(t *testing.T) {
	for in, want := range map[string]Rights{"": "", "rl": "lr", "lrr": "lr", "c": "kx", "d": "te", "aetxkpiwsrl": AllRights} {
		got, err := ParseRights(in)
		assert.NoError(t, err)
		assert.Equal(t, want, got)
	}
	_, err := ParseRights("lrz")
	assert.ErrorIs(t, err, ErrCannot)
	assert.Equal(t, Rights("lrs"), AddFlags.ApplyRights("ls", "r"))
	assert.Equal(t, Rights("l"), RemoveFlags.ApplyRights("lrs", "rsx"))
	assert.Equal(t, Rights("i"), ReplaceFlags.ApplyRights("lrs", "i"))
	assert.True(t, AllRights.Has("lr"))
	assert.False(t, Rights("l").Has("lr"))
}

// TestHeaderInPieces: a header is found wherever it ends, and bounded.
func TestHeaderInPieces(t *testing.T) {
	for _, n := range []int{0, 1, headerStep - 30, headerStep - 20, headerStep - 14, headerStep, 5 * headerStep} {
		head := "Subject: " + strings.Repeat("x", n) + "\r\n\r\n"
		got, err := readHeader(Bytes([]byte(head + "body\r\n\r\n")))
		require.NoError(t, err)
		assert.Equal(t, head, string(got))
	}
	got, err := readHeader(Bytes([]byte(strings.Repeat("x", MaxHeader+5))))
	require.NoError(t, err)
	assert.Len(t, got, MaxHeader)
	got, err = readHeader(Bytes(nil))
	require.NoError(t, err)
	assert.Empty(t, got)
}

func TestRoomOfResources(t *testing.T) {
	r := Resource{Name: Storage, Used: 90, Limit: 100}
	assert.False(t, r.over(10, 1))
	assert.True(t, r.over(11, 1))
	assert.True(t, Resource{Name: Messages, Used: 5, Limit: 5}.over(0, 1))
	assert.False(t, Resource{Name: Mailboxes, Used: 5, Limit: 5}.over(1, 1))
}

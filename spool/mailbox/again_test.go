package mailbox_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/spool/mailbox"
	"github.com/postilion-mail/postilion/spool/mailbox/memory"
)

// A message that is there is not delivered again; one that differs in anything is.
func TestDeliverAgain(t *testing.T) {
	long := strings.Repeat("0123456789abcde\n", 600)
	for _, text := range []string{"", "x", "Subject: x\r\n\r\n" + long, long[:4096], long[:4096-len("Return-Path: <a@b.example>\r\n")]} {
		var s memory.Store
		deliver := func(body io.Reader, from, folder string, again bool) {
			t.Helper()
			require.NoError(t, mailbox.Deliver(bg, &s, mailbox.Delivery{ReturnPath: from, Folder: folder, Body: body, Again: again}))
		}
		count := func() int {
			m, err := mailbox.OpenName(bg, &s, mailbox.Inbox)
			require.NoError(t, err)
			defer m.Close()
			d, err := m.Changes(bg, 0)
			require.NoError(t, err)
			return len(d.Messages)
		}
		require.NoError(t, s.Put(bg, mailbox.Inbox, mailbox.Flags{}, "Subject: another\r\n\r\n"))
		deliver(strings.NewReader(text), "a@b.example", "", true)
		require.Equal(t, 2, count(), "the first time it is not there")
		deliver(strings.NewReader(text), "a@b.example", "", true)
		deliver(strings.NewReader(text), "a@b.example", "No such folder", true)
		assert.Equal(t, 2, count())
		deliver(strings.NewReader(text), "b@a.example", "", true)
		assert.Equal(t, 3, count(), "another sender")
		deliver(strings.NewReader(text), "a@b.example", "", false)
		assert.Equal(t, 4, count(), "nobody said that it may be there")
		deliver(iotest.OneByteReader(strings.NewReader(text)), "a@b.example", "", true)
		assert.Equal(t, 5, count(), "a body that cannot be read twice")
		deliver(strings.NewReader(text+"."), "a@b.example", "", true)
		assert.Equal(t, 6, count(), "longer")
		if text != "" {
			deliver(strings.NewReader(text[:len(text)-1]+"."), "a@b.example", "", true)
			assert.Equal(t, 7, count(), "another last octet")
		}
	}
}

// unreadable is a body that breaks at its end.
type unreadable struct {
	io.Reader
	size int64
}

func (u unreadable) Seek(offset int64, whence int) (int64, error) {
	if whence == io.SeekEnd {
		return u.size, nil
	}
	return 0, nil
}

// While nobody can tell whether it is there, nothing is delivered.
func TestDeliverAgainCannotTell(t *testing.T) {
	var s memory.Store
	broken := errors.New("broken")
	require.NoError(t, s.Put(bg, mailbox.Inbox, mailbox.Flags{}, "Return-Path: <>\r\nabc"))
	body := unreadable{io.MultiReader(strings.NewReader("ab"), iotest.ErrReader(broken)), 3}
	err := mailbox.Deliver(bg, &s, mailbox.Delivery{Body: body, Again: true})
	assert.ErrorIs(t, err, broken)
}

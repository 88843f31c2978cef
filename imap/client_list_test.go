package imap

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Mailboxes are told as they come: what a client holds does not grow with them.
func TestListStreams(t *testing.T) {
	line := "* LIST () \"/\" " + strings.Repeat("x", 100) + "\r\n"
	c := scripted(t, hello, strings.Repeat(line, 500)+"$TAG OK\r\n")
	c.MaxResponse = 4000
	conn, err := c.Connect(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	all, err := Collect(conn.List(t.Context(), "*", ListOptions{}))
	require.NoError(t, err)
	assert.Len(t, all, 500)
}

// A loop that is left leaves a connection that can be used; within it nothing
// else may be asked.
func TestListLeftEarly(t *testing.T) {
	for _, opts := range []ListOptions{{}, {Status: true}} {
		t.Run(fmt.Sprintf("status %v", opts.Status), func(t *testing.T) {
			conn := dialServer(t, serverOf(testStore()), Client{})
			ctx := t.Context()
			for i := range 20 {
				require.NoError(t, conn.Create(ctx, fmt.Sprint("box", i)))
			}
			n := 0
			for m, err := range conn.List(ctx, "*", opts) {
				require.NoError(t, err)
				assert.NotEmpty(t, m.Name)
				assert.Error(t, conn.Noop(ctx), "within the loop")
				if n++; n == 3 {
					break
				}
			}
			assert.Equal(t, 3, n)
			require.NoError(t, conn.Noop(ctx))
			all, err := Collect(conn.List(ctx, "box1*", opts))
			require.NoError(t, err)
			assert.Len(t, all, 11)
		})
	}
}

// What came before an error is kept, and the error comes last, once.
func TestCollect(t *testing.T) {
	bad := errors.New("bad")
	got, err := Collect(func(yield func(int, error) bool) {
		_ = yield(1, nil) && yield(2, nil) && yield(0, bad) && yield(3, nil)
	})
	assert.Equal(t, []int{1, 2}, got)
	assert.ErrorIs(t, err, bad)
	conn := dialScript(t, hello, "* LIST () \"/\" a\r\n$TAG NO no\r\n")
	list, err := Collect(conn.List(t.Context(), "*", ListOptions{}))
	assert.Len(t, list, 1)
	var refused *Error
	assert.ErrorAs(t, err, &refused)
}

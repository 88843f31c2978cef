package pop3

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/smtp/sasl"
)

func clientOf(addr string) *Client {
	return &Client{Addr: addr, TLS: TLSNone, Auth: cred("mrose")}
}

// The client goes through each way to TLS and each kind of login.
func TestClientConnects(t *testing.T) {
	ca := authority(t)
	plain := serverOf(storeOf(t))
	plain.APOP, plain.TLSConfig = true, ca.Server()
	addr := listen(t, plain, false)
	implicit := serverOf(storeOf(t))
	implicit.InsecureAuth, implicit.TLSConfig = false, ca.Server()
	tlsAddr := listen(t, implicit, true)
	for name, c := range map[string]*Client{
		"STLS":         {Addr: addr, TLSConfig: ca.Client(), Auth: &sasl.Credentials{User: "mrose", Password: "tanstaaf"}},
		"implicit TLS": {Addr: tlsAddr, TLS: TLSImplicit, TLSConfig: ca.Client(), Auth: &sasl.Credentials{User: "mrose", Password: "tanstaaf"}},
		"SCRAM":        {Addr: addr, TLS: TLSNone, Auth: &sasl.Credentials{User: "mrose", Password: "tanstaaf"}},
		"PLAIN":        {Addr: addr, TLS: TLSNone, Auth: &sasl.Credentials{User: "mrose", Password: "tanstaaf", Cleartext: true, Mechanisms: []string{"PLAIN"}}},
		"LOGIN":        {Addr: addr, TLS: TLSNone, Auth: &sasl.Credentials{User: "mrose", Password: "tanstaaf", Cleartext: true, Mechanisms: []string{"LOGIN"}}},
		"CRAM-MD5":     {Addr: addr, TLS: TLSNone, Auth: &sasl.Credentials{User: "mrose", Password: "tanstaaf", Mechanisms: []string{"CRAM-MD5"}}},
		"APOP":         {Addr: addr, TLS: TLSNone, Auth: &sasl.Credentials{User: "mrose", Password: "tanstaaf", Mechanisms: []string{"APOP"}}},
		"USER":         {Addr: addr, TLS: TLSNone, Auth: &sasl.Credentials{User: "mrose", Password: "tanstaaf", Cleartext: true, Mechanisms: []string{"USER"}}},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := c.Connect(t.Context())
			require.NoError(t, err)
			n, size, err := conn.Stat(t.Context())
			assert.NoError(t, err)
			assert.Zero(t, n)
			assert.Zero(t, size)
			assert.Equal(t, c.TLS != TLSNone, conn.TLS() != nil)
			assert.NoError(t, conn.Quit(t.Context()))
		})
	}
}

// What goes wrong on the way in is told apart.
func TestClientRefused(t *testing.T) {
	ca := authority(t)
	s := serverOf(storeOf(t))
	s.TLSConfig = ca.Server()
	addr := listen(t, s, false)
	wrong := &sasl.Credentials{User: "mrose", Password: "wrong", Cleartext: true}

	_, err := (&Client{Addr: addr, TLS: TLSNone, Auth: wrong}).Connect(t.Context())
	e, ok := errors.AsType[*Error](err)
	require.True(t, ok, "%v", err)
	assert.True(t, e.Credentials())
	assert.False(t, e.Temporary())
	assert.Equal(t, "AUTH", e.Command)

	_, err = (&Client{Addr: addr, Auth: cred("mrose")}).Connect(t.Context()) // the system does not trust our CA
	assert.True(t, IsTLS(err), "%v", err)
	assert.NotContains(t, err.Error(), "tanstaaf")

	first, err := clientOf(addr).Connect(t.Context())
	require.NoError(t, err)
	defer first.Close()
	_, err = clientOf(addr).Connect(t.Context())
	e, ok = errors.AsType[*Error](err)
	require.True(t, ok, "%v", err)
	assert.Equal(t, "IN-USE", e.Code)
	assert.True(t, e.Temporary())
	assert.False(t, e.Credentials())

	// No password in the clear unless the credentials say so.
	s = serverOf(storeOf(t))
	s.Auth.Secret = nil
	_, err = (&Client{Addr: listen(t, s, false), TLS: TLSNone, Auth: &sasl.Credentials{User: "mrose", Password: "tanstaaf"}}).Connect(t.Context())
	assert.ErrorIs(t, err, errNoAuth)
}

func TestClientReads(t *testing.T) {
	messages := []string{numbered(1), ".\r\n..\r\n.\r\n", sized(200_000), "Subject: none\r\n"}
	store := storeOf(t, messages...)
	addr := listen(t, serverOf(store), false)
	ctx := t.Context()
	conn, err := clientOf(addr).Connect(ctx)
	require.NoError(t, err)
	defer conn.Close()

	list, err := conn.List(ctx)
	require.NoError(t, err)
	require.Len(t, list, len(messages))
	for i, m := range list {
		assert.Equal(t, i+1, m.Number)
		assert.Equal(t, int64(len(messages[i])), m.Size)
		assert.NotEmpty(t, m.UID)
	}
	n := 0
	for d, err := range conn.Fetch(ctx, list) {
		require.NoError(t, err)
		b, err := io.ReadAll(d.Body)
		require.NoError(t, err)
		assert.Equal(t, messages[n], string(b))
		n++
	}
	assert.Equal(t, len(messages), n)

	body, err := conn.Retrieve(ctx, 3)
	require.NoError(t, err)
	_, err = conn.Retrieve(ctx, 1)
	assert.Error(t, err, "the body is still open")
	require.NoError(t, body.Close())
	top, err := conn.Top(ctx, 1, 0)
	require.NoError(t, err)
	var b bytes.Buffer
	_, err = top.WriteTo(&b)
	require.NoError(t, err)
	assert.Equal(t, "Subject: 1\r\n\r\n", b.String())

	_, err = conn.Retrieve(ctx, 9)
	e, ok := errors.AsType[*Error](err)
	require.True(t, ok, "%v", err)
	assert.Equal(t, "RETR", e.Command)
	assert.False(t, conn.Botched())
	assert.NoError(t, conn.Noop(ctx))
	assert.Error(t, conn.Delete(ctx, 1, 9, 2), "9 does not exist")
	stat, _, err := conn.Stat(ctx)
	require.NoError(t, err)
	assert.Equal(t, 2, stat)
	require.NoError(t, conn.Reset(ctx))
	require.NoError(t, conn.Delete(ctx, 1))
	require.NoError(t, conn.Quit(ctx))
	uids, _ := left(t, store)
	assert.Len(t, uids, 3)
}

// Bodies that the caller does not read, refusals, and breaking off: the session
// stays in step.
func TestFetchStaysInStep(t *testing.T) {
	store := storeOf(t, numbered(1), numbered(2), numbered(3), numbered(4))
	addr := listen(t, serverOf(store), false)
	ctx := t.Context()
	conn, err := clientOf(addr).Connect(ctx)
	require.NoError(t, err)
	defer conn.Close()
	list := []Message{{Number: 1}, {Number: 99}, {Number: 3}}
	var got []int
	for d, err := range conn.Fetch(ctx, list) {
		if d.Number == 99 {
			_, ok := errors.AsType[*Error](err)
			assert.True(t, ok, "%v", err)
			assert.Nil(t, d.Body)
		} else {
			assert.NoError(t, err)
		}
		got = append(got, d.Number)
	}
	assert.Equal(t, []int{1, 99, 3}, got)
	for range conn.Fetch(ctx, []Message{{Number: 1}, {Number: 2}, {Number: 3}}) {
		break
	}
	assert.NoError(t, conn.Noop(ctx))
}

// Deleting while fetching: the usual loop of a client that keeps nothing on the
// server. Refusals come late but come.
func TestDeleteWhileFetching(t *testing.T) {
	var messages []string
	for i := range 100 {
		messages = append(messages, numbered(i))
	}
	store := storeOf(t, messages...)
	addr := listen(t, serverOf(store), false)
	ctx := t.Context()
	conn, err := clientOf(addr).Connect(ctx)
	require.NoError(t, err)
	defer conn.Close()
	list, err := conn.List(ctx)
	require.NoError(t, err)
	var got, refused int
	for d, err := range conn.Fetch(ctx, list) {
		if e, ok := errors.AsType[*Error](err); ok {
			assert.Equal(t, "DELE", e.Command)
			refused++
			continue
		}
		require.NoError(t, err)
		b, err := io.ReadAll(d.Body)
		require.NoError(t, err)
		assert.Equal(t, messages[d.Number-1], string(b))
		got++
		require.NoError(t, conn.Delete(ctx, d.Number))
		assert.Error(t, conn.Noop(ctx), "not within the loop")
		if d.Number == 50 {
			require.NoError(t, conn.Delete(ctx, 1000))
		}
	}
	assert.Equal(t, 100, got)
	assert.Equal(t, 1, refused)
	require.NoError(t, conn.Quit(ctx))
	uids, _ := left(t, store)
	assert.Empty(t, uids)
}

// A thousand messages go by in far fewer round trips.
func TestFetchPipelines(t *testing.T) {
	messages := make([]string, 1000)
	for i := range messages {
		messages[i] = numbered(i)
	}
	store := storeOf(t, messages...)
	addr := listen(t, serverOf(store), false)
	conn, err := clientOf(addr).Connect(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	list, err := conn.List(t.Context())
	require.NoError(t, err)
	n := 0
	for d, err := range conn.Fetch(t.Context(), list) {
		require.NoError(t, err)
		b, err := io.ReadAll(d.Body)
		require.NoError(t, err)
		require.Equal(t, messages[n], string(b))
		n++
	}
	assert.Equal(t, 1000, n)
}

func TestSeen(t *testing.T) {
	var s Seen
	list := []Message{{1, 10, "a"}, {2, 10, "b"}, {3, 10, ""}}
	assert.Equal(t, list, s.New(list))
	s.Add("a")
	s.Add("gone")
	s.Add("bad id")
	s.Add("")
	assert.Equal(t, 2, s.Len())
	assert.Equal(t, list[1:], s.New(list))
	assert.False(t, s.Has("gone"), "the server has it no more")
	s.Add("b")
	var b strings.Builder
	_, err := s.WriteTo(&b)
	require.NoError(t, err)
	assert.Equal(t, "a\nb\n", b.String())
	again, err := ReadSeen(strings.NewReader(b.String()))
	require.NoError(t, err)
	assert.Equal(t, list[2:], again.New(list))
}

// Cancelling ends any wait, and says why.
func TestClientContext(t *testing.T) {
	s := serverOf(storeOf(t))
	started := make(chan struct{})
	s.Auth.Secret = nil
	s.Auth.Password = func(ctx context.Context, _ saslLogin, _ string) error {
		close(started)
		<-ctx.Done()
		return ctx.Err()
	}
	addr := listen(t, s, false)
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	go func() { <-started; cancel(why) }()
	_, err := clientOf(addr).Connect(ctx)
	assert.ErrorIs(t, err, why)
	s.Close()
}

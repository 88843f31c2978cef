package imap

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

func TestClientQuota(t *testing.T) {
	conn := dialServer(t, serverOf(testStore()), Client{})
	ctx := t.Context()
	set, err := conn.SetQuota(ctx, "",
		mailbox.Resource{Name: mailbox.Storage, Limit: 10*1024 + 1000},
		mailbox.Resource{Name: mailbox.Messages, Limit: 7})
	require.NoError(t, err)
	assert.Equal(t, mailbox.QuotaRoot{Resources: []mailbox.Resource{
		{Name: mailbox.Storage, Limit: 10 * 1024}, {Name: mailbox.Messages, Limit: 7}}}, set)
	roots, err := conn.Quota(ctx, "INBOX")
	require.NoError(t, err)
	assert.Equal(t, []mailbox.QuotaRoot{set}, roots)
	one, err := conn.QuotaRoot(ctx, "")
	require.NoError(t, err)
	assert.Equal(t, set, one)
	_, err = conn.QuotaRoot(ctx, "other")
	var refused *Error
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, "NONEXISTENT", refused.Code)
	_, err = conn.SetQuota(ctx, "", mailbox.Resource{Name: "A B"})
	assert.Error(t, err, "a name that would be two")
	_, err = conn.SetQuota(ctx, "", mailbox.Resource{Name: mailbox.Messages, Limit: -1})
	assert.Error(t, err)
	require.NoError(t, conn.Noop(ctx), "nothing of it was sent")
}

// A server's numbers may be any: none is negative or wraps.
func TestClientQuotaOdd(t *testing.T) {
	for answer, want := range map[string][]mailbox.Resource{
		"()":                               nil,
		"(storage 1 18446744073709551615)": {{Name: mailbox.Storage, Used: 1024, Limit: math.MaxInt64}},
		"(X-OTHER 3 4)":                    {{Name: "X-OTHER", Used: 3, Limit: 4}},
	} {
		conn := dialScript(t, hello, "* QUOTAROOT INBOX \"a b\"\r\n* QUOTA \"a b\" "+answer+"\r\n$TAG OK\r\n")
		roots, err := conn.Quota(t.Context(), "INBOX")
		require.NoError(t, err, answer)
		assert.Equal(t, []mailbox.QuotaRoot{{Name: "a b", Resources: want}}, roots, answer)
	}
	conn := dialScript(t, hello, "* QUOTAROOT INBOX\r\n$TAG OK\r\n")
	roots, err := conn.Quota(t.Context(), "INBOX")
	assert.NoError(t, err)
	assert.Empty(t, roots)
	conn = dialScript(t, hello, "$TAG OK\r\n")
	_, err = conn.QuotaRoot(t.Context(), "x")
	assert.Error(t, err, "no answer")
	for _, bad := range []string{"a (STORAGE 1)", "a", "a \"b\""} {
		c := scripted(t, hello, "* QUOTA "+bad+"\r\n$TAG OK\r\n")
		c.Strict = true
		conn, err := c.Connect(t.Context())
		require.NoError(t, err)
		_, err = conn.Quota(t.Context(), "INBOX")
		assert.Error(t, err, bad)
		conn.Close()
	}
}

func TestClientACL(t *testing.T) {
	conn := dialServer(t, serverOf(testStore()), Client{})
	ctx := t.Context()
	mine, err := conn.MyRights(ctx, "INBOX")
	require.NoError(t, err)
	assert.Equal(t, mailbox.AllRights, mine)
	require.NoError(t, conn.SetACL(ctx, "INBOX", "bob jones", mailbox.ReplaceFlags, "lrs"))
	require.NoError(t, conn.SetACL(ctx, "INBOX", "bob jones", mailbox.AddFlags, "w"))
	require.NoError(t, conn.SetACL(ctx, "INBOX", "bob jones", mailbox.RemoveFlags, "r"))
	grants, err := conn.ACL(ctx, "INBOX")
	require.NoError(t, err)
	assert.Equal(t, []mailbox.Grant{{Who: "alice", Rights: mailbox.AllRights}, {Who: "bob jones", Rights: "lsw"}}, grants)
	always, optional, err := conn.ListRights(ctx, "INBOX", "bob jones")
	require.NoError(t, err)
	assert.Empty(t, always)
	assert.Len(t, optional, len(mailbox.AllRights))
	require.NoError(t, conn.DeleteACL(ctx, "INBOX", "bob jones"))
	grants, err = conn.ACL(ctx, "INBOX")
	require.NoError(t, err)
	assert.Len(t, grants, 1)
	assert.Error(t, conn.SetACL(ctx, "INBOX", "bob", mailbox.AddFlags, "q"))
	_ = conn.SetACL(ctx, "INBOX", "bob\r\nx LOGOUT", mailbox.AddFlags, "l") // a literal: no argument ends a command
	require.NoError(t, conn.Noop(ctx))
}

// c and d of RFC 2086 stand for what they were split into where the server
// knows no better, and for nothing where it tells both (RFC 4314 §2.1.1).
func TestRightsOfOldServers(t *testing.T) {
	for sent, want := range map[string]mailbox.Rights{
		"lrswipcda":     "lrswipkxtea",
		"lrswipkxteacd": "lrswipkxtea",
		"lrkcx":         "lrkx",
		"lr0n":          "lr",
		`""`:            "",
	} {
		conn := dialScript(t, hello, "* MYRIGHTS INBOX "+sent+"\r\n$TAG OK\r\n")
		got, err := conn.MyRights(t.Context(), "INBOX")
		require.NoError(t, err, sent)
		assert.Equal(t, want, got, sent)
	}
	conn := dialScript(t, hello, "$TAG OK\r\n")
	_, err := conn.MyRights(t.Context(), "INBOX")
	assert.Error(t, err, "no answer is not no rights")
}

func TestClientMetadata(t *testing.T) {
	conn := dialServer(t, serverOf(testStore()), Client{})
	ctx := t.Context()
	odd := []byte("two\r\nlines, \xff and \"quotes\"")
	require.NoError(t, conn.SetMetadata(ctx, "INBOX",
		mailbox.Entry{Name: "/private/comment", Value: []byte("NIL")},
		mailbox.Entry{Name: "/private/vendor/a", Value: odd},
		mailbox.Entry{Name: "/shared/comment", Value: []byte{}}))
	get := func(name string, o MetadataOptions, entries ...string) map[string]string {
		t.Helper()
		found, err := conn.Metadata(ctx, name, o, entries...)
		require.NoError(t, err)
		m := map[string]string{}
		for _, e := range found {
			if e.Value != nil {
				m[e.Name] = string(e.Value)
			}
		}
		return m
	}
	assert.Equal(t, map[string]string{"/private/comment": "NIL", "/shared/comment": ""},
		get("INBOX", MetadataOptions{}, "/private/comment", "/shared/comment", "/shared/none"))
	assert.Equal(t, map[string]string{"/private/vendor/a": string(odd)}, get("INBOX", MetadataOptions{Depth: 1}, "/private/vendor"))
	assert.Len(t, get("INBOX", MetadataOptions{Depth: -1, MaxSize: 3}, "/private"), 1)
	require.NoError(t, conn.SetMetadata(ctx, "INBOX", mailbox.Entry{Name: "/private/comment"}))
	assert.Empty(t, get("INBOX", MetadataOptions{}, "/private/comment"))
	require.NoError(t, conn.SetMetadata(ctx, "", mailbox.Entry{Name: "/private/x", Value: []byte("of the server")}))
	assert.Len(t, get("", MetadataOptions{}, "/private/x"), 1)

	_, err := conn.Metadata(ctx, "INBOX", MetadataOptions{})
	assert.ErrorIs(t, err, errMetadata)
	assert.ErrorIs(t, conn.SetMetadata(ctx, "INBOX"), errMetadata)
	assert.ErrorIs(t, conn.SetMetadata(ctx, "INBOX", mailbox.Entry{Name: "/private/x", Value: []byte("a\x00b")}), errMetadata)
	assert.Error(t, conn.SetMetadata(ctx, "INBOX", mailbox.Entry{Name: "/elsewhere", Value: []byte("x")}))
	require.NoError(t, conn.Noop(ctx))
}

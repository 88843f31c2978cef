package imap

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/internal/memnet"
	"github.com/postilion-mail/postilion/spool/mailbox"
)

// An answer about another mailbox, root or user is not that to the question.
func TestAnswersAboutSomethingElse(t *testing.T) {
	ask := func(answer string) (*Conn, context.Context) {
		return dialScript(t, hello, answer+"$TAG OK\r\n", "$TAG OK\r\n"), t.Context()
	}
	var none ProtocolError
	conn, ctx := ask("* ACL other bob lrswipkxtea\r\n")
	grants, err := conn.ACL(ctx, "INBOX")
	assert.ErrorAs(t, err, &none)
	assert.Nil(t, grants)
	conn, ctx = ask("* ACL INBOX bob lr\r\n* ACL other eve lrswipkxtea\r\n")
	grants, err = conn.ACL(ctx, "inbox")
	require.NoError(t, err)
	assert.Equal(t, []mailbox.Grant{{Who: "bob", Rights: "lr"}}, grants)
	require.NoError(t, conn.Noop(ctx))

	conn, ctx = ask("* MYRIGHTS other lrswipkxtea\r\n")
	r, err := conn.MyRights(ctx, "INBOX")
	assert.ErrorAs(t, err, &none)
	assert.Empty(t, r)
	conn, ctx = ask("* MYRIGHTS T&AOQ-glich lr\r\n* MYRIGHTS other lrswipkxtea\r\n")
	r, err = conn.MyRights(ctx, "Täglich")
	require.NoError(t, err)
	assert.Equal(t, mailbox.Rights("lr"), r)

	conn, ctx = ask("* LISTRIGHTS INBOX eve lr s w\r\n* LISTRIGHTS other bob lr s w\r\n")
	_, _, err = conn.ListRights(ctx, "INBOX", "bob")
	assert.ErrorAs(t, err, &none)
	conn, ctx = ask("* LISTRIGHTS INBOX Bob lr s w\r\n* LISTRIGHTS INBOX eve \"\" k\r\n")
	always, optional, err := conn.ListRights(ctx, "INBOX", "bob")
	require.NoError(t, err)
	assert.Equal(t, mailbox.Rights("lr"), always)
	assert.Equal(t, []mailbox.Rights{"s", "w"}, optional)

	conn, ctx = ask("* QUOTAROOT other big\r\n* QUOTA big (STORAGE 1 2)\r\n")
	_, err = conn.Quota(ctx, "INBOX")
	assert.ErrorAs(t, err, &none)
	conn, ctx = ask("* QUOTA big (STORAGE 1 2)\r\n* QUOTAROOT INBOX \"\"\r\n* QUOTA \"\" (MESSAGE 3 4)\r\n* QUOTAROOT other big\r\n")
	roots, err := conn.Quota(ctx, "INBOX")
	require.NoError(t, err)
	assert.Equal(t, []mailbox.QuotaRoot{{Resources: []mailbox.Resource{{Name: mailbox.Messages, Used: 3, Limit: 4}}}}, roots)
	conn, ctx = ask("* QUOTA big (STORAGE 1 2)\r\n")
	_, err = conn.QuotaRoot(ctx, "small")
	assert.ErrorAs(t, err, &none)
	conn, ctx = ask("* QUOTA big (STORAGE 1 2)\r\n")
	_, err = conn.SetQuota(ctx, "small")
	assert.ErrorAs(t, err, &none)

	conn, ctx = ask("* METADATA other (/private/x \"theirs\")\r\n* METADATA \"\" (/private/x \"the server's\")\r\n* METADATA INBOX (/private/x \"mine\")\r\n")
	found, err := conn.Metadata(ctx, "INBOX", MetadataOptions{}, "/private/x")
	require.NoError(t, err)
	assert.Equal(t, []mailbox.Entry{{Name: "/private/x", Value: []byte("mine")}}, found)
	conn, ctx = ask("* METADATA INBOX (/private/x \"its\")\r\n")
	found, err = conn.Metadata(ctx, "", MetadataOptions{}, "/private/x")
	require.NoError(t, err)
	assert.Empty(t, found)
}

// Half an answer about rights is none, from lenient clients too.
func TestRightsOfMalformedAnswers(t *testing.T) {
	for _, line := range []string{"ACL INBOX bob", "ACL INBOX bob lr eve", "ACL INBOX bob (", "ACL INBOX bob \"lr", "ACL", "ACL INBOX bob lr\r\n* ACL INBOX eve"} {
		conn := dialScript(t, hello, "* "+line+"\r\n$TAG OK\r\n")
		grants, err := conn.ACL(t.Context(), "INBOX")
		assert.Error(t, err, line)
		assert.Nil(t, grants, line)
	}
	for _, line := range []string{"MYRIGHTS INBOX", "MYRIGHTS", "MYRIGHTS (INBOX) lr", "MYRIGHTS INBOX \""} {
		conn := dialScript(t, hello, "* "+line+"\r\n$TAG OK\r\n")
		r, err := conn.MyRights(t.Context(), "INBOX")
		assert.Error(t, err, line)
		assert.Empty(t, r, line)
	}
	for _, line := range []string{"LISTRIGHTS INBOX", "LISTRIGHTS INBOX bob", "LISTRIGHTS INBOX (bob) lr"} {
		conn := dialScript(t, hello, "* "+line+"\r\n$TAG OK\r\n")
		_, _, err := conn.ListRights(t.Context(), "INBOX", "bob")
		assert.Error(t, err, line)
	}
}

// What these methods hold is bounded by MaxResponse, in however many answers it
// comes.
func TestMaxResponseOfRightsQuotasAndMetadata(t *testing.T) {
	for _, line := range []string{"ACL INBOX bob lr", "MYRIGHTS INBOX lr", "LISTRIGHTS INBOX bob lr", "QUOTA a (STORAGE 1 2)", "QUOTAROOT INBOX a", "METADATA INBOX (/private/x y)"} {
		c := scripted(t, hello, strings.Repeat("* "+line+"\r\n", 200)+"$TAG OK\r\n")
		c.MaxResponse = 4000
		conn, err := c.Connect(t.Context())
		require.NoError(t, err)
		switch word, _, _ := strings.Cut(line, " "); word {
		case "ACL":
			_, err = conn.ACL(t.Context(), "INBOX")
		case "MYRIGHTS":
			_, err = conn.MyRights(t.Context(), "INBOX")
		case "LISTRIGHTS":
			_, _, err = conn.ListRights(t.Context(), "INBOX", "bob")
		case "METADATA":
			_, err = conn.Metadata(t.Context(), "INBOX", MetadataOptions{}, "/private/x")
		default:
			_, err = conn.Quota(t.Context(), "INBOX")
		}
		assert.ErrorIs(t, err, errLarge, line)
		assert.True(t, conn.Botched(), line)
		conn.Close()
	}
}

// FuzzClientRights reads any answers to the methods of rights, quotas, annotations
// and NOTIFY. The laws: no panic, and no result beside an error.
func FuzzClientRights(f *testing.F) {
	f.Add("* ACL INBOX bob lr\r\n* MYRIGHTS INBOX lr\r\n* LISTRIGHTS INBOX bob lr s\r\n")
	f.Add("* QUOTAROOT INBOX a\r\n* QUOTA a (STORAGE 1 2)\r\n* METADATA INBOX (/x {1}\r\ny)\r\n")
	f.Add("* METADATA INBOX /x /y\r\n* OK [NOTIFICATIONOVERFLOW]\r\n* LIST () \"/\" a (OLDNAME (b))\r\n* STATUS a (MESSAGES 1)\r\n")
	f.Fuzz(func(t *testing.T, in string) {
		near, far := memnet.Pair(memnet.Addr("client"), memnet.Addr("server"))
		defer far.Close()
		go func() { // an answer may swallow what is behind it, so nothing waits for a command
			_, _ = io.WriteString(far, hello)
			for i := range 7 {
				_, _ = fmt.Fprintf(far, "%sa%d OK\r\n", in, i+1)
			}
			_ = far.CloseWrite()
			_, _ = io.Copy(io.Discard, far)
		}()
		conn, err := (&Client{MaxResponse: 1 << 16}).NewConn(t.Context(), near)
		if err != nil {
			return
		}
		defer conn.Close()
		var l listener
		conn.Events = l.events()
		ctx := t.Context()
		grants, err := conn.ACL(ctx, "INBOX")
		assert.False(t, err != nil && grants != nil)
		r, err := conn.MyRights(ctx, "INBOX")
		assert.False(t, err != nil && r != "")
		always, optional, err := conn.ListRights(ctx, "INBOX", "bob")
		assert.False(t, err != nil && (always != "" || optional != nil))
		roots, err := conn.Quota(ctx, "INBOX")
		assert.False(t, err != nil && roots != nil)
		_, _ = conn.QuotaRoot(ctx, "a")
		found, err := conn.Metadata(ctx, "INBOX", MetadataOptions{}, "/x")
		assert.False(t, err != nil && found != nil)
		_ = conn.Notify(ctx, NotifyOptions{}, NotifyGroup{Events: NotifyMessages})
	})
}

// A bracket in a name is a character; in the name of a section it holds what would
// end an atom elsewhere.
func TestBracketsInAtoms(t *testing.T) {
	for sent, want := range map[string][]string{
		"[ x":                                 {"[", "x"},
		"a[b x":                               {"a[b", "x"},
		"[Gmail]/x y":                         {"[Gmail]/x", "y"},
		"BODY[HEADER.FIELDS (A B)]<0> x":      {"BODY[HEADER.FIELDS (A B)]<0>", "x"},
		"binary.size[1] 3":                    {"binary.size[1]", "3"},
		strings.Repeat("BODY", 9) + "[ x":     {strings.Repeat("BODY", 9) + "[", "x"},
		strings.Repeat("[", 100_000) + " x y": {strings.Repeat("[", 100_000), "x", "y"},
	} {
		conn := &Conn{client: &Client{}}
		var got []string
		for _, v := range arguments(t, conn, sent) {
			got = append(got, v.text())
		}
		assert.Equal(t, want, got)
	}
	conn := dialScript(t, hello, "* MYRIGHTS [a lr\r\n$TAG OK\r\n")
	r, err := conn.MyRights(t.Context(), "[a")
	require.NoError(t, err)
	assert.Equal(t, mailbox.Rights("lr"), r)
}

package main

import (
	"net"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/imap"
	"github.com/postilion-mail/postilion/pop3"
	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/smtp/sasl"
)

func TestFaultWords(t *testing.T) {
	for word, want := range map[string]string{
		"reject": "550 5.1.1", "reject-552": "552 5.0.0", "reject-550-5.7.1": "550 5.7.1", "reject-451-4.7.1": "451 4.7.1",
		"defer": "451 4.2.0", "defer-452-4.2.2": "452 4.2.2", "data-reject": "554 5.6.0", "data-defer-421": "421 4.0.0",
		"REJECT-553+bob": "553 5.0.0",
		// What only looks like a fault is an address.
		"defer-550": "", "reject-250": "", "reject-560": "", "reject-550-4.1.1": "", "reject-550-5.1": "", "reject-550-5.1.1.1": "",
		"rejects": "", "reject-": "", "reject-5500": "", "drop-box": "", "slow": "", "slow-food": "", "slow-11m": "", "slow-1h": "", "slow--1s": "",
		"data-lost": "", "bob": "", "": "", "+reject": "",
	} {
		f := faultOf(word)
		if want == "" {
			assert.Equal(t, fault{}, f, word)
			continue
		}
		require.Error(t, f.err, word)
		r := smtp.ReplyTo(f.err)
		if r.Enhanced == "" {
			r.Enhanced = word[:0] + string('0'+byte(r.Code/100)) + ".0.0" // as the server derives it
		}
		r.Text = ""
		assert.Equal(t, want, strings.TrimSpace(r.String()), word)
	}
	assert.Equal(t, fault{wait: 5 * time.Second}, faultOf("slow-5s"))
	assert.Equal(t, fault{wait: 1500 * time.Millisecond, data: true}, faultOf("data-slow-1.5s"))
	assert.Equal(t, fault{drop: true}, faultOf("Drop+x"))
	assert.Equal(t, fault{drop: true, data: true}, faultOf("data-drop"))
	assert.Equal(t, fault{drop: true, data: true, keep: true}, faultOf("lost"))
}

// FuzzFault: whatever a local part is, no wait is longer than the longest, and
// what refuses does so with a code that refuses.
func FuzzFault(f *testing.F) {
	for _, s := range []string{"reject-550-5.1.1", "defer-451", "data-slow-5s", "slow-600000ms", "lost+x", "reject-559-5.999.999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, local string) {
		x := faultOf(local)
		require.True(t, x.wait >= 0 && x.wait <= maxSlow)
		if x.err != nil {
			c := smtp.ReplyTo(x.err).Code
			require.True(t, c >= 400 && c < 560, c)
			require.False(t, x.drop)
		}
		require.Equal(t, x.wait, faultOf(local+"+tag").wait)
	})
}

// What is refused at RCPT or after the message is not kept; the other recipients
// of a refused RCPT get theirs.
func TestRefusals(t *testing.T) {
	f := start(t)
	for to, want := range map[string]int{
		"reject@x.example": 550, "reject-553-5.1.3@x.example": 553, "defer@x.example": 451, "defer-421@x.example": 421,
		"data-reject-554-5.7.1@x.example": 554, "data-defer-452@x.example": 452,
	} {
		assert.Equal(t, want, code(f.send("x", to)), to)
	}
	assert.Empty(t, f.list(""))
	err := f.send("for bob alone", "reject-550@x.example", "bob@hamburger.edu")
	var partial *smtp.PartialError
	require.ErrorAs(t, err, &partial)
	assert.Equal(t, smtp.Permanent, partial.Results[0].Status)
	assert.Equal(t, smtp.Accepted, partial.Results[1].Status)
	assert.Equal(t, []string{"for bob alone"}, f.list("?to=bob"))
}

// A dropped connection is one without a reply; what was lost is kept.
func TestDrops(t *testing.T) {
	f := start(t)
	for to, kept := range map[string]int{"drop@x.example": 0, "data-drop@x.example": 0, "lost@x.example": 1} {
		for _, service := range []string{"smtp", "smtps"} {
			c := &smtp.Client{Addr: f.addr[service], TLS: smtp.TLSNone}
			if service == "smtps" {
				c.TLS, c.TLSConfig = smtp.TLSImplicit, f.trust()
			}
			env, err := smtp.NewEnvelope("alice@crepes.fr", to)
			require.NoError(t, err)
			_, err = c.Send(t.Context(), env, strings.NewReader("Subject: x\n\nx\n"))
			require.Error(t, err, to)
			var said *smtp.Error
			if assert.NotErrorAs(t, err, &said, to) {
				assert.NotContains(t, err.Error(), "address asked for it")
			}
			require.NoError(t, c.Close())
			assert.Len(t, f.list(""), kept, "%s: %v", to, err)
			f.do("DELETE", "/api/messages")
		}
	}
	assert.NoError(t, f.send("after all that", "bob@x.example"))
}

// The reply to a slow recipient takes its time, and nobody else waits for it.
func TestSlow(t *testing.T) {
	f := start(t)
	nc, err := net.Dial("tcp", f.addr["smtp"])
	require.NoError(t, err)
	defer nc.Close()
	c := textproto.NewConn(nc)
	_, _, err = c.ReadResponse(220)
	require.NoError(t, err)
	for _, line := range []string{"HELO x", "MAIL FROM:<alice@crepes.fr>"} {
		require.NoError(t, c.PrintfLine("%s", line))
		_, _, err = c.ReadResponse(250)
		require.NoError(t, err)
	}
	begun := time.Now()
	require.NoError(t, c.PrintfLine("RCPT TO:<slow-300ms@x.example>"))
	require.NoError(t, f.send("meanwhile", "bob@x.example"))
	_, _, err = c.ReadResponse(250)
	require.NoError(t, err)
	assert.GreaterOrEqual(t, time.Since(begun), 300*time.Millisecond)
	assert.Equal(t, []string{"meanwhile"}, f.list(""))
	require.NoError(t, f.send("in the end", "data-slow-10ms@x.example"))
	assert.Len(t, f.list(""), 2)
}

func TestFaultFlags(t *testing.T) {
	f := start(t, "-fault", "slow-1ms", "-fault", "data-defer-452-4.3.1")
	assert.Equal(t, 452, code(f.send("x", "bob@x.example")))
	assert.Empty(t, f.list(""))
	f = start(t, "-fault", "lost")
	assert.Error(t, f.send("x", "bob@x.example"))
	assert.Len(t, f.list(""), 1)
}

func TestLoginFaults(t *testing.T) {
	f := start(t)
	for user, want := range map[string]int{"reject@x.example": 535, "defer": 454} {
		login := &sasl.Credentials{User: user, Password: "x", Cleartext: true}
		c := &smtp.Client{Addr: f.addr["smtp"], TLS: smtp.TLSNone, Auth: login}
		env, err := smtp.NewEnvelope("", "bob@x.example")
		require.NoError(t, err)
		_, err = c.Send(t.Context(), env, strings.NewReader("x"))
		assert.Equal(t, want, code(err), "%v", err)
		_, err = (&pop3.Client{Addr: f.addr["pop3"], TLS: pop3.TLSNone, Auth: login}).Connect(t.Context())
		assert.Error(t, err)
		_, err = (&imap.Client{Addr: f.addr["imap"], TLS: imap.TLSNone, Auth: login}).Connect(t.Context())
		assert.Error(t, err)
	}
}

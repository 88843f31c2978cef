package smtptest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/smtp/smtptest"
)

// trouble is one column of the matrix: what happens at a stage.
type trouble struct {
	name string
	make func(*smtptest.Fault) *smtptest.Fault
}

var troubles = []trouble{
	{"451", func(f *smtptest.Fault) *smtptest.Fault { return f.Reply(451, "4.3.0", "later") }},
	{"421", func(f *smtptest.Fault) *smtptest.Fault { return f.Reply(421, "4.3.2", "going down") }},
	{"550", func(f *smtptest.Fault) *smtptest.Fault { return f.Reply(550, "5.7.1", "never") }},
	{"FIN", (*smtptest.Fault).Drop},
	{"RST", (*smtptest.Fault).DropRST},
	{"half", (*smtptest.Fault).HalfReply},
	{"half and silence", func(f *smtptest.Fault) *smtptest.Fault { return f.HalfReply().Stall() }},
	{"garbage", (*smtptest.Fault).Garbage},
	{"silence", (*smtptest.Fault).Stall},
	{"delay", func(f *smtptest.Fault) *smtptest.Fault { return f.Delay(20 * time.Second) }},
}

// The outcomes, briefly.
const (
	accepted  = smtp.Accepted
	temporary = smtp.Temporary
	permanent = smtp.Permanent
	unknown   = smtp.Unknown
)

// want gives the rule of the matrix: what is refused before MAIL is no word
// about this message, and so temporary; a refusal of the message is what it
// says; silence and noise are temporary, but unknown once the whole message is
// on its way.
func want(st smtptest.Stage, trouble string, flight bool) smtp.Status {
	inTransaction := st == smtptest.MAIL || st == smtptest.RCPT || st == smtptest.DATA
	switch {
	case trouble == "delay", st == smtptest.QUIT, st == smtptest.RSET:
		return accepted
	case st < smtptest.MAIL, trouble == "421", trouble == "451":
		return temporary
	case trouble == "550":
		return permanent
	case st == smtptest.EndOfData, flight && inTransaction:
		return unknown
	}
	return temporary
}

func deliver(ctx context.Context, t testing.TB, c *smtp.Client, body string) smtp.Result {
	t.Helper()
	r := strings.NewReader(body)
	return c.Deliver(ctx, envelope(t, "alice@crepes.fr", "bob@hamburger.edu"), io.NewSectionReader(r, 0, r.Size()))[0]
}

// TestClientErrorMatrix has each trouble happen at each stage, with the message
// in one flight with MAIL (CHUNKING) and without. What the client reports must
// be true: accepted means that the message is there, once, refused that it is
// not; and it must never wait for ever.
func TestClientErrorMatrix(t *testing.T) {
	stages := []smtptest.Stage{
		smtptest.Connect, smtptest.Banner, smtptest.EHLO, smtptest.STARTTLS, smtptest.TLS, smtptest.AUTH,
		smtptest.MAIL, smtptest.RCPT, smtptest.DATA, smtptest.EndOfData, smtptest.QUIT,
	}
	for _, st := range stages {
		for _, tr := range troubles {
			for _, flight := range []bool{true, false} {
				t.Run(fmt.Sprintf("%v/%s/flight=%v", st, tr.name, flight), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { matrixCase(t, st, tr, flight) })
				})
			}
		}
	}
}

func matrixCase(t *testing.T, st smtptest.Stage, tr trouble, flight bool) {
	srv := smtptest.NewPipe(t, chunking(flight), inTheClear(false))
	tr.make(srv.On(st))
	c := srv.Client()
	if c.TLS == smtp.TLSNone {
		c.Auth.Cleartext = true
	}
	begun := time.Now()
	r := deliver(t.Context(), t, c, text)
	require.NoError(t, c.Close())
	assert.Equal(t, want(st, tr.name, flight), r.Status, "%v %v\n%s", r.Reply, r.Err, srv.Transcript())
	assert.Less(t, time.Since(begun), 16*time.Minute)
	truth(t, srv, r)
}

// truth checks a result against what the server has.
func truth(t testing.TB, srv *smtptest.Server, r smtp.Result) {
	t.Helper()
	switch n := len(srv.Messages()); r.Status {
	case accepted:
		assert.Equal(t, 1, n, "messages taken")
	case unknown:
		assert.LessOrEqual(t, n, 1, "messages taken")
	default:
		assert.Zero(t, n, "messages taken")
		assert.Error(t, r.Err)
	}
}

// inTheClear takes TLS away from a stage that works without, too.
func inTheClear(on bool) func(*smtp.Server) {
	return func(s *smtp.Server) {
		if on {
			s.TLSConfig, s.InsecureAuth = nil, true
		}
	}
}

func chunking(on bool) func(*smtp.Server) {
	return func(s *smtp.Server) {
		if !on {
			s.Without = append(s.Without, "CHUNKING", "BINARYMIME")
		}
	}
}

// TestClientContextMatrix has the server go silent at each stage: the client
// must be back when its context is over, and name that as the cause. Over TLS
// crypto/tls takes up to five seconds more for a farewell that nobody reads.
func TestClientContextMatrix(t *testing.T) {
	for st := smtptest.Connect; st <= smtptest.EndOfData; st++ {
		for _, clear := range []bool{true, false} {
			if st == smtptest.HELO || clear && (st == smtptest.STARTTLS || st == smtptest.TLS) {
				continue
			}
			for _, flight := range []bool{true, false} {
				t.Run(fmt.Sprintf("%v/flight=%v/clear=%v", st, flight, clear), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { contextCase(t, st, flight, clear) })
				})
			}
		}
	}
}

func contextCase(t *testing.T, st smtptest.Stage, flight, clear bool) {
	srv := smtptest.NewPipe(t, chunking(flight), inTheClear(clear))
	srv.On(st).Stall()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	c := srv.Client()
	if clear {
		c.Auth.Cleartext = true
	}
	begun := time.Now()
	r := deliver(ctx, t, c, text+strings.Repeat("0123456789\r\n", 50000))
	assert.LessOrEqual(t, time.Since(begun), 10*time.Second)
	require.ErrorIs(t, r.Err, context.DeadlineExceeded)
	truth(t, srv, r)
}

// TestClientBodyMatrix breaks a message of a megabyte in the middle.
func TestClientBodyMatrix(t *testing.T) {
	cases := []struct {
		trouble
		want smtp.Status
	}{
		{trouble{"early 552", func(f *smtptest.Fault) *smtptest.Fault { return f.Reply(552, "5.3.4", "too large") }}, permanent},
		{trouble{"early 451", func(f *smtptest.Fault) *smtptest.Fault { return f.Reply(451, "4.3.1", "disk full") }}, temporary},
		{trouble{"early 421", func(f *smtptest.Fault) *smtptest.Fault { return f.Reply(421, "4.3.2", "going down") }}, temporary},
		{trouble{"FIN", (*smtptest.Fault).Drop}, temporary},
		{trouble{"RST", (*smtptest.Fault).DropRST}, temporary},
		{trouble{"silence", (*smtptest.Fault).Stall}, temporary},
		{trouble{"delay", func(f *smtptest.Fault) *smtptest.Fault { return f.Delay(time.Minute) }}, accepted},
	}
	body := strings.Repeat("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd\r\n", 1<<14)
	for _, tc := range cases {
		for _, flight := range []bool{true, false} {
			for _, at := range []int64{0, 1, 100_000, 1 << 20} {
				if at == 1<<20 && flight {
					continue // the last octet of a chunk is the end of the message
				}
				t.Run(fmt.Sprintf("%s/flight=%v/at=%d", tc.name, flight, at), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						srv := smtptest.NewPipe(t, chunking(flight))
						tc.make(srv.On(smtptest.Body).At(at))
						r := deliver(t.Context(), t, srv.Client(), body)
						if at == 1<<20 && tc.want == temporary && r.Status == unknown {
							r.Status = temporary // the dot was sent, if not read
						}
						assert.Equal(t, tc.want, r.Status, "%v %v", r.Reply, r.Err)
						truth(t, srv, r)
					})
				})
			}
		}
	}
}

// TestClientEarlyRefusalAndSilence is the deadlock of smtp-sink -A: the server
// says no, and reads no more.
func TestClientEarlyRefusalAndSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := smtptest.NewPipe(t, chunking(false))
		srv.On(smtptest.Body).At(1000).Reply(552, "5.3.4", "too large").Stall()
		r := deliver(t.Context(), t, srv.Client(), strings.Repeat("0123456789\r\n", 100000))
		assert.NotEqual(t, accepted, r.Status)
		truth(t, srv, r)
	})
}

// TestStalePooledConnection breaks the second message of a connection: the
// client tries again by itself, if the first try cannot have been taken.
func TestStalePooledConnection(t *testing.T) {
	for _, tr := range troubles {
		if tr.name == "451" || tr.name == "550" || tr.name == "delay" {
			continue
		}
		for _, st := range []smtptest.Stage{smtptest.MAIL, smtptest.EndOfData} {
			t.Run(fmt.Sprintf("%v/%s", st, tr.name), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					srv := smtptest.NewPipe(t, chunking(false))
					c := srv.Client()
					require.Equal(t, accepted, deliver(t.Context(), t, c, text).Status)
					tr.make(srv.On(st)).Times(1)
					r := deliver(t.Context(), t, c, text)
					n := len(srv.Messages()) - 1
					if st == smtptest.MAIL {
						assert.Equal(t, accepted, r.Status, "%v", r.Err)
						assert.Equal(t, 1, n)
						return
					}
					assert.NotEqual(t, accepted, r.Status)
					assert.LessOrEqual(t, n, 1, "sent twice")
				})
			})
		}
	}
}

// TestStartTLSResponseInjection puts replies in the clear behind the 220, as
// somebody between client and server could.
func TestStartTLSResponseInjection(t *testing.T) {
	for _, f := range []func(*smtptest.Fault){
		func(f *smtptest.Fault) { f.RawReply([]byte("220 go\r\n250-x\r\n250 AUTH PLAIN\r\n")) },
		func(f *smtptest.Fault) { f.EarlyReply(250, "", "AUTH PLAIN") },
	} {
		srv := smtptest.New(t)
		f(srv.On(smtptest.STARTTLS))
		r := deliver(t.Context(), t, srv.Client(), text)
		assert.Equal(t, temporary, r.Status)
		assert.ErrorContains(t, r.Err, "in the clear")
		assert.NotContains(t, srv.Transcript(), "AUTH PLAIN [hidden]")
	}
}

// TestSTRIPTLSIsNotFallenFor: a client that wants TLS sends nothing without.
func TestSTRIPTLSIsNotFallenFor(t *testing.T) {
	for _, f := range []func(*smtptest.Server){
		func(s *smtptest.Server) { s.On(smtptest.STARTTLS).Reply(454, "4.7.0", "not now") },
		func(s *smtptest.Server) { s.On(smtptest.EHLO).RawReply([]byte("250-mx\r\n250 AUTH PLAIN\r\n")) },
		func(s *smtptest.Server) { s.On(smtptest.TLS).Garbage() },
	} {
		srv := smtptest.New(t)
		f(srv)
		r := deliver(t.Context(), t, srv.Client(), text)
		assert.Equal(t, temporary, r.Status)
		for _, word := range []string{"MAIL FROM", "C: AUTH"} {
			assert.NotContains(t, srv.Transcript(), word)
		}
	}
}

func TestOpportunisticTLSFallsBack(t *testing.T) {
	for _, st := range []smtptest.Stage{smtptest.STARTTLS, smtptest.TLS} {
		srv := smtptest.New(t)
		srv.On(st).Garbage()
		c := srv.Client()
		c.TLS, c.Auth = smtp.TLSOpportunistic, nil
		assert.Equal(t, accepted, deliver(t.Context(), t, c, text).Status, srv.Transcript())
		assert.Equal(t, "ESMTP", srv.Wait(1)[0].Protocol)
	}
}

func TestFaultsInOrder(t *testing.T) {
	srv := smtptest.New(t)
	srv.On(smtptest.RCPT).Arg("BOB@").Times(1)
	srv.On(smtptest.RCPT).Arg("bob@").Reply(450, "4.2.1", "not twice").Times(1)
	srv.On(smtptest.RCPT).Arg("carl@").Reply(550, "5.1.1", "no such user")
	srv.On(smtptest.RCPT).Times(0).Reply(421, "", "never used")
	c := srv.Client()
	sent, err := send(t, c, "bob@hamburger.edu", "carl@hamburger.edu", "dora@hamburger.edu")
	require.Error(t, err)
	assert.Equal(t, []smtp.Status{accepted, permanent, accepted}, statuses(sent.Results))
	sent, err = send(t, c, "bob@hamburger.edu", "carl@hamburger.edu", "dora@hamburger.edu")
	require.Error(t, err)
	assert.Equal(t, []smtp.Status{temporary, permanent, accepted}, statuses(sent.Results))
	assert.Equal(t, "450 4.2.1 not twice", sent.Results[0].Reply.String())
	got := srv.Wait(2)
	assert.Len(t, got[0].Envelope.To, 2)
	assert.Len(t, got[1].Envelope.To, 1)
}

func statuses(r smtp.Results) (out []smtp.Status) {
	for _, one := range r {
		out = append(out, one.Status)
	}
	return out
}

func TestLMTPFaultsOfOneRecipient(t *testing.T) {
	srv := smtptest.NewLMTP(t)
	srv.On(smtptest.EndOfData).Arg("carl@").Reply(552, "5.2.2", "mailbox full")
	srv.On(smtptest.EndOfData).Arg("dora@").Reply(451, "4.2.0", "locked")
	sent, err := send(t, srv.Client(), "bob@x.org", "carl@x.org", "dora@x.org", "eve@x.org")
	require.Error(t, err)
	assert.Equal(t, []smtp.Status{accepted, permanent, temporary, accepted}, statuses(sent.Results))
	assert.Equal(t, "552 5.2.2 mailbox full", sent.Results[1].Reply.String())
	var to []string
	for _, r := range srv.Wait(1)[0].Envelope.To {
		to = append(to, r.Path.Address())
	}
	assert.Equal(t, []string{"bob@x.org", "eve@x.org"}, to)
}

func TestLMTPLosesTheSecondReply(t *testing.T) {
	srv := smtptest.NewLMTP(t)
	srv.On(smtptest.EndOfData).Arg("carl@").Drop()
	sent, err := send(t, srv.Client(), "bob@x.org", "carl@x.org", "dora@x.org")
	require.Error(t, err)
	assert.Equal(t, []smtp.Status{accepted, unknown, unknown}, statuses(sent.Results))
}

func TestPRDRFaultsOfOneRecipient(t *testing.T) {
	srv := smtptest.New(t, func(s *smtp.Server) { s.Extensions |= smtp.ExtPRDR })
	srv.On(smtptest.EndOfData).Arg("carl@").Reply(550, "5.7.1", "spam to me")
	sent, err := send(t, srv.Client(), "bob@x.org", "carl@x.org")
	require.Error(t, err)
	assert.Equal(t, []smtp.Status{accepted, permanent}, statuses(sent.Results), srv.Transcript())
	assert.Len(t, srv.Wait(1)[0].Envelope.To, 1)
}

func TestAdvertise(t *testing.T) {
	srv := smtptest.New(t)
	srv.Advertise("SIZE 20", "XNEW thing")
	r := deliver(t.Context(), t, srv.Client(), text)
	assert.Equal(t, "552 5.3.4 Message too large for the server", r.Reply.String())
	assert.Contains(t, srv.Transcript(), "S: 250-SIZE 20\n")
	assert.Contains(t, srv.Transcript(), "S: 250 XNEW thing\n")
}

// TestChaosIsDeterministic runs the same senders twice by the same seed, and
// tries until every message is through.
func TestChaosIsDeterministic(t *testing.T) {
	run := func(t *testing.T, seed uint64) (transcript string) {
		synctest.Test(t, func(t *testing.T) {
			srv := smtptest.NewPipe(t)
			srv.Chaos(seed, 0.1)
			c := srv.Client()
			for i := range 20 {
				tries := 0
				for ; tries < 1000; tries++ {
					r := deliver(t.Context(), t, c, fmt.Sprintf("Subject: %d\r\n\r\n", i))
					require.NotEqual(t, permanent, r.Status, "%v", r.Reply)
					if r.Status == accepted {
						break
					}
				}
				require.Less(t, tries, 1000)
			}
			srv.Chaos(0, 0)
			seen := map[string]bool{}
			for _, m := range srv.Messages() {
				seen[string(m.Data)] = true
			}
			assert.Len(t, seen, 20)
			transcript = strings.ReplaceAll(srv.Transcript(), "-C\n", "")
		})
		return transcript
	}
	first := run(t, 7)
	assert.Equal(t, first, run(t, 7))
	assert.NotEqual(t, first, run(t, 8))
}

func TestWaitContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := smtptest.NewPipe(t)
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Hour, errors.New("enough"))
		defer cancel()
		list, err := srv.WaitContext(ctx, 1)
		assert.Empty(t, list)
		assert.EqualError(t, err, "smtptest: 0 of 1 messages came: enough")
	})
}

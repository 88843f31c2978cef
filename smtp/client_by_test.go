package smtp

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// RFC 2852 §4.1.4.2: a host that knows nothing of the time is asked to tell of
// delays, but for a recipient whose sender wants to hear nothing.
func TestClientDeliverByAsksForDelays(t *testing.T) {
	c := played(t, `S: 220 mx.example
C: EHLO client.example
S: 250-mx.example
S: 250 DSN
C: MAIL FROM:<a@b.example>
S: 250 OK
C: RCPT TO:<one@d.example> NOTIFY=FAILURE,DELAY
S: 250 OK
C: RCPT TO:<two@d.example> NOTIFY=SUCCESS,DELAY
S: 250 OK
C: RCPT TO:<three@d.example> NOTIFY=NEVER
S: 250 OK
C: DATA
S: 354 Go on
C: x
C: .
S: 250 OK
C: QUIT
S: 221 Bye
`)
	env := envelope(t, "a@b.example", "one@d.example", "two@d.example", "three@d.example")
	env.To[1].Notify, env.To[2].Notify = NotifySuccess, NotifyNever
	env.Params.DeliverBy = DeliverBy{Time: time.Now().Add(time.Hour)}
	sent, err := send(t, c, env, "x\r\n")
	require.NoError(t, err)
	assert.False(t, sent.Results[0].By)
}

// RFC 2852 §4.1.4.1: what is to be returned in time goes to a host that promises
// that, and for which there is enough time left.
func TestClientDeliverByReturn(t *testing.T) {
	for _, s := range []struct {
		offer string
		left  time.Duration
		goes  bool
	}{
		{"HELP", time.Hour, false},
		{"DELIVERBY", time.Hour, true},
		{"DELIVERBY 60", time.Hour, true},
		{"DELIVERBY 7200", time.Hour, false},
		{"DELIVERBY", time.Millisecond, false}, // BY=0;R is an error of syntax
		{"DELIVERBY", -time.Hour, false},
	} {
		script := "S: 220 mx.example\nC: EHLO client.example\nS: 250-mx.example\nS: 250 " + s.offer + "\n"
		if s.goes {
			script += "C: MAIL FROM:<a@b.example> BY=35*;R\nS: 250 OK\nC: RCPT TO:<c@d.example>\nS: 250 OK\nC: DATA\nS: 354 Go on\nC: x\nC: .\nS: 250 OK\n"
		}
		c := played(t, script+"C: QUIT\nS: 221 Bye\n")
		env := envelope(t, "a@b.example", "c@d.example")
		env.Params.DeliverBy = DeliverBy{Time: time.Now().Add(s.left), Return: true}
		sent, err := send(t, c, env, "x\r\n")
		if s.goes {
			require.NoError(t, err, s.offer)
			assert.True(t, sent.Results[0].By)
			continue
		}
		require.Error(t, err, s.offer)
		assert.Equal(t, Reply{550, "5.4.7", "Server does not promise delivery in time"}, sent.Results[0].Reply)
	}
}

package script_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/postilion-mail/postilion/internal/testcert"
	"github.com/stretchr/testify/require"
)

// toy is a server of a small line protocol, and toyClient a client of it: just
// enough to have both ends of a dialogue.
type toy struct {
	tls   *tls.Config
	size  int // what EHLO announces; 0 means 1000
	extra bool
}

func (y toy) serve(c net.Conn) {
	defer func() { c.Close() }()
	r := bufio.NewReader(c)
	say := func(lines string) { fmt.Fprint(c, strings.ReplaceAll(lines, "\n", "\r\n")) }
	say("220 toy.example ready\n")
	for {
		l, err := r.ReadString('\n')
		if err != nil {
			return
		}
		switch verb, _, _ := strings.Cut(strings.TrimSpace(l), " "); verb {
		case "EHLO":
			say("250-toy.example\n" + y.extensions())
		case "NOOP":
			say("250 ok\n")
		case "DATA":
			say("354 go on\n")
			say(fmt.Sprintf("250 %d lines\n", body(r)))
		case "UNTAGGED":
			say("* 3 EXISTS\n* FLAGS (\\Seen \\*)\n")
			fmt.Fprint(c, "raw\n250 ok\r\n")
		case "STARTTLS":
			say("220 go ahead\n")
			c = tls.Server(c, y.tls)
			r = bufio.NewReader(c)
		case "QUIT":
			say("221 bye\n")
			return
		default:
			say("500 what is " + verb[:min(len(verb), 10)] + "?\n")
		}
	}
}

func (y toy) extensions() string {
	s := fmt.Sprintf("250 SIZE %d\n", max(y.size, 1000))
	if y.extra {
		return "250-EXTRA 5**\n" + s
	}
	return s
}

func body(r *bufio.Reader) int {
	for n := 1; ; n++ {
		if l, err := r.ReadString('\n'); err != nil || l == ".\r\n" {
			return n
		}
	}
}

// toyClient sends the lines one by one and stops at a refusal.
func toyClient(c net.Conn, conf *tls.Config, lines ...string) (replies []string) {
	r := bufio.NewReader(c)
	reply := func() bool {
		for {
			l, err := r.ReadString('\n')
			if err != nil {
				return false
			}
			replies = append(replies, strings.TrimSpace(l))
			if len(l) > 3 && l[3] == ' ' {
				return l[0] < '4'
			}
		}
	}
	if !reply() {
		return replies
	}
	for _, l := range lines {
		fmt.Fprint(c, l+"\r\n")
		if !reply() {
			return replies
		}
		if l == "STARTTLS" {
			c = tls.Client(c, conf)
			r = bufio.NewReader(c)
		}
	}
	return replies
}

func authority(t testing.TB) *testcert.Authority {
	t.Helper()
	ca, err := testcert.New("toy.example")
	require.NoError(t, err)
	return ca
}

// dialPipe starts the toy server on one end of a pipe.
func dialPipe(y toy) net.Conn {
	c, s := net.Pipe()
	go y.serve(s)
	return c
}

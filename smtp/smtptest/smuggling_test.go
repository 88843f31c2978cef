package smtptest_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/internal/testcert"
	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/smtp/sasl"
	"github.com/postilion-mail/postilion/smtp/smtptest"
)

// serve starts the real server, without the fake around it.
func serve(t testing.TB, s *smtp.Server) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Close()
		assert.NoError(t, <-done)
	})
	return l.Addr().String()
}

func TestOurServerCannotBeSmuggledTo(t *testing.T) {
	ca, err := testcert.New()
	require.NoError(t, err)
	for _, ends := range []smtp.LineEndings{smtp.RejectBare, smtp.NormalizeBare, smtp.KeepBare} {
		for _, profile := range []smtp.Profile{smtp.MTA, smtp.LMTP} {
			t.Run(fmt.Sprintf("ends=%d/profile=%d", ends, profile), func(t *testing.T) {
				addr := serve(t, &smtp.Server{
					Profile: profile, LineEndings: ends, TLSConfig: ca.Server(),
					Auth: &sasl.Authenticator{Password: func(context.Context, sasl.Login, string) error { return nil }}, InsecureAuth: true,
					Limits: smtp.Limits{MessageBytes: 1 << 20},
				})
				smtptest.SmugglingSuite(t, smtptest.Target{Addr: addr, LMTP: profile == smtp.LMTP})
			})
		}
	}
}

func TestTheFakeCannotBeSmuggledTo(t *testing.T) {
	srv := smtptest.New(t)
	require.NoError(t, smtptest.CheckSmuggling(t.Context(), smtptest.Target{Addr: srv.Addr}))
}

func TestSmugglingSuiteNeedsAServer(t *testing.T) {
	err := smtptest.CheckSmuggling(t.Context(), smtptest.Target{Addr: "127.0.0.1:1"})
	require.Error(t, err)
	broken, _ := errors.AsType[*smtptest.SmugglingError](err)
	assert.Nil(t, broken)
	srv := smtptest.New(t)
	srv.On(smtptest.RCPT).Reply(550, "5.1.1", "no such user")
	assert.ErrorContains(t, smtptest.CheckSmuggling(t.Context(), smtptest.Target{Addr: srv.Addr}), "the server says 550")
}

// toy is a server with a fault of its own.
type toy struct {
	body    func(r *bufio.Reader)  // reads a message; nil is strict
	ehlo    string                 // keywords
	bdat    func(t *toy, a string) // nil: not offered
	tls     *tls.Config
	keepTLS bool // what came in the clear is executed after STARTTLS
	splitCR bool // a CR ends a command
	maxSize int  // beyond it the rest of a message is left where it is
	r       *bufio.Reader
	c       net.Conn
}

func (y toy) start(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			one := y
			one.c, one.r = c, bufio.NewReaderSize(c, 1<<20)
			go one.serve()
		}
	}()
	return l.Addr().String()
}

func (y *toy) say(s string) { io.WriteString(y.c, s+"\r\n") }

func (y *toy) line() (string, bool) {
	var b []byte
	for {
		c, err := y.r.ReadByte()
		if err != nil {
			return "", false
		}
		if c == '\n' || c == '\r' && y.splitCR && y.endsAtCR() {
			return strings.TrimSpace(string(b)), true
		}
		b = append(b, c)
	}
}

// endsAtCR reports a CR that no LF follows.
func (y *toy) endsAtCR() bool {
	next, err := y.r.Peek(1)
	return err == nil && next[0] != '\n'
}

func (y *toy) serve() {
	defer func() { y.c.Close() }()
	y.say("220 toy")
	for {
		l, ok := y.line()
		if !ok {
			return
		}
		verb, arg, _ := strings.Cut(l, " ")
		switch verb {
		case "":
		case "EHLO":
			y.say("250-toy\r\n" + y.ehlo + "250 HELP")
		case "DATA":
			y.say("354 go on")
			y.message()
			y.say("250 taken")
		case "BDAT":
			y.bdat(y, arg)
		case "STARTTLS":
			y.startTLS()
		case "QUIT":
			y.say("221 bye")
			return
		default:
			y.say("250 ok")
		}
	}
}

func (y *toy) startTLS() {
	kept := y.r.Buffered()
	behind, _ := y.r.Peek(kept)
	behind = bytes.Clone(behind)
	y.say("220 go on")
	y.c = tls.Server(y.c, y.tls)
	var in io.Reader = y.c
	if y.keepTLS {
		in = io.MultiReader(bytes.NewReader(behind), y.c)
	}
	y.r = bufio.NewReaderSize(in, 1<<20)
}

func (y *toy) message() {
	if y.body != nil {
		y.body(y.r)
		return
	}
	untilAny(y.r, y.maxSize, "\r\n.\r\n")
}

// untilAny reads to the first of the ends; a limit leaves the rest unread.
func untilAny(r *bufio.Reader, limit int, ends ...string) {
	b := []byte("\r\n")
	for {
		c, err := r.ReadByte()
		if err != nil || limit > 0 && len(b) > limit {
			return
		}
		b = append(b, c)
		for _, e := range ends {
			if bytes.HasSuffix(b, []byte(e)) {
				return
			}
		}
	}
}

// splitLines ends at a line that is a dot, where lines end as Python's
// splitlines has it.
func splitLines(r *bufio.Reader) {
	var line []byte
	for {
		c, err := r.ReadByte()
		if err != nil {
			return
		}
		if bytes.IndexByte([]byte("\n\v\f\x1c\x1e\x85"), c) < 0 {
			line = append(line, c)
			continue
		}
		if l := strings.Trim(string(line), "\r"); l == "." && (c != '\n' || bytes.HasSuffix(line, []byte("\r"))) {
			return
		}
		line = line[:0]
	}
}

// cutAt reads lines into a buffer of a fixed size and takes what follows a full
// one for a new line.
func cutAt(size int) func(*bufio.Reader) {
	return func(r *bufio.Reader) {
		var line []byte
		for {
			c, err := r.ReadByte()
			if err != nil {
				return
			}
			line = append(line, c)
			if string(line) == ".\r\n" {
				return
			}
			if len(line) == size || bytes.HasSuffix(line, []byte("\r\n")) {
				line = line[:0]
			}
		}
	}
}

// chunk reads the size as the toy understands it.
func chunk(refuse bool, parse func(string) int64) func(*toy, string) {
	return func(y *toy, arg string) {
		n := parse(arg)
		if refuse || n < 0 {
			y.say("503 not now")
			return
		}
		io.CopyN(io.Discard, y.r, n)
		y.say("250 taken")
	}
}

func decimal(arg string) int64 {
	word, _, _ := strings.Cut(arg, " ")
	n, err := strconv.ParseInt(word, 10, 64)
	if err != nil || n < 0 {
		return -1
	}
	return n
}

func overflowing(arg string) int64 {
	word, _, _ := strings.Cut(arg, " ")
	var n uint64
	for _, c := range word {
		n = n*10 + uint64(c-'0')
	}
	return int64(n % (1 << 62))
}

// TestSmugglingSuiteFindsBrokenServers has the mistakes that real servers made.
func TestSmugglingSuiteFindsBrokenServers(t *testing.T) {
	ca, err := testcert.New()
	require.NoError(t, err)
	for _, tc := range []struct {
		name string
		toy  toy
		want []string // cases that must fail
	}{
		{"LF.LF", toy{body: func(r *bufio.Reader) { untilAny(r, 0, "\r\n.\r\n", "\n.\n") }}, []string{`dot/\n.\n`}},
		{"LF.CRLF", toy{body: func(r *bufio.Reader) { untilAny(r, 0, "\n.\r\n") }}, []string{`dot/\n.\r\n`}},
		{"CR.CR", toy{body: func(r *bufio.Reader) { untilAny(r, 0, "\r\n.\r\n", "\r.\r") }}, []string{`dot/\r.\r`}},
		{"CRLF.CR", toy{body: func(r *bufio.Reader) { untilAny(r, 0, "\r\n.\r") }}, []string{`dot/\r\n.\r`}},
		{"net/textproto", toy{body: func(r *bufio.Reader) { io.Copy(io.Discard, textproto.NewReader(r).DotReader()) }},
			[]string{`dot/\n.\r\n`, `dot/\n.\n`}},
		{"splitlines", toy{body: splitLines}, []string{`dot/\v.\v`, `dot/\x85.\x85`}},
		{"lines cut at 1000", toy{body: cutAt(1000)}, []string{"long lines"}},
		{"lines cut at 4096", toy{body: cutAt(4096)}, []string{"long lines"}},
		{"the rest of a large message is commands", toy{maxSize: 5000, ehlo: "250-SIZE 5000\r\n"}, []string{"too large"}},
		{"hangs at CR CRLF . CRLF", toy{body: hangAtCR}, []string{"end/CR before the true end"}},
		{"a refused chunk is commands", toy{ehlo: "250-CHUNKING\r\n", bdat: chunk(true, decimal)}, []string{"BDAT/commands in a chunk", "BDAT/without MAIL"}},
		{"a bad chunk is commands", toy{ehlo: "250-CHUNKING\r\n", bdat: chunk(false, decimal)}, []string{"BDAT/negative", "BDAT/hexadecimal"}},
		{"a size overflows", toy{ehlo: "250-CHUNKING\r\n", bdat: chunk(false, overflowing)}, []string{"BDAT/2^64 more than there is"}},
		{"STARTTLS keeps the clear", toy{ehlo: "250-STARTTLS\r\n", tls: ca.Server(), keepTLS: true}, []string{"STARTTLS/commands behind it"}},
		{"CR ends a command", toy{splitCR: true}, []string{"command/bare CR"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel() // some of them hang, and time passes
			err := smtptest.CheckSmuggling(t.Context(), smtptest.Target{Addr: tc.toy.start(t), Timeout: 100 * time.Millisecond})
			require.Error(t, err)
			found := map[string]bool{}
			for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
				broken, ok := errors.AsType[*smtptest.SmugglingError](e)
				require.True(t, ok, "%v", e)
				assert.NotEmpty(t, broken.Rule)
				found[broken.Case] = true
			}
			for _, name := range tc.want {
				assert.True(t, found[name], "%s not found, but %v", name, found)
			}
		})
	}
	t.Run("a strict toy passes", func(t *testing.T) {
		require.NoError(t, smtptest.CheckSmuggling(t.Context(), smtptest.Target{Addr: toy{}.start(t)}))
	})
}

// hangAtCR steps over an end behind CR CR LF.
func hangAtCR(r *bufio.Reader) {
	b := []byte("\r\n")
	for {
		c, err := r.ReadByte()
		if err != nil {
			return
		}
		if b = append(b, c); bytes.HasSuffix(b, []byte("\r\n.\r\n")) && !bytes.HasSuffix(b, []byte("\r\r\n.\r\n")) {
			return
		}
	}
}

package smtp

import (
	"context"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// model is what RFC 5321 §4.1.4 and RFC 3030 §2 say of the order of commands,
// written a second time and with nothing in common with the server.
type model struct {
	hello, mail bool
	rcpts       int
	early       bool // the handler refuses before it has read anything
	chunks      bool
	body        string
	delivered   []string
}

func (m *model) reset() { *m = model{hello: m.hello, delivered: m.delivered} }

// deliver ends a message.
func (m *model) deliver() string {
	body, refused := m.body, m.early || strings.Contains(m.body, "refuse")
	m.reset()
	if refused {
		return "550"
	}
	m.delivered = append(m.delivered, body)
	return "250"
}

// step gives what is to be sent for a command, and the codes of the replies.
func (m *model) step(r *rand.Rand) (send string, codes []string) {
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	one := func(line, code string) (string, []string) { return line + "\r\n", []string{code} }
	sequence := func(ok bool, code string) string {
		if ok {
			return code
		}
		return "503"
	}
	switch r.IntN(20) {
	case 0:
		m.reset()
		m.hello = true
		return one(pick("EHLO c", "ehlo c", "HELO c"), "250")
	case 1, 2, 3, 4:
		from := pick("ok", "ok", "ok", "early", "no", "<bad")
		ok := m.hello && !m.mail
		switch {
		case ok && from == "no":
			return one("MAIL FROM:<no@b.example>", "550")
		case from == "<bad":
			return one("MAIL FROM:<<bad@b.example>", sequence(ok, "501"))
		case ok:
			m.mail, m.early = true, from == "early"
		}
		return one("MAIL FROM:<"+from+"@b.example>", sequence(ok, "250"))
	case 5, 6, 7, 8:
		to := pick("ok", "ok", "ok", "no", "@")
		ok := m.mail && !m.chunks
		switch {
		case to == "@":
			return one("RCPT TO:<@>", sequence(ok, "501"))
		case to == "no":
			return one("RCPT TO:<no@d.example>", sequence(ok, "550"))
		case ok:
			m.rcpts++
		}
		return one("RCPT TO:<ok@d.example>", sequence(ok, "250"))
	case 9, 10:
		return m.data(pick)
	case 11, 12, 13:
		return m.chunk(pick, r.IntN(2) == 0)
	case 14:
		m.reset()
		return one("RSET", "250")
	case 15:
		return one(pick("NOOP", "noop x"), "250")
	case 16:
		return one("HELP", "214")
	case 17:
		if m.chunks {
			return one(pick("VRFY x", "EXPN x"), "503")
		}
		return one("VRFY x", "252")
	case 18:
		verb := pick("STARTTLS", "AUTH PLAIN", "XCLIENT ADDR=1.2.3.4")
		switch {
		case verb[0] == 'X' && !m.mail:
			return one(verb, "550")
		case m.hello && !m.mail:
			return one(verb, "502")
		}
		return one(verb, "503")
	}
	return one(pick("XJUNK", "", " NOOP", "NO\xc5\xbfP", "MAI", "HELPFULLY", strings.Repeat("x", 3000)), "500")
}

// data is DATA, and its message where it is asked for.
func (m *model) data(pick func(...string) string) (send string, codes []string) {
	switch {
	case !m.mail || m.chunks:
		return "DATA\r\n", []string{"503"}
	case m.rcpts == 0:
		return "DATA\r\n", []string{"554"}
	}
	m.body = pick("", "hi\r\n", "refuse\r\n", "RSET\r\nQUIT\r\n")
	send = "DATA\r\n" + m.body + ".\r\n"
	return send, []string{"354", m.deliver()}
}

// chunk is BDAT.
func (m *model) chunk(pick func(...string) string, last bool) (send string, codes []string) {
	body := pick("", "hi\r\n", "NOOP\r\nQUIT\r\n", "refuse\r\n", strings.Repeat("x", 900)+"\r\n")
	send = bdatOf(body, last)
	switch {
	case !m.mail:
		return send, []string{"503"}
	case m.rcpts == 0:
		m.reset() // RFC 3030 §2: the transaction has failed
		return send, []string{"554"}
	case m.early:
		m.reset()
		return send, []string{"550"}
	}
	m.chunks = true
	m.body += body
	if last {
		return send, []string{m.deliver()}
	}
	return send, []string{"250"}
}

// Random dialogues, some commands alone and some in batches cut anywhere, get
// the replies that the model gives, and deliver what it delivers.
func TestModel(t *testing.T) {
	noLeaks(t)
	rounds := 150
	if os.Getenv("POSTILION_LONG") == "1" {
		rounds = 20000
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	for i := range rounds {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		var b box
		h := b.handler()
		read := h.Message
		h.Mail = func(_ context.Context, tx *Transaction) error { return refuseNo(tx.From) }
		h.Rcpt = func(_ context.Context, _ *Transaction, rcpt *Recipient) error { return refuseNo(rcpt.Path) }
		h.Message = func(ctx context.Context, tx *Transaction, body io.Reader) error {
			if tx.From.Local() == "early" {
				return Reject(550, "", "early")
			}
			return read(ctx, tx, &refuser{r: body})
		}
		t.Run("", func(t *testing.T) {
			connect := servePipe
			if i%2 == 0 {
				connect = serveTCP
			}
			p := connect(t, &Server{Handler: h, Limits: Limits{Errors: -1, Commands: -1}})
			p.expect("220")
			m := &model{}
			var log []string
			for range 30 {
				var batch string
				var want []string
				for range 1 + r.IntN(6) {
					send, codes := m.step(r)
					batch += send
					want = append(want, codes...)
				}
				log = append(log, batch)
				cut := r.IntN(len(batch) + 1)
				p.send(batch[:cut])
				p.send(batch[cut:])
				for _, code := range want {
					if got := p.reply(); !strings.HasPrefix(got, code) {
						require.Failf(t, "not as the model", "seed %d round %d: got %q, want %s of %v after %q", seed, i, got, code, want, log)
					}
				}
			}
			p.want("QUIT", "221")
			p.over()
			require.Equal(t, m.delivered, b.got(), "seed %d round %d: %q", seed, i, log)
		})
	}
}

func refuseNo(p Path) error {
	if p.Local() == "no" {
		return Reject(550, "5.1.1", "no")
	}
	return nil
}

// refuser ends a message that says "refuse" in a refusal.
type refuser struct {
	r    io.Reader
	seen []byte
}

func (f *refuser) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	f.seen = append(f.seen, p[:n]...)
	if err == io.EOF && strings.Contains(string(f.seen), "refuse") {
		err = Reject(550, "5.7.1", "refused")
	}
	return n, err
}

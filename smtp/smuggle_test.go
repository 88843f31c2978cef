package smtp

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// Row 1: whatever stands around the dot, a whole server takes one message or
// refuses it, and never two; and what comes behind the true end is a command.
func TestRow01_SMTPSmuggling(t *testing.T) {
	ends := []string{"", "\r", "\n", "\r\n", "\r\r\n", "\n\r", "\x00", "\r\n\x00"}
	for policy := RejectBare; policy <= KeepBare; policy++ {
		for _, connect := range []struct {
			name string
			f    func(testing.TB, *Server) *peer
		}{{"tcp", serveTCP}, {"pipe", servePipe}} {
			t.Run(fmt.Sprint(connect.name, policy), func(t *testing.T) {
				noLeaks(t)
				var b box
				s := &Server{Handler: b.handler(), LineEndings: policy, Limits: Limits{Errors: -1, Commands: -1}}
				p := connect.f(t, s)
				p.hello()
				for _, before := range ends {
					for _, after := range ends {
						smuggle(p, &b, before+"."+after, policy)
					}
				}
			})
		}
	}
}

// smuggle sends a message with trick in it, cut into two packets at each place
// in turn, and a second message behind it that must not come into being.
func smuggle(p *peer, b *box, trick string, policy LineEndings) {
	p.t.Helper()
	attack := "hello" + trick + "MAIL FROM:<evil@evil.example>\r\nRCPT TO:<v@d.example>\r\nDATA\r\nevil\r\n"
	// Where trick holds a true end there is one message before it, and the
	// attack's commands are the client's own: then they are no smuggling.
	honest := strings.Contains(attack, "\r\n.\r\n")
	for cut := len("hello"); cut <= len("hello"+trick)+1; cut++ {
		before := len(b.got())
		p.want("MAIL FROM:<a@b.example>", "250")
		p.want("RCPT TO:<c@d.example>", "250")
		p.want("DATA", "354")
		p.send(attack[:cut])
		p.send(attack[cut:] + ".\r\n")
		first := p.expect("", trick)
		switch {
		case honest && strings.Contains(attack, "\r\n\x00MAIL"): // a NUL makes it no command
			for _, code := range []string{"501", "503", "503", "500", "500"} {
				p.expect(code, trick)
			}
		case honest:
			p.expect("250", "the client's own MAIL")
			p.expect("250", "RCPT")
			p.expect("354", "DATA")
			p.expect("250", "its own second message")
		}
		p.want("NOOP", "250")
		var got []string
		for _, m := range b.got()[before:] {
			if m != "evil\r\n" || !honest {
				got = append(got, m)
			}
		}
		switch first[:3] {
		case "250":
			assert.Len(p.t, got, 1, "%q", trick)
		case "550":
			assert.Empty(p.t, got, "%q", trick)
			assert.Equal(p.t, RejectBare, policy, "%q", trick)
		default:
			p.t.Errorf("%q: %s", trick, first)
		}
	}
}

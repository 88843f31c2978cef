package smtptest

import (
	"fmt"
	"strconv"
	"strings"
)

// smuggled is what must never be read as commands: a second message.
func (p *probe) smuggled() string {
	return "MAIL FROM:<" + p.from() + ">\r\nRCPT TO:<" + p.to() + ">\r\nDATA\r\nSubject: smuggled\r\n\r\nsmuggled\r\n.\r\n"
}

const (
	dotRule = "only CRLF \".\" CRLF ends a message; no other octets, alone or together, are a line end " +
		"(RFC 5321 §4.1.1.4, §2.3.8). Refuse such a message after its true end, or keep the octets as data."
	bdatRule = "the octets that BDAT announces belong to the chunk, whatever they look like and whether or not " +
		"the chunk is accepted (RFC 3030 §2); where nobody can tell how many they are, close the connection."
)

// lineEnds are the true line end and all that somebody may take for one.
var lineEnds = []string{"\r\n", "\n", "\r", "\r\r\n", "\n\r", "\r\n\x00", "\x00", "\x00\r\n", "\r\x00\n"}

// fancyEnds are line ends in Unicode and in some standard libraries only.
var fancyEnds = []string{"\v", "\f", "\x1c", "\x1e", "\x85", "\u0085", "\u2028", "\u2029"}

func smugglingCases() []smugglingCase {
	cases := dotCases()
	cases = append(cases, messageCases...)
	cases = append(cases, bdatCases...)
	return append(cases, commandCases...)
}

// dotCases combines line ends around the dot.
func dotCases() []smugglingCase {
	var cases []smugglingCase
	add := func(before, after string) {
		all := before + "." + after
		if before == "" {
			all = "\r\n" + all
		}
		if !strings.Contains(all, "\r\n.\r\n") { // else it is the end, and rightly so
			cases = append(cases, dotCase(before, after))
		}
	}
	for _, after := range lineEnds {
		add("", after) // right behind the 354
		for _, before := range lineEnds {
			add(before, after)
		}
	}
	for _, f := range fancyEnds {
		add(f, f)
		add(f, "\r\n")
		add("\r\n", f)
	}
	return cases
}

func dotCase(before, after string) smugglingCase {
	end := before + "." + after
	return smugglingCase{"dot/" + strings.Trim(strconv.QuoteToASCII(end), `"`), dotRule, func(p *probe) (string, error) {
		head := "Subject: first\r\n\r\nfirst"
		if before == "" {
			head = ""
		}
		for _, write := range []func(string){p.send, p.drip} {
			if err := p.beginData(); err != nil {
				return "", err
			}
			if head != "" {
				p.send(head)
			}
			write(end)
			p.send(p.smuggled())
			if got, err := p.single(); got != "" || err != nil {
				return got, err
			}
		}
		return "", nil
	}}
}

var messageCases = []smugglingCase{
	{"end/CR before the true end", "CR CRLF \".\" CRLF holds the true end of the message: end there, and refuse the bare CR if at all. A reader that steps over it waits for ever.",
		func(p *probe) (string, error) {
			if err := p.beginData(); err != nil {
				return "", err
			}
			p.send("first\r\r\n.\r\n")
			return p.single()
		}},
	{"end/empty message", "\".\" CRLF as the very first octets ends an empty message (RFC 5321 §4.1.1.4).",
		func(p *probe) (string, error) {
			if err := p.beginData(); err != nil {
				return "", err
			}
			p.send(".\r\n")
			return p.single()
		}},
	{"long lines", "a line that is too long stays one line: where it is cut, no line begins, and a dot behind the cut is data (RFC 5321 §4.5.3.1.6).",
		longLines},
	{"too large", "a message beyond SIZE is read to its true end before the next command (RFC 1870 §6.3); its octets are never commands.",
		tooLarge},
	{"body in one piece with DATA", "octets behind DATA are the message once 354 was said, even if they came before; they are neither commands nor lost (RFC 2920 §3.1).",
		func(p *probe) (string, error) {
			if err := p.begin(); err != nil {
				return "", err
			}
			p.send("DATA\r\nNOOP\r\nRSET\r\n.\r\n")
			if code, _, err := p.reply(); err != nil || code != 354 {
				return "", nil // it refuses, which is safe
			}
			return p.single()
		}},
}

// longLines has a dot behind as many octets as any buffer may have.
func longLines(p *probe) (string, error) {
	if err := p.beginData(); err != nil {
		return "", err
	}
	var b strings.Builder
	for _, size := range []int{72, 76, 78, 80, 128, 256, 512, 990, 998, 1000, 1024, 2000, 2048, 4096, 8192, 16384, 32768, 65536} {
		for n := size - 3; n <= size+1; n++ {
			fmt.Fprintf(&b, "%s.\r\nNOOP\r\n", strings.Repeat("x", n))
		}
	}
	p.send(b.String() + ".\r\n")
	return p.single()
}

// maxProbeMessage bounds what a case sends.
const maxProbeMessage = 2 << 20

func tooLarge(p *probe) (string, error) {
	if err := p.beginData(); err != nil {
		return "", err
	}
	size, err := strconv.Atoi(strings.TrimSpace(p.caps["SIZE"]))
	if err != nil || size <= 0 || size > maxProbeMessage {
		return "", errSkip
	}
	p.send(strings.Repeat("NOOP\r\n", size/6+1000) + ".\r\n")
	return p.single()
}

var bdatCases = []smugglingCase{
	{"BDAT/commands in a chunk", bdatRule, chunkCase(true, true, "%d LAST")},
	{"BDAT/without MAIL", bdatRule, chunkCase(false, false, "%d LAST")},
	{"BDAT/without RCPT", bdatRule, chunkCase(true, false, "%d LAST")},
	{"BDAT/2^64 more than there is", bdatRule, chunkCase(true, true, "1844674407370955161%d LAST")},
	{"BDAT/negative", bdatRule, chunkCase(true, true, "-%d LAST")},
	{"BDAT/hexadecimal", bdatRule, chunkCase(true, true, "0x%d LAST")},
	{"BDAT/no size", bdatRule, chunkCase(true, true, "LAST %d")},
	{"BDAT/LAST in Unicode", bdatRule, chunkCase(true, true, "%d LA\u017fT")},
	{"BDAT/DATA in between", "DATA and BDAT do not go together in one transaction: 503 (RFC 3030 §2).",
		func(p *probe) (string, error) {
			if err := p.beginChunks(); err != nil {
				return "", err
			}
			p.send("BDAT 5\r\nfirstDATA\r\n")
			if _, err := p.want(250); err != nil {
				return "", nil // no first chunk, no question
			}
			if code, text, err := p.reply(); err == nil && code < 400 {
				return fmt.Sprintf("DATA is answered %d %s", code, text), nil
			}
			return "", nil
		}},
}

func (p *probe) beginChunks() error {
	if err := p.begin(); err != nil {
		return err
	}
	if _, ok := p.caps["CHUNKING"]; !ok {
		return errSkip
	}
	return nil
}

// chunkCase sends a chunk full of commands in a state in which it may or may
// not be welcome.
func chunkCase(mail, rcpt bool, arg string) func(*probe) (string, error) {
	return func(p *probe) (string, error) {
		if err := p.beginChunks(); err != nil { // also to see whether mail is taken at all
			return "", err
		}
		p.send("RSET\r\n")
		if _, err := p.want(250); err != nil {
			return "", err
		}
		for _, c := range []struct {
			on   bool
			line string
		}{{mail, "MAIL FROM:<" + p.from() + ">\r\n"}, {rcpt, "RCPT TO:<" + p.to() + ">\r\n"}} {
			if !c.on {
				continue
			}
			p.send(c.line)
			if _, err := p.want(250); err != nil {
				return "", err
			}
		}
		chunk := "NOOP\r\n.\r\nRSET\r\n" + p.smuggled()
		p.send("BDAT " + fmt.Sprintf(arg, len(chunk)) + "\r\n" + chunk)
		return p.single()
	}
}

var commandCases = []smugglingCase{
	{"STARTTLS/commands behind it", "what came in the clear is forgotten when TLS begins: it is not answered as if it had come over TLS (RFC 3207 §4.2).",
		func(p *probe) (string, error) {
			if err := p.open(); err != nil {
				return "", err
			}
			if _, ok := p.caps["STARTTLS"]; !ok {
				return "", errSkip
			}
			p.send("STARTTLS\r\nNOOP\r\nEHLO injected.example.org\r\n" + p.smuggled())
			if code, _, err := p.reply(); err != nil || code != 220 || p.encrypt() != nil {
				return "", nil // refused
			}
			if codes, _ := p.rest(); len(codes) > 0 {
				return fmt.Sprintf("commands that came in the clear are answered over TLS: replies %d", codes), nil
			}
			return "", nil
		}},
	{"command/bare CR", "a CR alone does not end a command (RFC 5321 §2.3.8).", oneCommand("NOOP a\rNOOP b\r\n")},
	{"command/NUL", "a NUL does not end a command (RFC 5321 §2.3.8).", oneCommand("NOOP a\x00NOOP b\r\n")},
	{"command/too long", "a line that is too long is one command, answered once (RFC 5321 §4.5.3.1.9).",
		oneCommand("NOOP " + strings.Repeat("NOOP ", 20000) + "\r\n")},
	{"command/response of AUTH", "a response that is too long or cancelled is read to its end; the rest is no command (RFC 4954 §4).",
		func(p *probe) (string, error) {
			if err := p.open(); err != nil {
				return "", err
			}
			p.send("AUTH PLAIN\r\n")
			if code, _, err := p.reply(); err != nil || code != 334 {
				return "", errSkip
			}
			p.send(strings.Repeat("NOOP", 20000) + "\r\n")
			return p.single()
		}},
}

// oneCommand demands one answer to one line.
func oneCommand(line string) func(*probe) (string, error) {
	return func(p *probe) (string, error) {
		if err := p.open(); err != nil {
			return "", err
		}
		p.send(line)
		codes, hangs := p.rest()
		switch {
		case len(codes) > 1:
			return fmt.Sprintf("one line is answered as several: replies %d", codes), nil
		case hangs:
			return "the server does not answer", nil
		}
		return "", nil
	}
}

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/postilion-mail/postilion/imap"
	"github.com/postilion-mail/postilion/pop3"
	"github.com/postilion-mail/postilion/smtp"
)

// story prints the conversation, or with quiet a checklist.
type story struct {
	out    io.Writer
	quiet  bool
	color  bool
	failed error

	mu      sync.Mutex // guards all below, and out
	speaker string     // whose conversation was printed last
}

// The colours of a terminal.
const (
	bold  = "1"
	green = "32"
	blue  = "34"
	red   = "31"
)

func (s *story) paint(color, text string) string {
	if !s.color {
		return text
	}
	return "\x1b[" + color + "m" + text + "\x1b[0m"
}

// line prints one line of the conversation that server name holds.
func (s *story) line(name, who, text string) {
	if s.quiet {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.speaker != name {
		s.speaker = name
		fmt.Fprintf(s.out, "\n%s\n", s.paint(bold, "== at "+name+" =="))
	}
	color := blue
	if who == "S" {
		color = green
	}
	fmt.Fprintf(s.out, "%s %s\n", s.paint(color, who+":"), text)
}

// traceSMTP tells what a server hears and says.
func (s *story) traceSMTP(name string) *smtp.Trace {
	return &smtp.Trace{
		Command: func(_ *smtp.Session, verb, arg string) {
			s.line(name, "C", strings.TrimSpace(verb+" "+arg))
		},
		Reply: func(_ *smtp.Session, r smtp.Reply) {
			lines := strings.Split(r.Text, "\n")
			for i, text := range lines {
				dash := "-"
				if i == len(lines)-1 {
					dash = " "
				}
				if r.Enhanced != "" {
					text = r.Enhanced + " " + text
				}
				s.line(name, "S", fmt.Sprintf("%d%s%s", r.Code, dash, text))
			}
		},
	}
}

func (s *story) tracePOP3(name string) *pop3.Trace {
	return &pop3.Trace{
		Command: func(_ *pop3.Session, verb, arg string) { s.line(name, "C", strings.TrimSpace(verb+" "+arg)) },
		Reply:   func(_ *pop3.Session, line string) { s.line(name, "S", line) },
	}
}

func (s *story) traceIMAP(name string) *imap.Trace {
	return &imap.Trace{
		Command: func(_ *imap.Session, verb, arg string) { s.line(name, "C", strings.TrimSpace(verb+" "+arg)) },
		Reply:   func(_ *imap.Session, _, line string, _ time.Duration) { s.line(name, "S", line) },
	}
}

// listenIn is a middleware that tells the message itself.
func (s *story) listenIn(name string) smtp.Middleware {
	return smtp.Scan(func(_ context.Context, t *smtp.Transaction, r io.Reader) error {
		// What this server has put on top was not said by the client.
		if _, err := io.CopyN(io.Discard, r, int64(len(t.Prefix))); err != nil {
			return err
		}
		for lines := bufio.NewReader(r); ; {
			line, err := lines.ReadString('\n')
			if line != "" {
				s.line(name, "C", strings.TrimRight(line, "\r\n"))
			}
			if err == io.EOF {
				s.line(name, "C", ".")
				return nil
			}
			if err != nil {
				return err
			}
		}
	})
}

// chapter begins a part of the story.
func (s *story) chapter(title string) {
	if s.quiet {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.speaker = ""
	fmt.Fprintf(s.out, "\n%s\n%s\n", s.paint(bold, title), strings.Repeat("=", len(title)))
}

// note tells something that is said in no dialogue.
func (s *story) note(format string, args ...any) {
	if s.quiet {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.speaker = ""
	fmt.Fprintf(s.out, "\n-- "+format+"\n", args...)
}

// check notes a fact.
func (s *story) check(what string, ok bool) {
	mark := s.paint(green, "ok  ")
	if !ok {
		mark = s.paint(red, "FAIL")
		s.failed = errors.Join(s.failed, errors.New("not so: "+what))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.quiet {
		fmt.Fprintln(s.out)
	}
	s.speaker = ""
	fmt.Fprintln(s.out, mark, what)
}

// show prints a text under a heading.
func (s *story) show(heading, text string) {
	if s.quiet {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.speaker = ""
	fmt.Fprintf(s.out, "\n%s\n%s", s.paint(bold, "== "+heading+" =="), strings.ReplaceAll(text, "\r\n", "\n"))
}

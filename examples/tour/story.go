package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/postilion-mail/postilion/smtp"
)

// story prints the conversation, or with quiet a checklist.
type story struct {
	out    io.Writer
	quiet  bool
	failed error

	mu      sync.Mutex // guards all below, and out
	speaker string     // whose conversation was printed last
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
		fmt.Fprintf(s.out, "\n== at %s ==\n", name)
	}
	fmt.Fprintf(s.out, "%s: %s\n", who, text)
}

// trace tells what a server hears and says.
func (s *story) trace(name string) *smtp.Trace {
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

// listenIn is a middleware that tells the message itself.
func (s *story) listenIn(name string) smtp.Middleware {
	return smtp.Scan(func(_ context.Context, _ *smtp.Transaction, r io.Reader) error {
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
	fmt.Fprintf(s.out, "\n%s\n%s\n", title, strings.Repeat("=", len(title)))
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
	mark := "ok  "
	if !ok {
		mark = "FAIL"
		s.failed = errors.Join(s.failed, errors.New("not so: "+what))
	}
	if s.quiet || !ok {
		fmt.Fprintln(s.out, mark, what)
	}
}

// show prints a text under a heading.
func (s *story) show(heading, text string) {
	if !s.quiet {
		fmt.Fprintf(s.out, "\n== %s ==\n%s", heading, strings.ReplaceAll(text, "\r\n", "\n"))
	}
}

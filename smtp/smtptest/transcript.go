package smtptest

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	"github.com/postilion-mail/postilion/internal/script"
)

// bodyNotes gathers the octets of a message into lines for the transcript.
type bodyNotes struct{ part []byte }

func (n *bodyNotes) add(t *script.Transcript, b []byte) {
	n.part = append(n.part, b...)
	if i := bytes.LastIndexByte(n.part, '\n'); i >= 0 {
		t.Client(string(n.part[:i+1]))
		n.part = n.part[:copy(n.part, n.part[i+1:])]
	}
}

// end notes what is left without a line end, as a chunk may be.
func (n *bodyNotes) end(t *script.Transcript) {
	if len(n.part) > 0 {
		t.Client(string(n.part))
		n.part = nil
	}
}

// Transcript gives the conversation so far, one line for each that was sent:
//
//	S: 220 mx.example.org ESMTP
//	C: EHLO localhost
//
// "+TLS" stands where TLS began, "-C" and "-S" where a side hung up without
// QUIT, and C! or S! with a Go string where the octets are no line. Commands
// and replies alternate even where the client has pipelined them. What a login
// is made of is shown as [hidden]. All that the client has an answer to is in
// it. The conversations of several connections stand one behind the other, in
// the order of their beginning, each with a comment above it.
func (s *Server) Transcript() string {
	list := s.transcripts()
	if len(list) == 1 {
		return list[0]
	}
	var b strings.Builder
	for i, t := range list {
		fmt.Fprintf(&b, "# connection %d\n%s", i+1, t)
	}
	return b.String()
}

func (s *Server) transcripts() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []string
	for _, d := range s.dialogues {
		list = append(list, d.notes.String())
	}
	return list
}

// Compare compares the only conversation with a golden one: the form of
// [Server.Transcript], in whose lines "*" stands for anything and "**" for one
// star. The error shows the first difference, and nil means there is none.
func (s *Server) Compare(golden string) error { return s.compare("golden", golden) }

func (s *Server) compare(name, golden string) error {
	list := s.transcripts()
	if len(list) != 1 {
		return fmt.Errorf("smtptest: %d connections, of which one can be compared", len(list))
	}
	want, err := script.Parse(name, golden)
	if err != nil {
		return err
	}
	return script.Compare(want, list[0])
}

// Golden compares the only conversation with the file at path, as
// [Server.Compare] does, and fails the test at the first difference. With
// update it writes the file instead.
func (s *Server) Golden(path string, update bool) {
	s.t.Helper()
	if update {
		if err := os.WriteFile(path, []byte(s.Transcript()), 0o644); err != nil {
			s.t.Fatalf("smtptest: %v", err)
		}
		return
	}
	b, err := os.ReadFile(path)
	if err == nil {
		err = s.compare(path, string(b))
	}
	if err != nil {
		s.t.Fatalf("smtptest: %v", err)
	}
}

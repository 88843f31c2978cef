package script

import (
	"fmt"
	"strings"
)

// Error is a difference between a dialogue and what happened.
type Error struct {
	File       string
	Line       int    // of the file, from 1
	Want       string // as the file has it
	Got        string // as it came; empty if nothing did
	Err        error  // cause, such as a timeout; nil for a plain difference
	Transcript string // the conversation up to here
}

// Error shows the place, the difference and the conversation.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:%d: the dialogue differs\n  want  %s\n", e.File, e.Line, e.Want)
	if e.Got != "" {
		fmt.Fprintf(&b, "  got   %s\n", e.Got)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, "  error %v\n", e.Err)
	}
	if e.Transcript == "" {
		return b.String() + "at the start of the conversation"
	}
	b.WriteString("after\n")
	for l := range strings.Lines(e.Transcript) {
		b.WriteString("  " + l)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// Unwrap returns the cause, so that errors.Is finds a deadline.
func (e *Error) Unwrap() error { return e.Err }

func (s *Script) fail(it item, t *Transcript, want, got string, err error) *Error {
	return &Error{File: s.name, Line: it.line, Want: want, Got: got, Err: err, Transcript: t.String()}
}

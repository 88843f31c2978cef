package imap

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestCommandsHaveDialoguesInAllStates: each verb is spoken before login, after
// it, and with a mailbox selected, whether it may be or not. The dialogues are
// followed by what the server says in them.
func TestCommandsHaveDialoguesInAllStates(t *testing.T) {
	d := readDialogues(t)
	for _, row := range commands {
		for _, st := range dialogueStates {
			assert.NotEmpty(t, d.spoken[st.state][row.verb], "no dialogue has %s %s", row.verb, st.name)
		}
	}
}

// TestListOfDialogues: testdata/README.md says where each command and each
// capability is shown. It is written anew by -update.
func TestListOfDialogues(t *testing.T) {
	const path = "testdata/README.md"
	want := readDialogues(t).list()
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(want), 0o644))
	}
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, want, string(got), "run go test ./imap -run TestListOfDialogues -update")
}

var dialogueStates = []struct {
	state state
	name  string
}{{fresh, "before login"}, {authed, "after login"}, {selected, "with a mailbox selected"}}

// dialogues are what is in which file of testdata.
type dialogues struct {
	spoken map[state]map[string][]string // files by the verbs that are spoken in a state
	shown  map[string][]string           // files by the names of capabilities
}

func readDialogues(t *testing.T) dialogues {
	t.Helper()
	d := dialogues{map[state]map[string][]string{fresh: {}, authed: {}, selected: {}}, map[string][]string{}}
	paths, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	for _, path := range paths {
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		file := strings.TrimSuffix(filepath.Base(path), ".txt")
		f := follower{state: fresh, note: func(st state, verb string) { d.spoken[st][verb] = addOnce(d.spoken[st][verb], file) }}
		for l := range strings.Lines(string(b)) {
			f.line(strings.TrimSuffix(l, "\n"))
			names, _ := strings.CutPrefix(l, "# capability: ")
			if names == l {
				continue
			}
			for name := range strings.FieldsSeq(names) {
				d.shown[name] = addOnce(d.shown[name], file)
			}
		}
	}
	return d
}

func addOnce(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// list is the text of README.md.
func (d dialogues) list() string {
	var b strings.Builder
	b.WriteString("# Dialogues of the server\n\nEach file is played against the server by TestGoldenDialogues; its first line says how that is set up, and\n" +
		"package internal/script what the other lines mean. This list is written by `go test ./imap -run TestListOfDialogues -update`.\n\n" +
		"## Commands\n\nThe dialogues that have a command in a state of RFC 9051 §3, three at most.\n\n|")
	for _, st := range dialogueStates {
		b.WriteString(" | " + st.name)
	}
	b.WriteString(" |\n|---|---|---|---|\n")
	for _, row := range commands {
		b.WriteString("| " + row.verb)
		for _, st := range dialogueStates {
			files := d.spoken[st.state][row.verb]
			b.WriteString(" | " + strings.Join(files[:min(len(files), 3)], ", "))
		}
		b.WriteString(" |\n")
	}
	b.WriteString("\n## Capabilities\n\n| capability | shown in |\n|---|---|\n")
	for _, row := range capabilities {
		b.WriteString("| " + row.name + " | " + strings.Join(d.shown[row.name], ", ") + " |\n")
	}
	return b.String()
}

// A follower reads a dialogue and knows the state it is in.
type follower struct {
	note    func(state, string) // is told of each command that was answered
	state   state
	waiting map[string]string // verbs by the tags that are not answered yet
}

func (f *follower) line(l string) {
	words := strings.Fields(l)
	switch {
	case len(words) < 3:
	case words[0] == "S:" && words[1] == "*" && words[2] == "PREAUTH":
		f.state = authed
	case words[0] == "S:":
		f.answer(words[1], words[2])
	case words[0] == "C:":
		f.command(words[1], strings.ToUpper(words[2]), words[3:])
	}
}

// command notes a command that the server knows. The lines of a literal are
// none, but for those that look like one.
func (f *follower) command(tag, verb string, rest []string) {
	if verb == "UID" && len(rest) > 0 {
		verb += " " + strings.ToUpper(rest[0])
	}
	if f.waiting == nil {
		f.waiting = map[string]string{}
	}
	f.waiting[tag] = verb
}

// answer takes what the server says to a command. Only that makes the command
// one: what else a client sends has no tag.
func (f *follower) answer(tag, word string) {
	verb, is := f.waiting[tag]
	if !is || word != "OK" && word != "NO" && word != "BAD" {
		return
	}
	delete(f.waiting, tag)
	f.note(f.state, verb)
	switch {
	case word == "OK":
		f.done(verb)
	case word == "NO" && (verb == "SELECT" || verb == "EXAMINE"): // RFC 9051 §6.3.2
		f.state = authed
	}
}

// done changes the state as a command does that succeeds (RFC 9051 §3).
func (f *follower) done(verb string) {
	switch verb {
	case "LOGIN", "AUTHENTICATE", "CLOSE", "UNSELECT":
		f.state = authed
	case "SELECT", "EXAMINE":
		f.state = selected
	case "UNAUTHENTICATE":
		f.state = fresh
	}
}

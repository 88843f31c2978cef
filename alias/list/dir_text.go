package list

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/postilion-mail/postilion/smtp"
)

// sorted are members in the order of their keys.
func sorted(l map[string]Member) []Member {
	out := make([]Member, 0, len(l))
	for _, k := range slices.Sorted(maps.Keys(l)) {
		out = append(out, l[k])
	}
	return out
}

// formatMembers writes a file of members.
func formatMembers(l map[string]Member) []byte {
	var b bytes.Buffer
	for _, x := range sorted(l) {
		fmt.Fprintf(&b, "%s %s", x.Path, x.State)
		if x.Moderated {
			b.WriteString(" moderated")
		}
		if x.Bounces != 0 {
			fmt.Fprintf(&b, " bounces=%d", x.Bounces)
		}
		for _, f := range [...]struct {
			name string
			t    time.Time
		}{{"joined", x.Joined}, {"bounced", x.Bounced}, {"probed", x.Probed}} {
			if !f.t.IsZero() {
				fmt.Fprintf(&b, " %s=%s", f.name, f.t.UTC().Format(time.RFC3339Nano))
			}
		}
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// parseMembers reads a file of members: empty lines and those that begin with "#"
// are skipped, words that are not known are an error, so that nothing is lost when
// the file is written again.
func parseMembers(b []byte) (map[string]Member, error) {
	out := map[string]Member{}
	n := 0
	for line := range strings.Lines(string(b)) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		x, err := parseMember(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if _, twice := out[key(x.Path)]; twice {
			return nil, fmt.Errorf("line %d: %s stands there twice", n, x.Path.Address())
		}
		out[key(x.Path)] = x
	}
	return out, nil
}

func parseMember(line string) (x Member, err error) {
	address, rest := line, ""
	if i := strings.LastIndex(line, "> "); i >= 0 {
		address, rest = line[:i+1], line[i+2:]
	}
	if x.Path, err = smtp.ParsePath(address); err != nil {
		return x, err
	}
	if x.Path.IsNull() || x.Path.Domain() == "" {
		return x, fmt.Errorf("%q is no address of a member", address)
	}
	x.State = Subscribed
	for i, word := range strings.Fields(rest) {
		name, value, _ := strings.Cut(word, "=")
		switch {
		case i == 0:
			x.State, err = parseState(word)
		case word == "moderated":
			x.Moderated = true
		case name == "bounces":
			x.Bounces, err = strconv.Atoi(value)
		case name == "joined":
			x.Joined, err = time.Parse(time.RFC3339Nano, value)
		case name == "bounced":
			x.Bounced, err = time.Parse(time.RFC3339Nano, value)
		case name == "probed":
			x.Probed, err = time.Parse(time.RFC3339Nano, value)
		default:
			err = fmt.Errorf("unknown word %q", word)
		}
		if err != nil {
			return x, err
		}
	}
	return x, nil
}

func parseState(s string) (State, error) {
	switch State(s) {
	case Subscribed, NoMail, Disabled:
		return State(s), nil
	}
	return "", fmt.Errorf("unknown state %q", s)
}

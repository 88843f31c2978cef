package imapbench

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestDovecotCorpora does it with the mail of the corpora, where that is. Much of
// it is damaged on purpose, and the two servers read some of it otherwise: by
// the rules of dovecot_rules_test.go, and by nothing else.
func TestDovecotCorpora(t *testing.T) {
	mail := corpora(t)
	meant := map[string]int{} // of message and item: the rule
	for i, r := range rules {
		for name, items := range r.in {
			for item := range strings.FieldsSeq(items) {
				meant[name+" "+item] = i
			}
		}
	}
	counts := make([]int, len(rules))
	var sets []difference
	for _, d := range differences(t, mail) {
		if d.message == "" {
			sets = append(sets, d)
			continue
		}
		key := d.message + " " + d.item()
		i, found := meant[key]
		if !found {
			t.Errorf("new: %s", d)
			continue
		}
		counts[i]++
		delete(meant, key)
	}
	for key := range meant {
		t.Errorf("no longer: %s", key)
	}
	checkSets(t, mail, sets)
	for i, r := range rules {
		t.Logf("%3d in %d messages: %s", counts[i], len(r.in), r.why)
	}
}

// item is what a rule calls the item of a FETCH.
func (d difference) item() string {
	_, item, _ := strings.Cut(strings.TrimPrefix(d.command, "FETCH "), " ")
	switch {
	case strings.Contains(item, "FIELDS.NOT"):
		return "not"
	case strings.Contains(item, "FIELDS"):
		return "fields"
	case strings.Contains(item, "SIZE"):
		return "SIZE"
	}
	return strings.TrimPrefix(item, "BODY.PEEK")
}

// checkSets compares what commands find without the messages that they find by
// a rule.
func checkSets(t *testing.T, mail []sample, sets []difference) {
	used := map[string]bool{}
	for _, d := range sets {
		var without []string
		for _, r := range setRules {
			if r.command == d.command {
				without = append(without, r.without...)
				used[d.command] = true
				t.Logf("%3d in %s: %s", len(r.without), d.command, r.why)
			}
		}
		if ours, them := leaveOut(d.ours, mail, without), leaveOut(d.them, mail, without); ours != them {
			t.Errorf("new: %s", difference{d.command, "", ours, them})
		}
	}
	for _, r := range setRules {
		if !used[r.command] {
			t.Errorf("no longer: %s", r.command)
		}
	}
}

// leaveOut removes the numbers of messages from a response.
func leaveOut(response string, mail []sample, names []string) string {
	for i, m := range mail {
		if slices.Contains(names, m.name) {
			response = regexp.MustCompile(`\b`+strconv.Itoa(i+1)+`\b`).ReplaceAllString(response, "")
		}
	}
	response = strings.Join(strings.Fields(response), " ")
	return strings.NewReplacer("( ", "(", " )", ")").Replace(strings.ReplaceAll(response, "()", ""))
}

// corpora is the mail beside the module, or skips the test. What has a NUL no
// literal of APPEND can hold (RFC 9051 §9, CHAR8).
func corpora(t testing.TB) (out []sample) {
	dir := os.Getenv("POSTILION_CORPORA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared", "corpora")
	}
	dir = filepath.Join(dir, "mail")
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !isMail(path) {
			return err
		}
		b, err := os.ReadFile(path)
		if len(b) == 0 || len(b) > 1<<20 || bytes.IndexByte(b, 0) >= 0 {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		b = bytes.ReplaceAll(bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
		out = append(out, sample{filepath.ToSlash(name), b})
		return err
	})
	if err != nil {
		t.Skipf("no corpora: set POSTILION_CORPORA to their folder (%v)", err)
	}
	return out
}

// isMail reports whether a file of the corpora is a message.
func isMail(path string) bool {
	switch filepath.Ext(path) {
	case ".eml", ".raw", ".golden":
		return true
	case ".txt":
		return strings.HasPrefix(filepath.Base(path), "msg_")
	}
	return false
}

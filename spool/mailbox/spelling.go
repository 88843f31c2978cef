package mailbox

import (
	"slices"
	"strings"
	"sync"
)

// Spelling keeps one spelling for each keyword of a mailbox, and one string for
// each combination of them: what a store needs so that "$Junk" and "$junk" are
// one keyword and a hundred thousand messages share a few strings. The zero
// value is empty; the methods may be called concurrently.
type Spelling struct {
	mu    sync.Mutex // guards all below
	words map[string]string
	seen  map[string]string // from Flags.Keywords as they came
}

// maxCombinations bounds Spelling.seen, which is only a cache.
const maxCombinations = 10_000

// Fix returns f with every keyword spelled as it was the first time. If adding
// is false new keywords are taken as they are and not remembered.
func (s *Spelling) Fix(f Flags, adding bool) Flags {
	if f.Keywords == "" {
		return f
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if k, ok := s.seen[f.Keywords]; ok {
		f.Keywords = k
		return f
	}
	if s.words == nil {
		s.words, s.seen = map[string]string{}, map[string]string{}
	}
	words := strings.Fields(f.Keywords)
	for i, w := range words {
		fold := strings.ToLower(w)
		known, ok := s.words[fold]
		switch {
		case ok:
			words[i] = known
		case adding:
			s.words[fold] = w
		}
	}
	fixed := canonical(words)
	if adding && len(s.seen) < maxCombinations {
		s.seen[f.Keywords], s.seen[fixed] = fixed, fixed
	}
	f.Keywords = fixed
	return f
}

// Words are all keywords so far, in order.
func (s *Spelling) Words() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]string, 0, len(s.words))
	for _, w := range s.words {
		out = append(out, w)
	}
	slices.SortFunc(out, compareFold)
	return out
}

// Len is the number of keywords so far.
func (s *Spelling) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.words)
}

// Unknown reports how many keywords of f are new.
func (s *Spelling) Unknown(f Flags) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for w := range strings.FieldsSeq(f.Keywords) {
		if _, ok := s.words[strings.ToLower(w)]; !ok {
			n++
		}
	}
	return n
}

package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// entry is the line of one RFC in index.txt: number, title and sections, with
// tabs between them.
type entry struct {
	title    string
	sections []string
}

// index is index.txt.
type index map[int]*entry

const preamble = `# The RFCs that this module cites: number, title, section numbers (4.1.1-3 is
# 4.1.1, 4.1.2, 4.1.3; a letter is an appendix). Made by
# "go run ./internal/rfcref -update"; it keeps the lines whose text is not at
# hand, which are written by hand, those without sections citable as a whole.
`

func readIndex(path string) (index, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return parseIndex(string(b))
}

func parseIndex(text string) (index, error) {
	ix := index{}
	n := 0
	for l := range strings.Lines(text) {
		l = strings.TrimRight(l, "\r\n")
		if n++; l == "" || l[0] == '#' {
			continue
		}
		f := strings.Split(l, "\t")
		rfc, err := strconv.Atoi(f[0])
		if err != nil || len(f) != 3 {
			return nil, fmt.Errorf("index.txt:%d: want number, title, sections", n)
		}
		secs, err := expand(f[2])
		if err != nil {
			return nil, fmt.Errorf("index.txt:%d: %w", n, err)
		}
		ix[rfc] = &entry{f[1], secs}
	}
	return ix, nil
}

func (ix index) bytes() []byte {
	var b bytes.Buffer
	b.WriteString(preamble)
	for _, n := range slices.Sorted(maps.Keys(ix)) {
		fmt.Fprintf(&b, "%d\t%s\t%s\n", n, ix[n].title, compact(ix[n].sections))
	}
	return b.Bytes()
}

// refresh takes the titles and sections of all RFCs that are in the index or
// cited from the texts. An RFC without a text keeps its line; one that has
// neither text nor line is not added, and check will report where it is cited.
func (ix index) refresh(lib string, cites []cite) error {
	if lib == "" {
		return fmt.Errorf("no RFC texts: neither $POSTILION_RFC nor ../shared/rfc is a folder")
	}
	titles, err := readTitles(lib)
	if err != nil {
		return err
	}
	for n := range byNumber(cites) {
		if ix[n] == nil {
			ix[n] = &entry{}
		}
	}
	for n, e := range ix {
		text, err := os.ReadFile(textPath(lib, n))
		switch {
		case os.IsNotExist(err) && e.title == "":
			delete(ix, n)
			continue
		case os.IsNotExist(err):
			continue
		case err != nil:
			return err
		}
		e.title, e.sections = titles[n], outline(string(text))
	}
	return nil
}

func textPath(lib string, n int) string { return filepath.Join(lib, fmt.Sprintf("rfc%d.txt", n)) }

var titleLine = regexp.MustCompile(`(?m)^- \[(\d+)\]\([^)]*\) (.*?) \([a-z -]+\)(?: —.*)?$`)

// readTitles reads INDEX.md beside the texts.
func readTitles(lib string) (map[int]string, error) {
	b, err := os.ReadFile(filepath.Join(lib, "INDEX.md"))
	if err != nil {
		return nil, err
	}
	titles := map[int]string{}
	for _, m := range titleLine.FindAllStringSubmatch(string(b), -1) {
		n, err := strconv.Atoi(m[1])
		if err != nil {
			return nil, err
		}
		titles[n] = m[2]
	}
	return titles, nil
}

// compact writes runs of sections that follow each other as 4.1.1-3. The
// children of one section stand together.
func compact(secs []string) string {
	byParent := map[string][]string{}
	var parents []string
	for _, s := range secs {
		p, last := cutLast(s)
		if byParent[p] == nil {
			parents = append(parents, p)
		}
		byParent[p] = append(byParent[p], last)
	}
	var out []string
	for _, p := range parents {
		prefix := ""
		if p != "" {
			prefix = p + "."
		}
		for run := range runs(byParent[p]) {
			s := prefix + run[0]
			if len(run) > 1 {
				s += "-" + run[len(run)-1]
			}
			out = append(out, s)
		}
	}
	return strings.Join(out, " ")
}

// runs cuts numbers into stretches without a gap.
func runs(nums []string) func(yield func([]string) bool) {
	return func(yield func([]string) bool) {
		start := 0
		for i := 1; i <= len(nums); i++ {
			if i < len(nums) && rank(nums[i]) == rank(nums[i-1])+1 {
				continue
			}
			if !yield(nums[start:i]) {
				return
			}
			start = i
		}
	}
}

// runPat is a section, or a run of its siblings up to a number or a letter.
var runPat = regexp.MustCompile(`^` + sectionPat + `(?:-(?:[0-9]{1,3}|[A-Z]))?$`)

// expand undoes compact.
func expand(s string) ([]string, error) {
	var out []string
	for _, f := range strings.Fields(s) {
		from, to, isRun := strings.Cut(f, "-")
		parent, last := cutLast(from)
		if !isRun {
			to = last
		}
		if !runPat.MatchString(f) || rank(to) < rank(last) || rank(to)-rank(last) > 100 {
			return nil, fmt.Errorf("%q is no run of sections", f)
		}
		for ; rank(last) <= rank(to); last = after(last) {
			out = append(out, strings.TrimPrefix(parent+"."+last, "."))
		}
	}
	slices.SortFunc(out, compareSections)
	return out, nil
}

func after(last string) string {
	if n, err := strconv.Atoi(last); err == nil {
		return strconv.Itoa(n + 1)
	}
	return string(last[0] + 1)
}

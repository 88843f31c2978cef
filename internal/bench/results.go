package main

import (
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// results are figures by folder, benchmark and unit: "./spfbench Check/ip4 ns/op".
type results map[string]float64

// result is a line of go test: its name, the processors behind it, the count.
var result = regexp.MustCompile(`^Benchmark(\S+?)(?:-\d+)?\s+\d+\s+(.*)$`)

func (r results) parse(dir, out string) {
	for text := range strings.Lines(out) {
		m := result.FindStringSubmatch(strings.TrimSpace(text))
		if m == nil {
			continue
		}
		f := strings.Fields(m[2])
		for i := 0; i+1 < len(f); i += 2 {
			if v, err := strconv.ParseFloat(f[i], 64); err == nil {
				r[key(dir, figure{m[1], f[i+1]})] = v
			}
		}
	}
}

func key(dir string, f figure) string { return dir + " " + f.bench + " " + f.unit }

// write prints the table in Markdown. A line without figures says so.
func write(w io.Writer, wanted []line, found []results) error {
	if _, err := fmt.Fprint(w, "| | times as good | postilion | beside | |\n|---|---|---|---|---|\n"); err != nil {
		return err
	}
	for _, l := range wanted {
		if _, err := fmt.Fprintln(w, l.row(found)); err != nil {
			return err
		}
	}
	return nil
}

func (l line) row(found []results) string {
	var ours, theirs, ratios []float64
	for _, r := range found {
		a, ok := r[key(l.suite, l.ours)]
		if !ok {
			continue
		}
		ours = append(ours, a)
		if b, ok := r[key(l.suite, l.theirs)]; ok {
			theirs = append(theirs, b)
			ratios = append(ratios, l.ratio(a, b))
		}
	}
	if len(ours) == 0 {
		return fmt.Sprintf("| %s | | not measured here | | %s |", l.title(), l.peer)
	}
	if len(theirs) == 0 {
		return fmt.Sprintf("| %s | | %s | | |", l.title(), l.show(median(ours)))
	}
	return fmt.Sprintf("| %s | **%s** | %s | %s | %s |", l.title(), number(median(ratios)), l.show(median(ours)), l.show(median(theirs)), l.peer)
}

// ratio is how many times as good a, ours, is as b.
func (l line) ratio(a, b float64) float64 {
	if l.more {
		return a / b
	}
	return b / a
}

// show is a figure as people read it, in the unit of the line.
func (l line) show(v float64) string {
	if l.scale != 0 {
		v *= l.scale
	}
	return strings.TrimSpace(number(v) + " " + l.unit)
}

// number has three digits that count, and commas.
func number(v float64) string {
	if v == 0 {
		return "0"
	}
	decimals := max(0, 2-int(math.Floor(math.Log10(math.Abs(v)))))
	if v >= 10 && decimals > 1 {
		decimals = 1
	}
	s := strconv.FormatFloat(v, 'f', decimals, 64)
	whole, rest, point := strings.Cut(s, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if rest = strings.TrimRight(rest, "0"); point && rest != "" {
		return whole + "." + rest
	}
	return whole
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}

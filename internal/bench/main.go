// Command bench measures the library beside others of the field and prints one
// table: medians of interleaved runs, ratios first. It lives in a module of its
// own, so that nothing measured against becomes a dependency of the library.
//
//	cd internal/bench && go run .             all of it, about a quarter of an hour
//	cd internal/bench && go run . -run imap   the lines with "imap" in them
//	cd internal/bench && go run . -n 1        one round, a first impression
//
// What is measured are the benchmarks of the packages below this one and of some
// of the library's own, which can be run alone by go test -bench. In each round
// every benchmark runs once, ours and the other's next to each other in one
// process tree, so that a machine that is busy for a while is so for both; the
// ratio is taken of each round before the median. Those that need a program of
// somebody else's, such as Dovecot, are left out where it is not installed.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
)

func main() {
	rounds := flag.Int("n", 5, "rounds")
	only := flag.String("run", "", "only lines that match this `regexp`")
	flag.Parse()
	if err := run(os.Stdout, os.Stderr, *rounds, *only); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run measures the lines that match only and prints them; how far it is goes to
// progress.
func run(out, progress io.Writer, rounds int, only string) error {
	match, err := regexp.Compile("(?i)" + only)
	if err != nil {
		return err
	}
	wanted := make([]line, 0, len(lines))
	for _, l := range lines {
		if match.MatchString(l.title()) {
			wanted = append(wanted, l)
		}
	}
	if len(wanted) == 0 || rounds < 1 {
		return errors.New("nothing to measure")
	}
	found := make([]results, rounds)
	for i := range found {
		found[i] = make(results)
		for _, s := range suites {
			if !s.measures(wanted) {
				continue
			}
			fmt.Fprintf(progress, "round %d of %d: %s %s\n", i+1, rounds, s.dir, s.bench)
			if err := s.run(found[i]); err != nil {
				return err
			}
		}
	}
	fmt.Fprintf(out, "%s, %s/%s, %d processors, medians of %d rounds.\n\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), rounds)
	return write(out, wanted, found)
}

// suite is one call of go test.
type suite struct{ dir, bench, time string }

// measures reports whether a line needs s.
func (s suite) measures(wanted []line) bool {
	for _, l := range wanted {
		if l.suite == s.dir && regexp.MustCompile(s.bench).MatchString("Benchmark"+l.ours.bench) {
			return true
		}
	}
	return false
}

// run adds what the benchmarks of s print to found.
func (s suite) run(found results) error {
	cmd := exec.Command("go", "test", "-run", "^$", "-bench", s.bench, "-benchmem", "-benchtime", s.time, "-timeout", "30m", s.dir)
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s%s", strings.Join(cmd.Args, " "), err, out, errOut.Bytes())
	}
	found.parse(s.dir, string(out))
	return nil
}

package main

import (
	"bytes"
	"errors"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

const said = `goos: linux
BenchmarkCheck/ip4/postilion-2     	  289352	      661 ns/op	 128 B/op
BenchmarkCheck/ip4/blitiri-2       	  142796	     2062 ns/op	 616 B/op
BenchmarkClient/no-chunking-2      	       1	1848190711 ns/op	      9190 go-smtp-msg/s	     16345 ours-msg/s
PASS
`

func TestTable(t *testing.T) {
	rounds := []results{make(results), make(results), make(results)}
	for i, theirs := range []string{"2062", "1000", "3000"} {
		out := strings.ReplaceAll(said, "2062", theirs)
		rounds[i].parse(spfDir, out)
		rounds[i].parse(smtpDir, out)
	}
	var table bytes.Buffer
	if err := write(&table, lines, rounds); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| spf: check with ip4, record cache off | **3.12** | 0.661 µs | 2.06 µs | blitiri.com.ar/go/spf |\n",
		"| smtp: client, one connection, server without CHUNKING | **1.78** | 16,345 msg/s | 9,190 msg/s | emersion/go-smtp |\n",
		"| spf: check with includes, record cache off | | not measured here | | blitiri.com.ar/go/spf |\n",
	} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("no line %sin\n%s", want, &table)
		}
	}
}

func TestNumbers(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.0123456: "0.0123", 0.661: "0.661", 1: "1", 2.5: "2.5", 12.345: "12.3", 123.4: "123", 1234567: "1,234,567"} {
		if got := number(v); got != want {
			t.Errorf("%v: %s, not %s", v, got, want)
		}
	}
	if median([]float64{3, 1, 2}) != 2 || median([]float64{4, 1, 2, 3}) != 2.5 {
		t.Error("median")
	}
}

// Each line is measured by one call of go test, and by a benchmark that is there.
func TestLinesAreMeasured(t *testing.T) {
	there := make(map[string]string)
	for _, l := range lines {
		n := 0
		for _, s := range suites {
			if l.suite == s.dir && regexp.MustCompile(s.bench).MatchString("Benchmark"+l.ours.bench) {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%s: measured %d times", l.title(), n)
		}
		if there[l.suite] == "" {
			out, err := exec.Command("go", "test", "-list", "Benchmark", l.suite).CombinedOutput()
			if err != nil {
				t.Fatalf("%s: %v\n%s", l.suite, err, out)
			}
			there[l.suite] = "\n" + string(out)
		}
		name, _, _ := strings.Cut(l.ours.bench, "/")
		if !strings.Contains(there[l.suite], "\nBenchmark"+name+"\n") {
			t.Errorf("%s: there is no Benchmark%s in %s", l.title(), name, l.suite)
		}
	}
}

func TestNothingToMeasure(t *testing.T) {
	if err := run(new(bytes.Buffer), new(bytes.Buffer), 1, "no such line"); err == nil {
		t.Error("nothing was measured")
	}
	var broken *exec.ExitError
	if err := (suite{"./nowhere", ".", "1x"}).run(make(results)); !errors.As(err, &broken) {
		t.Error(err)
	}
}

package mime

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// answerBombs make answers costly, for a parameter n that stays below the
// limits of what is taken over where it can.
var answerBombs = []struct {
	name string
	n    int
	make func(n int) []byte
}{
	{"recipients", 5_000, func(n int) []byte {
		return oneField("From: a@b.example\r\nTo", strings.Repeat("Bob <bob@hamburger.edu>, x"+strings.Repeat("y", 50)+"@z.example,", n))
	}},
	{"names to encode", 5_000, func(n int) []byte {
		return oneField("From: a@b.example\r\nTo", strings.Repeat("=?utf-8?q?=C3=BC_?= ü <bob@hamburger.edu>, ", n))
	}},
	{"ids", 20_000, func(n int) []byte { return oneField("References", strings.Repeat("<a@b> <", n)) }},
	{"marks of a subject", 20_000, func(n int) []byte { return oneField("Subject", strings.Repeat("Re: ", n)) }},
	{"quotation", 50_000, func(n int) []byte { return []byte("\r\n" + strings.Repeat(">", n) + strings.Repeat(" w", n)) }},
	{"spaces", 100_000, func(n int) []byte { return []byte("\r\n" + strings.Repeat(" ", n) + "x") }},
	{"signatures", 20_000, func(n int) []byte { return []byte("\r\n" + strings.Repeat("\n --", n)) }},
	{"brackets", 100_000, func(n int) []byte { return asHTML(strings.Repeat("<", n)) }},
	{"scripts", 8_000, func(n int) []byte { return asHTML(strings.Repeat("<script></scrip>", n)) }},
	{"quotes", 50_000, func(n int) []byte { return asHTML(strings.Repeat(`<a "`, n/2) + strings.Repeat(`<a '`, n/2)) }},
	{"comments", 30_000, func(n int) []byte { return asHTML(strings.Repeat("<!--", n)) }},
	{"entities", 50_000, func(n int) []byte { return asHTML(strings.Repeat("&&lt", n)) }},
	{"blockquotes", 10_000, func(n int) []byte { return asHTML(strings.Repeat("<blockquote>x", n)) }},
}

func asHTML(s string) []byte { return []byte("Content-Type: text/html\r\n\r\n" + s) }

// TestAnswersAreLinear is TestLinearTime for answers, built and written.
func TestAnswersAreLinear(t *testing.T) {
	if testing.Short() {
		t.Skip("measures time")
	}
	measure := func(b []byte) time.Duration {
		start := time.Now()
		for _, b := range answers(Parse(b)) {
			if d, err := fixed(b).Build(); err == nil {
				_, _ = d.Bytes()
			}
		}
		return time.Since(start)
	}
	for _, bomb := range answerBombs {
		one, two := bomb.make(bomb.n), bomb.make(2*bomb.n)
		var ratios []float64
		for range 12 {
			ratios = append(ratios, float64(measure(two))/float64(max(measure(one), time.Millisecond)))
			if ratios[len(ratios)-1] < 2.6 {
				break
			}
		}
		if least := slices.Min(ratios); least >= 2.6 {
			t.Errorf("%s: twice the input takes %.1f times as long", bomb.name, least)
		}
	}
}

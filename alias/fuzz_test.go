package alias

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/postilion-mail/postilion/smtp"
)

// Parse and WriteTo are inverse, or there is an error with a line for all that
// is wrong.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"a: b, c@x.example\n# x\n\"d e\": \"|f \\\"g\\\"\", /h, \\i\n", "@x.example: @y.example\n@*.z: q\n*: w",
		"a+*: \"error:550 5.1.1 x\"\n", "a (b): c (d) <e>,\n f\n", "a: |\"x y\", |z \"u,v\"", "owner-a: b\na: c",
		"a: \"|x\"@b, \"#c\", \\\"|d\"", "a@[IPv6:::1]: b@[1.2.3.4]", "\"a+*\": b", "jü: b@ü.example", "a: <@x,@y:b@z>",
	} {
		f.Add(s)
	}
	o := ParseOptions{Domain: "hamburger.edu", Commands: true}
	f.Fuzz(func(t *testing.T, s string) {
		tab, err := Parse(strings.NewReader(s), o)
		if err != nil {
			var all ParseErrors
			if !errors.As(err, &all) || len(all) == 0 || tab != nil {
				t.Fatalf("%v is not a list of mistakes, or there is a table too", err)
			}
			for _, one := range all {
				if lines := strings.Count(s, "\n") + 1; one.Line < 1 || one.Line > lines {
					t.Fatalf("%v: there are %d lines", one, lines)
				}
			}
			return
		}
		var b strings.Builder
		if _, err := tab.WriteTo(&b); err != nil {
			t.Fatal(err)
		}
		again, err := Parse(strings.NewReader(b.String()), o)
		if err != nil || !reflect.DeepEqual(tab, again) {
			t.Fatalf("%q\n%q\n%v\n%v\n%v", s, b.String(), err, tab, again)
		}
	})
}

// What Reverse takes apart was signed: writing it again gives the same
// address. What we write, Reverse takes apart.
func FuzzReverse(f *testing.F) {
	w := rewriter()
	for _, pair := range rewritten(f, w) {
		f.Add(pair[0].Local(), pair[0].Domain())
		f.Add(pair[1].Local(), pair[1].Domain())
	}
	f.Add("a+vabcdefghijkl=", "x.example")
	f.Add("SRS1+a=b=c", "x.example")
	f.Fuzz(func(t *testing.T, local, domain string) {
		p, err := makePath(local, domain)
		if err != nil {
			return
		}
		orig, scheme, err := w.Reverse(p)
		switch {
		case scheme == "" && (orig != p || err != nil):
			t.Fatalf("%v is none of ours, yet %v %v", p, orig, err)
		case err != nil && !orig.IsNull():
			t.Fatalf("%v has an error and an address: %v", p, orig)
		case err != nil:
			var bad *RewriteError
			if !errors.As(err, &bad) {
				t.Fatal(err)
			}
		}
		check := func(want Scheme, to smtp.Path, err error) {
			if err != nil { // too long
				return
			}
			back, scheme, err := w.Reverse(to)
			if err != nil || scheme != want || back != p {
				t.Fatalf("%v -> %v -> %v %v %v", p, to, back, scheme, err)
			}
		}
		if p.Domain() != "srs.example" {
			to, err := w.SRS(p, "srs.example")
			if _, _, again := forwarded(p); again {
				if _, scheme, e := w.Reverse(to); err == nil && (e != nil || scheme != SchemeSRS1) {
					t.Fatalf("%v -> %v: %v %v", p, to, scheme, e)
				}
			} else {
				check(SchemeSRS0, to, err)
			}
		}
		if to, err := w.BATV(p); to != p {
			check(SchemeBATV, to, err)
		}
		if to, err := w.VERP(mustParse("o@lists.example"), p); err == nil && !w.Match(to, mustParse("o@lists.example"), p) {
			t.Fatalf("%v -> %v does not match", p, to)
		}
	})
}

package mx_test

import "testing"

func BenchmarkLookup(b *testing.B) {
	f, _ := fixed(b, `
a.test MX 10 m1.test
a.test MX 10 m2.test
a.test MX 20 m3.test
`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.Lookup(b.Context(), "a.test"); err != nil {
			b.Fatal(err)
		}
	}
}

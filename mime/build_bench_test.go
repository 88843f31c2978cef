package mime

import (
	"io"
	"math/rand"
	"strings"
	"testing"
)

// BenchmarkBuild builds and writes a message with text, HTML and a file of a
// megabyte, as a newsletter with an attachment has them.
func BenchmarkBuild(b *testing.B) {
	data := make([]byte, 1<<20)
	rand.New(rand.NewSource(1)).Read(data)
	text := strings.Repeat("A line of prose with an umlaut ü in it, and an equals sign = here.\n", 15)
	html := "<p>" + strings.Repeat("A line of <b>prose</b> with an umlaut ü in it &amp; more.<br>\n", 15)
	for _, c := range []struct {
		name  string
		files []File
	}{{"text+HTML", nil}, {"text+HTML+1MB", []File{AttachBytes("plans.pdf", data)}}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				d, err := (&Builder{From: []Address{{Name: "Alice", Addr: "alice@crepes.fr"}}, To: []Address{{Name: "Böb", Addr: "bob@hamburger.edu"}},
					Subject: "Grüße", Text: text, HTML: html, Files: c.files}).Build()
				if err != nil {
					b.Fatal(err)
				}
				n, err := d.WriteTo(io.Discard)
				if err != nil || n != d.Size() {
					b.Fatal(n, err)
				}
				b.SetBytes(n)
			}
		})
	}
}

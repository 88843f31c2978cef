package mime

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// corpora returns the folder of the test mail, or skips the test.
func corpora(t testing.TB) string {
	dir := os.Getenv("POSTILION_CORPORA")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "corpora")
	}
	dir = filepath.Join(dir, "mail")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no corpora: set POSTILION_CORPORA to their folder (%v)", err)
	}
	return dir
}

// corpusMail yields every message of the corpora by its path.
func corpusMail(t testing.TB) map[string][]byte {
	dir := corpora(t)
	mail := make(map[string][]byte)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		switch name := d.Name(); {
		case strings.HasPrefix(name, "LICENSE"), strings.HasSuffix(name, ".json"),
			strings.HasSuffix(name, ".go"), strings.HasSuffix(name, ".md"):
			return nil
		}
		b, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		mail[filepath.ToSlash(rel)] = b
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return mail
}

// withLF and withCRLF give a message the line breaks of one kind.
func withLF(b []byte) []byte { return bytes.ReplaceAll(b, []byte("\r"), nil) }

func withCRLF(b []byte) []byte {
	return bytes.ReplaceAll(bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
}

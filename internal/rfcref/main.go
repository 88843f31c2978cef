// Command rfcref checks the RFC citations in the comments of this module.
//
//	go run ./internal/rfcref                   check every citation
//	go run ./internal/rfcref -update           refresh index.txt from the texts, add what is cited;
//	                                           write the support table into README.md
//	go run ./internal/rfcref -table            the support table, in Markdown
//	go run ./internal/rfcref -table smtp imap  the same for some packages, as a list for doc.go
//
// These forms are citations:
//
//	RFC 5321
//	RFC 5321 §4.5.2
//	RFC 5321 §§4.1–4.2
//	RFC 5321 §4.1, §4.2 and §A
//	RFC 5321 Appendix D.3
//	RFC 7208 erratum 5436
//	RFCs 1939 and 2449
//
// A cited RFC must stand in index.txt, a cited section in its list of section
// numbers there. Where the texts are at hand, in ../shared/rfc beside the
// module or in $POSTILION_RFC, the section must be in the text as well.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

func main() {
	update := flag.Bool("update", false, "refresh index.txt from the texts and add the RFCs cited")
	table := flag.Bool("table", false, "print the support table; packages may follow")
	flag.Parse()
	if err := run(os.Stdout, *update, *table, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "rfcref:", err)
		os.Exit(1)
	}
}

func run(w io.Writer, update, table bool, pkgs []string) error {
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	cites, malformed, err := scan(os.DirFS(root))
	if err != nil {
		return err
	}
	path := filepath.Join(root, "internal", "rfcref", "index.txt")
	ix, err := readIndex(path)
	if err != nil {
		return err
	}
	lib := library(root)
	switch {
	case update:
		if err := ix.refresh(lib, cites); err != nil {
			return err
		}
		if err := os.WriteFile(path, ix.bytes(), 0o644); err != nil {
			return err
		}
		return updateReadme(root, ix, cites)
	case table:
		return writeTable(w, ix, cites, pkgs)
	}
	problems := append(malformed, check(ix, lib, cites)...)
	if err := checkReadme(root, ix, cites); err != nil {
		problems = append(problems, problem{cite{path: "README.md", line: 1}, err.Error()})
	}
	for _, p := range problems {
		fmt.Fprintln(w, p)
	}
	fmt.Fprintf(w, "%d citations of %d RFCs, %d problems", len(cites), len(byNumber(cites)), len(problems))
	if lib == "" {
		fmt.Fprint(w, " (no texts at hand: checked against index.txt alone)")
	}
	fmt.Fprintln(w)
	if len(problems) > 0 {
		return fmt.Errorf("%d problems", len(problems))
	}
	return nil
}

// moduleRoot is the nearest folder upwards with the go.mod of a module that
// has this program.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		b, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && bytes.Contains(b, []byte("module github.com/postilion-mail/postilion\n")) {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", fmt.Errorf("not inside the module")
		}
		dir = up
	}
}

// library is the folder of RFC texts, or "" if there is none.
func library(root string) string {
	for _, dir := range []string{os.Getenv("POSTILION_RFC"), filepath.Join(root, "..", "shared", "rfc")} {
		if st, err := os.Stat(dir); dir != "" && err == nil && st.IsDir() {
			return dir
		}
	}
	return ""
}

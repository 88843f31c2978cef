package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// The lines of README.md between which the support table stands.
const (
	tableBegin = "<!-- go run ./internal/rfcref -update -->\n\n"
	tableEnd   = "\n<!-- end of the table -->\n"
)

// checkReadme reports a table in README.md that is not that of the code.
func checkReadme(root string, ix index, cites []cite) error {
	is, want, err := readme(root, ix, cites)
	if err != nil {
		return err
	}
	if is != want {
		return errors.New("its table of RFCs is not that of the code: go run ./internal/rfcref -update")
	}
	return nil
}

func updateReadme(root string, ix index, cites []cite) error {
	_, want, err := readme(root, ix, cites)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(root, "README.md"), []byte(want), 0o644)
}

// readme gives README.md as it is and as it should be.
func readme(root string, ix index, cites []cite) (is, want string, err error) {
	b, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		return "", "", err
	}
	is = string(b)
	before, rest, begins := strings.Cut(is, tableBegin)
	_, after, ends := strings.Cut(rest, tableEnd)
	if !begins || !ends {
		return "", "", errors.New("the place of the table of RFCs is not marked")
	}
	var table bytes.Buffer
	if err := writeTable(&table, ix, cites, nil); err != nil {
		return "", "", err
	}
	return is, before + tableBegin + table.String() + tableEnd + after, nil
}

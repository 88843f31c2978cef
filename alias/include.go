package alias

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
)

// maxIncludes bounds how deep included files may include others.
const maxIncludes = 8

// include reads the members that stand in another file, one a line or more
// with commas between. In it there are no continuation lines.
func (p *parser) include(out []Target, file string, at int, l line) []Target {
	switch {
	case !p.options.Include:
		p.fail(l, at, ":include: is not allowed: %s", clip(file))
		return out
	case !filepath.IsAbs(file):
		p.fail(l, at, "an included file needs its whole path: %s", clip(file))
		return out
	case slices.Contains(p.within, file):
		p.fail(l, at, "a file includes itself: %s", clip(file))
		return out
	case len(p.within) == maxIncludes:
		p.fail(l, at, "more than %d files include each other: %s", maxIncludes, clip(file))
		return out
	}
	f, info, err := openRegular(file)
	p.files = append(p.files, stamp{file, info})
	if err != nil {
		p.fail(l, at, "%v", err)
		return out
	}
	defer f.Close()
	p.within = append(p.within, file)
	defer func() { p.within = p.within[:len(p.within)-1] }()
	lines, err := p.readLines(f, file)
	if err != nil {
		p.fail(l, at, "%v", err)
		return out
	}
	for _, one := range lines {
		out = append(out, p.items(one, 0, true)...)
	}
	return out
}

// openRegular opens a file that nobody but its owner and group can have
// written. A pipe or device could keep us waiting, a file that everybody can
// write lets everybody read the mail of others.
func openRegular(file string) (*os.File, fs.FileInfo, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, nil, err
	}
	if err := checkFile(file, info); err != nil {
		return nil, info, err
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, info, err
	}
	// What was opened may be another file than what was looked at before.
	if info, err = f.Stat(); err == nil {
		err = checkFile(file, info)
	}
	if err != nil {
		_ = f.Close() // nothing was written
		return nil, info, err
	}
	return f, info, nil
}

func checkFile(file string, info fs.FileInfo) error {
	switch {
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a regular file", file)
	case info.Mode().Perm()&0o002 != 0 && runtime.GOOS != "windows":
		return fmt.Errorf("%s can be written by everybody", file)
	}
	return nil
}

package script

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// TB is the part of *testing.T that Dir and Replay use.
type TB[T any] interface {
	Helper()
	Run(name string, f func(T)) bool
	Context() context.Context
	Error(args ...any)
	Fatal(args ...any)
	Log(args ...any)
}

// Dir plays each dialogue whose path matches the glob against a server, as a
// subtest of its own. dial connects to the server under test; it gets the name
// of the file without .txt, so that one directory can hold dialogues of
// servers set up in different ways. With update set, the files that differ
// are rewritten instead; the flag belongs to the package under test:
//
//	var update = flag.Bool("update", false, "rewrite testdata/*.txt")
func Dir[T TB[T]](t T, glob string, p Player, update bool, dial func(t T, name string) net.Conn) {
	t.Helper()
	each(t, glob, func(t T, path, name string, s *Script) {
		if update {
			rewriteFile(t, path, p, s, dial(t, name))
			return
		}
		if _, err := p.PlayClient(t.Context(), dial(t, name), s); err != nil {
			t.Error(err)
		}
	})
}

func rewriteFile[T TB[T]](t T, path string, p Player, s *Script, c net.Conn) {
	now, err := p.Rewrite(t.Context(), c, s)
	if err != nil {
		t.Fatal(err)
	}
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(old, now) {
		return
	}
	if err := os.WriteFile(path, now, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Log("rewrote", path)
}

// Replay plays each dialogue whose path matches the glob as a fake server, as
// a subtest of its own. use is the client under test: it talks over c, which
// has no buffer, and returns when it is done; name is that of the file without
// .txt. The subtest fails when the client says anything else than the file.
func Replay[T TB[T]](t T, glob string, p Player, use func(t T, name string, c net.Conn)) {
	t.Helper()
	each(t, glob, func(t T, path, name string, s *Script) {
		c, fake := net.Pipe()
		done := make(chan error, 1)
		go func() {
			_, err := p.PlayServer(t.Context(), fake, s)
			done <- err
		}()
		defer func() { // also when use ends the test
			c.Close()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}()
		use(t, name, c)
	})
}

func each[T TB[T]](t T, glob string, play func(t T, path, name string, s *Script)) {
	t.Helper()
	paths, err := filepath.Glob(glob)
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) == 0 {
		t.Fatal("no dialogue matches " + glob)
	}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".txt")
		t.Run(name, func(t T) {
			s, err := ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			play(t, path, name, s)
		})
	}
}

package arch

import (
	"io/fs"
	"slices"
	"strings"
)

// allowed are the arrows: a package may import those listed, and what these
// may import, besides the standard library and the internal packages. Entries
// with a dot in the first element are packages outside the module, and all
// below them.
var allowed = map[string][]string{
	".": {},

	"smtp":          {"smtp/sasl"},
	"smtp/sasl":     {"golang.org/x/text"}, // SASLprep
	"smtp/smtptest": {"smtp", "smtp/sasl"},

	"pop3":               {"spool/mailbox", "smtp/sasl"},
	"pop3/pop3test":      {"pop3", "spool/mailbox/memory"},
	"imap":               {"spool/mailbox", "smtp/sasl", "mime"},
	"imap/imaptest":      {"imap", "spool/mailbox/memory"},
	"imap/internal/wire": {},

	"mime": {"golang.org/x/text"}, // charsets

	"mx":             {"mx/dns"},
	"mx/dns":         {"golang.org/x/net/dns/dnsmessage"},
	"mx/dns/dnstest": {"mx/dns"},
	"mx/relay":       {"mx", "smtp"},

	"spf":         {"mx/dns", "spf/authres"},
	"spf/authres": {},

	"spool":                     {"smtp", "mime"},
	"spool/dirspool":            {"spool", "spool/internal/schedule"},
	"spool/memspool":            {"spool", "spool/internal/schedule"},
	"spool/internal/schedule":   {"spool"},
	"spool/spooltest":           {"spool"},
	"spool/local":               {"smtp", "spool/mailbox"},
	"spool/mailbox":             {},
	"spool/mailbox/memory":      {"spool/mailbox"},
	"spool/mailbox/maildir":     {"spool/mailbox"},
	"spool/mailbox/mailboxtest": {"spool/mailbox"},

	"alias":      {"smtp"},
	"alias/list": {"alias", "smtp", "mime"},

	"alias/list/listtest": {"alias/list", "smtp"},

	"internal/wire":     {},
	"internal/addr":     {"golang.org/x/net/idna"},
	"internal/serve":    {},
	"internal/fake":     {},
	"internal/memnet":   {},
	"internal/safeio":   {},
	"internal/testcert": {},
	"internal/script":   {},
	"internal/arch":     {},
	"internal/rfcref":   {},
}

// testHelpers are the packages whose code runs in tests only: they may import
// testing and may panic.
var testHelpers = []string{
	"smtp/smtptest", "pop3/pop3test", "imap/imaptest", "mx/dns/dnstest",
	"spool/spooltest", "spool/mailbox/mailboxtest", "alias/list/listtest",
	"internal/fake", "internal/memnet", "internal/testcert", "internal/script", "internal/arch", "internal/rfcref",
}

// mayPanic are the functions outside of test helpers that may panic, as
// "folder.Function" or "folder.Type.Method". A panic there must be one that a
// recover in the same package catches, or one that re-raises what a recover
// took; each entry says which.
var mayPanic = map[string]string{}

// testModules are what tests may import on top, from outside the module.
var testModules = []string{"github.com/stretchr/testify", "golang.org/x/net", "golang.org/x/text"}

// modules are all that the root go.mod may require.
var modules = []string{"golang.org/x/net", "golang.org/x/text", "github.com/stretchr/testify", "go.yaml.in/yaml/v3"}

// closure returns what a package may import: the listed arrows and theirs.
func closure(pkg string) []string {
	var out []string
	todo := slices.Clone(allowed[pkg])
	for len(todo) > 0 {
		p := todo[0]
		todo = todo[1:]
		if slices.Contains(out, p) {
			continue
		}
		out = append(out, p)
		todo = append(todo, allowed[p]...)
	}
	return out
}

// isExample reports whether a folder holds a program that only composes: it
// may import every public package, and internal ones such as testcert.
func isExample(pkg string) bool { return below(pkg, "examples") }

// below reports whether p is root or in it.
func below(p, root string) bool { return p == root || strings.HasPrefix(p, root+"/") }

// isStd reports whether an import path is of the standard library.
func isStd(imp string) bool {
	first, _, _ := strings.Cut(imp, "/")
	return !strings.Contains(first, ".")
}

func isInternal(pkg string) bool { return below(pkg, "internal") }

// Missing returns the packages of the table that the module does not have.
func Missing(root fs.FS) []string {
	var out []string
	for p := range allowed {
		if _, err := fs.Stat(root, p); err != nil {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return out
}

// Cycles returns the packages that the table allows to import themselves by
// way of others: the table would be wrong.
func Cycles() []string {
	var out []string
	for p := range allowed {
		if slices.Contains(closure(p), p) {
			out = append(out, p)
		}
	}
	return out
}

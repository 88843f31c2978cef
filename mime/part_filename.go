package mime

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Filename returns the name the sender gave the part, decoded: the filename of
// the Content-Disposition, in the form of RFC 2231 before the plain one, or
// else the name of the Content-Type. It is what the sender wrote, which may be
// a path into the system of whoever saves it: see SafeFilename.
func (p Part) Filename() string {
	h := p.Header()
	if f, ok := h.last(fieldContentDisposition); ok {
		ps := paramScanner{lexer: lexer{b: f.value()}}
		ps.head()
		if name := ps.best("filename"); name != "" {
			return name
		}
	}
	if f, ok := h.last(fieldContentType); ok {
		ps := paramScanner{lexer: lexer{b: f.value()}}
		ps.head()
		return ps.best("name")
	}
	return ""
}

// best reads a parameter, preferring the form of RFC 2231 to a plain one that
// stands before it.
func (s *paramScanner) best(name string) string {
	for _, p := range s.params() {
		if p.Name == name {
			return p.Value
		}
	}
	return ""
}

// SafeFilename returns a name under which the part can be saved in a folder:
// the last element of Filename, without control and invisible characters,
// never empty, never "." or "..", never a device name of Windows, and at most
// 255 octets, with the extension kept. A part without a name is called after
// its type, such as "attachment.pdf".
func (p Part) SafeFilename() string {
	if name := safeName(p.Filename()); name != "" {
		return name
	}
	return "attachment" + p.extension()
}

// maxFilename is the length of a name that all file systems in use take.
const maxFilename = 255

// safeName makes a name safe, or "" where nothing is left of it. What it
// returns is its own safe name.
func safeName(name string) string {
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		name = name[i+1:]
	}
	name = strings.Map(safeRune, strings.ToValidUTF8(name, "\uFFFD"))
	// One form for each name: two that look the same are the same file.
	name = norm.NFC.String(name)
	// Windows drops dots and blanks at the end; at the start a dot hides.
	name = strings.TrimRight(name, ". ")
	name = strings.TrimLeft(name, " ")
	if strings.Trim(name, ".") == "" {
		return ""
	}
	if name[0] == '.' || isDeviceName(name) {
		name = "_" + name
	}
	return shortenName(name)
}

// safeRune replaces what a file name must not have, and drops what cannot be
// seen: format characters, which turn a name around or hide its end.
func safeRune(r rune) rune {
	switch {
	case unicode.Is(unicode.Cf, r), r == '\u2028', r == '\u2029':
		return -1
	case r < ' ', r >= 0x7F && r < 0xA0:
		return -1
	case strings.ContainsRune(`<>:"|?*`, r):
		return '_'
	case unicode.Is(unicode.Zs, r):
		return ' '
	}
	return r
}

// isDeviceName reports whether Windows takes the name for a device, whatever
// its extension.
func isDeviceName(name string) bool {
	base, _, _ := strings.Cut(strings.ToUpper(name), ".")
	base = strings.TrimRight(base, " ")
	switch base {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return true
	}
	if rest, ok := strings.CutPrefix(base, "COM"); ok {
		return isPortNumber(rest)
	}
	rest, ok := strings.CutPrefix(base, "LPT")
	return ok && isPortNumber(rest)
}

// isPortNumber reports whether s is the digit of a port. Windows takes the
// superscripts of Latin-1 for digits here.
func isPortNumber(s string) bool {
	r, size := utf8.DecodeRuneInString(s)
	return size == len(s) && size > 0 && (r >= '0' && r <= '9' || r == '¹' || r == '²' || r == '³')
}

// shortenName cuts a name to maxFilename octets before its extension.
func shortenName(name string) string {
	if len(name) <= maxFilename {
		return name
	}
	ext := ""
	if i := strings.LastIndexByte(name, '.'); i > 0 && len(name)-i <= 32 {
		name, ext = name[:i], name[i:]
	}
	n := maxFilename - len(ext)
	for n > 0 && !utf8.RuneStart(name[n]) {
		n--
	}
	return strings.TrimRight(name[:n], ". ") + ext
}

// extension names the usual extension of the part's type. The table is small
// on purpose: what a system opens by its extension should not depend on a
// sender's word.
func (p Part) extension() string {
	switch t := p.Type(); t.String() {
	case "text/plain":
		return ".txt"
	case "text/html":
		return ".html"
	case "text/calendar":
		return ".ics"
	case "image/png":
		return ".png"
	case "image/jpeg":
		return ".jpg"
	case "image/gif":
		return ".gif"
	case "application/pdf":
		return ".pdf"
	case "application/zip":
		return ".zip"
	case "message/rfc822", "message/global":
		return ".eml"
	}
	return ".bin"
}

package maildir

import (
	"encoding/base64"
	"errors"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

// maxFile is how long the name of a file or directory may be.
const maxFile = 255

// folderDir is the directory of a mailbox in that of its account: "." for INBOX,
// ".Work.Projects" for "Work/Projects". Levels are in modified UTF-7 (RFC 3501
// §5.1.3), as other programs have them; what would be a separator or hidden is
// written as "%" and two digits.
func folderDir(name string) (string, error) {
	if name == mailbox.Inbox {
		return ".", nil
	}
	var b strings.Builder
	for level := range strings.SplitSeq(name, mailbox.Separator) {
		b.WriteByte('.')
		b.WriteString(encodeUTF7(escape(level)))
	}
	if b.Len() > maxFile {
		return "", &mailbox.Error{Code: "CANNOT", Err: errors.New("name is too long for a directory")}
	}
	return b.String(), nil
}

// folderName is the mailbox that a directory is; ok is false if it is none that
// folderDir gives.
func folderName(dir string) (name string, ok bool) {
	if !strings.HasPrefix(dir, ".") || len(dir) < 2 || len(dir) > maxFile {
		return "", false
	}
	levels := strings.Split(dir[1:], ".")
	for i, l := range levels {
		if l, ok = decodeUTF7(l); !ok {
			return "", false
		}
		if levels[i], ok = unescape(l); !ok {
			return "", false
		}
	}
	name, err := mailbox.CheckName(strings.Join(levels, mailbox.Separator))
	if err != nil || name == mailbox.Inbox {
		return "", false
	}
	again, err := folderDir(name)
	return name, err == nil && again == dir
}

// userDir is the directory of a user: the name itself, if it has only characters
// that mean nothing anywhere.
func userDir(user string) (string, error) {
	var b strings.Builder
	for i := range len(user) {
		c := user[i]
		plain := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("@_+=-", c) >= 0 || c == '.' && i > 0
		if plain {
			b.WriteByte(c)
		} else {
			percent(&b, c)
		}
	}
	if user == "" || b.Len() > maxFile {
		return "", mailbox.ErrNotExist
	}
	return b.String(), nil
}

// percent writes one byte as "%" and two digits.
func percent(b *strings.Builder, c byte) {
	const digits = "0123456789ABCDEF"
	b.WriteByte('%')
	b.WriteByte(digits[c>>4])
	b.WriteByte(digits[c&15])
}

// escape writes what means something in the name of a directory otherwise.
func escape(level string) string {
	if !strings.ContainsAny(level, `.%\`) {
		return level
	}
	var b strings.Builder
	for i := range len(level) {
		if c := level[i]; c == '.' || c == '%' || c == '\\' {
			percent(&b, c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// unescape undoes escape, and nothing else: there is one way to write a name.
func unescape(s string) (string, bool) {
	before, rest, found := strings.Cut(s, "%")
	for found {
		if len(rest) < 2 {
			return "", false
		}
		switch rest[:2] {
		case "2E":
			before += "."
		case "25":
			before += "%"
		case "5C":
			before += `\`
		default:
			return "", false
		}
		var more string
		more, rest, found = strings.Cut(rest[2:], "%")
		before += more
	}
	return before, true
}

// utf7 is base64 as in modified UTF-7: with "," and without padding.
var utf7 = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,").WithPadding(base64.NoPadding).Strict()

// printable is what modified UTF-7 writes as it is (RFC 3501 §5.1.3).
func printable(r rune) bool { return ' ' <= r && r <= '~' }

// encodeUTF7 writes a run of other characters as UTF-16 in base64 between "&" and
// "-", and "&" itself as "&-" (RFC 3501 §5.1.3).
func encodeUTF7(s string) string {
	var b strings.Builder
	for s != "" {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == '&':
			b.WriteString("&-")
		case printable(r):
			b.WriteRune(r)
		default:
			if n = strings.IndexFunc(s, printable); n < 0 {
				n = len(s)
			}
			var raw []byte
			for _, u := range utf16.Encode([]rune(s[:n])) {
				raw = append(raw, byte(u>>8), byte(u))
			}
			b.WriteString("&" + utf7.EncodeToString(raw) + "-")
		}
		s = s[n:]
	}
	return b.String()
}

// decodeUTF7 is not strict where another way to write the same is caught by
// writing it again.
func decodeUTF7(s string) (string, bool) {
	var b strings.Builder
	for s != "" {
		before, rest, found := strings.Cut(s, "&")
		if strings.ContainsFunc(before, func(r rune) bool { return !printable(r) }) {
			return "", false
		}
		b.WriteString(before)
		if !found {
			break
		}
		code, after, found := strings.Cut(rest, "-")
		raw, err := utf7.DecodeString(code)
		if !found || err != nil || len(raw)%2 != 0 {
			return "", false
		}
		if code == "" {
			b.WriteByte('&')
		}
		units := make([]uint16, 0, len(raw)/2)
		for i := 0; i < len(raw); i += 2 {
			units = append(units, uint16(raw[i])<<8|uint16(raw[i+1]))
		}
		b.WriteString(string(utf16.Decode(units)))
		s = after
	}
	return b.String(), true
}

package maildir

import (
	"encoding/base32"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

// infoMark stands between the unique part of a file name and the flags.
const infoMark = ":2,"

// splitName parts a file name. A name without flags has none.
func splitName(name string) (base, info string) {
	base, info, ok := strings.Cut(name, infoMark)
	if !ok {
		base, _, _ = strings.Cut(name, ":") // another kind of info, which nobody uses
	}
	return base, info
}

// random is 80 bits in letters that every file system keeps apart.
func random(r io.Reader) (string, error) {
	var b [10]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return "", err
	}
	return strings.ToLower(base32.StdEncoding.EncodeToString(b[:])), nil
}

// newBase makes the unique part of a file name: the time that others show as the
// date of arrival, what makes it unique (a counter and a process number are not,
// in containers), and the size on disk and as read (S and W, as others write
// them). Of a message before 1970 the time is 0.
func newBase(received int64, unique string, size int64) string {
	n := strconv.FormatInt(size, 10)
	return strconv.FormatInt(max(received, 0), 10) + ".R" + unique + ".mail,S=" + n + ",W=" + n
}

// sizeIn finds a size in the unique part: ",S=" or ",W=".
func sizeIn(base, key string) (int64, bool) {
	_, s, ok := strings.Cut(base, key)
	if !ok {
		return 0, false
	}
	s, _, _ = strings.Cut(s, ",")
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil && n >= 0
}

// timeIn is the time that a unique part begins with.
func timeIn(base string) (int64, bool) {
	s, _, _ := strings.Cut(base, ".")
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil && n >= 0 && n < 1<<40
}

// validBase reports whether a file can be a message of ours or others: names
// that begin with a dot are no mail.
func validBase(base string) bool { return base != "" && base[0] != '.' && len(base) < maxFile-32 }

// The letters of system flags, in the order of the bits. P is for $Forwarded:
// passed on.
const (
	sysLetters = "SRFTD"
	passed     = 'P'
	forwarded  = "$Forwarded"
)

// maxLetters is how many keywords have a letter, a to z. Others are in the index
// alone.
const maxLetters = 26

// keywords are those with a letter, in their order; "" is free.
type keywords []string

// index is the place of a keyword, -1 if it has no letter.
func (k keywords) index(word string) int {
	return slices.IndexFunc(k, func(s string) bool { return strings.EqualFold(s, word) })
}

// encodeInfo makes the letters of flags, with those of old that mean nothing to
// us.
func (k keywords) encodeInfo(f mailbox.Flags, old string) string {
	var b []byte
	for i := range len(sysLetters) {
		if f.Sys&(1<<i) != 0 {
			b = append(b, sysLetters[i])
		}
	}
	for w := range strings.FieldsSeq(f.Keywords) {
		if strings.EqualFold(w, forwarded) {
			b = append(b, passed)
		} else if i := k.index(w); i >= 0 {
			b = append(b, 'a'+byte(i))
		}
	}
	for i := range len(old) {
		if c := old[i]; !k.known(c) {
			b = append(b, c)
		}
	}
	slices.Sort(b)
	return string(slices.Compact(b))
}

// known reports whether a letter stands for a flag.
func (k keywords) known(c byte) bool {
	i := int(c) - 'a'
	return strings.IndexByte(sysLetters, c) >= 0 || c == passed || 0 <= i && i < len(k) && k[i] != ""
}

// decodeInfo makes flags of letters; before are the flags that the message had:
// those that no letter can say stay.
func (k keywords) decodeInfo(info string, before mailbox.Flags) mailbox.Flags {
	var names []string
	for w := range strings.FieldsSeq(before.Keywords) {
		if k.index(w) < 0 && !strings.EqualFold(w, forwarded) {
			names = append(names, w)
		}
	}
	var f mailbox.Flags
	for i := range len(info) {
		c := info[i]
		if bit := strings.IndexByte(sysLetters, c); bit >= 0 {
			f.Sys |= 1 << bit
		} else if c == passed {
			names = append(names, forwarded)
		} else if j := int(c) - 'a'; 0 <= j && j < len(k) && k[j] != "" {
			names = append(names, k[j])
		}
	}
	if words, err := mailbox.ParseFlags(names...); err == nil {
		f.Keywords = words.Keywords
	}
	return f
}

// parseKeywords reads what others keep in dovecot-keywords: a number and a word
// on each line.
func parseKeywords(b []byte) keywords {
	var k keywords
	for line := range strings.Lines(string(b)) {
		num, word, ok := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
		i, err := strconv.Atoi(num)
		if f, bad := mailbox.ParseFlags(word); !ok || err != nil || i < 0 || i >= maxLetters || bad != nil || f.Sys != 0 {
			continue
		}
		for len(k) <= i {
			k = append(k, "")
		}
		if k.index(word) < 0 {
			k[i] = word
		}
	}
	return k
}

// format is the file as others read it.
func (k keywords) format() []byte {
	var b []byte
	for i, w := range k {
		if w != "" {
			b = strconv.AppendInt(b, int64(i), 10)
			b = append(append(append(b, ' '), w...), '\n')
		}
	}
	return b
}

// with gives letters to the keywords of f that have none, as long as there are
// some. It reports whether any was given.
func (k keywords) with(f mailbox.Flags) (keywords, bool) {
	out := k
	for w := range strings.FieldsSeq(f.Keywords) {
		if out.index(w) >= 0 || strings.EqualFold(w, forwarded) {
			continue
		}
		if i := slices.Index(out, ""); i >= 0 {
			out = slices.Clone(out)
			out[i] = w
		} else if len(out) < maxLetters {
			out = append(slices.Clone(out), w)
		}
	}
	return out, !slices.Equal(out, k)
}

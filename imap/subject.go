package imap

import (
	"strings"

	"github.com/postilion-mail/postilion/imap/internal/wire"
)

// baseSubject extracts what replies and forwards have in common with what they
// answer (RFC 5256 §2.1). s is decoded and unfolded. reply says that something
// was taken off which says "reply" or "forward".
func baseSubject(s string) (base string, reply bool) {
	s = squeeze(s)
	for {
		s, reply = cutTrailers(s, reply)
		for {
			before := s
			s, reply = cutLeader(s, reply)
			s = cutBlob(s)
			if s == before {
				break
			}
		}
		inner, is := cutForward(s)
		if !is {
			return s, reply
		}
		s, reply = inner, true
	}
}

// squeeze makes each run of white space one space.
func squeeze(s string) string { return strings.Join(strings.Fields(s), " ") }

// cutTrailers takes "(fwd)" and white space off the end: subj-trailer.
func cutTrailers(s string, reply bool) (string, bool) {
	for {
		s = strings.TrimRight(s, " \t")
		if n := len(s) - len("(fwd)"); n >= 0 && wire.EqualFold(s[n:], "(fwd)") {
			s, reply = s[:n], true
			continue
		}
		return s, reply
	}
}

// cutLeader takes "Re:", "Fw:" and "Fwd:" off, with blobs before and within:
// subj-leader.
func cutLeader(s string, reply bool) (string, bool) {
	s = strings.TrimLeft(s, " \t")
	rest := s
	for {
		after, is := blob(rest)
		if !is {
			break
		}
		rest = after
	}
	word := 0
	for _, w := range []string{"fwd", "fw", "re"} {
		if len(rest) >= len(w) && wire.EqualFold(rest[:len(w)], w) {
			word = len(w)
			break
		}
	}
	if word == 0 {
		return s, reply
	}
	rest = strings.TrimLeft(rest[word:], " \t")
	if after, is := blob(rest); is {
		rest = after
	}
	if after, is := strings.CutPrefix(rest, ":"); is {
		return strings.TrimLeft(after, " \t"), true
	}
	return s, reply
}

// cutBlob takes "[list]" off the start, unless nothing else is left.
func cutBlob(s string) string {
	if after, is := blob(s); is && after != "" {
		return after
	}
	return s
}

// blob is "[" anything but brackets "]" and white space: subj-blob.
func blob(s string) (after string, is bool) {
	if !strings.HasPrefix(s, "[") {
		return s, false
	}
	i := strings.IndexAny(s[1:], "[]")
	if i < 0 || s[1+i] != ']' {
		return s, false
	}
	return strings.TrimLeft(s[i+2:], " \t"), true
}

// cutForward takes "[fwd:" and "]" off: subj-fwd.
func cutForward(s string) (string, bool) {
	if len(s) > len("[fwd:]") && wire.EqualFold(s[:5], "[fwd:") && s[len(s)-1] == ']' {
		return s[5 : len(s)-1], true
	}
	return s, false
}

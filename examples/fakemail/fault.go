package main

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/postilion-mail/postilion/smtp"
	"github.com/postilion-mail/postilion/smtp/sasl"
)

// maxSlow is the longest wait that an address can ask for.
const maxSlow = 10 * time.Minute

// fault is one trouble that a test asks for. The zero fault is none.
type fault struct {
	data bool          // after the message, not at RCPT
	wait time.Duration // before all else
	err  error         // the reply
	drop bool          // close the connection instead of a reply
	keep bool          // the message, although nobody is told
}

// words are the faults that need no number, and the replies of the others when
// none is given.
var words = map[string]fault{
	"reject":      {err: smtp.Reject(550, "5.1.1", "No such user here: the address asked for it")},
	"defer":       {err: smtp.Reject(451, "4.2.0", "Try again later: the address asked for it")},
	"drop":        {drop: true},
	"data-reject": {data: true, err: smtp.Reject(554, "5.6.0", "Message refused: the address asked for it")},
	"data-defer":  {data: true, err: smtp.Reject(451, "4.3.0", "Try again later: the address asked for it")},
	"data-drop":   {data: true, drop: true},
	"lost":        {data: true, drop: true, keep: true},
}

// Numbers behind a word: a reply code with or without an enhanced one (RFC 3463
// §2), whose class must be the same, or a time.
var (
	replyWord = regexp.MustCompile(`^(data-)?(reject|defer)-([45]\d\d)(?:-([45]\.\d{1,3}\.\d{1,3}))?$`)
	slowWord  = regexp.MustCompile(`^(data-)?slow-(\d{1,6}(?:\.\d{1,3})?(?:ms|s|m))$`)
)

// faultOf reads the local part of a recipient.
func faultOf(local string) fault {
	word, _, _ := strings.Cut(local, "+")
	f, _ := parseFault(strings.ToLower(word))
	return f
}

// parseFault reads a word of the table in the package comment. What only looks
// like one is none: drop-box is somebody's address.
func parseFault(word string) (f fault, ok bool) {
	if f, ok = words[word]; ok {
		return f, true
	}
	if m := slowWord.FindStringSubmatch(word); m != nil {
		d, err := time.ParseDuration(m[2])
		if err != nil || d > maxSlow {
			return fault{}, false
		}
		return fault{data: m[1] != "", wait: d}, true
	}
	m := replyWord.FindStringSubmatch(word)
	if m == nil {
		return fault{}, false
	}
	code, err := strconv.Atoi(m[3])
	wrongClass := m[4] != "" && m[4][0] != m[3][0] || m[2] == "defer" && m[3][0] != '4'
	if err != nil || code >= 560 || wrongClass { // no reply goes beyond 559: RFC 5321 §4.2
		return fault{}, false
	}
	return fault{data: m[1] != "", err: smtp.Reject(code, m[4], fmt.Sprintf("%s: the address asked for it", m[2]))}, true
}

// errLater is a login that fails for no fault of the user.
var errLater = errors.New("fakemail: the name asked for a failure")

// loginFault refuses those who ask for it by their name.
func loginFault(user string) error {
	local, _, _ := strings.Cut(user, "@")
	switch f := faultOf(local); {
	case f.err == nil:
		return nil
	case smtp.ReplyTo(f.err).Permanent():
		return sasl.ErrCredentials
	}
	return errLater
}

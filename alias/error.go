package alias

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/postilion-mail/postilion/smtp"
)

// LoopError says that names lead back to one of them. As an error of an
// expansion it says that nobody at all was left to deliver to.
type LoopError struct {
	Path []smtp.Path // the way, whose last name stands in it before
}

// Error shows the way.
func (e *LoopError) Error() string { return "alias: loop: " + describe(e.Path) }

// SMTP refuses for good; the names stay private (RFC 3463 §3.5).
func (e *LoopError) SMTP() (code int, enhanced, text string) {
	return 550, "5.4.6", "Alias loop"
}

// LimitError says that an expansion hit one of its [Limits]. It is temporary:
// the table will be mended, and until then the mail is kept.
type LimitError struct {
	Limit string      // "depth", "lookups", "recipients", "references" or "time"
	Max   int         // its value; of time, milliseconds
	Path  []smtp.Path // the way to the name at which it was hit
}

// Error names the limit and the way.
func (e *LimitError) Error() string {
	return fmt.Sprintf("alias: more than %d %s: %s", e.Max, e.unit(), describe(e.Path))
}

func (e *LimitError) unit() string {
	if e.Limit == "time" {
		return "ms"
	}
	return e.Limit
}

// SMTP asks to try again later (RFC 3463 §3.4).
func (e *LimitError) SMTP() (code int, enhanced, text string) {
	return 451, "4.3.5", "Alias expansion too large, try again later"
}

// LookupError says that an entry could not be found out or makes no sense. It
// is temporary whatever its cause: of an expansion, nothing is known then.
type LookupError struct {
	Path []smtp.Path // the way to the name
	Err  error
}

// Error names the way and the cause.
func (e *LookupError) Error() string {
	return fmt.Sprintf("alias: %s: %v", describe(e.Path), e.Err)
}

// Unwrap gives the cause, which is not what SMTP answers.
func (e *LookupError) Unwrap() error { return e.Err }

// SMTP asks to try again later, without a word of the cause (RFC 3463 §3.5).
func (e *LookupError) SMTP() (code int, enhanced, text string) {
	return 451, "4.4.3", "Alias lookup failed, try again later"
}

// RefusedError says that a name stands for a refusal, a [Target] of kind
// [Refuse].
type RefusedError struct {
	Path  []smtp.Path // the way to the name
	Reply smtp.Reply  // what the target says
}

// Error gives the reply and the way.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("alias: %s: %v", describe(e.Path), e.Reply)
}

// SMTP is what the target says.
func (e *RefusedError) SMTP() (code int, enhanced, text string) { return e.Reply.SMTP() }

// ParseError is one mistake in an aliases file.
type ParseError struct {
	File string // "" where it was no file
	Line int    // from 1, where the mistake stands; of [FromMap] 0
	Text string
}

// Error is "file:line: text".
func (e *ParseError) Error() string {
	file := e.File
	if file == "" {
		file = "aliases"
	}
	if e.Line > 0 {
		file += ":" + strconv.Itoa(e.Line)
	}
	return file + ": " + e.Text
}

// ParseErrors are the mistakes of an aliases file in the order of their lines,
// the first 100 of them.
type ParseErrors []*ParseError

// maxParseErrors keeps a file that is no aliases file from filling the log.
const maxParseErrors = 100

// Error has one line for each mistake.
func (e ParseErrors) Error() string {
	lines := make([]string, len(e))
	for i, one := range e {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives the mistakes one by one.
func (e ParseErrors) Unwrap() []error {
	errs := make([]error, len(e))
	for i, one := range e {
		errs[i] = one
	}
	return errs
}

// parseRefusal reads the text of a [Refuse] target: a code, perhaps an
// enhanced one, and text. Without a code it is 550 5.1.1, as for a name that
// does not exist (RFC 3463 §3.2).
func parseRefusal(s string) (smtp.Reply, error) {
	r := smtp.Reply{Code: 550, Enhanced: "5.1.1", Text: s}
	code, text, _ := strings.Cut(s, " ")
	if n, err := strconv.Atoi(code); err == nil {
		// RFC 5321 §4.2.1: a refusal is 4yz or 5yz.
		if len(code) != 3 || n < 400 || n > 559 {
			return r, fmt.Errorf("a refusal cannot have the code %q", code)
		}
		r = smtp.Reply{Code: n, Text: text}
		if enhanced, rest, _ := strings.Cut(text, " "); isEnhanced(enhanced) {
			if enhanced[0] != code[0] {
				return r, fmt.Errorf("the codes %s and %s do not agree", code, enhanced)
			}
			r.Enhanced, r.Text = enhanced, rest
		}
	}
	if strings.TrimSpace(r.Text) == "" {
		return r, fmt.Errorf("a refusal needs a text")
	}
	return r, nil
}

// isEnhanced reports an enhanced code of a refusal (RFC 3463 §2).
func isEnhanced(s string) bool {
	part := strings.Split(s, ".")
	if len(part) != 3 || part[0] != "4" && part[0] != "5" {
		return false
	}
	return !slices.ContainsFunc(part, func(p string) bool {
		n, err := strconv.ParseUint(p, 10, 16)
		return err != nil || n > 999 || len(p) > 3
	})
}

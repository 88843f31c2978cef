package local

import (
	"bufio"
	"io"
	"strings"

	"github.com/postilion-mail/postilion/smtp"
)

// maxTrace is how much of a message is looked through for Delivered-To.
const maxTrace = 64 << 10

// deliveredTo are the addresses in the Delivered-To fields of a message: it was
// in these mailboxes before, and came back.
func deliveredTo(body *io.SectionReader) (map[string]bool, error) {
	r := bufio.NewReader(io.NewSectionReader(body, 0, min(body.Size(), maxTrace)))
	var seen map[string]bool
	for {
		line, err := r.ReadSlice('\n')
		if err == bufio.ErrBufferFull {
			continue // no address is so long
		}
		if err != nil && err != io.EOF {
			return nil, err
		}
		text := strings.TrimRight(string(line), "\r\n")
		name, value, ok := strings.Cut(text, ":")
		if ok && strings.EqualFold(name, "Delivered-To") {
			if seen == nil {
				seen = map[string]bool{}
			}
			seen[address(value)] = true
		}
		if text == "" || err != nil {
			return seen, nil
		}
	}
}

// address is a Delivered-To as Path.Address writes it.
func address(value string) string {
	value = strings.TrimSpace(value)
	if p, err := smtp.ParsePath("<" + strings.Trim(value, "<>") + ">"); err == nil {
		return p.Address()
	}
	return value
}

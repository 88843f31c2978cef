package memory

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/postilion-mail/postilion/spool/mailbox"
)

// Put appends texts to a mailbox, which is created if it is not there: the
// shortest way to give a test its mail. LF becomes CRLF.
func (s *Store) Put(ctx context.Context, name string, f mailbox.Flags, texts ...string) error {
	if _, err := s.Create(ctx, name); err != nil && !errors.Is(err, mailbox.ErrExists) {
		return err
	}
	m, err := mailbox.OpenName(ctx, s, name)
	if err != nil {
		return err
	}
	defer m.Close()
	_, err = m.Append(ctx, func(yield func(*mailbox.Incoming, error) bool) {
		for _, text := range texts {
			var body io.Reader = mailbox.CRLF(strings.NewReader(text))
			if !yield(&mailbox.Incoming{Body: body, Flags: f}, nil) {
				return
			}
		}
	})
	return err
}

package listtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"
	"testing/iotest"

	"github.com/postilion-mail/postilion/alias/list"
	"github.com/postilion-mail/postilion/smtp"
)

var heldCases = []testCase[list.Held]{
	{"held/unknown", "Open of a post that is gone is fs.ErrNotExist, and Drop of one no error.", heldUnknown},
	{"held/whole", "Envelope and body come back as they were, to the octet.", heldWhole},
	{"held/own", "What is kept does not change with what the caller does to his envelope.", heldOwn},
	{"held/first stays", "A post that is there already under the ID stays as it is.", heldFirst},
	{"held/half", "A body that ends in an error keeps nothing, and the error is returned.", heldHalf},
	{"held/context", "When ctx has ended Hold keeps nothing and returns its error.", heldContext},
	{"held/drop", "Drop forgets one post and no other; who has it open can read on.", heldDrop},
	{"held/anywhere", "A Blob is read at any place, and by several at once.", heldAnywhere},
}

// IDs have the form that a Manager gives them.
const (
	idA = "abcdefghi2"
	idB = "abcdefghi3"
)

func envelope() smtp.Envelope {
	return smtp.Envelope{ID: "q1", From: path("al@crepes.fr"), Prefix: []byte("Received: by x\r\n"),
		Params: smtp.MailParams{EnvID: "a b+c", RetFull: true},
		To:     []smtp.Recipient{{Path: path("team"), Notify: smtp.NotifyNever, ORcpt: "rfc822;team@hamburger.edu"}}}
}

// read opens a post and reads it.
func read(ctx context.Context, s list.Held, id string) (env smtp.Envelope, body string, err error) {
	env, blob, err := s.Open(ctx, id)
	if err != nil {
		return env, "", fmt.Errorf("calling Open: %w", err)
	}
	b, err := io.ReadAll(io.NewSectionReader(blob, 0, blob.Size()))
	return env, string(b), errors.Join(err, blob.Close())
}

func heldUnknown(ctx context.Context, s list.Held) error {
	_, _, err := s.Open(ctx, idA)
	if err := wantErr("Open", err, fs.ErrNotExist); err != nil {
		return err
	}
	if err := s.Drop(ctx, idA); err != nil {
		return fmt.Errorf("calling Drop: %w", err)
	}
	return nil
}

func heldWhole(ctx context.Context, s list.Held) error {
	text := "Subject: odd\r\n\r\n\x00\xff.\r\n.\r\nFrom here\n\r" + strings.Repeat("line\r\n", 200_000)
	for id, body := range map[string]string{idA: text, idB: ""} {
		if err := s.Hold(ctx, id, envelope(), strings.NewReader(body)); err != nil {
			return fmt.Errorf("calling Hold: %w", err)
		}
		env, got, err := read(ctx, s, id)
		if err != nil {
			return err
		}
		if got != body {
			return fmt.Errorf("the body came back with %d octets of %d, or others", len(got), len(body))
		}
		if err := want("the envelope", env, envelope()); err != nil {
			return err
		}
	}
	return nil
}

func heldOwn(ctx context.Context, s list.Held) error {
	env := envelope()
	if err := s.Hold(ctx, idA, env, strings.NewReader("hello")); err != nil {
		return fmt.Errorf("calling Hold: %w", err)
	}
	copy(env.Prefix, "Subject:")
	env.To[0].Path = path("eve")
	got, _, err := read(ctx, s, idA)
	return errors.Join(err, want("the envelope", got, envelope()))
}

func heldFirst(ctx context.Context, s list.Held) error {
	err := errors.Join(s.Hold(ctx, idA, envelope(), strings.NewReader("hello")), s.Hold(ctx, idA, smtp.Envelope{}, strings.NewReader("jello")))
	if err != nil {
		return fmt.Errorf("calling Hold: %w", err)
	}
	env, body, err := read(ctx, s, idA)
	return errors.Join(err, want("the body", body, "hello"), want("the envelope", env, envelope()))
}

func heldHalf(ctx context.Context, s list.Held) error {
	err := s.Hold(ctx, idA, envelope(), io.MultiReader(strings.NewReader("half"), iotest.ErrReader(errTest)))
	if err := wantErr("Hold", err, errTest); err != nil {
		return err
	}
	_, _, err = s.Open(ctx, idA)
	return wantErr("Open of half a post", err, fs.ErrNotExist)
}

func heldContext(ctx context.Context, s list.Held) error {
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if err := wantErr("Hold", s.Hold(ended, idA, envelope(), strings.NewReader("x")), context.Canceled); err != nil {
		return err
	}
	_, _, err := s.Open(ctx, idA)
	return wantErr("Open", err, fs.ErrNotExist)
}

func heldDrop(ctx context.Context, s list.Held) error {
	err := errors.Join(s.Hold(ctx, idA, envelope(), strings.NewReader("hello")), s.Hold(ctx, idB, envelope(), strings.NewReader("other")))
	if err != nil {
		return fmt.Errorf("calling Hold: %w", err)
	}
	_, blob, err := s.Open(ctx, idA)
	if err != nil {
		return fmt.Errorf("calling Open: %w", err)
	}
	if err := s.Drop(ctx, idA); err != nil {
		return fmt.Errorf("calling Drop: %w", err)
	}
	b, err := io.ReadAll(io.NewSectionReader(blob, 0, blob.Size()))
	if err = errors.Join(err, blob.Close(), want("what was open", string(b), "hello")); err != nil {
		return err
	}
	_, _, err = s.Open(ctx, idA)
	if err := wantErr("Open after Drop", err, fs.ErrNotExist); err != nil {
		return err
	}
	_, other, err := read(ctx, s, idB)
	return errors.Join(err, want("the other", other, "other"))
}

func heldAnywhere(ctx context.Context, s list.Held) error {
	text := []byte(strings.Repeat("0123456789", 10_000))
	if err := s.Hold(ctx, idA, envelope(), bytes.NewReader(text)); err != nil {
		return fmt.Errorf("calling Hold: %w", err)
	}
	_, blob, err := s.Open(ctx, idA)
	if err != nil {
		return fmt.Errorf("calling Open: %w", err)
	}
	defer blob.Close()
	errs := make([]error, 8)
	var wg sync.WaitGroup
	for w := range errs {
		wg.Go(func() {
			b := make([]byte, 10)
			for at := int64(w); at+10 <= blob.Size() && errs[w] == nil; at += 997 {
				_, err := blob.ReadAt(b, at)
				errs[w] = errors.Join(err, want("what is read", string(b), string(text[at:at+10])))
			}
		})
	}
	wg.Wait()
	return errors.Join(append(errs, want("Size", blob.Size(), len(text)))...)
}

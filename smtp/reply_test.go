package smtp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestReplyTo(t *testing.T) {
	for _, c := range []struct {
		err  error
		want Reply
	}{
		{nil, plainOK},
		{errors.New("private"), tryLater},
		{Reject(550, "5.1.1", "no"), Reply{550, "5.1.1", "no"}},
		{Reject(550, "4.1.1", "no"), Reply{550, "5.0.0", "no"}}, // of another class
		{Reject(450, "", "no"), Reply{450, "4.0.0", "no"}},
		{Reject(550, "5.1.1111", "no"), Reply{550, "5.0.0", "no"}},
		{Reject(250, "", "no refusal"), tryLater},
		{Reject(0, "", ""), tryLater},
		{Reject(999, "", ""), tryLater},
		{fmt.Errorf("wrapped: %w", Reject(452, "4.3.1", "full")), Reply{452, "4.3.1", "full"}},
		{errors.Join(errors.New("x"), Reject(452, "4.3.1", "full")), Reply{452, "4.3.1", "full"}},
		{Results{{Status: Permanent, Reply: Reply{550, "5.1.1", "no"}}, {}}.Err(), tryLater}, // one may still be reached
	} {
		assert.Equal(t, c.want, ReplyTo(c.err), "%v", c.err)
	}
	err := &Error{Reply: Reply{451, "4.3.0", "later"}, Err: os.ErrPermission}
	assert.ErrorIs(t, err, os.ErrPermission)
	assert.NotContains(t, ReplyTo(err).Text, "permission")
	assert.Contains(t, err.Error(), "permission")
}

func TestReplyClasses(t *testing.T) {
	for code, want := range map[int][3]bool{250: {true, false, false}, 354: {}, 451: {false, true, false}, 550: {false, false, true}, 0: {false, true, false}} {
		r := Reply{Code: code}
		assert.Equal(t, want, [3]bool{r.Positive(), r.Temporary(), r.Permanent()}, code)
	}
	assert.Equal(t, "550 5.1.1 a b", Reply{550, "5.1.1", "a\nb"}.String())
}

// FuzzReply: no text can end a line or the reply, or make it endless.
func FuzzReply(f *testing.F) {
	f.Add(250, "2.0.0", "x\r\n250 ok\n\n", true)
	f.Add(550, "5.1.1\r\n", strings.Repeat("é", 600), true)
	f.Fuzz(func(t *testing.T, code int, enhanced, text string, coded bool) {
		if code < 200 || code > 559 {
			return
		}
		out := string(Reply{code, enhanced, text}.append(nil, coded))
		body, ok := strings.CutSuffix(out, "\r\n")
		lines := strings.Split(body, "\r\n")
		if !ok || len(lines) > maxReplyLines {
			t.Fatalf("%d lines, %q", len(lines), out)
		}
		for i, line := range lines {
			mark := byte('-')
			if i == len(lines)-1 {
				mark = ' '
			}
			if len(line) > maxReplyLine || !strings.HasPrefix(line, fmt.Sprint(code)) || line[3] != mark || strings.ContainsAny(line, "\r\n\x00\x7f") {
				t.Errorf("line %q of %q", line, out)
			}
		}
	})
}

func TestResults(t *testing.T) {
	cause := errors.New("cause")
	assert.NoError(t, Failed(3, nil).Err())
	assert.NoError(t, Results(nil).Err())
	r := Failed(2, Reject(550, "5.1.1", "no"))
	assert.Equal(t, Permanent, r[1].Status)
	assert.Equal(t, Reply{550, "5.1.1", "no"}, ReplyTo(r.Err()))
	r = Results{{Status: Accepted}, {Err: cause}, {Status: Unknown}}
	assert.ErrorIs(t, r.Err(), cause)
	assert.Contains(t, r.Err().Error(), "1 of 3")
	assert.Equal(t, []string{"temporary", "accepted", "permanent", "unknown", "Status(9)"}, []string{Temporary.String(), Accepted.String(), Permanent.String(), Unknown.String(), Status(9).String()})
	assert.True(t, Result{}.SafeToRetry())
	assert.False(t, Result{Status: Unknown}.SafeToRetry())
	assert.Len(t, Results{{}}.forAll(3), 3)
	assert.Len(t, make(Results, 5).forAll(3), 3)
}

func TestMux(t *testing.T) {
	var seen []string
	to := func(name string, status ...Status) DeliverFunc {
		return func(_ context.Context, env Envelope, body *io.SectionReader) Results {
			b, err := io.ReadAll(body)
			require.NoError(t, err)
			var out Results
			for i, r := range env.To {
				seen = append(seen, name+r.Path.String()+string(b))
				if i < len(status) {
					out = append(out, Result{Status: status[i]})
				}
			}
			return out
		}
	}
	domain := func(d string) func(Path) bool { return func(p Path) bool { return p.Domain() == d } }
	m := Mux{{domain("a"), to("A", Accepted, Permanent)}, {domain("b"), to("B", Accepted)}}
	env := envelope(t, "", "1@a", "2@b", "3@a", "4@c", "5@b")
	body := io.NewSectionReader(strings.NewReader("x"), 0, 1)
	r := m.Deliver(context.Background(), env, body)
	assert.Equal(t, []string{"A<1@a>x", "A<3@a>x", "B<2@b>x", "B<5@b>x"}, seen)
	assert.Equal(t, []Status{Accepted, Accepted, Permanent, Permanent, Temporary}, []Status{r[0].Status, r[1].Status, r[2].Status, r[3].Status, r[4].Status})
	assert.Equal(t, "5.1.2", r[3].Reply.Enhanced)
	assert.Empty(t, Mux(nil).Deliver(context.Background(), Envelope{}, body))
}

func TestHold(t *testing.T) {
	ctx := context.Background()
	text := strings.Repeat("0123456789", 1000)
	for _, memory := range []int{-1, 1, len(text) - 1, len(text), len(text) + 1, 0} {
		h, err := Hold(ctx, strings.NewReader(text), memory)
		require.NoError(t, err)
		for range 2 {
			got, err := io.ReadAll(io.NewSectionReader(h, 0, h.Size()))
			require.NoError(t, err)
			assert.Equal(t, text, string(got), memory)
		}
		require.NoError(t, h.Close())
		require.NoError(t, h.Close())
	}
	// Only io.EOF itself says that a message is complete.
	for _, bad := range []error{ErrTruncated, ErrTooLarge, fmt.Errorf("decrypt: %w", io.EOF), io.ErrUnexpectedEOF} {
		for _, memory := range []int{-1, 0} {
			_, err := Hold(ctx, io.MultiReader(strings.NewReader("half"), failing{bad}), memory)
			assert.ErrorIs(t, err, bad)
		}
	}
	over, cancel := context.WithCancelCause(ctx)
	cancel(errGone)
	_, err := Hold(over, strings.NewReader("x"), 0)
	assert.ErrorIs(t, err, errGone)
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

package list

import (
	"context"
	"errors"
	"io"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/alias"
	"github.com/postilion-mail/postilion/mime"
	"github.com/postilion-mail/postilion/smtp"
)

// One delivery may be for several addresses of a list: each has a result.
func TestDeliverToSeveralAddresses(t *testing.T) {
	h := newHouse(t, "ann", "bob")
	env := smtp.Envelope{From: path("ann")}
	for _, to := range []string{"nobody", "team", "team-request", "team-confirm+x", "team-owner"} {
		env.To = append(env.To, smtp.Recipient{Path: path(to)})
	}
	m := letter("ann", "team", "hello")
	r := h.Deliver(t.Context(), env, io.NewSectionReader(strings.NewReader(m), 0, int64(len(m))))
	var got []string
	for _, x := range r {
		got = append(got, x.Status.String()+" "+x.Reply.Enhanced)
	}
	assert.Equal(t, []string{"permanent 5.1.1", "accepted 2.0.0", "accepted 2.0.0", "permanent 5.7.1", "accepted 2.0.0"}, got)
	assert.Len(t, h.take(), 3)
}

// A zero Manager owns nothing and refuses everything.
func TestZeroManager(t *testing.T) {
	var m Manager
	assert.NoError(t, m.Check())
	assert.False(t, m.Owns(path("team")))
	r := m.Deliver(t.Context(), smtp.Envelope{To: []smtp.Recipient{{Path: path("team")}}}, mime.Parse(nil).Root().Section())
	assert.Equal(t, smtp.Permanent, r[0].Status)
}

// Everything at once, for the race detector.
func TestConcurrentDeliveries(t *testing.T) {
	store, now := &Memory{}, time.Now()
	l := &List{Address: path("team"), Post: AnyonePosts, Owners: []smtp.Path{path("zoe")}}
	w := &alias.Rewriter{Keys: [][]byte{[]byte("0123456789abcdef")}}
	var posts atomic.Int64
	m := &Manager{Lists: []*List{l}, Members: store, Held: store, Rewriter: w, Now: func() time.Time { return now },
		Post: func(_ context.Context, body io.Reader, _ ...smtp.Envelope) error {
			_, err := io.Copy(io.Discard, body)
			posts.Add(1)
			return err
		}}
	_, err := m.subscribe(t.Context(), l, path("bob"))
	require.NoError(t, err)
	confirm, err := w.VERP(path("team-confirm"), path("carl"))
	require.NoError(t, err)
	bounce, err := w.VERP(path("team-bounces"), path("bob"))
	require.NoError(t, err)
	var wg sync.WaitGroup
	for _, to := range []smtp.Path{path("team"), path("team-request"), path("team-join"), confirm, bounce, path("team-owner")} {
		wg.Go(func() {
			for range 20 {
				body := letter("ann", "team", "hello")
				env := smtp.Envelope{From: path("ann"), To: []smtp.Recipient{{Path: to}}}
				assert.NoError(t, m.Deliver(t.Context(), env, io.NewSectionReader(strings.NewReader(body), 0, int64(len(body)))).Err())
			}
		})
	}
	wg.Wait()
	assert.GreaterOrEqual(t, posts.Load(), int64(60))
}

// A body that cannot be read is no post: nothing of it goes out.
func TestUnreadableBody(t *testing.T) {
	h := newHouse(t, "ann", "bob")
	m := letter("ann", "team", "hello")
	env := smtp.Envelope{From: path("ann"), To: []smtp.Recipient{{Path: path("team")}}}
	r := h.Deliver(t.Context(), env, io.NewSectionReader(torn{strings.NewReader(m)}, 0, 10_000_000))
	assert.Equal(t, smtp.Temporary, r[0].Status)
	assert.Empty(t, h.take())
}

// torn is a disk with a hole in it.
type torn struct{ *strings.Reader }

func (r torn) ReadAt(p []byte, off int64) (int, error) {
	if off >= r.Size() {
		return 0, errDisk
	}
	return r.Reader.ReadAt(p, off)
}

// halfMembers fails in the middle.
type halfMembers struct{ *Memory }

func (m halfMembers) All(ctx context.Context, list smtp.Path) iter.Seq2[Member, error] {
	return func(yield func(Member, error) bool) {
		for x := range m.Memory.All(ctx, list) {
			if !yield(x, nil) || !yield(Member{}, errDisk) {
				return
			}
		}
	}
}

// All members or none: who would get the rest when it is tried again?
func TestPostIsAllOrNothing(t *testing.T) {
	h := newHouse(t, "ann", "bob", "eve")
	h.Members = halfMembers{h.store}
	assert.Equal(t, "451 4.3.0", code(h.write("ann", "team", "hello")))
	assert.Empty(t, h.take())
}

func TestNotify(t *testing.T) {
	h := newHouse(t)
	var kinds []Kind
	h.Notify = func(_ context.Context, n Notice) (*mime.Draft, error) {
		kinds = append(kinds, n.Kind)
		switch n.To.Local() {
		case "quiet":
			return nil, nil
		case "broken":
			return nil, errors.New("no words")
		}
		return n.Draft()
	}
	require.NoError(t, h.write("bob", "team-join", "x"))
	h.one()
	require.NoError(t, h.write("quiet", "team-join", "x"))
	assert.Empty(t, h.take())
	assert.Equal(t, "451 4.3.0", code(h.write("broken", "team-join", "x")))
	assert.Equal(t, []Kind{ConfirmJoin, ConfirmJoin, ConfirmJoin}, kinds)
}

// Each notice is a well-formed message with everything in it that is to be there.
func TestNotices(t *testing.T) {
	l := &List{Address: path("team"), Description: "Das Ü-Team"}
	for kind := range words {
		n := Notice{Kind: kind, List: l, To: path("ann"), Member: path("bob"), Reply: path("team-x+token"), Other: path("team-y+token"),
			Why: "of a reason", Post: mime.Parse([]byte(letter("bob", "team", "the post")))}
		d, err := n.Draft()
		require.NoError(t, err, kind)
		b, err := d.Bytes()
		require.NoError(t, err, kind)
		m := mime.Parse(b)
		assert.Empty(t, m.Inspect(), kind)
		hd := m.Header()
		assert.Contains(t, hd.Subject(), "team@hamburger.edu", kind)
		assert.Equal(t, "team-request@hamburger.edu", hd.Addresses("From")[0].Addr, kind)
		assert.Equal(t, "team-x+token@hamburger.edu", hd.Addresses("Reply-To")[0].Addr, kind)
		assert.True(t, strings.HasPrefix(hd.Get("Auto-Submitted"), "auto-"), kind)
		id, _ := hd.ListID()
		assert.Equal(t, "team.hamburger.edu", id, kind)
		text := m.TextBody()[0].Text()
		assert.Contains(t, text, "bob@hamburger.edu", kind)
		for line := range strings.SplitSeq(text, "\n") {
			assert.LessOrEqual(t, len(line), 100, "%s: %s", kind, line)
		}
		if kind == Decide {
			assert.Contains(t, text, "team-y+token@hamburger.edu")
			assert.Contains(t, text, "of a reason")
			assert.Contains(t, string(b), "Subject: the post")
		} else {
			assert.NotContains(t, string(b), "the post", kind)
		}
	}
	_, err := Notice{Kind: "unheard-of", List: l}.Draft()
	assert.Error(t, err)
	_, err = Notice{Kind: Decide, List: l, To: path("ann")}.Draft()
	assert.NoError(t, err, "without the post too")
}

func TestListFields(t *testing.T) {
	get := func(l List) mime.Header {
		l.Address = path("Team")
		b, err := l.fields()
		require.NoError(t, err)
		return mime.Parse(append(b, "\r\n"...)).Header()
	}
	h := get(List{Post: OwnersPost, Join: NobodyJoins, Help: "https://help.example/?a=b&c=d", Archive: "https://archive.example/", ID: "x.lists.example"})
	assert.Equal(t, "NO", h.Get("List-Post"), "RFC 2369 §3.4")
	assert.False(t, h.Has("List-Subscribe"))
	assert.Equal(t, []string{"https://help.example/?a=b&c=d"}, h.ListURLs("List-Help"))
	assert.Equal(t, []string{"https://archive.example/"}, h.ListURLs("List-Archive"))
	id, _ := h.ListID()
	assert.Equal(t, "x.lists.example", id)

	h = get(List{})
	id, _ = h.ListID()
	assert.Equal(t, "team.hamburger.edu", id, "an ID has one case")
	assert.False(t, h.Has("List-Archive"))
	for f := range h.Fields() {
		assert.LessOrEqual(t, len(f.Raw()), 1000)
	}

	l := List{Address: path("Büro@bücher.example")}
	assert.Equal(t, "Büro-request@bücher.example", l.at("-request").Address())
	l = List{Address: path(`"a b"@hamburger.edu`)}
	assert.Equal(t, `"a b-request"@hamburger.edu`, l.at("-request").Address())
}

// What an address may hold can end neither a URL nor its brackets.
func TestEscape(t *testing.T) {
	for in, want := range map[string]string{
		"bob@hamburger.edu":        "bob@hamburger.edu",
		`"a b>,<&?#%@x"@x.example`: "%22a%20b%3E%2C%3C%26%3F%23%25@x%22@x.example",
		"a+b=c@x.example":          "a%2Bb%3Dc@x.example",
	} {
		assert.Equal(t, want, escape(in))
	}
}

func TestKey(t *testing.T) {
	assert.Equal(t, key(path("Ann@HAMBURGER.edu")), key(path("ann@hamburger.edu")))
	assert.Equal(t, key(path("ann@bücher.example")), key(path("ann@xn--bcher-kva.example")))
	assert.NotEqual(t, key(path("ann")), key(path("ann+tag")))
}

// What would be refused is refused while whoever is there can be told.
func TestVerify(t *testing.T) {
	h := newHouse(t, "bob", "jürgen")
	for _, suffix := range []string{"-bounces", "-leave", "-confirm", "-admit", "-probe"} {
		for _, who := range []string{"bob", "jürgen", "gone"} {
			token := h.token(suffix, who)
			assert.NoError(t, h.Verify(t.Context(), path(token)), token)
			bad := strings.Replace(token, suffix+"+v", suffix+"+vzz", 1)
			assert.Equal(t, "550 5.7.1", code(h.Verify(t.Context(), path(bad))), bad)
		}
	}
	old, forever := path(h.token("-bounces", "bob")), path(h.token("-leave", "bob"))
	h.pass(30 * day)
	assert.Equal(t, "550 5.7.1", code(h.Verify(t.Context(), old)))
	assert.NoError(t, h.Verify(t.Context(), forever))
	for _, name := range []string{"team", "team-request", "team-owner", "team-bounces", "team-leave"} {
		assert.NoError(t, h.Verify(t.Context(), path(name)), name)
	}
	for _, name := range []string{"nobody", "team-confirm", "team+x"} {
		assert.Equal(t, "550 5.1.1", code(h.Verify(t.Context(), path(name))), name)
	}
	h.Members = halfMembers{h.store}
	assert.Equal(t, "451 4.3.0", code(h.Verify(t.Context(), path(h.token("-bounces", "gone-ü")))))
	h.Members = nil
	assert.Equal(t, "451 4.3.0", code(h.Verify(t.Context(), path(h.token("-bounces", "bob")))))
	h.Rewriter = nil
	assert.Equal(t, "550 5.7.1", code(h.Verify(t.Context(), old)))
	h = newHouse(t)
	h.team.Tag = "a\nb"
	assert.NoError(t, h.Verify(t.Context(), path("team")), "a list with a mistake keeps its mail")
}

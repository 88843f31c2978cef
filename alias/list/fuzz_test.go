package list

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"

	"github.com/postilion-mail/postilion/internal/addr"
	"github.com/postilion-mail/postilion/mime"
	"github.com/postilion-mail/postilion/smtp"
)

// FuzzToken: whatever address comes in, one that is taken for a token of somebody
// is one that we would make for him.
func FuzzToken(f *testing.F) {
	h := newHouse(f, "bob", "jürgen", "eve+tag=x@crepes.fr")
	for _, suffix := range []string{"-bounces", "-leave", "-confirm", "-admit", "-accept", "-discard", "-probe"} {
		for _, who := range []string{"bob", "jürgen", "eve+tag=x@crepes.fr", "abcdefghi2@held"} {
			f.Add(h.token(suffix, who))
		}
	}
	f.Add("team-bounces+v@hamburger.edu")
	f.Add("team-leave+vaaaaaaaaaaaa==@hamburger.edu")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := smtp.ParsePath(s)
		if err != nil {
			return
		}
		l, at, ok := h.find(p)
		if ok != h.Owns(p) {
			t.Fatalf("%q: found %v, owned %v", s, ok, h.Owns(p))
		}
		if !ok || roles[at].tagged == noTag {
			return
		}
		base := l.at(roles[at].suffix)
		who, err := h.read(t.Context(), l, h.Rewriter, base, p)
		if err != nil {
			return
		}
		again, err := h.Rewriter.VERP(base, who)
		if err != nil || addr.Lower(again.Address()) != addr.Lower(p.Address()) {
			t.Errorf("%q is taken for a token of %v, whose is %v, %v", s, who, again, err)
		}
	})
}

// FuzzPost: whatever is posted, the fields of a list are ours, and nobody is
// written to but members and owners.
func FuzzPost(f *testing.F) {
	for _, s := range []string{
		letter("ann", "team", "hi"),
		letter("ann", "team", "hi", "List-Id: <evil.example>", " List-Post: x", "LIST-UNSUBSCRIBE : <https://evil.example>"),
		letter("ann", "team", "=?utf-8?q?=0D=0A?=", "Sender:\r\n evil"),
		"From: ann@hamburger.edu\nTo: team@hamburger.edu\n\nbare",
		"From: ann@hamburger.edu\r\nTo: team@hamburger.edu\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\n--x--",
	} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, s string, edited bool) {
		h := newHouse(t, "ann", "bob")
		if edited {
			h.team.Tag = "[t]"
			h.team.Munge = func(context.Context, string) bool { return true }
		}
		env := smtp.Envelope{From: path("ann"), To: []smtp.Recipient{{Path: path("team")}}}
		h.Deliver(t.Context(), env, io.NewSectionReader(strings.NewReader(s), 0, int64(len(s))))
		for _, p := range h.take() {
			for _, e := range p.envs {
				for _, r := range e.To {
					switch r.Path.Local() {
					case "bob", "zoe", "ann":
					default:
						t.Errorf("written to %v", r.Path)
					}
				}
			}
			hd := p.msg.Header()
			if id, _ := hd.ListID(); id != "team.hamburger.edu" {
				t.Errorf("List-Id is %q of %q", id, s)
			}
			n := 0
			for f := range hd.Fields() {
				if addr.EqualFold(f.Name(), "List-Id") || addr.EqualFold(f.Name(), "List-Unsubscribe") {
					n++
				}
			}
			if n > 2 {
				t.Errorf("%d fields that only we may set, of %q", n, s)
			}
			if p.envs[0].To[0].Path == path("bob") && !edited && !bytes.HasSuffix([]byte(p.body), body(s)) {
				t.Errorf("the body changed: %q to %q", s, p.body)
			}
		}
	})
}

// body is what stands behind the header.
func body(s string) []byte { return mime.Parse([]byte(s)).Root().RawBody() }

// FuzzMembersFile: what is read is written and read again.
func FuzzMembersFile(f *testing.F) {
	f.Add("# x\n<bob@hamburger.edu> subscribed\nann@crepes.fr\n")
	f.Add("<\"a b> c\"@x.y> nomail moderated bounces=3 joined=2026-01-02T03:04:05.6Z bounced=2026-01-02T03:04:05+01:00 probed=2026-01-02T03:04:05Z\n")
	f.Fuzz(func(t *testing.T, s string) {
		l, err := parseMembers([]byte(s))
		if err != nil {
			return
		}
		out := formatMembers(l)
		again, err := parseMembers(out)
		if err != nil || len(again) != len(l) || !bytes.Equal(formatMembers(again), out) {
			t.Errorf("%q became %q: %v", s, out, err)
		}
	})
}

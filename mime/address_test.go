package mime

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestBrokenAddresses holds what people and programs write instead of RFC 5322
// addresses. Each line once made some mail program lose the whole list.
func TestBrokenAddresses(t *testing.T) {
	for _, c := range []struct{ in, want, flaws string }{
		{"bob@hamburger.edu", "<bob@hamburger.edu>", ""},
		{"Bob <bob@hamburger.edu>", "Bob <bob@hamburger.edu>", ""},
		{"<bob@hamburger.edu>", "<bob@hamburger.edu>", ""},
		{"Bob<bob@hamburger.edu>", "Bob <bob@hamburger.edu>", ""},
		{`"Doe, Carol" <carol@example.net>`, "Doe, Carol <carol@example.net>", ""},
		{`"a\"b\\c" <x@y>`, `a"b\c <x@y>`, ""},
		{"a@b, c@d", "<a@b>; <c@d>", ""},
		{"a@b,, c@d,", "<a@b>; <c@d>", "EmptyAddress"},
		{"a@b; c@d", "<a@b>; <c@d>", ""},
		{"a@b c@d", "<a@b>; <c@d>", "BadAddress"},
		{"<a@b> <c@d>", "<a@b>; <c@d>", "BadAddress"},
		{"Foo <a@b> bar", "Foo bar <a@b>", ""},
		{"Foo <a@b", "Foo <a@b>", "BadAddress"},
		{"Foo <a@b, Bar <c@d>", "Foo <a@b>; Bar <c@d>", "BadAddress"},
		{"Foo a@b>", "Foo <a@b>", "BadAddress"},
		{"Foo a@b", "Foo <a@b>", ""},
		{"a @ b", "<a@b>", ""},
		{"a . b @ c . d", "<a.b@c.d>", ""},
		{"a..b@c", "<a..b@c>", ""},
		{"a.@c", "<a.@c>", ""},
		{`foo."x".bar@c`, "<foo.x.bar@c>", ""},
		{`"a b"@c`, `<"a b"@c>`, ""},
		{`"ab"@c`, "<ab@c>", ""},
		{`<"a@b"@c>`, `<"a@b"@c>`, ""},
		{"<@r1,@r2:a@b>", "<a@b> via @r1,@r2", ""},
		{"< a @ b >", "<a@b>", ""},
		{"a@[192.0.2.1]", "<a@[192.0.2.1]>", ""},
		{"a@[IPv6:2001:db8::1], b@c", "<a@[IPv6:2001:db8::1]>; <b@c>", ""},
		{"MAILER-DAEMON", "<MAILER-DAEMON>", "BadAddress"},
		{"Mail Delivery System", "Mail Delivery System <>", "BadAddress"},
		{"<>", "<>", ""},
		{"", "", ""},
		{"X, Inc. <a@b>", "<X>; Inc. <a@b>", "BadAddress"},
		{"bob@hamburger.edu (Bob)", "Bob <bob@hamburger.edu> (Bob)", ""},
		{"Bob (the cook) <a@b>", "Bob <a@b> (the cook)", "CommentInPhrase"},
		{"a@b (never closed, c@d", "(never closed <a@b>; <c@d>", ""},
		{`"never closed <a@b>, c@d`, `"never closed <a@b>; <c@d>`, ""},
		{"bob@müller.example", "<bob@müller.example>", ""},
		{"Bob\r\n <a@b>", "Bob <a@b>", ""},
		{"=?utf-8?q?B=C3=BCb?= <a@b>", "Büb <a@b>", ""},
		{"=?utf-8?q?a?= =?utf-8?q?b?= <a@b>", "ab <a@b>", ""},
		{`"=?utf-8?q?B=C3=BCb?=" <a@b>`, "Büb <a@b>", ""},
		{"=?utf-8?b?QsO8Yg?= <a@b>", "Büb <a@b>", ""},
	} {
		var p addressParser
		p.parse([]byte(c.in))
		var got []string
		for _, a := range p.list {
			s := strings.TrimSpace(a.Name + " <" + a.Addr + ">")
			if a.Comment != "" {
				s += " (" + a.Comment + ")"
			}
			if a.Route != "" {
				s += " via " + a.Route
			}
			got = append(got, s)
		}
		assert.Equal(t, c.want, strings.Join(got, "; "), c.in)
		assert.Equal(t, c.flaws, flawNames(p.flaws), c.in)
	}
}

// TestEncodedWordInAddrSpec: decoding before splitting would make two
// addresses of one, the first of them in a domain of someone's choice.
func TestEncodedWordInAddrSpec(t *testing.T) {
	for _, in := range []string{"=?utf-8?q?admin=40good.example=2C?=@evil.example", "<=?utf-8?q?admin=40good.example=2C?=@evil.example>"} {
		var p addressParser
		p.parse([]byte(in))
		assert.Len(t, p.list, 1)
		assert.Equal(t, "=?utf-8?q?admin=40good.example=2C?=@evil.example", p.list[0].Addr)
		assert.True(t, p.flaws.has(EncodedAddrSpec))
	}
}

// TestDecodedCommaDoesNotSplit: what an encoded-word hides is text.
func TestDecodedCommaDoesNotSplit(t *testing.T) {
	list := ParseAddresses("=?utf-8?q?a=40b=2C_=3Cx=40y=3E?= <c@d>")
	assert.Equal(t, []Address{{Name: "a@b, <x@y>", Addr: "c@d"}}, list)
	list = ParseAddresses("=?utf-8?q?a=0D=0ABcc:_x=40y?= <c@d>")
	assert.Equal(t, []Address{{Name: "a  Bcc: x@y", Addr: "c@d"}}, list)
}

// TestCommentIsNotName: a comment that looks like an address must not be
// shown as the name where there is one.
func TestCommentIsNotName(t *testing.T) {
	a := ParseAddresses("Bob (<admin@good.example>) <a@evil.example>")[0]
	assert.Equal(t, Address{Name: "Bob", Comment: "<admin@good.example>", Addr: "a@evil.example"}, a)
}

func TestGroups(t *testing.T) {
	h := head("To: x@y, Friends: a@b, Bob <c@d>;, z@y, undisclosed recipients:;, Open: e@f")
	groups := h.Groups("To")
	var got []string
	for _, g := range groups {
		var members []string
		for _, a := range g.Members {
			members = append(members, a.Addr)
		}
		s := strings.Join(members, ",")
		if g.Named {
			s = g.Name + ":" + s
		}
		got = append(got, s)
	}
	assert.Equal(t, []string{"x@y", "Friends:a@b,c@d", "z@y", "undisclosed recipients:", "Open:e@f"}, got)
	assert.Len(t, h.Addresses("To"), 5)
	assert.Equal(t, "(c)", "("+head("To: G (c): ;").Groups("To")[0].Comment+")")
	assert.Nil(t, head("A: b").Groups("To"))
	assert.Nil(t, head("A: b").Addresses("To"))
	// A group never closed by its semicolon ends where the next one begins.
	assert.Len(t, head("To: A: a@b, B: c@d").Groups("To"), 2)
	// Fields of the same name are read one after the other.
	assert.Len(t, head("To: a@b\nTo: c@d").Addresses("To"), 2)
	assert.Len(t, head("To: A: a@b\nTo: c@d").Groups("To"), 2)
}

func TestAddressParts(t *testing.T) {
	for _, c := range []struct {
		a                     Address
		local, domain, string string
	}{
		{Address{}, "", "", ""},
		{Address{Addr: "a@b"}, "a", "b", "a@b"},
		{Address{Name: "Bob", Addr: "a@b"}, "a", "b", "Bob <a@b>"},
		{Address{Name: "Doe, C. \"x\"", Addr: `"a@b"@c`}, `"a@b"`, "c", `"Doe, C. \"x\"" <"a@b"@c>`},
		{Address{Addr: "MAILER-DAEMON"}, "MAILER-DAEMON", "", "MAILER-DAEMON"},
		{Address{Name: "Mail System"}, "", "", "Mail System"},
	} {
		assert.Equal(t, c.local, c.a.Local())
		assert.Equal(t, c.domain, c.a.Domain())
		assert.Equal(t, c.string, c.a.String())
	}
	f, _ := head("From: a@b, c@d").Lookup("From")
	assert.Len(t, f.Addresses(), 2)
}

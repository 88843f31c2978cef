package authres_test

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postilion-mail/postilion/spf/authres"
)

func TestBuild(t *testing.T) {
	for _, c := range []struct {
		f    authres.Field
		want string
	}{
		{authres.Field{ID: "mx.example.org"}, "mx.example.org; none"},
		{authres.Field{ID: "mx.example.org", Results: []authres.Result{
			{Method: "spf", Value: "pass", Props: [][2]string{{"smtp.mailfrom", "ann@example.com"}, {"smtp.helo", "mail.example.com"}}},
			{Method: "iprev", Value: "fail", Reason: "no PTR record", Props: [][2]string{{"policy.iprev", "2001:db8::1"}}},
		}}, `mx.example.org; spf=pass smtp.mailfrom=ann@example.com smtp.helo=mail.example.com; iprev=fail reason="no PTR record" policy.iprev="2001:db8::1"`},
		{authres.Field{ID: "a b", Results: []authres.Result{{Method: "spf", Value: "none", Props: [][2]string{{"smtp.mailfrom", `"a;b"@x.org`}, {"smtp.helo", ""}}}}},
			`"a b"; spf=none smtp.mailfrom="\"a;b\"@x.org" smtp.helo=""`},
		{authres.Field{ID: "x", Results: []authres.Result{{Method: "spf pass", Value: "pass"}, {Method: "spf", Value: "pa\nss"},
			{Method: "spf", Value: "pass", Props: [][2]string{{"smtp", "x"}, {"smtp.", "x"}, {"a b.c", "x"}, {"smtp.helo", "@b"}}}}}, "x; spf=pass smtp.helo=@b"},
	} {
		name, value := c.f.Field()
		assert.Equal(t, "Authentication-Results", name)
		assert.Equal(t, c.want, unfold(value))
	}
}

func unfold(s string) string { return strings.ReplaceAll(s, "\r\n\t", " ") }

// RFC 5322 §2.1.1: lines of 78 octets where that can be, never of more than 998.
func TestBuildFolds(t *testing.T) {
	f := authres.Field{ID: "mx.example.org"}
	for range 20 {
		f.Results = append(f.Results, authres.Result{Method: "dkim", Value: "pass", Reason: "a word or two", Props: [][2]string{{"header.d", "example.com"}, {"header.s", "selector"}}})
	}
	name, value := f.Field()
	for line := range strings.SplitSeq(name+": "+value, "\r\n") {
		assert.LessOrEqual(t, len(strings.ReplaceAll(line, "\t", "        ")), 78, line)
	}
	got, err := authres.Parse(value)
	require.NoError(t, err)
	assert.Equal(t, f, got)

	f = authres.Field{ID: "x", Results: []authres.Result{{Method: "spf", Value: "fail", Reason: strings.Repeat("\"", 5000), Props: [][2]string{{"smtp.helo", strings.Repeat("ü", 5000)}}}}}
	_, value = f.Field()
	for line := range strings.SplitSeq(value, "\r\n") {
		assert.Less(t, len(line), 998-len(authres.Name))
	}
	_, err = authres.Parse(value)
	assert.NoError(t, err)
}

// No text of a sender may end the field, a value, or begin a result.
func TestBuildCannotBeInjected(t *testing.T) {
	for _, evil := range []string{
		"a\r\nAuthentication-Results: mx.example.org; dkim=pass", "x; dkim=pass", `x" ; dkim=pass "`, `x\`, "x(", "x\x00y", "x\u2028y", "x\u0085y", "\xff; dkim=pass",
		"ann@x; dkim=pass", "ann@(x", "a@b@c",
	} {
		f := authres.Field{ID: evil, Results: []authres.Result{{Method: "spf", Value: "fail", Reason: evil, Props: [][2]string{{"smtp.mailfrom", evil}}}}}
		_, value := f.Field()
		assert.NotContains(t, unfold(value), "\r")
		assert.NotContains(t, unfold(value), "\n")
		got, err := authres.Parse(value)
		require.NoError(t, err, value)
		require.Len(t, got.Results, 1, value)
		assert.Equal(t, "spf", got.Results[0].Method)
		assert.Equal(t, "fail", got.Results[0].Value)
	}
}

// The examples of RFC 8601 Appendix B, and what is seen in the wild.
func TestParse(t *testing.T) {
	for in, want := range map[string]authres.Field{
		"example.org 1; none": {ID: "example.org"},
		"example.com;\r\n spf=pass smtp.mailfrom=example.net": {ID: "example.com", Results: []authres.Result{
			{Method: "spf", Value: "pass", Props: [][2]string{{"smtp.mailfrom", "example.net"}}}}},
		"example.com;\r\n\tauth=pass (cram-md5) smtp.auth=sender@example.net;\r\n\tspf=pass smtp.mailfrom=example.net": {ID: "example.com", Results: []authres.Result{
			{Method: "auth", Value: "pass", Props: [][2]string{{"smtp.auth", "sender@example.net"}}},
			{Method: "spf", Value: "pass", Props: [][2]string{{"smtp.mailfrom", "example.net"}}}}},
		`foo.example.net (foobar) 1 (baz);
    dkim (Because I like it) / 1 (One yay) = (wait for it) fail
      policy (A dot can go here) . (like that) expired
      (this surprised me) = (as I wasn't expecting it) 1362471462`: {ID: "foo.example.net", Results: []authres.Result{
			{Method: "dkim", Value: "fail", Props: [][2]string{{"policy.expired", "1362471462"}}}}},
		`mx.google.com; dkim=pass header.i=@x.org header.s=s1 header.b="aB/+=="; dmarc=pass (p=NONE; sp=NONE) header.from=x.org;`: {ID: "mx.google.com", Results: []authres.Result{
			{Method: "dkim", Value: "pass", Props: [][2]string{{"header.i", "@x.org"}, {"header.s", "s1"}, {"header.b", "aB/+=="}}},
			{Method: "dmarc", Value: "pass", Props: [][2]string{{"header.from", "x.org"}}}}},
		`"quoted id"; spf=fail reason="a \"b\"" smtp.mailfrom="a b"@x.org`: {ID: "quoted id", Results: []authres.Result{
			{Method: "spf", Value: "fail", Reason: `a "b"`, Props: [][2]string{{"smtp.mailfrom", "a b@x.org"}}}}},
	} {
		got, err := authres.Parse(in)
		require.NoError(t, err, in)
		assert.Equal(t, want, got)
	}
}

func TestParseErrors(t *testing.T) {
	for in, want := range map[string]error{
		"":                                      authres.ErrSyntax,
		"; spf=pass":                            authres.ErrSyntax,
		"x 2; spf=pass":                         authres.ErrVersion,
		"x; spf":                                authres.ErrSyntax,
		"x; spf=":                               authres.ErrSyntax,
		"x; =pass":                              authres.ErrSyntax,
		"x; spf=pass smtp":                      authres.ErrSyntax,
		"x; spf=pass smtp.=y":                   authres.ErrSyntax,
		"x; spf=pass .helo=y":                   authres.ErrSyntax,
		"x; spf=pass smtp.helo=":                authres.ErrSyntax,
		`x; spf=pass reason="open`:              authres.ErrSyntax,
		`"open; spf=pass`:                       authres.ErrSyntax,
		"x; spf=pass =y":                        authres.ErrSyntax,
		strings.Repeat("x", 1<<17):              authres.ErrTooLong,
		"x" + strings.Repeat("; spf=pass", 101): authres.ErrTooLong,
	} {
		_, err := authres.Parse(in)
		assert.ErrorIs(t, err, want, "%.40q", in)
	}
	f, _ := authres.Parse("x 2; y")
	assert.Equal(t, "x", f.ID)
}

// A field whose id cannot be read may be anybody's, so it counts as ours.
func TestClaims(t *testing.T) {
	for value, want := range map[string]bool{
		"mx.example.org; none": true, " MX.Example.ORG;none": true, "(a) mx.example.org (b) 1; x=y": true, "\"mx.example.org\"; none": true,
		"\r\n mx.example.org;\r\n none": true, "mx.example.org": true, "mx.example.org 7; future": true, "": true, ";": true, "(": true, "\"open": true,
		"mx.example.com; none": false, "xmx.example.org; none": false, "mx.example.org.; none": true, "mx.example.org/1; none": true, "mx.example.org,; none": true, "mx.example.org\x00x; none": true, "mx.example.orgx/; none": false, "other; mx.example.org": false, "(mx.example.org) other;": false,
	} {
		assert.Equal(t, want, authres.Claims(value, "mx.example.org"), "%q", value)
	}
}

func TestProp(t *testing.T) {
	r := authres.Result{Props: [][2]string{{"smtp.MailFrom", "a"}}}
	v, ok := r.Prop("SMTP.mailfrom")
	assert.True(t, ok)
	assert.Equal(t, "a", v)
	_, ok = r.Prop("smtp.helo")
	assert.False(t, ok)
}

const stripIn = "Received: from x\r\n" +
	"Authentication-Results: mx.example.org; spf=pass\r\n smtp.mailfrom=forged\r\n" +
	"authentication-results : (c) MX.Example.Org 1; dkim=pass\r\n" +
	"AUTHENTICATION-RESULTS:\r\n \"mx.example.org\" 2; x=y\r\n" +
	"Authentication-Results: ;no id\r\n" +
	"Authentication-Results: other.example; spf=fail\r\n\tsmtp.mailfrom=kept\r\n" +
	"Authentication-Results-X: mx.example.org; kept\r\n" +
	"Subject: x\r\n Authentication-Results: mx.example.org; kept\r\n" +
	"\r\n" +
	"Authentication-Results: mx.example.org; body\r\n"

const stripOut = "Received: from x\r\n" +
	"Authentication-Results: other.example; spf=fail\r\n\tsmtp.mailfrom=kept\r\n" +
	"Authentication-Results-X: mx.example.org; kept\r\n" +
	"Subject: x\r\n Authentication-Results: mx.example.org; kept\r\n" +
	"\r\n" +
	"Authentication-Results: mx.example.org; body\r\n"

func TestStrip(t *testing.T) {
	for name, r := range map[string]io.Reader{
		"whole": strings.NewReader(stripIn), "bytes": iotest.OneByteReader(strings.NewReader(stripIn)),
		"half": iotest.HalfReader(strings.NewReader(stripIn)), "eof": iotest.DataErrReader(strings.NewReader(stripIn)),
	} {
		b, err := io.ReadAll(authres.Strip(r, "mx.example.org"))
		require.NoError(t, err, name)
		assert.Equal(t, stripOut, string(b), name)
	}
	b, err := io.ReadAll(authres.Strip(strings.NewReader(strings.ReplaceAll(stripIn, "\r\n", "\n")), "mx.example.org"))
	require.NoError(t, err)
	assert.Equal(t, strings.ReplaceAll(stripOut, "\r\n", "\n"), string(b), "bare LF")
}

func TestStripEndsAndLimits(t *testing.T) {
	read := func(s string) string {
		b, err := io.ReadAll(authres.Strip(strings.NewReader(s), "me"))
		require.NoError(t, err)
		return string(b)
	}
	assert.Equal(t, "A: b\r\n", read("A: b\r\nAuthentication-Results: me; x=y"))
	assert.Equal(t, "Authentication-Results: you; x=y", read("Authentication-Results: you; x=y"))
	assert.Equal(t, "", read(""))
	long := "X-Long: " + strings.Repeat("z", 100_000) + "\r\n"
	assert.Equal(t, long, read(long))
	assert.Equal(t, "A: b\r\n", read("Authentication-Results: you; x="+strings.Repeat("z", 100_000)+"\r\nA: b\r\n"))
	assert.Equal(t, "A: b\r\n", read("Authentication-Results: you; x=y\r\n"+strings.Repeat(" z=z.y\r\n", 10_000)+"A: b\r\n"))

	assert.Equal(t, "A: b\r\n", read("Authentication-Results"+strings.Repeat(" ", 5000)+": me; x=y\r\nA: b\r\n"), "a name with its colon far away")
	assert.Equal(t, "\r\r\nA: b\r\n", read("\r\r\nAuthentication-Results: me; x=y\r\nA: b\r\n"), "not the end of the header")
	assert.Equal(t, "A: b\r\n", read("Authentication-Results\r\n : me; x=y\r\nA: b\r\n"), "a name with its colon in the next line")
	assert.Equal(t, "\nAuthentication-Results: me; x=y\n", read("\nAuthentication-Results: me; x=y\n"), "the body")

	boom := errors.New("verdict")
	b, err := io.ReadAll(authres.Strip(io.MultiReader(strings.NewReader("A: b\r\n\r\nbody"), iotest.ErrReader(boom)), "me"))
	assert.ErrorIs(t, err, boom)
	assert.Equal(t, "A: b\r\n\r\nbody", string(b))
}

// FuzzParse: what was parsed and written parses to the same.
func FuzzParse(f *testing.F) {
	f.Add("example.org 1; spf=pass (c) reason=\"x\" smtp.mailfrom=a@b; dkim=fail header.d=x")
	f.Add(`"q\"" ; none`)
	f.Add("a;b/1=c d.e=\"\"")
	f.Fuzz(func(t *testing.T, s string) {
		a, err := authres.Parse(s)
		if err != nil {
			return
		}
		_, value := a.Field()
		if strings.ContainsAny(unfold(value), "\r\n\x00") {
			t.Fatalf("%q", value)
		}
		b, err := authres.Parse(value)
		if err != nil {
			t.Fatalf("%q -> %q: %v", s, value, err)
		}
		_, again := b.Field()
		if again != value || len(a.Results) < len(b.Results) {
			t.Errorf("%q -> %q -> %q", s, value, again)
		}
	})
}

// FuzzStrip: however the message is cut, the same comes out, nothing is added, and
// no field that claims the id is left.
func FuzzStrip(f *testing.F) {
	f.Add(stripIn)
	f.Add("Authentication-Results: mx.example.org\n\n")
	f.Fuzz(func(t *testing.T, s string) {
		whole, _ := io.ReadAll(authres.Strip(strings.NewReader(s), "mx.example.org"))
		single, _ := io.ReadAll(authres.Strip(iotest.OneByteReader(strings.NewReader(s)), "mx.example.org"))
		if !reflect.DeepEqual(whole, single) || len(whole) > len(s) {
			t.Errorf("%q: %q, %q", s, whole, single)
		}
		twice, _ := io.ReadAll(authres.Strip(strings.NewReader(string(whole)), "mx.example.org"))
		if len(twice) != len(whole) {
			t.Errorf("%q: something was left in %q", s, whole)
		}
	})
}

func ExampleField() {
	f := authres.Field{ID: "mx.example.org", Results: []authres.Result{
		{Method: "spf", Value: "pass", Props: [][2]string{{"smtp.helo", "m.example.com"}}},
	}}
	name, value := f.Field()
	fmt.Println(name + ": " + value)
	// Output: Authentication-Results: mx.example.org; spf=pass smtp.helo=m.example.com
}

// Long values are cut between characters, and what is no keyword is left out, however
// long it is.
func TestFieldLimits(t *testing.T) {
	f := authres.Field{ID: strings.Repeat("\u00fc", 200), Results: []authres.Result{
		{Method: strings.Repeat("m", 65), Value: "pass"},
		{Method: "spf", Value: "pass-"},
		{Method: "iprev", Value: "pass", Reason: "x" + strings.Repeat("\u20ac", 100), Props: [][2]string{
			{"policy.iprev", "192.0.2.1"}, {"noproperty", "x"}, {"a b.c", "x"}, {"a.b\r\nc", "x"},
		}},
	}}
	_, value := f.Field()
	assert.True(t, utf8.ValidString(value))
	got, err := authres.Parse(value)
	require.NoError(t, err)
	assert.Equal(t, strings.Repeat("\u00fc", 128), got.ID)
	require.Len(t, got.Results, 1)
	assert.Equal(t, "x"+strings.Repeat("\u20ac", 85), got.Results[0].Reason)
	assert.Equal(t, [][2]string{{"policy.iprev", "192.0.2.1"}}, got.Results[0].Props)

	_, err = authres.Parse("x" + strings.Repeat("; a=b", 101))
	assert.ErrorIs(t, err, authres.ErrTooLong)
}

func ExampleResult() {
	f, err := authres.Parse("mx.example.org; dkim=fail reason=\"bad signature\" header.d=example.com header.s=s1")
	if err != nil {
		fmt.Println(err)
		return
	}
	r := f.Results[0]
	domain, _ := r.Prop("header.d")
	fmt.Println(r.Method, r.Value, r.Reason, domain, len(r.Props))
	// Output: dkim fail bad signature example.com 2
}

func ExampleParse() {
	f, err := authres.Parse("mx.example.org; spf=fail (not permitted) smtp.helo=mail.example.com")
	helo, _ := f.Results[0].Prop("smtp.helo")
	fmt.Println(f.ID, f.Results[0].Method, f.Results[0].Value, helo, err)
	// Output: mx.example.org spf fail mail.example.com <nil>
}

func ExampleStrip() {
	message := strings.NewReader("Authentication-Results: mx.example.org; spf=pass\r\nSubject: trust me\r\n\r\n")
	b, _ := io.ReadAll(authres.Strip(message, "mx.example.org"))
	fmt.Printf("%q\n", b)
	// Output: "Subject: trust me\r\n\r\n"
}

package mime

import (
	"bytes"
	"io"
	"math/rand"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var feb = time.Date(2026, 2, 2, 12, 0, 0, 0, time.FixedZone("", 3600))

func section(s string) *io.SectionReader {
	return io.NewSectionReader(strings.NewReader(s), 0, int64(len(s)))
}

func drafted(t testing.TB, d *Draft, err error) *Message {
	t.Helper()
	require.NoError(t, err)
	raw, err := d.Bytes()
	require.NoError(t, err)
	assert.Equal(t, int64(len(raw)), d.Size())
	for line := range bytes.SplitSeq(raw, crlf) {
		assert.LessOrEqual(t, len(line), maxLine)
		assert.NotContains(t, string(line), "\n")
	}
	return Parse(raw)
}

const returnedMail = "From: alice@crepes.fr\r\nSubject: Lunch\r\n\r\nAt noon?\r\n"

func TestDSNRoundTrip(t *testing.T) {
	in := &DSN{Reporting: "hamburger.edu", Gateway: "gw.example", ReceivedFrom: "crepes.fr", OriginalEnvID: "QQ314159", Arrival: feb,
		Recipients: []DSNRecipient{
			{Final: "bob@hamburger.edu", Original: "rfc822;Bob@Hamburger.edu", Action: "failed", Status: "5.1.1", Diagnostic: "550 5.1.1 no such user", Remote: "mx.hamburger.edu", LogID: "X1", LastTry: feb},
			{Final: "rob@hamburger.edu", Action: "delayed", Status: "4.4.1", RetryUntil: feb.Add(time.Hour)},
		}}
	write := *in
	write.Now, write.Rand = func() time.Time { return feb }, rand.New(rand.NewSource(1))
	d, err := write.Draft("alice@crepes.fr", section(returnedMail), false)
	m := drafted(t, d, err)
	assert.Empty(t, d.Sender(), "nobody answers a bounce with a bounce")
	assert.Equal(t, []string{"alice@crepes.fr"}, d.Recipients())
	assert.Equal(t, "auto-replied", m.Header().Get("Auto-Submitted"))
	assert.Equal(t, "delivery-status", m.Header().ContentType().Param("report-type"))
	assert.Contains(t, m.TextBody()[0].Text(), "mx.hamburger.edu said: 550 5.1.1 no such user")
	out, ok := ParseDSN(m)
	require.True(t, ok)
	for i := range out.Recipients {
		assert.True(t, out.Recipients[i].LastTry.Equal(in.Recipients[i].LastTry))
		assert.True(t, out.Recipients[i].RetryUntil.Equal(in.Recipients[i].RetryUntil))
		out.Recipients[i].LastTry, out.Recipients[i].RetryUntil = in.Recipients[i].LastTry, in.Recipients[i].RetryUntil
	}
	assert.True(t, out.Arrival.Equal(in.Arrival))
	out.Arrival = in.Arrival
	assert.Equal(t, in, out)
	var inner string
	for _, p := range m.Walk() {
		if mm, ok := p.Message(); ok {
			inner = mm.Header().Subject()
		}
	}
	assert.Equal(t, "Lunch", inner)
}

func TestDSNReturnsHeadersOnly(t *testing.T) {
	dsn := &DSN{Reporting: "hamburger.edu", Recipients: []DSNRecipient{{Final: "b@c.example", Action: "failed", Status: "5.0.0"}}}
	for _, original := range []string{returnedMail, "Subject: x\nFrom: bare\n\nnot fit for the way\n", "Subject: " + strings.Repeat("x", 5000) + "\r\n\r\nbody", "Subject: \xff\r\n\r\n"} {
		d, err := dsn.Draft("alice@crepes.fr", section(original), true)
		m := drafted(t, d, err)
		raw, _ := d.Bytes()
		assert.Contains(t, string(raw), "text/rfc822-headers")
		assert.NotContains(t, string(raw), "At noon?")
		_, ok := ParseDSN(m)
		assert.True(t, ok)
	}
	d, err := dsn.Draft("alice@crepes.fr", section("Subject: x\n\nbare\n"), false)
	drafted(t, d, err)
}

// RFC 6533: addresses beyond ASCII bring the global forms.
func TestGlobalDSN(t *testing.T) {
	in := &DSN{Reporting: "hamburger.edu", Recipients: []DSNRecipient{{Final: "jörg@bücher.example", Original: "utf-8;jörg@bücher.example", Action: "failed", Status: "5.1.1"}}}
	d, err := in.Draft("alice@crepes.fr", section(returnedMail), false)
	m := drafted(t, d, err)
	raw, _ := d.Bytes()
	assert.Contains(t, string(raw), "message/global-delivery-status")
	assert.Contains(t, string(raw), "utf-8; jörg@bücher.example")
	_, eight := d.Needs()
	assert.True(t, eight)
	out, ok := ParseDSN(m)
	require.True(t, ok)
	assert.Equal(t, in.Recipients, out.Recipients)
}

// What a remote host said cannot become a field or a part.
func TestDSNInjection(t *testing.T) {
	for _, attack := range []string{"x\r\nBcc: evil@x.example", "x\r\n\r\n--=_", "x\nAction: delivered", "\x00\u2028", strings.Repeat("x", 5000)} {
		in := &DSN{Reporting: "hamburger.edu", OriginalEnvID: attack, Recipients: []DSNRecipient{{Final: "b@c.example", Original: attack, Action: "failed", Status: "5.1.1", Diagnostic: attack, Remote: attack, LogID: attack}}}
		d, err := in.Draft("alice@crepes.fr", section(returnedMail), false)
		m := drafted(t, d, err)
		assert.False(t, m.Header().Has("Bcc"))
		out, ok := ParseDSN(m)
		require.True(t, ok)
		require.Len(t, out.Recipients, 1)
		assert.Equal(t, "failed", out.Recipients[0].Action)
	}
}

func TestDSNOfOthers(t *testing.T) {
	m := Parse([]byte("Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n\r\nsorry\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n" +
		"Reporting-MTA: dns; a.example (comment)\r\n\r\nFinal-Recipient: RFC822; x@y.example\r\nAction: Failed (really)\r\nStatus: 5.1.1 (bad)\r\nDiagnostic-Code: X-Unix; 12\r\n\r\n\r\nFinal-Recipient: rfc822;z@y.example\r\n--b--\r\n"))
	d, ok := ParseDSN(m)
	require.True(t, ok)
	require.Len(t, d.Recipients, 2)
	assert.Equal(t, DSNRecipient{Final: "x@y.example", Action: "failed", Status: "5.1.1", Diagnostic: "12"}, d.Recipients[0])
	_, ok = ParseDSN(Parse([]byte("Subject: no report\r\n\r\n")))
	assert.False(t, ok)
}

func TestMDNRoundTrip(t *testing.T) {
	in := &MDN{ReportingUA: "host.example; Reader 1.0", Original: "rfc822;bob@hamburger.edu", Final: "bob@hamburger.edu", OriginalID: "lunch@crepes.fr",
		Mode: "manual-action/MDN-sent-automatically", Type: "displayed", Modifiers: []string{"error"}, Error: "none worth telling"}
	d, err := in.Draft("alice@crepes.fr", section(returnedMail))
	m := drafted(t, d, err)
	assert.Empty(t, d.Sender())
	out, ok := ParseMDN(m)
	require.True(t, ok)
	assert.Equal(t, in, out)
	ask := Parse([]byte("Disposition-Notification-To: Alice <alice@crepes.fr>\r\n\r\n"))
	assert.Equal(t, "alice@crepes.fr", WantsMDN(ask)[0].Addr)
	_, ok = ParseMDN(ask)
	assert.False(t, ok)
}

func TestARFRoundTrip(t *testing.T) {
	in := &ARF{Type: "abuse", UserAgent: "Filter/1.0", Version: "1", Sender: "spam@x.example", Recipients: []string{"a@b.example", "c@b.example"}, SourceIP: "192.0.2.1",
		Reporting: "b.example", EnvID: "7", Arrival: feb, Incidents: 3, Domains: []string{"x.example"}, URIs: []string{"http://x.example/"}, AuthRes: []string{"b.example; spf=fail"}}
	write := *in
	write.From = Address{Addr: "abuse@b.example"}
	d, err := write.Draft("abuse@x.example", section(returnedMail))
	m := drafted(t, d, err)
	out, ok := ParseARF(m)
	require.True(t, ok)
	assert.True(t, out.Arrival.Equal(in.Arrival))
	out.Arrival = in.Arrival
	assert.Equal(t, in, out)
}

func TestSupplement(t *testing.T) {
	zero := bytes.NewReader(make([]byte, 16))
	got := Supplement(Parse([]byte("Subject: x\r\n\r\n")).Header(), "bücher.example", feb, zero)
	assert.Equal(t, "Date: Mon, 2 Feb 2026 12:00:00 +0100\r\nMessage-ID: <aaaaaaaaaaaaaaaaaaaaaaaaaa@xn--bcher-kva.example>\r\n", string(got))
	assert.Empty(t, Supplement(Parse([]byte("date: x\r\nmessage-id: <a@b>\r\n\r\n")).Header(), "x.example", feb, nil))
}

// pgp is a signer and an encrypter that does nothing but look.
type pgp struct{ saw *bytes.Buffer }

func (p pgp) Sign(r io.Reader) ([]byte, error) {
	_, err := p.saw.ReadFrom(r)
	return []byte("-----BEGIN PGP SIGNATURE-----\n\nabc\n-----END PGP SIGNATURE-----\n"), err
}
func (p pgp) Encrypt(r io.Reader) ([]byte, error) {
	_, err := p.saw.ReadFrom(r)
	return []byte{1, 2, 3}, err
}
func (p pgp) Protocol() string { return "application/pgp-signature" }
func (p pgp) MICAlg() string   { return "pgp-sha256" }
func (p pgp) Control() string  { return "Version: 1\r\n" }

// What was signed is what stands in the message, to the octet.
func TestSign(t *testing.T) {
	d, _ := built(t, &Builder{Text: "größe", HTML: "<p>", Files: []File{AttachBytes("a.bin", []byte{0})}})
	p := pgp{new(bytes.Buffer)}
	signed, err := d.Sign(p)
	m := drafted(t, signed, err)
	assert.Equal(t, "multipart/signed", strings.ToLower(m.Root().Type().String()[:16]))
	assert.Equal(t, "pgp-sha256", m.Header().ContentType().Param("micalg"))
	assert.Equal(t, p.saw.String(), string(m.Root().Child().Raw()))
	d, err = fixed(&Builder{Text: "ü", EightBit: true}).Build()
	require.NoError(t, err)
	_, err = d.Sign(p)
	assert.Error(t, err)
}

func TestEncrypt(t *testing.T) {
	d, _ := built(t, &Builder{Subject: "open", Text: "secret"})
	sealed, err := d.Encrypt(pgp{new(bytes.Buffer)})
	m := drafted(t, sealed, err)
	raw, _ := sealed.Bytes()
	assert.NotContains(t, string(raw), "secret")
	assert.Equal(t, "open", m.Header().Subject())
}

// A message that is one text is signed as it stands too, and what signs it is
// named as readers expect.
func TestSignText(t *testing.T) {
	d, _ := built(t, &Builder{Text: "-- \nFrom here\nno end"})
	p := pgp{new(bytes.Buffer)}
	signed, err := d.Sign(p)
	m := drafted(t, signed, err)
	assert.Equal(t, p.saw.String(), string(m.Root().Child().Raw()))
	assert.NotContains(t, p.saw.String(), " \r\n", "white space at the end of a line is lost on the way") // RFC 3156 §5
	assert.NotContains(t, p.saw.String(), "\r\nFrom")
	assert.Equal(t, "signature.asc", m.Attachments()[0].Filename())
	_, err = d.Sign(badSigner{p})
	assert.Error(t, err)
}

type badSigner struct{ pgp }

func (badSigner) MICAlg() string { return "a\r\nBcc: x" }

// A signature that is no armour is never changed as text would be.
func TestSignatureOctets(t *testing.T) {
	for _, b := range []string{"ascii\nonly", "\x30\x80", ""} {
		e := sealedPart("application/pkcs7-signature", []byte(b))
		m := Parse(bytes.Join([][]byte{e.header, e.body}, crlf))
		assert.Equal(t, b, string(m.Root().Bytes()))
		assert.Equal(t, "smime.p7s", m.Root().Filename())
	}
}

// What a remote host says in another alphabet does not make the report one
// that needs another type, nor is it sent as something it is not.
func TestDSNInOtherAlphabets(t *testing.T) {
	in := &DSN{Reporting: "bücher.example", Recipients: []DSNRecipient{{Final: "b@c.example", Action: "failed", Remote: "bücher.example", Diagnostic: "550 kein Empfänger"}}}
	d, err := in.Draft("alice@crepes.fr", section("Subject: x\n\nbare\n"), false)
	m := drafted(t, d, err)
	raw, _ := d.Bytes()
	assert.Contains(t, string(raw), "message/rfc822", "line ends are no reason to keep the text back")
	assert.Contains(t, string(raw), "Remote-MTA: dns; xn--bcher-kva.example\r\n")
	assert.Contains(t, string(raw), "Diagnostic-Code: smtp; 550 kein Empf?nger\r\n")
	assert.Contains(t, string(raw), "Status: 5.0.0\r\n")
	_, eight := d.Needs()
	assert.False(t, eight)
	assert.Empty(t, m.Defects())
}

// Reports without what their readers rely on are not built.
func TestReportsThatLackSomething(t *testing.T) {
	bob := []DSNRecipient{{Final: "b@c.example", Action: "failed"}}
	for name, d := range map[string]*DSN{
		"host": {Recipients: bob}, "recipients": {Reporting: "h.example"},
		"action": {Reporting: "h.example", Recipients: []DSNRecipient{{Final: "b@c.example", Action: "exploded"}}},
		"final":  {Reporting: "h.example", Recipients: []DSNRecipient{{Action: "failed"}}},
	} {
		_, err := d.Draft("alice@crepes.fr", nil, false)
		var f *FieldError
		assert.ErrorAs(t, err, &f, name)
	}
	_, err := (&DSN{Reporting: "h.example", Recipients: bob}).Draft("", nil, false)
	assert.Error(t, err, "nobody bounces a bounce")
	for _, n := range []*MDN{{Type: "displayed"}, {Final: "b@c.example"}, {Final: "b@c.example", Type: "a b"}} {
		_, err := n.Draft("alice@crepes.fr", nil)
		assert.Error(t, err)
	}
	from := Address{Addr: "a@b.example"}
	_, err = (&ARF{From: from}).Draft("a@b.example", section("x"))
	assert.Error(t, err)
	_, err = (&ARF{From: from, Type: "abuse"}).Draft("a@b.example", nil)
	assert.Error(t, err)
}

// A bounce that somebody has attached is no bounce, and one with more groups
// than there are recipients in the world costs no more than its size.
func TestReportsWithin(t *testing.T) {
	d, err := (&DSN{Reporting: "h.example", Recipients: []DSNRecipient{{Final: "b@c.example", Action: "failed"}}}).Draft("alice@crepes.fr", section(returnedMail), false)
	bounce := drafted(t, d, err)
	_, ok := ParseDSN(bounce)
	assert.True(t, ok)
	_, raw := built(t, bounce.Forward(Forward{From: me, To: To("a@b.example"), Attached: true}))
	_, ok = ParseDSN(Parse(raw))
	assert.False(t, ok)
	many := Parse([]byte("Content-Type: message/delivery-status\r\n\r\n" + strings.Repeat("a:\r\n\r\n", 100_000)))
	dsn, ok := ParseDSN(many)
	require.True(t, ok)
	assert.Len(t, dsn.Recipients, maxReportGroups-1)
}

// What a notification says to people follows from what it says to programs.
func TestDSNWords(t *testing.T) {
	for _, c := range []struct{ actions, subject, status, words string }{
		{"failed delayed", "could not be delivered", "5.0.0", "will not be tried again"},
		{"delayed delivered", "is delayed", "4.0.0", "It will be tried until Mon, 2 Feb 2026 12:00 +0100"},
		{"delivered", "was delivered", "2.0.0", "was delivered"},
		{"relayed", "was delivered", "2.0.0", "may not report delivery"},
		{"expanded", "was delivered", "2.0.0", "mailing list"},
	} {
		in := &DSN{Reporting: "h.example"}
		for action := range strings.FieldsSeq(c.actions) {
			in.Recipients = append(in.Recipients, DSNRecipient{Final: "b@c.example", Action: action, Diagnostic: "as it said", RetryUntil: feb})
		}
		d, err := in.Draft("alice@crepes.fr", nil, false)
		m := drafted(t, d, err)
		assert.Contains(t, m.Header().Subject(), c.subject)
		assert.Contains(t, m.TextBody()[0].Text(), c.words)
		assert.Contains(t, m.TextBody()[0].Text(), "h.example said: as it said")
		out, ok := ParseDSN(m)
		require.True(t, ok)
		assert.Equal(t, c.status, out.Recipients[0].Status)
	}
	d, err := (&DSN{Reporting: "h.example", Subject: "Own", Text: "words", Recipients: []DSNRecipient{{Final: "b@c.example", Action: "failed"}}}).Draft("alice@crepes.fr", nil, false)
	m := drafted(t, d, err)
	assert.Equal(t, "Own words", m.Header().Subject()+" "+m.TextBody()[0].Text())
}

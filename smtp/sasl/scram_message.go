package sasl

import (
	"encoding/base64"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The messages of RFC 5802 §7. A parser's error is plain text: whose fault
// it is, the caller says.
type grammar string

func (g grammar) Error() string { return "sasl: " + string(g) }

// gs2 is the header that SCRAM and OAUTHBEARER share.
type gs2 struct {
	flag    byte   // 'n', 'y' or 'p'
	binding string // by what kind, if p
	authz   string // decoded
	raw     string // with its last comma
}

// parseGS2 reads gs2-cbind-flag "," [ authzid ] "," and returns what follows.
func parseGS2(s string) (h gs2, rest string, err error) {
	flag, rest, ok1 := strings.Cut(s, ",")
	authz, rest, ok2 := strings.Cut(rest, ",")
	if !ok1 || !ok2 {
		return gs2{}, "", badClient("no GS2 header")
	}
	kind, bound := strings.CutPrefix(flag, "p=")
	if flag != "n" && flag != "y" && !(bound && isBindingName(kind)) {
		return gs2{}, "", badClient("unknown channel binding flag")
	}
	h = gs2{flag: flag[0], binding: kind, raw: s[:len(s)-len(rest)]}
	if !bound {
		h.binding = ""
	}
	if authz == "" {
		return h, rest, nil
	}
	name, ok := strings.CutPrefix(authz, "a=")
	if h.authz, err = decodeName(name); !ok || err != nil {
		return gs2{}, "", badClient("bad authorization identity")
	}
	return h, rest, nil
}

func isBindingName(s string) bool { // cb-name
	for i := range len(s) {
		c := s[i]
		if !isAlpha(s[i:i+1]) && (c < '0' || c > '9') && c != '.' && c != '-' {
			return false
		}
	}
	return s != ""
}

// gs2Header writes one; flag is "n", "y" or "p=" and a kind.
func gs2Header(flag, authz string) string {
	if authz == "" {
		return flag + ",,"
	}
	return flag + ",a=" + encodeName(authz) + ","
}

// A saslname writes "," as "=2C" and "=" as "=3D" (RFC 5802 §5.1).
func encodeName(s string) string {
	return strings.NewReplacer("=", "=3D", ",", "=2C").Replace(s)
}

func decodeName(s string) (string, error) {
	if s == "" || !utf8.ValidString(s) || strings.ContainsAny(s, "\x00,") {
		return "", grammar("bad name")
	}
	var b strings.Builder
	for {
		plain, rest, found := strings.Cut(s, "=")
		b.WriteString(plain)
		switch {
		case !found:
			return b.String(), nil
		case strings.HasPrefix(rest, "2C"):
			b.WriteByte(',')
		case strings.HasPrefix(rest, "3D"):
			b.WriteByte('=')
		default:
			return "", grammar("bad escape in name")
		}
		s = rest[2:]
	}
}

// attributes reads attr-val *("," attr-val) from the left.
type attributes struct {
	rest string
	more bool // an attribute must follow, even an empty one
}

func readAttributes(s string) *attributes { return &attributes{rest: s, more: true} }

func (p *attributes) next() (name byte, value string, err error) {
	if !p.more {
		return 0, "", grammar("attribute missing")
	}
	a, rest, more := strings.Cut(p.rest, ",")
	p.rest, p.more = rest, more
	if len(a) < 3 || a[1] != '=' || !isAlpha(a[:1]) || !utf8.ValidString(a) || strings.Contains(a, "\x00") {
		return 0, "", grammar("bad attribute")
	}
	return a[0], a[2:], nil
}

// take reads the attribute that must come now.
func (p *attributes) take(name byte) (string, error) {
	got, value, err := p.next()
	switch {
	case err != nil:
		return "", err
	case got == 'm': // RFC 5802 §5.1: unknown and mandatory
		return "", grammar("extension not supported")
	case got != name:
		return "", grammar("attribute out of order")
	}
	return value, nil
}

// end passes over extensions, which must be ignored (RFC 5802 §5.1).
func (p *attributes) end() error {
	for p.more {
		if _, _, err := p.next(); err != nil {
			return err
		}
	}
	return nil
}

func isNonce(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c > '~' || c == ',' {
			return false
		}
	}
	return s != ""
}

// decode64 is base64 without the liberties of the standard decoder.
func decode64(s string) ([]byte, error) {
	if strings.ContainsAny(s, "\r\n") {
		return nil, grammar("bad base64")
	}
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil {
		return nil, grammar("bad base64")
	}
	return b, nil
}

func encode64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

type clientFirstMessage struct {
	gs2
	bare        string // what the proof is over
	user, nonce string
}

func parseClientFirst(s string) (m clientFirstMessage, err error) {
	if m.gs2, m.bare, err = parseGS2(s); err != nil {
		return m, err
	}
	p := readAttributes(m.bare)
	name, err := p.take('n')
	if err != nil {
		return m, err
	}
	if m.user, err = decodeName(name); err != nil {
		return m, err
	}
	if m.nonce, err = p.take('r'); err != nil {
		return m, err
	}
	if !isNonce(m.nonce) {
		return m, grammar("bad nonce")
	}
	return m, p.end()
}

type serverFirstMessage struct {
	nonce      string
	salt       []byte
	iterations int
}

func parseServerFirst(s string) (m serverFirstMessage, err error) {
	p := readAttributes(s)
	if m.nonce, err = p.take('r'); err != nil {
		return m, err
	}
	salt, err := p.take('s')
	if err != nil {
		return m, err
	}
	if m.salt, err = decode64(salt); err != nil {
		return m, err
	}
	count, err := p.take('i')
	if err != nil {
		return m, err
	}
	if m.iterations, err = parseCount(count); err != nil || !isNonce(m.nonce) {
		return m, grammar("bad nonce or iteration count")
	}
	return m, p.end()
}

// parseCount reads a posit-number: no sign, no zero in front.
func parseCount(s string) (int, error) {
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil || s[0] < '1' || s[0] > '9' {
		return 0, grammar("bad iteration count")
	}
	return int(n), nil
}

type clientFinalMessage struct {
	binding []byte // c=, decoded
	nonce   string
	proof   []byte
	without string // the message without its proof
}

func parseClientFinal(s string) (m clientFinalMessage, err error) {
	i := strings.LastIndex(s, ",p=") // the proof is last
	if i < 0 {
		return m, grammar("no proof")
	}
	m.without = s[:i]
	if m.proof, err = decode64(s[i+len(",p="):]); err != nil {
		return m, err
	}
	p := readAttributes(m.without)
	c, err := p.take('c')
	if err != nil {
		return m, err
	}
	if m.binding, err = decode64(c); err != nil {
		return m, err
	}
	if m.nonce, err = p.take('r'); err != nil {
		return m, err
	}
	return m, p.end()
}

// parseServerFinal reads the server's signature or its error.
func parseServerFinal(s string) (verifier []byte, failure string, err error) {
	p := readAttributes(s)
	name, value, err := p.next()
	if err != nil {
		return nil, "", err
	}
	switch name {
	case 'e':
		failure = value
	case 'v':
		verifier, err = decode64(value)
	default:
		err = grammar("neither signature nor error")
	}
	if err != nil {
		return nil, "", err
	}
	return verifier, failure, p.end()
}

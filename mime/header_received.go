package mime

import (
	"bytes"
	"iter"
	"net/netip"
	"strings"
	"time"
)

// Received is what a trace field says (RFC 5321 §4.4), as far as the many
// forms in use let it be known. Fields that a server did not write are zero.
type Received struct {
	From     string     // who the client said it is; a name or an address
	FromIP   netip.Addr // where it connected from
	FromHost string     // the name found for that address
	Helo     string     // the name given with HELO, EHLO or LHLO, where From is another
	Greeting string     // "HELO", "EHLO" or "LHLO"
	Ident    string     // the user on the client's side
	By       string     // the server
	Via      string     // the link, such as "TCP"
	With     string     // the protocol, such as "ESMTPS" (RFC 3848); others are left out
	ID       string     // the server's name for the message
	For      string     // the recipient, without angle brackets

	TLSVersion string    // such as "1.3"
	TLSCipher  string    // as the server calls it
	Date       time.Time // zero if there is none that can be read
}

// Received yields the Received fields, the latest first, as they stand.
func (h Header) Received() iter.Seq[Received] {
	return func(yield func(Received) bool) {
		for f := range h.All("Received") {
			if !yield(parseReceived(f.value())) {
				return
			}
		}
	}
}

// A receivedParser reads words, and which clause they stand in. Clauses are
// looked for outside of comments; most of what is worth knowing of the client
// stands inside.
type receivedParser struct {
	b        []byte
	i        int
	comment  int // depth of parentheses
	bracket  int
	inFrom   bool // in the from clause and the comments after it
	fromSeen bool
	date     int // where the text after the last ";" begins, or 0
	r        Received
}

// parseReceived reads a trace field word by word. RFC 5321 §4.4 has a grammar
// for them; hardly any server keeps to it, so words count where they stand.
func parseReceived(value []byte) Received {
	p := receivedParser{b: value}
	for {
		word, sep := p.next()
		if word == nil && sep == 0 {
			break
		}
		if word != nil {
			p.word(word)
		} else if sep == ';' && p.comment == 0 {
			p.date, p.inFrom = p.i, false
		}
	}
	if p.date > 0 {
		p.r.Date, _ = parseDate(value[p.date:])
	}
	return p.r
}

// next reads a word or a separator; both are zero at the end.
func (p *receivedParser) next() (word []byte, sep byte) {
	for p.i < len(p.b) && isSpace(p.b[p.i]) {
		p.i++
	}
	if p.i == len(p.b) {
		return nil, 0
	}
	// Depth is all that is kept of comments and brackets: servers leave both
	// open at times, and what follows counts all the same.
	if n := p.wordLen(); n > 0 {
		p.i += n
		return p.b[p.i-n : p.i], 0
	}
	sep = p.b[p.i]
	p.i++
	switch sep {
	case '(':
		p.comment++
	case ')':
		p.comment = max(p.comment-1, 0)
	case '[':
		p.bracket++
	case ']':
		p.bracket = max(p.bracket-1, 0)
	}
	return nil, sep
}

// wordLen measures the word at p.i. A colon belongs to it only where it may be
// one of an IPv6 address.
func (p *receivedParser) wordLen() int {
	b, hex := p.b[p.i:], true
	for n, c := range b {
		switch {
		case isSpace(c), strings.IndexByte(`()<>[];="/,`, c) >= 0:
			return n
		case c == ':' && (!hex || n == 0 && !bytes.HasPrefix(b[1:], []byte{':'}) || n == 0 && bytes.HasPrefix(b[1:], []byte("::"))):
			return n
		}
		hex = hex && (hexValue[c] < 16 || c == ':' || c == '.')
	}
	return len(b)
}

// word handles one word by the clause it stands in or begins.
func (p *receivedParser) word(w []byte) {
	if p.clause(w) || p.comment > 0 && p.commentClause(w) {
		return
	}
	// An address in brackets is the one the server saw (RFC 5321 §4.1.3); one
	// in a comment is that too, if there is no better.
	if ip, ok := wordIP(w); ok {
		if p.inFrom && (p.bracket > 0 || p.comment > 0 && !p.r.FromIP.IsValid()) {
			p.r.FromIP = ip
		}
		return
	}
	switch {
	case bytes.IndexByte(w, '@') >= 0: // user@host, as an ident server told
		if p.inFrom {
			p.r.Ident = string(bytes.TrimSuffix(w, []byte("@")))
		}
	case p.tls(w):
	case p.inFrom && p.comment > 0 && isHostname(w):
		p.r.FromHost = idText(w)
	}
}

// clause reads what follows a word that begins a clause.
func (p *receivedParser) clause(w []byte) bool {
	switch {
	// The first one only, wherever it stands: "(from bob@localhost)" is how
	// some servers say that mail came from the same host.
	case equalFold(w, "from") && !p.fromSeen:
		p.r.From = p.host("[")
		p.fromSeen, p.inFrom = p.r.From != "", true
	case p.comment > 0:
		return false
	case equalFold(w, "by"):
		if host := p.host("[<"); host != "" {
			p.r.By = host
		}
		p.inFrom = false
	case equalFold(w, "for"):
		// "for" is an English word as well: only an address makes it a clause.
		save := p.i
		if addr := p.host("=<"); strings.IndexByte(addr, '@') >= 0 {
			p.r.For = addr
		} else {
			p.i = save
		}
		p.inFrom = false
	case equalFold(w, "id"):
		if id := p.host("=<[:"); id != "" {
			p.r.ID = id
		}
		p.inFrom = false
	case equalFold(w, "via"):
		if via := p.host("="); via != "" {
			p.r.Via = via
		}
		p.inFrom = false
	case equalFold(w, "with"):
		p.protocol()
		p.inFrom = false
	default:
		return false
	}
	return true
}

// commentClause reads what a comment says about the client.
func (p *receivedParser) commentClause(w []byte) bool {
	switch {
	case equalFold(w, "ident"):
		if ident := p.host("=<[:"); ident != "" {
			p.r.Ident = ident
		}
	case p.inFrom && (equalFold(w, "helo") || equalFold(w, "ehlo") || equalFold(w, "lhlo")):
		p.r.Greeting = strings.ToUpper(string(w))
		if host := p.host("=[:"); host != "" {
			p.r.Helo = host
		}
	default:
		return false
	}
	return true
}

// host reads the word after a clause name, past the separators in skip. Where
// another separator comes first there is none.
func (p *receivedParser) host(skip string) string {
	for {
		save := *p
		word, sep := p.next()
		if word != nil {
			if ip, ok := wordIP(word); ok {
				return ip.String()
			}
			return idText(word)
		}
		if sep == 0 || strings.IndexByte(skip, sep) < 0 {
			*p = save
			return ""
		}
	}
}

// protocol looks for the protocol in a with clause, which may be wordy:
// "with Microsoft SMTP Server".
func (p *receivedParser) protocol() {
	// Words are passed over until one is known, or the clause ends.
	for {
		save := *p
		word, sep := p.next()
		if word == nil && sep == 0 || sep == ';' {
			*p = save
			return
		}
		if name := protocolName(word); name != "" {
			p.r.With = name
			return
		}
		if isClause(word) || tlsVersion(word) != "" {
			*p = save
			return
		}
	}
}

// isClause reports whether a word begins a clause, which ends the one before.
func isClause(w []byte) bool {
	for _, name := range [...]string{"by", "for", "from", "id", "via", "with"} {
		if equalFold(w, name) {
			return true
		}
	}
	return false
}

// protocolName returns the registered name of a protocol (RFC 3848, RFC 8314
// §7.4) for the spellings in use, or "".
func protocolName(w []byte) string {
	if len(w) > 32 {
		return ""
	}
	name := strings.ToUpper(string(w))
	name = strings.TrimPrefix(name, "LOCAL-")
	name = strings.TrimPrefix(name, "ASYNC-")
	switch name {
	case "SMTP", "ESMTP", "ESMTPA", "ESMTPS", "ESMTPSA", "LMTP", "LMTPA", "LMTPS", "LMTPSA",
		"UTF8SMTP", "UTF8SMTPA", "UTF8SMTPS", "UTF8SMTPSA", "UTF8LMTP", "UTF8LMTPA", "UTF8LMTPS", "UTF8LMTPSA",
		"HTTP", "HTTPS", "IMAP", "POP3", "MMS", "LOCAL":
		return name
	case "BSMTP", "SMTPSVC", "SMTPD":
		return "SMTP"
	case "ESMTP-TLS":
		return "ESMTPS"
	case "HTTPREST", "HTTPU":
		return "HTTP"
	}
	return ""
}

// tls takes a word that names a version or a cipher of TLS.
func (p *receivedParser) tls(w []byte) bool {
	if v := tlsVersion(w); v != "" {
		if p.comment > 0 && p.r.TLSVersion == "" {
			p.r.TLSVersion = v
		}
		return true
	}
	if !isCipher(w) {
		return false
	}
	if p.comment > 0 || p.r.TLSCipher == "" {
		p.r.TLSCipher = string(w)
	}
	return true
}

// tlsVersion reads "TLSv1.3", "TLS1_2", "TLS-1.0" or "TLSv1".
func tlsVersion(w []byte) string {
	if len(w) < 4 || len(w) > 8 || !hasPrefixFold(w, "tls") {
		return ""
	}
	rest := strings.TrimLeft(strings.ToLower(string(w[3:])), "v-_ ")
	switch rest {
	case "1", "1.0", "1_0":
		return "1.0"
	case "1.1", "1_1":
		return "1.1"
	case "1.2", "1_2":
		return "1.2"
	case "1.3", "1_3":
		return "1.3"
	}
	return ""
}

// isCipher reports whether a word looks like the name of a cipher suite.
func isCipher(w []byte) bool {
	// DHE-RSA-AES256-GCM-SHA384 in the manner of OpenSSL, or TLS_AES_... as
	// it is registered: capitals and digits, at least two joints, and the name
	// of a mode or a hash. Curves and signatures have fewer joints.
	joints := 0
	for _, c := range w {
		switch {
		case c == '-' || c == '_':
			joints++
		case c >= 'A' && c <= 'Z' || c >= '0' && c <= '9':
		default:
			return false
		}
	}
	if joints < 2 {
		return false
	}
	for _, mark := range [...]string{"SHA", "GCM", "CBC", "POLY1305", "MD5"} {
		if bytes.Contains(w, []byte(mark)) {
			return true
		}
	}
	return false
}

// wordIP reads a word as an address, with a port or a zone after it.
func wordIP(w []byte) (netip.Addr, bool) {
	if len(w) < 2 || len(w) > 64 || hexValue[w[0]] > 15 && w[0] != ':' {
		return netip.Addr{}, false
	}
	ip, err := netip.ParseAddr(string(w))
	if err == nil {
		return ip, true
	}
	if i := bytes.LastIndexByte(w, ':'); i > 0 {
		ip, err = netip.ParseAddr(string(w[:i]))
		return ip, err == nil && ip.Is4()
	}
	return netip.Addr{}, false
}

// isHostname reports whether a word has a dot and a letter.
func isHostname(w []byte) bool {
	letter := false
	for _, c := range w {
		letter = letter || toLower(c) >= 'a' && toLower(c) <= 'z'
	}
	return letter && bytes.IndexByte(w, '.') >= 0
}

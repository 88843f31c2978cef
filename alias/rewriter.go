package alias

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"github.com/postilion-mail/postilion/internal/addr"
	"github.com/postilion-mail/postilion/smtp"
)

// Scheme says how an address was rewritten. "" is not at all.
type Scheme string

const (
	SchemeSRS0 Scheme = "SRS0" // a forwarded sender
	SchemeSRS1 Scheme = "SRS1" // a forwarded sender that another host had rewritten before
	SchemeVERP Scheme = "VERP" // the owner of a list, with the member in it
	SchemeBATV Scheme = "BATV" // a sender of ours, so that only answers to our mail are bounces
)

// Rewriter writes senders so that what comes back can be told from forgeries,
// and reads them again. Every address is signed with HMAC-SHA-256 over all of
// it, and carries its day. It may be used by many goroutines; its fields must
// not change then.
//
// The signature does not depend on the case of the address, since some hosts
// fold it.
type Rewriter struct {
	// Keys are secrets of at least 16 octets. The first signs, all are
	// accepted: put a new one in front, and drop the last after MaxAge.
	Keys [][]byte

	// MaxAge is how long an address is accepted, in whole days, rounded up; 0
	// means 21 days, and 400 is the most.
	MaxAge time.Duration

	Now func() time.Time // nil means time.Now
}

var errKey = errors.New("alias: a Rewriter needs keys of 16 octets or more")

// RewriteError says why an address that looks rewritten is not accepted.
type RewriteError struct {
	Scheme  Scheme
	Expired bool // else it was not signed with a key of ours
}

// Error says which of the two.
func (e *RewriteError) Error() string {
	if e.Expired {
		return "alias: " + string(e.Scheme) + " address expired"
	}
	return "alias: " + string(e.Scheme) + " address with a bad signature"
}

// SMTP refuses for good (RFC 3463 §3.8).
func (e *RewriteError) SMTP() (code int, enhanced, text string) {
	if e.Expired {
		return 550, "5.7.1", "Address expired"
	}
	return 550, "5.7.1", "Address not valid"
}

// SRS rewrites the sender of a message that is forwarded, so that SPF holds at
// the next host and bounces come back here: domain must be ours. The null
// sender and senders in domain stay as they are. A sender that another host
// has rewritten becomes SRS1, which does not grow with further hosts.
//
// The local-part can get longer than the 64 octets that every host must accept
// (RFC 5321 §4.5.3.1.1); most accept more. Over 255 is an error.
func (w *Rewriter) SRS(sender smtp.Path, domain string) (smtp.Path, error) {
	domain = addr.Lower(domain)
	if sender.IsNull() || sender.Domain() == domain || sender.Domain() == "" {
		return sender, nil
	}
	if host, rest, ok := forwarded(sender); ok {
		day := w.day()
		payload := host + "=" + rest
		sig, err := w.sign(SchemeSRS1, domain, day+payload)
		if err != nil {
			return smtp.Path{}, err
		}
		return makePath(string(SchemeSRS1)+"="+day+sig+"="+payload, domain)
	}
	payload := w.day() + "=" + sender.Domain() + "=" + sender.Local()
	sig, err := w.sign(SchemeSRS0, domain, payload)
	if err != nil {
		return smtp.Path{}, err
	}
	return makePath(string(SchemeSRS0)+"="+sig+"="+payload, domain)
}

// forwarded takes apart a sender that another host has rewritten: the host
// that made the SRS0 address, and what stands in it behind "SRS0".
func forwarded(sender smtp.Path) (host, rest string, ok bool) {
	if _, ok := cutScheme(sender.Local(), SchemeSRS0); ok {
		return sender.Domain(), sender.Local()[len(SchemeSRS0):], true
	}
	body, ok := cutScheme(sender.Local(), SchemeSRS1)
	part := strings.SplitN(body, "=", 3) // signature, host, rest
	if !ok || len(part) != 3 || !addr.ValidDomain(part[1]) || part[2] == "" || strings.IndexByte("=+-", part[2][0]) < 0 {
		return "", "", false // only looks like it
	}
	return part[1], part[2], true
}

// VERP writes a member of a list into the sender of its copy, which is tagged
// with "+": owner-team+v…=bob=hamburger.edu@crepes.fr. A [Table] leads it to
// owner-team by itself. A member that does not fit into 64 octets (RFC 5321
// §4.5.3.1.1), or is not ASCII, becomes a digest: [Rewriter.Match] knows whose.
func (w *Rewriter) VERP(owner, member smtp.Path) (smtp.Path, error) {
	if owner.IsNull() || owner.Domain() == "" {
		return smtp.Path{}, errors.New("alias: VERP needs an owner with a domain")
	}
	payload := ""
	if m, ok := member.ToASCII(); ok && m.Domain() != "" {
		if plain := m.Local() + "=" + m.Domain(); len(owner.Local())+1+verpToken+1+len(plain) <= maxLocal {
			payload = plain
		}
	}
	if payload == "" {
		payload = w.opaque(owner, member)
	}
	day := w.day()
	sig, err := w.sign(SchemeVERP, verpContext(owner.Local(), owner.Domain()), day+payload)
	if err != nil {
		return smtp.Path{}, err
	}
	return makePath(owner.Local()+"+v"+day+sig+"="+payload, owner.Domain())
}

const maxLocal = 64 // RFC 5321 §4.5.3.1.1

// opaque stands for a member that cannot be written out. It is keyed, so that
// nobody can try addresses; the domain is empty, which no member's is.
func (w *Rewriter) opaque(owner, member smtp.Path) string {
	if len(w.Keys) == 0 {
		return "="
	}
	return w.opaqueBy(w.Keys[0], owner, member)
}

func (w *Rewriter) opaqueBy(key []byte, owner, member smtp.Path) string {
	sum := digest(key, "member", verpContext(owner.Local(), owner.Domain()), same(member).Address())
	return b32(sum)[:sigLen] + "="
}

func verpContext(local, domain string) string { return local + "@" + domain }

// Match reports whether bounce is a sender that VERP made for this owner and
// member, and is still valid.
func (w *Rewriter) Match(bounce, owner, member smtp.Path) bool {
	orig, payload, scheme, err := w.readVERP(bounce)
	mark := addr.Lower(owner.Local()) + "+v"
	if err != nil || scheme != SchemeVERP || bounce.Domain() != owner.Domain() || !strings.HasPrefix(addr.Lower(bounce.Local()), mark) {
		return false
	}
	if !orig.IsNull() {
		return addr.Lower(same(orig).Address()) == addr.Lower(same(member).Address())
	}
	for _, key := range w.Keys {
		if len(key) >= minKey && hmac.Equal([]byte(addr.Lower(payload)), []byte(w.opaqueBy(key, owner, member))) {
			return true
		}
	}
	return false
}

// verpToken is the length of "v", the day and the signature.
const verpToken = 1 + 2 + sigLen

// BATV signs a sender of ours: prvs=kdddssssss=ann@hamburger.edu, after
// draft-levine-smtp-batv. Mail with the null sender to the address without the
// tag is then no answer to ours. The draft leaves the signature 24 bits: it
// keeps backscatter out, no more.
func (w *Rewriter) BATV(sender smtp.Path) (smtp.Path, error) {
	if sender.IsNull() || sender.Domain() == "" || strings.HasPrefix(addr.Lower(sender.Local()), batvPrefix) {
		return sender, nil
	}
	if len(w.Keys) == 0 || len(w.Keys[0]) < minKey {
		return smtp.Path{}, errKey
	}
	ends := (w.today() + w.maxDays()) % 1000
	tag := batvTag(w.Keys[0], threeDigits(ends), sender)
	return makePath(batvPrefix+tag+"="+sender.Local(), sender.Domain())
}

const batvPrefix = "prvs="

// batvTag is K DDD SSSSSS. K tells keys apart; which has which does not matter
// here, all are tried.
func batvTag(key []byte, day string, p smtp.Path) string {
	sum := digest(key, SchemeBATV, p.Domain(), day+p.Local())
	k := digest(key, SchemeBATV, "", "")[0] % 10
	return string('0'+k) + day + hex.EncodeToString(sum[:3])
}

func threeDigits(n int) string {
	return string([]byte{'0' + byte(n/100%10), '0' + byte(n/10%10), '0' + byte(n%10)})
}

const (
	minKey = 16
	sigLen = 10 // of base32: 50 bits
)

// b32 is written in lower case; case does not count where it is read.
func b32(b []byte) string {
	return addr.Lower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b))
}

// digest signs. The lengths keep one text from being read as another.
func digest(key []byte, scheme Scheme, context, payload string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(string(scheme) + "\x00" + addr.Lower(context) + "\x00" + addr.Lower(payload)))
	return h.Sum(nil)
}

func (w *Rewriter) sign(scheme Scheme, context, payload string) (string, error) {
	if len(w.Keys) == 0 || len(w.Keys[0]) < minKey {
		return "", errKey
	}
	return b32(digest(w.Keys[0], scheme, context, payload))[:sigLen], nil
}

// check verifies a signature by every key, then the day.
func (w *Rewriter) check(scheme Scheme, context, day, payload, sig string) error {
	for _, key := range w.Keys {
		want := b32(digest(key, scheme, context, payload))[:sigLen]
		if len(key) >= minKey && hmac.Equal([]byte(want), []byte(addr.Lower(sig))) {
			if age, ok := w.age(day); !ok || age > w.maxDays() {
				return &RewriteError{scheme, true}
			}
			return nil
		}
	}
	return &RewriteError{Scheme: scheme}
}

func (w *Rewriter) today() int {
	now := time.Now
	if w.Now != nil {
		now = w.Now
	}
	return int(now().Unix() / 86400)
}

func (w *Rewriter) maxDays() int {
	age := cmp.Or(w.MaxAge, 21*24*time.Hour)
	return int(min(max((age+24*time.Hour-1)/(24*time.Hour), 1), 400))
}

const dayDigits = "abcdefghijklmnopqrstuvwxyz234567"

// day is today, in two digits of base32: it comes round after 1,024 days.
func (w *Rewriter) day() string {
	d := w.today() & 1023
	return string([]byte{dayDigits[d>>5], dayDigits[d&31]})
}

// age is the number of days since day. Tomorrow counts as today: clocks differ.
func (w *Rewriter) age(day string) (int, bool) {
	day = addr.Lower(day)
	if len(day) != 2 {
		return 0, false
	}
	hi, lo := strings.IndexByte(dayDigits, day[0]), strings.IndexByte(dayDigits, day[1])
	age := (w.today() - (hi<<5 | lo)) & 1023
	if age == 1023 {
		age = 0
	}
	return age, hi >= 0 && lo >= 0
}

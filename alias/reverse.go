package alias

import (
	"context"
	"crypto/hmac"
	"errors"
	"strconv"
	"strings"

	"github.com/postilion-mail/postilion/internal/addr"
	"github.com/postilion-mail/postilion/smtp"
)

// Reverse gives the address that was rewritten, and how: for SRS0 and BATV the
// sender, for SRS1 the SRS0 address at the host that made it, for VERP the
// member, whose case may have been lost. An address that is none of these
// comes back as it is, with scheme "". The error is a *[RewriteError]: the
// address looks like one of ours, but was not signed by us, or long ago.
//
// A VERP address that holds a digest has scheme VERP and the null path; ask
// [Rewriter.Match] whose it is.
func (w *Rewriter) Reverse(rcpt smtp.Path) (orig smtp.Path, scheme Scheme, err error) {
	local := rcpt.Local()
	if body, ok := cutScheme(local, SchemeSRS0); ok {
		orig, err = w.reverseSRS0(body, rcpt.Domain())
		return orig, SchemeSRS0, err
	}
	if body, ok := cutScheme(local, SchemeSRS1); ok {
		orig, err = w.reverseSRS1(body, rcpt.Domain())
		return orig, SchemeSRS1, err
	}
	if len(local) > len(batvPrefix) && addr.EqualFold(local[:len(batvPrefix)], batvPrefix) {
		orig, err = w.reverseBATV(local[len(batvPrefix):], rcpt.Domain())
		return orig, SchemeBATV, err
	}
	orig, _, scheme, err = w.readVERP(rcpt)
	return orig, scheme, err
}

// cutScheme takes "SRS0" and the separator off a local-part. Hosts write "=",
// "+" or "-" there.
func cutScheme(local string, scheme Scheme) (body string, ok bool) {
	n := len(scheme)
	if len(local) <= n+1 || !addr.EqualFold(local[:n], string(scheme)) || strings.IndexByte("=+-", local[n]) < 0 {
		return "", false
	}
	return local[n+1:], true
}

// reverseSRS0 reads SIG=DAY=host=local.
func (w *Rewriter) reverseSRS0(body, domain string) (smtp.Path, error) {
	sig, payload, _ := strings.Cut(body, "=")
	part := strings.SplitN(payload, "=", 3)
	if len(sig) != sigLen || len(part) != 3 {
		return smtp.Path{}, &RewriteError{Scheme: SchemeSRS0}
	}
	if err := w.check(SchemeSRS0, domain, part[0], payload, sig); err != nil {
		return smtp.Path{}, err
	}
	return orBad(SchemeSRS0, part[2], part[1])
}

// reverseSRS1 reads DAYSIG=host=rest. Others see the day as a part of the
// signature, of which they know only that it is one.
func (w *Rewriter) reverseSRS1(body, domain string) (smtp.Path, error) {
	token, payload, _ := strings.Cut(body, "=")
	host, rest, ok := strings.Cut(payload, "=")
	if len(token) != 2+sigLen || !ok {
		return smtp.Path{}, &RewriteError{Scheme: SchemeSRS1}
	}
	day, sig := token[:2], token[2:]
	if err := w.check(SchemeSRS1, domain, day, day+payload, sig); err != nil {
		return smtp.Path{}, err
	}
	return orBad(SchemeSRS1, string(SchemeSRS0)+rest, host)
}

func (w *Rewriter) reverseBATV(body, domain string) (smtp.Path, error) {
	tag, local, ok := strings.Cut(body, "=")
	bad := &RewriteError{Scheme: SchemeBATV}
	if !ok || len(tag) != 10 {
		return smtp.Path{}, bad
	}
	ends, err := strconv.ParseUint(tag[1:4], 10, 16)
	if err != nil {
		return smtp.Path{}, bad
	}
	p, err := makePath(local, domain)
	if err != nil {
		return smtp.Path{}, bad
	}
	for _, key := range w.Keys {
		if len(key) >= minKey && hmac.Equal([]byte(batvTag(key, tag[1:4], p)), []byte(addr.Lower(tag))) {
			if left := (int(ends) - w.today()%1000 + 1000) % 1000; left > w.maxDays()+1 {
				return smtp.Path{}, &RewriteError{SchemeBATV, true}
			}
			return p, nil
		}
	}
	return smtp.Path{}, bad
}

// readVERP reads owner+vDAYSIG=member=domain. The owner and the member may
// hold "+" and "=", so every cut that looks right is tried; the signature says
// which it is.
func (w *Rewriter) readVERP(rcpt smtp.Path) (orig smtp.Path, payload string, scheme Scheme, err error) {
	for i := 1; i < len(rcpt.Local()); i++ {
		owner, tag := rcpt.Local()[:i], rcpt.Local()[i:]
		if !isVERPTag(tag) {
			continue
		}
		tag = tag[1:]
		day, sig := tag[1:3], tag[3:verpToken]
		scheme, payload = SchemeVERP, tag[verpToken+1:]
		err = w.check(SchemeVERP, verpContext(owner, rcpt.Domain()), day, day+payload, sig)
		if err == nil {
			if local, host, ok := cutLast(payload, '='); ok && host != "" {
				orig, err = orBad(SchemeVERP, local, host)
			}
			return orig, payload, scheme, err
		}
	}
	if scheme == "" {
		return rcpt, "", "", nil
	}
	return smtp.Path{}, "", scheme, err
}

// isVERPTag reports "+v", day, signature, "=".
func isVERPTag(tag string) bool {
	if len(tag) < verpToken+2 || tag[0] != '+' || tag[1]|0x20 != 'v' || tag[verpToken+1] != '=' {
		return false
	}
	for _, c := range []byte(addr.Lower(tag[2 : verpToken+1])) {
		if strings.IndexByte(dayDigits, c) < 0 {
			return false
		}
	}
	return true
}

func cutLast(s string, sep byte) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

// orBad makes the path, and hides why an address that we signed cannot be one:
// a peer learns no more from it than from a forgery.
func orBad(scheme Scheme, local, domain string) (smtp.Path, error) {
	p, err := makePath(local, domain)
	if err != nil {
		return smtp.Path{}, &RewriteError{Scheme: scheme}
	}
	return p, nil
}

// Lookup makes the Rewriter a [Resolver], to stand first in a [Chain]: SRS and
// BATV addresses lead to the sender they hold, forged and old ones are
// refused. VERP addresses are left to those behind it: their bounces are for
// the owner of the list.
func (w *Rewriter) Lookup(_ context.Context, p smtp.Path) (Entry, bool, error) {
	orig, scheme, err := w.Reverse(p)
	if scheme == "" || scheme == SchemeVERP {
		return Entry{}, false, nil
	}
	var bad *RewriteError
	if errors.As(err, &bad) {
		code, enhanced, text := bad.SMTP()
		return Entry{Targets: []Target{{Kind: Refuse, Text: strconv.Itoa(code) + " " + enhanced + " " + text}}}, true, nil
	}
	return Entry{Targets: []Target{{Path: orig}}}, true, nil
}

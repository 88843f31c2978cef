package list

import (
	"errors"
	"html/template"
	"net/http"
	"strings"

	"github.com/postilion-mail/postilion/smtp"
)

// OneClick ends subscriptions by a single POST to the URL that stands in the
// List-Unsubscribe field of each copy (RFC 8058). Serve it at Manager.URL. The
// token in the URL is all that it asks for: no cookie, no login, no redirect. A
// GET changes nothing, since programs that look at mail follow links; it shows a
// button.
func (m *Manager) OneClick() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Referrer-Policy", "no-referrer") // the URL is the key
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "default-src 'none'; form-action 'self'; frame-ancestors 'none'")
		l, who, code := m.click(r)
		switch {
		case code != 0:
			http.Error(w, http.StatusText(code), code)
		case r.Method == http.MethodGet || r.Method == http.MethodHead:
			h.Set("Content-Type", "text/html; charset=utf-8")
			if err := page.Execute(w, map[string]string{"List": l.Address.Address(), "Member": who.Address()}); err != nil {
				m.log().Warn("list: one-click page", "err", err)
			}
		default:
			if _, err := m.unsubscribe(r.Context(), l, who); err != nil {
				m.log().Error("list: one-click", "err", err)
				http.Error(w, http.StatusText(http.StatusServiceUnavailable), http.StatusServiceUnavailable)
				return
			}
			m.log().Info("list: one-click", "list", l.Address.Address(), "member", who.Address())
			http.Error(w, "You have left the mailing list.", http.StatusOK) // plain text
		}
	})
}

// click is what a request asks for; code is not 0 where that is refused.
func (m *Manager) click(r *http.Request) (l *List, who smtp.Path, code int) {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
	case http.MethodPost:
		r.Body = http.MaxBytesReader(nil, r.Body, 64<<10)
		// RFC 8058 §3.2: either encoding of a form.
		if err := r.ParseMultipartForm(64 << 10); err != nil && err != http.ErrNotMultipart {
			return nil, who, http.StatusBadRequest
		}
		if r.PostForm.Get("List-Unsubscribe") != "One-Click" {
			return nil, who, http.StatusBadRequest
		}
	default:
		return nil, who, http.StatusMethodNotAllowed
	}
	token, err := smtp.ParsePath(r.URL.Query().Get("to"))
	if err != nil || m.Rewriter == nil || m.Members == nil {
		return nil, who, http.StatusForbidden
	}
	l, at, ok := m.find(token)
	if !ok || at != leaves || !strings.Contains(token.Local(), "+") {
		return nil, who, http.StatusForbidden
	}
	who, err = m.read(r.Context(), l, m.lasting(), l.at("-leave"), token)
	var refusal interface{ SMTP() (int, string, string) }
	switch {
	case err == nil, errors.Is(err, errGone): // who has left has left
		return l, who, 0
	case errors.As(err, &refusal):
		return nil, who, http.StatusForbidden
	}
	m.log().Error("list: one-click", "err", err)
	return nil, who, http.StatusServiceUnavailable
}

// page is what a person sees who follows the link.
var page = template.Must(template.New("").Parse(`<!DOCTYPE html>
<meta charset="utf-8"><title>Leave {{.List}}</title>
<form method="post"><p>Shall {{.Member}} leave the mailing list {{.List}}?</p>
<button name="List-Unsubscribe" value="One-Click">Leave</button></form>
`))

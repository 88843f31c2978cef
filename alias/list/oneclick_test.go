package list

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const oneClick = "List-Unsubscribe=One-Click"

// leaveURL is the URL in bob's copy.
func leaveURL(t *testing.T, h *house) string {
	require.NoError(t, h.write("zoe", "team", "hi"))
	return h.one().msg.Header().OneClick()
}

// click sends a request and gives the answer.
func click(h *house, method, target, body, contentType string) *http.Response {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	w := httptest.NewRecorder()
	h.OneClick().ServeHTTP(w, r)
	return w.Result()
}

const urlencoded = "application/x-www-form-urlencoded"

func TestOneClick(t *testing.T) {
	for _, name := range []string{"bob", "jürgen", strings.Repeat("long", 15)} {
		h := newHouse(t, name)
		u := leaveURL(t, h)
		for range 2 { // the second time there is nothing to do, and that is fine
			resp := click(h, "POST", u, oneClick, urlencoded)
			assert.Equal(t, 200, resp.StatusCode)
			assert.Empty(t, resp.Header["Set-Cookie"])
			assert.Empty(t, resp.Header["Location"])
			assert.Zero(t, h.state(name))
		}
		assert.Empty(t, h.take(), "the click was the answer")
	}
}

// RFC 8058 §3.2: either encoding of a form.
func TestOneClickMultipart(t *testing.T) {
	h := newHouse(t, "bob")
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	require.NoError(t, w.WriteField("List-Unsubscribe", "One-Click"))
	require.NoError(t, w.Close())
	assert.Equal(t, 200, click(h, "POST", leaveURL(t, h), b.String(), w.FormDataContentType()).StatusCode)
	assert.Zero(t, h.state("bob"))
}

// A program that follows links ends no subscription.
func TestOneClickGet(t *testing.T) {
	h := newHouse(t, "bob")
	for _, method := range []string{"GET", "HEAD"} {
		resp := click(h, method, leaveURL(t, h), "", "")
		assert.Equal(t, 200, resp.StatusCode)
		page, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		if method == "GET" {
			assert.Contains(t, string(page), `<form method="post">`)
			assert.Contains(t, string(page), "bob@hamburger.edu")
		}
		assert.Equal(t, "no-referrer", resp.Header.Get("Referrer-Policy"), "the URL is the key")
		assert.Equal(t, Subscribed, h.state("bob"))
	}
}

func TestOneClickRefuses(t *testing.T) {
	h := newHouse(t, "bob", "eve")
	good := "https://lists.hamburger.edu/leave?to=" + url.QueryEscape(h.token("-leave", "bob"))
	to := func(s string) string { return "https://lists.hamburger.edu/leave?to=" + url.QueryEscape(s) }
	for _, c := range []struct {
		name, method, target, body string
		want                       int
	}{
		{"no body", "POST", good, "", 400},
		{"another body", "POST", good, "List-Unsubscribe=Two-Click", 400},
		{"a body in the URL", "POST", good + "&" + oneClick, "", 400},
		{"a large body", "POST", good, oneClick + strings.Repeat("&x=y", 100_000), 400},
		{"another method", "PUT", good, oneClick, 405},
		{"no token", "POST", "https://lists.hamburger.edu/leave", oneClick, 403},
		{"the address without a token", "POST", to("team-leave@hamburger.edu"), oneClick, 403},
		{"for another member", "POST", to(strings.Replace(h.token("-leave", "bob"), "=bob=", "=eve=", 1)), oneClick, 403},
		{"a token of another role", "POST", to(h.token("-confirm", "bob")), oneClick, 403},
		{"another list", "POST", to(strings.Replace(h.token("-leave", "bob"), "team", "tea", 1)), oneClick, 403},
		{"no path", "POST", to("<<>>"), oneClick, 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			assert.Equal(t, c.want, click(h, c.method, c.target, c.body, urlencoded).StatusCode)
			assert.Equal(t, Subscribed, h.state("bob"))
			assert.Equal(t, Subscribed, h.state("eve"))
		})
	}
	assert.Equal(t, 403, click(&house{Manager: &Manager{}}, "POST", good, oneClick, urlencoded).StatusCode)
	h.Members = brokenMembers{h.store}
	assert.Equal(t, 503, click(h, "POST", good, oneClick, urlencoded).StatusCode)
}

// A page shows text, whatever somebody calls himself.
func TestOneClickPageEscapes(t *testing.T) {
	who := `"<script>alert(1)</script>"@hamburger.edu`
	h := newHouse(t, who)
	resp := click(h, "GET", "https://x.example/?to="+url.QueryEscape(h.token("-leave", who)), "", "")
	page, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	assert.Equal(t, 200, resp.StatusCode, "%s", page)
	assert.NotContains(t, string(page), "<script>")
}

// Without an https URL there is no one-click, and no field that says so.
func TestNoOneClickWithoutURL(t *testing.T) {
	for _, u := range []string{"", "http://lists.hamburger.edu/leave"} {
		h := newHouse(t, "bob")
		h.URL = u
		require.NoError(t, h.write("zoe", "team", "hi"))
		hd := h.one().msg.Header()
		assert.False(t, hd.Has("List-Unsubscribe-Post"), "RFC 8058 §3.1")
		assert.Len(t, hd.ListURLs("List-Unsubscribe"), 1)
	}
	h := newHouse(t, "bob")
	h.URL = "https://lists.hamburger.edu/?do=leave"
	assert.True(t, strings.HasPrefix(leaveURL(t, h), h.URL+"&to="))
}

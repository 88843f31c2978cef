package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func request(query string) url.Values {
	u, err := url.Parse(query)
	if err != nil {
		return url.Values{"no such": nil}
	}
	return u.Query()
}

func TestDetail(t *testing.T) {
	f := start(t)
	require.NoError(t, f.sendText(letter(t), "bob@hamburger.edu", "hidden@hamburger.edu"))
	var d detail
	f.get("/api/messages/1", &d)
	assert.Equal(t, "The minutes", d.Subject)
	assert.Equal(t, `Alice <alice@crepes.fr>`, strings.ReplaceAll(d.Author, `"`, ""))
	assert.Equal(t, []string{"bob@hamburger.edu", "hidden@hamburger.edu"}, d.To, "the envelope, with Bcc")
	assert.Equal(t, "See https://app.example/minutes.\r\n", d.Text)
	assert.Contains(t, d.HTML, "cid:dot@crepes.fr", "as it was sent")
	assert.Equal(t, []string{"https://app.example/minutes", "https://app.example/minutes?a=1&b=2"}, d.Links)
	assert.True(t, d.HasHTML)
	assert.NotNil(t, d.Date)
	assert.NotEmpty(t, d.MessageID)
	require.Len(t, d.Parts, 2)
	names := map[string]attachment{}
	for _, p := range d.Parts {
		names[p.Name] = p
	}
	res, body := f.do("GET", fmt.Sprintf("/api/messages/1/parts/%d", names["minutes.txt"].Part))
	assert.Equal(t, "agreed", strings.TrimSpace(body))
	assert.Equal(t, "application/octet-stream", res.Header.Get("Content-Type"))
	assert.Equal(t, "attachment; filename=minutes.txt", res.Header.Get("Content-Disposition"))
	res, body = f.do("GET", fmt.Sprintf("/api/messages/1/parts/%d", names["dot.png"].Part))
	assert.Equal(t, string(dot), body)
	assert.Equal(t, "image/png", res.Header.Get("Content-Type"))
	assert.Equal(t, "nosniff", res.Header.Get("X-Content-Type-Options"))
	_, body = f.do("GET", "/api/messages/1/html")
	assert.Contains(t, body, fmt.Sprintf(`<img src="/api/messages/1/parts/%d"`, names["dot.png"].Part))
	assert.NotContains(t, body, "cid:")
	for _, path := range []string{"/api/messages/2", "/api/messages/x", "/api/messages/1/parts/0", "/api/messages/1/parts/99", "/api/messages/1/parts/-1", "/api/nothing", "/nothing"} {
		res, _ := f.do("GET", path)
		assert.Equal(t, 404, res.StatusCode, path)
	}
}

func TestDelete(t *testing.T) {
	f := start(t)
	for _, to := range []string{"bob@x.example", "bob@x.example", "carol@x.example"} {
		require.NoError(t, f.send("for "+to, to))
	}
	_, body := f.do("DELETE", "/api/messages/1")
	assert.JSONEq(t, `{"deleted":1}`, body)
	res, _ := f.do("DELETE", "/api/messages/1")
	assert.Equal(t, 404, res.StatusCode)
	assert.Len(t, f.inbox("bob@x.example"), 1)
	res, _ = f.do("DELETE", "/api/messages?too=bob")
	assert.Equal(t, 400, res.StatusCode, "a slip deletes nothing")
	_, body = f.do("DELETE", "/api/messages?to=bob")
	assert.JSONEq(t, `{"deleted":1}`, body)
	assert.Equal(t, []string{"for carol@x.example"}, f.list(""))
	f.do("DELETE", "/api/messages")
	assert.Empty(t, f.list(""))
	assert.Empty(t, f.inbox("all"))
	require.NoError(t, f.send("again", "bob@x.example"))
	assert.Equal(t, []string{"again"}, f.inbox("bob@x.example"))
}

// A wait ends with the message, whether it is there already or still to come.
func TestWait(t *testing.T) {
	f := start(t)
	require.NoError(t, f.send("first", "bob@x.example"))
	var d detail
	f.get("/api/wait?to=bob@x.example&timeout=0s", &d)
	assert.Equal(t, "first", d.Subject)
	type result struct {
		status int
		body   string
	}
	done := make(chan result, 1)
	go func() {
		res, body := f.do("GET", "/api/wait?to=bob&after=1&subject=second&timeout=20s")
		done <- result{res.StatusCode, body}
	}()
	require.NoError(t, f.send("not this", "bob@x.example"))
	require.NoError(t, f.send("second", "bob@x.example"))
	got := <-done
	require.Equal(t, 200, got.status, got.body)
	require.NoError(t, json.Unmarshal([]byte(got.body), &d))
	assert.Equal(t, "second", d.Subject)
	res, body := f.do("GET", "/api/wait?to=nobody&timeout=10ms")
	assert.Equal(t, 404, res.StatusCode)
	assert.Contains(t, body, "no such message came")
	for _, bad := range []string{"timeout=soon", "timeout=-1s", "timeout=11m", "user=bob"} {
		res, _ := f.do("GET", "/api/wait?"+bad)
		assert.Equal(t, 400, res.StatusCode, bad)
	}
}

// eventStream reads server-sent events.
type eventStream struct {
	t *testing.T
	r *bufio.Reader
}

func (f *fake) events(query string, header ...string) *eventStream {
	r, err := http.NewRequestWithContext(f.t.Context(), "GET", f.url+"/api/events"+query, nil)
	require.NoError(f.t, err)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(r)
	require.NoError(f.t, err)
	f.t.Cleanup(func() { res.Body.Close() })
	require.Equal(f.t, "text/event-stream", res.Header.Get("Content-Type"))
	return &eventStream{f.t, bufio.NewReader(res.Body)}
}

func (s *eventStream) next() (name, id, data string) {
	s.t.Helper()
	for {
		line, err := s.r.ReadString('\n')
		require.NoError(s.t, err)
		k, v, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch k {
		case "event":
			name = v
		case "id":
			id = v
		case "data":
			data = v
		case "":
			return name, id, data
		}
	}
}

func TestEvents(t *testing.T) {
	f := start(t, "-keep", "2")
	require.NoError(t, f.send("one", "bob@x.example"))
	require.NoError(t, f.send("two", "bob@x.example"))
	s := f.events("?after=1")
	name, _, data := s.next()
	assert.Equal(t, "state", name)
	var st, later state
	require.NoError(t, json.Unmarshal([]byte(data), &st))
	assert.Equal(t, int64(1), st.Oldest)
	name, id, data := s.next()
	assert.Equal(t, []string{"message", "2"}, []string{name, id})
	assert.Contains(t, data, `"subject":"two"`)
	require.NoError(t, f.send("three", "bob@x.example"))
	name, _, data = s.next()
	require.Equal(t, "state", name, "the oldest went")
	require.NoError(t, json.Unmarshal([]byte(data), &later))
	assert.Equal(t, state{st.Epoch, 2}, later)
	name, id, _ = s.next()
	assert.Equal(t, []string{"message", "3"}, []string{name, id})
	f.do("DELETE", "/api/messages/2")
	name, _, data = s.next()
	require.Equal(t, "state", name)
	require.NoError(t, json.Unmarshal([]byte(data), &later))
	assert.NotEqual(t, st.Epoch, later.Epoch, "a message was deleted")
	// A browser that connects again gets what it has missed.
	s = f.events("?after=0", "Last-Event-ID", "2")
	s.next()
	_, id, _ = s.next()
	assert.Equal(t, "3", id)
}

func TestWaitingIsBounded(t *testing.T) {
	s := &site{world: testWorld(t, 1, 1<<20), timeout: time.Minute}
	s.handler()
	for range maxWaiting {
		_, err := s.take()
		require.NoError(t, err)
	}
	_, err := s.take()
	assert.ErrorContains(t, err, "too many")
}

// TestDNSRebinding: a name of somebody else that leads to this machine opens
// nothing, whatever is asked.
func TestDNSRebinding(t *testing.T) {
	f := start(t)
	require.NoError(t, f.send("secret", "bob@x.example"))
	for _, host := range []string{"evil.example", "evil.example:8025", "127.0.0.1.evil.example", "localhost.evil.example", "192.0.2.1", "0.0.0.0", "[::]", "localhost:1;script-src", "localhost:", "[::1"} {
		for _, path := range []string{"/", "/api/messages", "/api/messages/1/html", "/api/ca.pem"} {
			res, body := f.do("GET", path, "Host", host)
			assert.Equal(t, 421, res.StatusCode, host+path)
			assert.NotContains(t, body, "secret")
		}
	}
	for _, host := range []string{"localhost", "LOCALHOST:1", "127.0.0.1", "127.1.2.3:80", "[::1]", "[::1]:8025"} {
		res, _ := f.do("GET", "/api/messages", "Host", host)
		assert.Equal(t, 200, res.StatusCode, host)
	}
}

// Nothing takes a body, and nothing waits for one.
func TestNoBodies(t *testing.T) {
	f := start(t)
	r, err := http.NewRequestWithContext(t.Context(), "DELETE", f.url+"/api/messages", strings.NewReader("to=bob"))
	require.NoError(t, err)
	res, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer res.Body.Close()
	assert.Equal(t, 413, res.StatusCode)
	re, _ := f.do("POST", "/api/messages")
	assert.Equal(t, 405, re.StatusCode)
}

// A request may wait for longer than any other step of HTTP may take.
func TestLongWait(t *testing.T) {
	if os.Getenv("POSTILION_LONG") == "" {
		t.Skip("takes 35 seconds: POSTILION_LONG=1")
	}
	f := start(t)
	begun := time.Now()
	res, body := f.do("GET", "/api/wait?timeout=35s")
	assert.Equal(t, 404, res.StatusCode, body)
	assert.GreaterOrEqual(t, time.Since(begun), 35*time.Second)
}

// TestCrossOriginWrites: other web sites cannot delete, and cannot read either.
func TestCrossOriginWrites(t *testing.T) {
	f := start(t)
	require.NoError(t, f.send("keep me", "bob@x.example"))
	for _, h := range [][]string{
		{"Origin", "http://evil.example"}, {"Origin", "null"}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "http://localhost:1"},
	} {
		res, _ := f.do("DELETE", "/api/messages", h...)
		assert.Equal(t, 403, res.StatusCode, h)
	}
	assert.Len(t, f.list(""), 1)
	res, _ := f.do("GET", "/api/messages", "Origin", "http://evil.example")
	assert.Empty(t, res.Header.Get("Access-Control-Allow-Origin"))
	assert.Equal(t, "same-origin", res.Header.Get("Cross-Origin-Resource-Policy"))
	res, _ = f.do("DELETE", "/api/messages", "Origin", f.url)
	assert.Equal(t, 200, res.StatusCode, "the page may")
}

func TestPageHeaders(t *testing.T) {
	f := start(t)
	res, body := f.do("GET", "/")
	assert.Contains(t, body, "<title>fakemail</title>")
	policy := res.Header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"} {
		assert.Contains(t, policy, want)
	}
	assert.NotContains(t, policy, "unsafe")
	assert.NotContains(t, body, "style=", "the policy would ignore it")
	for _, file := range []string{"/app.js", "/style.css"} {
		res, _ := f.do("GET", file)
		assert.Equal(t, 200, res.StatusCode)
		assert.Equal(t, "nosniff", res.Header.Get("X-Content-Type-Options"))
	}
	_, pem := f.do("GET", "/api/ca.pem")
	assert.Contains(t, pem, "BEGIN CERTIFICATE")
	assert.NotContains(t, pem, "PRIVATE")
}

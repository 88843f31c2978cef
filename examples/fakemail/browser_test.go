package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// browser is a headless Chromium, spoken to by the DevTools protocol over a pair
// of pipes: JSON, with a NUL behind each message. One goroutine uses it.
type browser struct {
	t       *testing.T
	in      *bufio.Reader
	out     io.Writer
	session string // of the page
	id      int
	loaded  int // pages, so far
}

func chromium(t *testing.T) *browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("chromium is not installed")
	}
	if testing.Short() {
		t.Skip("a browser is not short")
	}
	toRead, toWrite, err := os.Pipe()
	require.NoError(t, err)
	fromRead, fromWrite, err := os.Pipe()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	cmd := exec.CommandContext(ctx, path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=1280,800", "--user-data-dir="+t.TempDir(), "--remote-debugging-pipe", "about:blank")
	cmd.ExtraFiles = []*os.File{toRead, fromWrite} // its 3 and 4
	require.NoError(t, cmd.Start())
	toRead.Close()
	fromWrite.Close()
	b := &browser{t: t, in: bufio.NewReaderSize(fromRead, 1<<20), out: toWrite}
	t.Cleanup(func() {
		_, _ = io.WriteString(toWrite, `{"id":1000000,"method":"Browser.close"}`+"\x00")
		_, _ = io.Copy(io.Discard, b.in) // until it is gone, or killed by ctx
		_ = cmd.Wait()
		cancel()
		toWrite.Close()
		fromRead.Close()
	})
	return b
}

// page opens a page for one test.
func (b *browser) page(t *testing.T) {
	b.t, b.session = t, ""
	var target struct{ TargetID string }
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct{ SessionID string }
	b.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	b.session = attached.SessionID
	b.call("Page.enable", nil, nil)
}

// TestBrowser has one browser for its tests, since its start takes the longest.
func TestBrowser(t *testing.T) {
	b := chromium(t)
	t.Run("sees mail arrive", func(t *testing.T) { seesMailArrive(t, b) })
	t.Run("is safe from mail", func(t *testing.T) { isSafeFromMail(t, b) })
}

// call sends a command and reads up to its answer; events are passed over.
func (b *browser) call(method string, params, result any) {
	b.t.Helper()
	b.id++
	msg := map[string]any{"id": b.id, "method": method}
	if params != nil {
		msg["params"] = params
	}
	if b.session != "" {
		msg["sessionId"] = b.session
	}
	text, err := json.Marshal(msg)
	require.NoError(b.t, err)
	_, err = b.out.Write(append(text, 0))
	require.NoError(b.t, err)
	for {
		answer := b.read()
		if answer.ID != b.id {
			continue
		}
		require.Nil(b.t, answer.Error, "%s: %+v", method, answer.Error)
		if result != nil {
			require.NoError(b.t, json.Unmarshal(answer.Result, result))
		}
		return
	}
}

// devToolsMessage is what the browser says: an answer, or an event.
type devToolsMessage struct {
	ID     int
	Method string
	Error  *struct{ Message string }
	Result json.RawMessage
}

func (b *browser) read() (m devToolsMessage) {
	b.t.Helper()
	line, err := b.in.ReadBytes(0)
	require.NoError(b.t, err, "the browser is gone")
	require.NoError(b.t, json.Unmarshal(line[:len(line)-1], &m))
	if m.Method == "Page.loadEventFired" {
		b.loaded++
	}
	return m
}

// load goes to another page and waits until it is there with all it needs.
func (b *browser) load(url string) {
	b.t.Helper()
	before := b.loaded
	b.call("Page.navigate", map[string]any{"url": url}, nil)
	for b.loaded == before {
		b.read()
	}
}

// eval gives the value of an expression, or of the promise it is, as JSON.
func (b *browser) eval(expression string) string {
	b.t.Helper()
	var r struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *struct {
			Text      string
			Exception struct{ Description string }
		}
	}
	b.call("Runtime.evaluate", map[string]any{"expression": expression, "awaitPromise": true, "returnByValue": true}, &r)
	require.Nil(b.t, r.ExceptionDetails, "%s: %+v", expression, r.ExceptionDetails)
	return string(r.Result.Value)
}

// until waits in the page for an expression to be true, for a minute at most.
func (b *browser) until(expression string) {
	b.t.Helper()
	got := b.eval(`new Promise((done) => { const end = Date.now() + 60000; const look = () => {
		let v = false; try { v = ` + expression + `; } catch {}
		if (v) done("yes"); else if (Date.now() > end) done(document.body ? document.body.innerText : "no body"); else setTimeout(look, 20); }; look(); })`)
	require.Equal(b.t, `"yes"`, got, expression)
}

func (b *browser) press(key string) {
	b.call("Input.dispatchKeyEvent", map[string]any{"type": "keyDown", "key": key, "text": text(key)}, nil)
	b.call("Input.dispatchKeyEvent", map[string]any{"type": "keyUp", "key": key}, nil)
}

// text is what a key types; the names of keys type nothing.
func text(key string) string {
	if len(key) == 1 {
		return key
	}
	return ""
}

func (b *browser) open(url string) {
	b.t.Helper()
	b.load(url)
	b.until(`document.getElementById("live").className === "on"`)
}

// shoot saves a picture where POSTILION_SCREENSHOTS names a folder, for people
// who work on the page.
func (b *browser) shoot(name string) {
	dir := os.Getenv("POSTILION_SCREENSHOTS")
	if dir == "" {
		return
	}
	for _, scheme := range []string{"light", "dark"} {
		b.call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
		var shot struct{ Data string }
		b.call("Page.captureScreenshot", map[string]any{"format": "png"}, &shot)
		png, err := base64.StdEncoding.DecodeString(shot.Data)
		require.NoError(b.t, err)
		require.NoError(b.t, os.WriteFile(fmt.Sprintf("%s/%s-%s.png", dir, name, scheme), png, 0o600))
	}
}

// The page shows messages as they come, in all their views, by mouse and keys.
func seesMailArrive(t *testing.T, b *browser) {
	f := start(t, "-keep", "4")
	b.page(t)
	b.open(f.url + "/")
	b.until(`document.title === "fakemail" && count.textContent === "0 messages"`)
	b.shoot("empty")
	require.NoError(t, f.sendText(letter(t), "bob@hamburger.edu"))
	b.until(`list.children.length === 1 && list.innerText.includes("The minutes")`)
	require.NoError(t, f.send("Pancakes on Friday", "carol@hamburger.edu", "bob@hamburger.edu"))
	b.until(`list.children.length === 2 && list.children[0].innerText.includes("Pancakes on Friday") && document.title === "fakemail (2)"`)

	b.press("j") // the newest
	b.until(`subject.textContent === "Pancakes on Friday" && panel.innerText.includes("At noon?")`)
	assert.Equal(t, "true", b.eval(`document.getElementById("tab-html").disabled`))
	b.shoot("text")
	b.press("j") // the one before, which has HTML
	b.until(`subject.textContent === "The minutes" && document.activeElement.innerText.includes("The minutes")`)
	b.press("2")
	b.until(`panel.dataset.view === "html" && panel.querySelector("iframe").getAttribute("sandbox") === ""`)
	b.press("3")
	b.until(`panel.dataset.view === "header" && panel.innerText.includes("Message-ID")`)
	b.press("4")
	b.until(`panel.dataset.view === "parts" && panel.querySelector("a[download='minutes.txt']") !== null`)
	b.shoot("parts")
	b.press("5")
	b.until(`panel.dataset.view === "source" && panel.innerText.startsWith("Return-Path: <alice@crepes.fr>")`)
	b.eval(`document.getElementById("tab-text").click()`)
	b.until(`panel.dataset.view === "text" && location.hash === "#1/text" && panel.innerText.trim() === "See https://app.example/minutes."`)
	assert.Equal(t, `"https://app.example/minutes"`, b.eval(`panel.querySelector("a[rel='noopener noreferrer']").href`))

	b.press("/")
	for _, c := range "pancakes" {
		b.press(string(c))
	}
	b.until(`list.children.length === 1 && count.textContent === "1 of 2 found"`)
	b.press("Escape")
	b.until(`list.children.length === 2`)

	// The oldest go while one looks, and one that is open closes.
	for i := range 4 {
		require.NoError(t, f.send(fmt.Sprintf("more %d", i), "bob@hamburger.edu"))
	}
	b.until(`list.children.length === 4 && list.children[3].innerText.includes("more 0") && message.hidden`)
	res, _ := f.do("DELETE", "/api/messages/6")
	require.Equal(t, 200, res.StatusCode)
	b.until(`list.children.length === 3 && list.children[0].innerText.includes("more 2")`)
	b.eval(`document.getElementById("clear").click()`)
	b.until(`list.children.length === 0`)
	assert.Empty(t, f.list(""))
	require.NoError(t, f.send("after the clearing", "bob@hamburger.edu"))
	b.until(`list.children.length === 1`)
}

// tracker counts what is loaded from elsewhere.
func tracker(t *testing.T) (url string, hits *atomic.Int64) {
	hits = new(atomic.Int64)
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	t.Cleanup(s.Close)
	return s.URL, hits
}

// HTML in a message runs nothing, loads nothing from elsewhere and leads the
// frame nowhere, but shows the images that came with it; and a subject is text.
func isSafeFromMail(t *testing.T, b *browser) {
	f := start(t)
	url, hits := tracker(t)
	b.page(t)
	attack := strings.ReplaceAll(`<html><head><meta http-equiv="refresh" content="0;url=URL/refresh"><base href="URL/base/"><link rel="stylesheet" href="URL/css">
<style>@import "URL/import"; body { background: url(URL/background) }</style></head>
<body onload="fetch('/api/messages',{method:'DELETE'})"><h1>Your account</h1><p>A letter with an image of its own:</p>
<img id=own src="cid:dot@crepes.fr" width=40 height=40><img src="URL/img"><img src=x onerror="new Image().src='URL/onerror'">
<script>fetch('/api/messages',{method:'DELETE'});new Image().src='URL/script';top.document.title='taken'</script>
<iframe src="URL/frame"></iframe><object data="URL/object"></object><video src="URL/video" autoplay></video>
<form action="URL/form"><input autofocus onfocus="this.form.submit()"><button>Go</button></form><svg onload="alert(1)"></svg></body></html>`, "URL", url)
	require.NoError(t, f.sendText("From: \"<img src="+url+"/from>\" <a@b.example>\nSubject: <img src="+url+"/subject onerror=alert(1)>\nMIME-Version: 1.0\nContent-Type: multipart/related; boundary=b\n\n--b\nContent-Type: text/html\n\n"+
		attack+"\n--b\nContent-Type: image/png\nContent-ID: <dot@crepes.fr>\nContent-Transfer-Encoding: base64\n\n"+base64.StdEncoding.EncodeToString(dot)+"\n--b--\n", "bob@x.example"))
	b.open(f.url + "/#1/html")
	b.until(`panel.dataset.view === "html"`)
	// The image of the message is loaded: the frame has been parsed by then.
	b.until(`performance.getEntriesByType("resource").some((e) => e.name.endsWith("/api/messages/1/html"))`)
	b.shoot("html")
	// The same by itself, where the sandbox is that of the answer.
	b.load(f.url + "/api/messages/1/html")
	assert.Equal(t, "1", b.eval(`document.getElementById("own").naturalWidth`), "its image is there")
	assert.Equal(t, `"null"`, b.eval(`self.origin`), "an origin of its own")
	b.open(f.url + "/#1/html")
	b.until(`panel.dataset.view === "html" && subject.textContent.startsWith("<img")`)
	assert.Equal(t, `"fakemail (1)"`, b.eval(`document.title`))
	assert.Zero(t, hits.Load(), "nothing was loaded from elsewhere")
	assert.Len(t, f.list(""), 1, "nothing was deleted")
}

package main

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"strconv"
	"time"
)

//go:embed page
var files embed.FS

// maxWait is the longest that a request for a message waits.
const maxWait = 10 * time.Minute

// maxWaiting is how many requests may wait at the same time, events included.
const maxWaiting = 200

// writeTime is how long a client may take for what it was sent.
const writeTime = 30 * time.Second

// site is the world over HTTP.
type site struct {
	world   *world
	ca      []byte // PEM
	timeout time.Duration
	waiting chan struct{}
}

// run serves l until ctx ends; without l it only waits.
func (s *site) run(ctx context.Context, l net.Listener) error {
	if l == nil {
		<-ctx.Done()
		return nil
	}
	server := &http.Server{
		Handler: s.handler(), BaseContext: func(net.Listener) context.Context { return ctx },
		// No ReadTimeout: it would end the requests that wait, too.
		ReadHeaderTimeout: writeTime, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	// Those who wait have ctx, too, and are on their way out.
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if server.Shutdown(grace) != nil {
		server.Close()
	}
	<-done
	return nil
}

// handler is the table of what can be asked.
func (s *site) handler() http.Handler {
	s.waiting = make(chan struct{}, maxWaiting)
	mux := http.NewServeMux()
	for pattern, f := range map[string]func(http.ResponseWriter, *http.Request) error{
		"GET /api/messages":                s.list,
		"DELETE /api/messages":             s.clear,
		"GET /api/messages/{id}":           s.one,
		"DELETE /api/messages/{id}":        s.drop,
		"GET /api/messages/{id}/source":    s.source,
		"GET /api/messages/{id}/html":      s.html,
		"GET /api/messages/{id}/parts/{n}": s.part,
		"GET /api/wait":                    s.wait,
		"GET /api/events":                  s.events,
		"GET /api/ca.pem":                  s.authority,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := f(w, r); err != nil {
				fail(w, err)
			}
		})
	}
	page, err := fs.Sub(files, "page")
	if err == nil { // the folder is in the program
		mux.Handle("GET /", s.page(http.FileServerFS(page)))
	}
	return guard(http.NewCrossOriginProtection().Handler(mux))
}

// guard keeps other web sites away: by the Host they cannot choose, where they
// have had their own name lead to this machine (DNS rebinding), and by headers
// that make a browser see no more in an answer than it says. Reading across
// origins is what a browser forbids by itself, as nothing here allows it; writing
// is what CrossOriginProtection forbids.
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		h.Set("X-DNS-Prefetch-Control", "off")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		if !ours(r.Host) {
			fail(w, &httpError{http.StatusMisdirectedRequest, "the Host is not a loopback one"})
			return
		}
		soon := time.Now().Add(writeTime)
		deadlines := http.NewResponseController(w)
		_ = deadlines.SetWriteDeadline(soon) // a recorder of a test has none
		if r.ContentLength != 0 {            // nothing here takes a body, and none is waited for
			_ = deadlines.SetReadDeadline(soon)
			fail(w, &httpError{http.StatusRequestEntityTooLarge, "no request here has a body"})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// ours reports a Host header that names this machine, with or without a port. It
// goes into a policy later, so it must be nothing else.
func ours(host string) bool {
	if name, port, err := net.SplitHostPort(host); err == nil {
		_, err := strconv.ParseUint(port, 10, 16)
		return err == nil && loopback(name)
	}
	if n := len(host); n > 1 && host[0] == '[' && host[n-1] == ']' {
		host = host[1 : n-1]
	}
	return loopback(host)
}

// page serves the embedded files: the page may run its own script, speak to this
// server, and frame it, and nothing else.
func (s *site) page(next http.Handler) http.Handler {
	const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; frame-src 'self'; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", policy)
		w.Header().Set("Cross-Origin-Opener-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

// httpError is an error with a status.
type httpError struct {
	code int
	text string
}

func (e *httpError) Error() string { return e.text }

var errNone = &httpError{http.StatusNotFound, "no such message"}

func fail(w http.ResponseWriter, err error) {
	e, ok := errors.AsType[*httpError](err)
	if !ok {
		e = &httpError{http.StatusInternalServerError, err.Error()}
	}
	answer(w, e.code, map[string]string{"error": e.text})
}

// answer writes JSON. A client that is gone is nobody's fault.
func answer(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cross-Origin-Resource-Policy", "same-origin")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v)
}

// filter reads the filter of a request.
func (s *site) filter(r *http.Request, more ...string) (filter, error) {
	f, err := filterOf(r.URL.Query(), more...)
	if err != nil {
		return f, &httpError{http.StatusBadRequest, err.Error()}
	}
	return f, nil
}

func (s *site) list(w http.ResponseWriter, r *http.Request) error {
	f, err := s.filter(r)
	if err != nil {
		return err
	}
	found, st, _ := s.world.look(f)
	messages := make([]summary, len(found))
	for i, e := range found {
		messages[i] = e.summary
	}
	answer(w, http.StatusOK, struct {
		Messages []summary `json:"messages"`
		State    state     `json:"state"`
	}{messages, st})
	return nil
}

func (s *site) clear(w http.ResponseWriter, r *http.Request) error {
	f, err := s.filter(r)
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, map[string]int{"deleted": s.world.remove(f)})
	return nil
}

// entry is the message that a path names.
func (s *site) entry(r *http.Request) (*entry, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil || id < 1 {
		return nil, errNone
	}
	if e := s.world.find(id); e != nil {
		return e, nil
	}
	return nil, errNone
}

func (s *site) one(w http.ResponseWriter, r *http.Request) error {
	e, err := s.entry(r)
	if err == nil {
		answer(w, http.StatusOK, describe(e))
	}
	return err
}

func (s *site) drop(w http.ResponseWriter, r *http.Request) error {
	e, err := s.entry(r)
	if err == nil {
		answer(w, http.StatusOK, map[string]int{"deleted": s.world.remove(filter{id: e.ID})})
	}
	return err
}

// source is text, whatever the message is: no browser must take it for more.
func (s *site) source(w http.ResponseWriter, r *http.Request) error {
	e, err := s.entry(r)
	if err == nil {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cross-Origin-Resource-Policy", "same-origin")
		_, _ = w.Write(e.source)
	}
	return err
}

func (s *site) authority(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/x-pem-file")
	_, _ = w.Write(s.ca)
	return nil
}

// take holds a place among those who wait; the caller gives it back.
func (s *site) take() (release func(), err error) {
	select {
	case s.waiting <- struct{}{}:
		return func() { <-s.waiting }, nil
	default:
		return nil, &httpError{http.StatusServiceUnavailable, "too many requests are waiting"}
	}
}

// wait answers with the first message of a filter, as soon as there is one.
func (s *site) wait(w http.ResponseWriter, r *http.Request) error {
	f, err := s.filter(r, "timeout")
	if err != nil {
		return err
	}
	d := 30 * time.Second
	if v := r.URL.Query().Get("timeout"); v != "" {
		if d, err = time.ParseDuration(v); err != nil || d < 0 || d > s.timeout {
			return &httpError{http.StatusBadRequest, fmt.Sprintf("timeout: a time such as 30s, %v at most", s.timeout)}
		}
	}
	release, err := s.take()
	if err != nil {
		return err
	}
	defer release()
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		found, _, changed := s.world.look(f)
		if len(found) > 0 {
			answerLate(w, http.StatusOK, describe(found[0]))
			return nil
		}
		select {
		case <-changed:
		case <-timer.C:
			answerLate(w, http.StatusNotFound, map[string]string{"error": fmt.Sprintf("no such message came within %v", d)})
			return nil
		case <-r.Context().Done():
			return &httpError{http.StatusServiceUnavailable, "the server stops"}
		}
	}
}

// answerLate answers a request that has waited: its time to write begins now.
func answerLate(w http.ResponseWriter, code int, v any) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTime))
	answer(w, code, v)
}

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// heartbeat is how often a silent stream of events says that it is alive, so
// that a client that is gone is found out.
const heartbeat = 15 * time.Second

// events sends what happens from now on: "state" when the list must be read again
// or its oldest messages are gone, and at the start; "message" for each message
// behind the ID of ?after, or behind the last that the client saw.
func (s *site) events(w http.ResponseWriter, r *http.Request) error {
	f, err := s.filter(r)
	if err != nil {
		return err
	}
	if last := r.Header.Get("Last-Event-ID"); last != "" { // sent when a browser connects again
		if f.after, err = strconv.ParseInt(last, 10, 64); err != nil {
			return &httpError{http.StatusBadRequest, "Last-Event-ID: not an ID"}
		}
	}
	release, err := s.take()
	if err != nil {
		return err
	}
	defer release()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cross-Origin-Resource-Policy", "same-origin")
	out := &stream{w: w, flush: http.NewResponseController(w)}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	var told state
	for {
		found, st, changed := s.world.look(f)
		if st != told {
			out.send("state", 0, st)
			told = st
		}
		for _, e := range found {
			out.send("message", e.ID, e.summary)
			f.after = e.ID
		}
		if out.end() != nil {
			return nil
		}
		select {
		case <-changed:
		case <-beat.C:
			out.print(":\n\n")
		case <-r.Context().Done():
			return nil
		}
	}
}

// stream writes events; the first error ends it. Each write has its own time.
type stream struct {
	w     http.ResponseWriter
	flush *http.ResponseController
	err   error
}

// send writes one event. JSON has no line break in it.
func (s *stream) send(name string, id int64, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		s.err = err
		return
	}
	if id > 0 {
		s.print(fmt.Sprintf("id: %d\n", id))
	}
	s.print(fmt.Sprintf("event: %s\ndata: %s\n\n", name, b))
}

func (s *stream) print(text string) {
	if s.err != nil {
		return
	}
	_ = s.flush.SetWriteDeadline(time.Now().Add(writeTime))
	_, s.err = s.w.Write([]byte(text))
}

func (s *stream) end() error {
	if s.err == nil {
		s.err = s.flush.Flush()
	}
	return s.err
}

package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"iqgateway/observability"
)

const (
	pathEvents = "/api/v1/events"

	maxWatchers = 16
	// watchFor is how long one stream lasts: a token that was taken back shows
	// nothing beyond it. Who watches asks again.
	watchFor = 10 * time.Minute
	// eventTimeout is how long a watcher may take to read an event.
	eventTimeout = 10 * time.Second
)

// watchPlaces bounds how many streams there are, and ends them.
type watchPlaces struct {
	places chan struct{}
	ended  chan struct{}
	once   *sync.Once
}

func newWatchPlaces() watchPlaces {
	return watchPlaces{places: make(chan struct{}, maxWatchers), ended: make(chan struct{}), once: new(sync.Once)}
}

// end ends all streams, those that begin later too.
func (s watchPlaces) end() { s.once.Do(func() { close(s.ended) }) }

// stream sends the overview until the watcher leaves or the replica ends. It
// takes no goroutine beside the request's own.
func (o *overviewAdmin) stream(w http.ResponseWriter, r *http.Request) {
	select {
	case o.places <- struct{}{}:
		defer func() { <-o.places }()
	default:
		w.Header().Set("Retry-After", strconv.Itoa(int(askAgain.Seconds())))
		observability.WriteProblem(w, http.StatusServiceUnavailable,
			fmt.Sprintf("%d others watch this replica, and no more may; %s shows the same once", maxWatchers, pathOverview))
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // proxies that read it pass events on at once
	if r.Method == http.MethodHead {
		return
	}
	events := eventWriter{w, http.NewResponseController(w)}
	// The server bounds how long it reads a request: here that would end the answer.
	_ = events.control.SetReadDeadline(time.Time{})
	hello := []byte(`{"may_change":` + strconv.FormatBool(observability.MayChange(r.Context())) + `}`)
	if events.write("hello", hello) != nil {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), watchFor)
	defer cancel()
	for {
		text, next, err := o.current(ctx)
		if err == nil {
			err = events.write("overview", text)
		}
		if err != nil || !o.pause(ctx, next.Sub(o.now())) {
			return
		}
	}
}

// pause waits; false = the stream ends.
func (o *overviewAdmin) pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
	case <-o.ended:
	}
	return false
}

// eventWriter writes server-sent events.
type eventWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

// write sends one event, whose data is one line.
func (e eventWriter) write(name string, data []byte) error {
	_ = e.control.SetWriteDeadline(time.Now().Add(eventTimeout))
	if _, err := fmt.Fprintf(e.w, "event: %s\ndata: %s\n\n", name, data); err != nil {
		return err
	}
	return e.control.Flush()
}

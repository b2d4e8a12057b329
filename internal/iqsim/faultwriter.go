package iqsim

import (
	"net/http"
	"strconv"
)

// faultWriter is the ResponseWriter below the dresser when faults strike at
// the header or the body of the answer.
type faultWriter struct {
	http.ResponseWriter
	request *http.Request
	faults  []Fault
	sent    int64 // bytes of the body
	length  int64 // of the body, -1 when unknown
}

// trickle is the size of the pieces in which a body with latency goes out.
const trickle = 1024

// unknownCut is where a body of unknown length is cut by default.
const unknownCut = 1024

// WriteHeader sends the header; a truncated body is promised longer.
func (w *faultWriter) WriteHeader(status int) {
	if status < 200 {
		w.ResponseWriter.WriteHeader(status)
		return
	}
	w.length = -1
	if n, err := strconv.ParseInt(w.Header().Get("Content-Length"), 10, 64); err == nil {
		w.length = n
	}
	for _, f := range w.faults {
		if f.Kind == FaultTruncate {
			w.promise(f)
		}
	}
	w.ResponseWriter.WriteHeader(status)
	for _, f := range w.faults {
		if f.At == AtHeaders {
			_ = http.NewResponseController(w.ResponseWriter).Flush() // a client that left is the aim
			w.strike(f)
		}
	}
	if w.length == 0 { // no Write will come
		w.strikeBody(0)
	}
}

// promise makes the header say that more comes than will.
func (w *faultWriter) promise(f Fault) {
	if f.Chunked || w.length < 0 {
		w.Header().Del("Content-Length")
		return
	}
	w.Header()["Content-Length"] = []string{strconv.FormatInt(w.length+1000, 10)}
}

// Write sends p, cut into pieces where a fault says so.
func (w *faultWriter) Write(p []byte) (int, error) {
	done := 0
	for done < len(p) {
		n := w.piece(len(p) - done)
		if n > 0 {
			m, err := w.ResponseWriter.Write(p[done : done+n])
			done += m
			w.sent += int64(m)
			if err != nil {
				return done, err
			}
		}
		w.strikeBody(len(p) - done)
	}
	return done, nil
}

// piece returns how much of n bytes may go out before the next fault.
func (w *faultWriter) piece(n int) int {
	for _, f := range w.faults {
		if f.At != AtBody {
			continue
		}
		if f.Kind == FaultLatency {
			n = min(n, trickle)
		} else if left := w.cut(f) - w.sent; left >= 0 {
			n = int(min(int64(n), left))
		}
	}
	return n
}

// cut returns after how many bytes a fault at body strikes.
func (w *faultWriter) cut(f Fault) int64 {
	switch {
	case f.Bytes > 0:
		return f.Bytes
	case w.length >= 0:
		return w.length / 2
	}
	return unknownCut
}

// strikeBody lets the faults at body strike that are due.
func (w *faultWriter) strikeBody(left int) {
	for i, f := range w.faults {
		if f.At != AtBody {
			continue
		}
		if f.Kind == FaultLatency {
			_ = http.NewResponseController(w.ResponseWriter).Flush()
			if left > 0 {
				w.pause(f)
			}
			continue
		}
		if w.sent >= w.cut(f) {
			w.faults[i].At = "" // once
			_ = http.NewResponseController(w.ResponseWriter).Flush()
			w.strike(f)
		}
	}
}

// strike lets one fault happen, with the header out.
func (w *faultWriter) strike(f Fault) {
	switch f.Kind {
	case FaultLatency, FaultStall:
		w.pause(f)
	case FaultReset:
		resetConnection(w.ResponseWriter)
	case FaultTruncate:
		panic(http.ErrAbortHandler)
	}
}

func (w *faultWriter) pause(f Fault) { pauseFor(w.request, f) }

// Unwrap gives [http.ResponseController] the connection.
func (w *faultWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

package proxy

import (
	"net/http"
	"sync/atomic"
)

// lastAnswer has an HTTP/1 connection end with its answer, if the lame duck has
// begun when that does: the request may be much older.
type lastAnswer struct {
	http.ResponseWriter

	lame  *atomic.Bool
	begun bool // the final header is written
}

// WriteHeader implements http.ResponseWriter.
func (a *lastAnswer) WriteHeader(status int) {
	if status >= http.StatusOK {
		a.begin()
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (a *lastAnswer) Write(p []byte) (int, error) {
	a.begin()
	return a.ResponseWriter.Write(p)
}

// FlushError serves http.ResponseController.
func (a *lastAnswer) FlushError() error {
	a.begin()
	return http.NewResponseController(a.ResponseWriter).Flush()
}

// Unwrap serves http.ResponseController.
func (a *lastAnswer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// begin decides, once, just before the final header is written.
func (a *lastAnswer) begin() {
	if a.begun {
		return
	}
	a.begun = true
	if a.lame.Load() {
		a.Header().Set("Connection", "close")
	}
}

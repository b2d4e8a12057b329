package cache_test

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"
)

// TestFetchesLeaveNothingBehind: however one ends, the cache does not remember it
// until it is closed.
func TestFetchesLeaveNothingBehind(t *testing.T) {
	rule := everything()
	rule.StaleWhileRevalidate = time.Hour
	s := newStack(t, stackOptions{rule: rule, origin: func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Etag", `"1"`)
		switch r.URL.Path {
		case "/v1/stored":
			_, _ = io.WriteString(w, "text")
		case "/v1/confirmed":
			if r.Header.Get("If-None-Match") != "" {
				w.WriteHeader(http.StatusNotModified)
			}
		case "/v1/alone":
			w.Header().Set("Cache-Control", "no-store")
			_, _ = io.WriteString(w, "text")
		case "/v1/large":
			_, _ = w.Write(make([]byte, 2<<20))
		case "/v1/failed":
			w.WriteHeader(http.StatusInternalServerError)
		case "/v1/cut":
			w.Header().Set("Content-Length", "20000")
			_, _ = w.Write(make([]byte, 10000))
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		case "/v1/broken":
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = io.WriteString(w, "no gzip")
		case "/v1/unreachable":
			panic(http.ErrAbortHandler)
		}
	}})
	watching := s.nodes[0].cache.Watch()
	for _, path := range []string{"stored", "confirmed", "alone", "large", "failed", "cut", "broken", "unreachable"} {
		for range 2 { // once more when it is stale: in the background, where it was stored
			s.get("/v1/"+path, "Accept-Encoding: gzip")
			s.pass(2 * time.Minute)
		}
		eventually(t, fmt.Sprint(path, " leaves nothing"), func() bool { return watching() == 0 })
	}
}

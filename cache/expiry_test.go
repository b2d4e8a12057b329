package cache_test

import (
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"iqgateway/cache"
)

// TestAFetchThatTakesTooLong: those who wait for a fetch that never ends get 504,
// although the stages below call its end that of a caller.
func TestAFetchThatTakesTooLong(t *testing.T) {
	s := newStack(t, stackOptions{
		service: cache.Service{FetchTimeout: 50 * time.Millisecond},
		origin:  func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "late") },
		wrap: func(http.RoundTripper) http.RoundTripper {
			return tripper(func(r *http.Request) (*http.Response, error) {
				<-r.Context().Done()
				return nil, errors.New("the caller has gone")
			})
		},
	})
	s.get("/v1/a").want(t, http.StatusGatewayTimeout, "upstream-timeout\n", "")
}

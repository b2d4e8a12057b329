package proxy_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// panicWriter panics when the header is written.
type panicWriter struct{ *httptest.ResponseRecorder }

func (panicWriter) WriteHeader(int) { panic("at the header") }

// closedBody counts how often it is closed.
type closedBody struct {
	io.Reader
	closed *atomic.Int64
}

func (b closedBody) Close() error {
	b.closed.Add(1)
	return nil
}

// REL-37: a panic between the answer's header and the end of its body closes the
// answer: the upstream's slot, the breaker's permit and the connection come back
// with that.
func TestREL37APanicClosesTheAnswer(t *testing.T) {
	up := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(up.Close)
	for name, tt := range map[string]struct {
		body io.Reader
		w    func(*httptest.ResponseRecorder) http.ResponseWriter
	}{
		"at the header":   {strings.NewReader("x"), func(w *httptest.ResponseRecorder) http.ResponseWriter { return panicWriter{w} }},
		"inside the body": {&panicBody{strings.NewReader("some")}, func(w *httptest.ResponseRecorder) http.ResponseWriter { return w }},
	} {
		t.Run(name, func(t *testing.T) {
			var closed atomic.Int64
			g := newGate(t, up.URL, func(g *gate) {
				g.Between = func(r *http.Request, _ http.RoundTripper) (*http.Response, error) {
					return &http.Response{
						StatusCode: http.StatusOK, Header: http.Header{}, Request: r, ContentLength: -1,
						Body: closedBody{tt.body, &closed},
					}, nil
				}
			})
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/svc/x", nil)
			r.RequestURI = "/svc/x"
			func() {
				defer func() {
					if recover() == nil {
						t.Error("no panic")
					}
				}()
				g.Config.Handler.ServeHTTP(tt.w(httptest.NewRecorder()), r)
			}()
			if closed.Load() == 0 {
				t.Error("the answer is still open")
			}
			_ = g.finished(t)
		})
	}
}

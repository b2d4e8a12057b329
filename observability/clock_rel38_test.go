package observability_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"iqgateway/internal/clocktest"
	"iqgateway/observability"
)

// REL-38: a request takes as long as the monotonic clock says, never less than
// nothing, though the wall clock is set while it runs.
func TestREL38DurationsAreMonotonic(t *testing.T) {
	for name, jump := range clocktest.Jumps() {
		clock, sink := clocktest.New(), &syncBuffer{}
		logger, err := observability.NewLogger(sink, observability.LogOptions{Level: slog.LevelDebug})
		if err != nil {
			t.Fatal(err)
		}
		stage := observability.Observe(observability.ObserveOptions{Replica: "r1", Logger: logger, Now: clock.Now})
		stage(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			clock.Step(jump)
			clock.Pass(1500 * time.Millisecond)
		})).ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
		lines := sink.lines(t)
		if len(lines) != 1 || lines[0]["duration_ms"] != 1500.0 {
			t.Errorf("%s: %v", name, lines)
		}
	}
}

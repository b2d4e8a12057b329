package limiter

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"iqgateway/internal/clocktest"
	"iqgateway/internal/exchange"
)

// sixty answers as an upstream whose window of ten has a minute to run.
type sixty struct{ reset string }

// RoundTrip implements [http.RoundTripper].
func (s sixty) RoundTrip(r *http.Request) (*http.Response, error) {
	exchange.From(r.Context()).Attempts++
	h := http.Header{}
	h.Set(fieldLimit, "10")
	h.Set(fieldRemaining, "9")
	h.Set(fieldReset, s.reset)
	h.Set(fieldResetSeconds, "60")
	return &http.Response{StatusCode: http.StatusOK, Header: h, Body: io.NopCloser(strings.NewReader("{}"))}, nil
}

// REL-38: a window lasts for as long as the upstream has said, by the monotonic
// clock, whatever becomes of the wall clock, and whatever the upstream's shows.
func TestREL38WindowsLastAsTheUpstreamSays(t *testing.T) {
	for name, jump := range clocktest.Jumps() {
		t.Run(name, func(t *testing.T) {
			clock := clocktest.New()
			upstream := sixty{ResetUS.Format(clock.Now().Add(-jump))} // its clock is off as well
			l := New(Options{Now: clock.Now, Replica: "a"})
			t.Cleanup(func() { _ = l.Close(context.Background()) })
			key := Key{Environment: "production", Service: "crm", Policy: "authenticated", Counted: "c"}
			set, err := l.Use([]Bucket{{Key: key, Settings: patient()}})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(set.Release)
			stage := set.Stage(StageOptions{Bucket: func(*exchange.Exchange) (Key, bool) { return key, true }})(upstream)
			askOnce(t, stage)
			opens := func(least, most time.Duration) {
				t.Helper()
				v := l.all()[0].status(t.Context()).Here
				if !v.Known || v.Opens < least || v.Opens > most || v.Remaining > 9 {
					t.Errorf("known %t, %d left, opens in %s, want %s to %s", v.Known, v.Remaining, v.Opens, least, most)
				}
			}
			opens(59*time.Second, 62*time.Second)
			clock.Step(jump)
			opens(59*time.Second, 62*time.Second)
			clock.Pass(30 * time.Second)
			opens(29*time.Second, 32*time.Second)
			clock.Step(-jump)
			opens(29*time.Second, 32*time.Second)
		})
	}
}

func askOnce(t *testing.T, stage http.RoundTripper) {
	t.Helper()
	ex := &exchange.Exchange{
		Caller: &exchange.Caller{Name: "pos"}, Class: "interactive",
		Target: &exchange.Target{Environment: "production", Service: "crm", Policy: "authenticated"},
	}
	r, err := http.NewRequestWithContext(exchange.With(t.Context(), ex), http.MethodGet, "https://crm.example/", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := stage.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
}

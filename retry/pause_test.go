package retry

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"iqgateway/internal/exchange"
)

// died is a read that was lost with a connection that had served before.
func died(bool) error {
	return exchange.Refuse(exchange.UpstreamUnreachable, "no answer").Because(&attemptError{kind: KindLost, kept: true})
}

// What was lost with an old connection is repeated at once, but only one time,
// and within the budget like everything else.
func TestOldConnectionsCostNoPause(t *testing.T) {
	const pause = baseWait / 2 // before the first repetition; twice that before the second
	for name, c := range map[string]struct {
		steps  []step
		budget float64
		took   time.Duration
		status int
		result Result
	}{
		"one old connection":         {[]step{failing(died), status(200)}, 1, 0, 200, ResultAnswered},
		"two of them":                {[]step{failing(died), failing(died), status(200)}, 2, 2 * pause, 200, ResultAnswered},
		"a new one":                  {[]step{failing(lost), status(200)}, 1, pause, 200, ResultAnswered},
		"a new one, then an old":     {[]step{failing(lost), failing(died), status(200)}, 2, pause, 200, ResultAnswered},
		"an old one, then an answer": {[]step{failing(died), after(503, "1"), status(200)}, 2, time.Second + 2*pause, 200, ResultAnswered},
		"no budget":                  {[]step{failing(died), status(200)}, 0, 0, 0, ResultBudget},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := defaults()
				s.Budget = c.budget
				start := time.Now()
				stage := staged(t, Options{Random: func() float64 { return 0.5 }}, s, &below{do: in(c.steps...)})
				status, ex, _ := get().send(t, stage)
				if took := time.Since(start); took != c.took || status != c.status || ex.RetryResult != string(c.result) {
					t.Errorf("%d after %s, %q; want %d after %s, %q", status, took, ex.RetryResult, c.status, c.took, c.result)
				}
			})
		})
	}
	write := put()
	synctest.Test(t, func(t *testing.T) { // a promise that it may be repeated holds for old connections too
		next := &below{do: in(failing(died), status(200))}
		if code, _, err := write.send(t, staged(t, Options{}, defaults(), next)); code != http.StatusOK || next.bodies[1] != write.body {
			t.Errorf("%d, %v, %q", code, err, next.bodies)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		next := &below{do: in(failing(died), status(200))}
		if _, ex, err := post().send(t, staged(t, Options{}, defaults(), next)); err == nil || next.attempts != 1 || ex.RetryResult != string(ResultUnsafe) {
			t.Errorf("a write was sent %d times: %v", next.attempts, err)
		}
	})
}

// A caller that leaves during the pause frees everything at once: what the
// attempt held, its goroutine, and what the repetition was to cost.
func TestCallerLeavesDuringThePause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const patience = 70 * time.Millisecond
		var open atomic.Int32
		s := defaults()
		s.Budget = 0.1
		set, err := New(Options{}).Use([]Upstream{{Key: crm, Settings: s}})
		if err != nil {
			t.Fatal(err)
		}
		defer set.Release()
		stage := set.Stage(StageOptions{Kind: kindOf})(tripper(func(*http.Request) (*http.Response, error) {
			open.Add(1)
			return &http.Response{
				StatusCode: http.StatusServiceUnavailable, Header: http.Header{"Retry-After": {"5"}},
				Body: &onClose{http.NoBody, func() { open.Add(-1) }},
			}, nil
		}))
		for range 5 { // each would take the only repetition that there is
			req, ex := get().request(t)
			ctx, leave := context.WithCancel(req.Context())
			time.AfterFunc(patience, func() {
				if open.Load() != 0 {
					t.Error("the answer is held during the pause")
				}
				leave()
			})
			start := time.Now()
			_, err := stage.RoundTrip(req.WithContext(ctx))
			if took := time.Since(start); took != patience || !errors.Is(err, context.Canceled) {
				t.Errorf("%v after %s", err, took)
			}
			if ex.RetryResult != string(ResultLeft) || ex.Retries != 0 || ex.Problem != nil {
				t.Errorf("%q, %d retries, %v", ex.RetryResult, ex.Retries, ex.Problem)
			}
			if spent := set.upstreams[crm].shared.sum; spent.repeats != 0 {
				t.Errorf("%d repetitions are booked that nobody made", spent.repeats)
			}
		}
		synctest.Wait() // what is left running would be found here
	})
}

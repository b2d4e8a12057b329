package limiter

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"iqgateway/internal/exchange"
)

// pausing is an upstream that asks for three seconds in its second answer.
func pausing() *origin {
	return &origin{
		limit: 1000, window: time.Minute,
		status: func(n int64) int {
			if n == 2 {
				return http.StatusServiceUnavailable
			}
			return 0
		},
		header: func(n int64, h http.Header) {
			if n == 2 {
				h.Set("Retry-After", "3")
			}
		},
	}
}

// An upstream that asks for three seconds gets three seconds: nobody is told to
// wait for the end of a window that has enough left.
func TestAPauseIsNotTheRestOfTheWindow(t *testing.T) {
	for name, w := range map[string]want{
		"it must not wait":        {noWait: true},
		"it may wait two seconds": {class: "interactive"},
		"its time ends before":    {class: "batch"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, patient(), pausing(), nil, func(r *rig) {
				r.mustSend(1, want{})
				if status, _, err := r.send(want{}); status != http.StatusServiceUnavailable {
					r.Fatal(status, err)
				}
				<-time.After(10 * time.Millisecond) // the fleet has heard of it
				ctx, cancel := r.Context(), context.CancelFunc(func() {})
				if w.class == "batch" {
					ctx, cancel = context.WithTimeout(ctx, time.Second)
				}
				defer cancel()
				_, _, err := r.send(want{class: w.class, noWait: w.noWait, ctx: ctx})
				p := r.refusal(err)
				if p.Type != exchange.QuotaExceeded || p.RetryAfter < 2*time.Second || p.RetryAfter > 4*time.Second {
					r.Errorf("told to come again in %s: %s", p.RetryAfter, p.Detail)
				}
				if opens, _ := p.Extra["opens_in_seconds"].(int64); opens > 3 || !strings.Contains(p.Detail, "has asked to wait") {
					r.Errorf("told: %s", p.Detail)
				}
			})
		})
	}
}

// Who may wait for longer than the pause waits for no more than that.
func TestAPauseIsWaitedFor(t *testing.T) {
	bubble(t, patient(), pausing(), nil, func(r *rig) {
		r.mustSend(1, want{})
		_, _, _ = r.send(want{})
		<-time.After(10 * time.Millisecond)
		ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
		defer cancel()
		since := time.Now()
		r.mustSend(1, want{class: "batch", ctx: ctx})
		if waited := time.Since(since); waited < 2*time.Second || waited > 4*time.Second {
			r.Errorf("it waited for %s", waited)
		}
	})
}

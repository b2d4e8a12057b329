package limiter

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"iqgateway/internal/exchange"
)

// outsiders spend the rest of the window behind our back, so that the next
// request meets a 429.
func outsiders(o *origin) { o.stranger(o.limit) }

func TestUpstreams429IsTriedAgain(t *testing.T) {
	tests := map[string]struct {
		want   want
		again  bool
		header func(n int64, h http.Header)
	}{
		"a read":                 {want{class: "batch"}, true, nil},
		"a write without a body": {want{class: "batch", method: http.MethodDelete}, true, nil},
		"a body that can be read again": {
			want{class: "batch", method: http.MethodPost, body: strings.NewReader("order")}, true, nil,
		},
		"a body that cannot": {
			want{class: "batch", method: http.MethodPost, body: io.MultiReader(strings.NewReader("order"))}, false, nil,
		},
		"no time to wait": {want{class: "interactive"}, false, nil},
		"no attempt left": {want{class: "batch", most: 1}, false, nil},
		"one is left":     {want{class: "batch", most: 2}, true, nil},
		"must not wait":   {want{class: "batch", noWait: true}, false, nil},
		"a hidden limit": {want{class: "batch"}, false, func(n int64, h http.Header) {
			if n == 2 {
				h.Set(fieldRemaining, "3")
			}
		}},
		"no quota fields": {want{class: "batch"}, false, func(n int64, h http.Header) {
			if n == 2 {
				for name := range h {
					delete(h, name)
				}
			}
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			o := &origin{limit: 10, window: 20 * time.Second, header: tt.header}
			bubble(t, patient(), o, nil, func(r *rig) {
				r.mustSend(1, want{})
				outsiders(o)
				before := time.Now()
				resp, ex, err := r.open(tt.want)
				if err != nil {
					r.Fatal(err)
				}
				body, err := io.ReadAll(resp.Body)
				if err != nil || resp.Body.Close() != nil {
					r.Fatal(err)
				}
				if tt.again {
					if resp.StatusCode != http.StatusOK || ex.QuotaSource != "" || ex.Attempts != 2 {
						r.Errorf("%d after %d attempts, source %q", resp.StatusCode, ex.Attempts, ex.QuotaSource)
					}
					if waited := time.Since(before); waited < 10*time.Second || ex.QuotaWait != waited {
						r.Errorf("after %s, of which %s were waited", waited, ex.QuotaWait)
					}
				} else if resp.StatusCode != http.StatusTooManyRequests || string(body) != "rate limit exceeded" || ex.QuotaSource != exchange.QuotaUpstream || ex.Attempts != 1 {
					r.Errorf("%d %q after %d attempts, source %q", resp.StatusCode, body, ex.Attempts, ex.QuotaSource)
				}
				if tt.want.body != nil && o.bodies[len(o.bodies)-1] != "order" {
					r.Errorf("the upstream got %q", o.bodies)
				}
				if want := map[bool]int{true: 1}[tt.again]; r.log.repeated != want {
					r.Errorf("%d repetitions reported, want %d", r.log.repeated, want)
				}
			})
		})
	}
}

// One repetition in a hundred: a limit that nobody sees is not hit twice as hard.
func TestRetryBudget(t *testing.T) {
	var b retryBudget
	if !b.spend() || b.spend() {
		t.Fatal("a fresh budget allows one")
	}
	for range 2 * retryCost {
		b.earn()
	}
	if got := drained(&b); got != 2 {
		t.Errorf("200 answers allow %d, want 2", got)
	}
	for range 100 * retryCost {
		b.earn()
	}
	if got := drained(&b); got != 11 {
		t.Errorf("%d are saved up, want 11", got)
	}
}

func drained(b *retryBudget) (n int) {
	for b.spend() {
		n++
	}
	return n
}

func TestKindsOf429(t *testing.T) {
	reset := func(at time.Time, remaining string) func(http.Header) {
		return func(h http.Header) {
			h.Set(fieldReset, ResetUS.Format(at))
			h.Set(fieldRemaining, remaining)
		}
	}
	tests := map[string]struct {
		change func(now time.Time) func(http.Header)
		want   RefusedKind
	}{
		"of the current window": {func(time.Time) func(http.Header) { return func(http.Header) {} }, RefusedUnexpected},
		"tokens are left":       {func(time.Time) func(http.Header) { return func(h http.Header) { h.Set(fieldRemaining, "4") } }, RefusedHidden},
		"without fields": {func(time.Time) func(http.Header) {
			return func(h http.Header) {
				for name := range h {
					delete(h, name)
				}
			}
		}, RefusedHidden},
		"of an older window": {func(now time.Time) func(http.Header) {
			return reset(now.Truncate(time.Minute), "0")
		}, RefusedLate},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			o := &origin{limit: 10, window: time.Minute}
			o.header = func(n int64, h http.Header) {
				if n == 2 {
					tt.change(time.Now())(h)
				}
			}
			bubble(t, patient(), o, nil, func(r *rig) {
				r.mustSend(1, want{})
				outsiders(o)
				status, _, err := r.send(want{class: "interactive"})
				if err != nil || tt.want != RefusedLate && status != http.StatusTooManyRequests {
					r.Fatal(status, err)
				}
				<-time.After(2 * time.Second)
				if r.log.refused[tt.want] == 0 || tt.want == RefusedHidden && len(r.log.refused) != 1 {
					r.Errorf("counted as %v, want %s", r.log.refused, tt.want)
				}
			})
		})
	}
}

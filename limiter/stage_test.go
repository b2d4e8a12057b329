package limiter

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"iqgateway/internal/exchange"
)

func TestOneTokenPerAttempt(t *testing.T) {
	o := &origin{limit: 100, window: time.Minute}
	bubble(t, patient(), o, nil, func(r *rig) {
		r.mustSend(30, want{})
		if own := r.own(); own < 30 || own > 30+maxPrefetch(30) {
			r.Errorf("the fleet has taken %d tokens for 30 attempts", own)
		}
		<-time.After(3 * time.Second) // unspent ones go back
		r.mustSend(1, want{})
		if own := r.own(); own != 31 {
			r.Errorf("the fleet has taken %d tokens for 31 attempts", own)
		}
		if sent, refused, _ := o.tally(); sent != 31 || refused != 0 {
			r.Errorf("%d attempts, %d refused", sent, refused)
		}
	})
}

// maxPrefetch is how many tokens may be held ahead of n requests a second.
func maxPrefetch(n int64) int64 { return max(1, n) }

func TestTokenGoesBackIfNothingWasSent(t *testing.T) {
	unsent := func(outcome exchange.Outcome) error {
		p := exchange.Refuse(exchange.UpstreamUnreachable, "no connection")
		p.Outcome = outcome
		return p
	}
	tests := map[string]struct {
		err  error
		back bool
	}{
		"a problem says so":      {unsent(exchange.NotExecuted), true},
		"its cause says so":      {exchange.Refuse(exchange.UpstreamUnreachable, "").Because(unsentError{true}), true},
		"its cause says other":   {exchange.Refuse(exchange.UpstreamUnreachable, "").Because(unsentError{false}), false},
		"its fate is unknown":    {unsent(exchange.OutcomeUnknown), false},
		"nothing is said":        {unsent(exchange.OutcomeNone), false},
		"any other error":        {errors.New("connection reset"), false},
		"the caller was gone":    {context.Canceled, false},
		"gone before it was out": {unsentError{true}, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			o := &origin{limit: 10, window: time.Minute}
			o.before = func(n int64) error {
				if n > 1 && n <= 6 {
					return tt.err
				}
				return nil
			}
			bubble(t, patient(), o, nil, func(r *rig) {
				r.mustSend(1, want{})
				for range 5 {
					if _, _, err := r.send(want{}); !errors.Is(err, tt.err) {
						r.Fatalf("the error became %v", err)
					}
				}
				<-time.After(3 * time.Second)
				r.mustSend(1, want{})
				spent := int64(7)
				if tt.back {
					spent = 2
				}
				if own := r.own(); own != spent {
					r.Errorf("%d tokens are spent, want %d", own, spent)
				}
				if back := r.log.returned; back != int(7-spent) {
					r.Errorf("%d tokens were reported back", back)
				}
			})
		})
	}
}

// unsentError is how a stage below tells what it has sent.
type unsentError struct{ unsent bool }

func (unsentError) Error() string       { return "broken" }
func (n unsentError) NothingSent() bool { return n.unsent }

func TestNoRequestWaitsInVain(t *testing.T) {
	o := &origin{limit: 10, window: time.Minute}
	bubble(t, patient(), o, nil, func(r *rig) {
		r.mustSend(10, want{})
		before := time.Now()
		_, ex, err := r.send(want{class: "interactive"})
		p := r.refusal(err)
		if time.Since(before) > 0 {
			r.Errorf("it took %s to say so", time.Since(before))
		}
		opens := time.Until(before.Truncate(time.Minute).Add(time.Minute))
		if p.Type != exchange.QuotaExceeded || p.RetryAfter < opens || p.RetryAfter > opens+4*time.Second {
			r.Errorf("%s, Retry-After %s, the window opens in %s", p.Type, p.RetryAfter, opens)
		}
		if ex.QuotaResult != string(ReasonETA) || ex.QuotaSource != exchange.QuotaGateway || ex.QuotaBucket != "production/crm/authenticated" {
			r.Errorf("the exchange says %q %q %q", ex.QuotaResult, ex.QuotaSource, ex.QuotaBucket)
		}
		for _, part := range []string{"production/crm/authenticated", "(10 per window)", "pos 10", "opens again in", "Nothing was sent"} {
			if !strings.Contains(p.Detail, part) {
				r.Errorf("the detail does not tell %q: %s", part, p.Detail)
			}
		}
		if policies, _ := p.Extra["violated-policies"].([]string); len(policies) != 1 || policies[0] != "crm-authenticated" {
			r.Errorf("violated-policies: %v", p.Extra["violated-policies"])
		}
		if sent, _, _ := o.tally(); sent != 10 {
			r.Errorf("%d attempts", sent)
		}
	})
}

func TestRequestWaitsForTheWindow(t *testing.T) {
	o := &origin{limit: 10, window: 10 * time.Second}
	bubble(t, patient(), o, nil, func(r *rig) {
		r.mustSend(10, want{class: "batch"})
		before := time.Now()
		status, ex, err := r.send(want{class: "batch"})
		waited := time.Since(before)
		opens := before.Truncate(10 * time.Second).Add(10 * time.Second).Sub(before)
		if err != nil || status != http.StatusOK || waited < opens || waited > opens+3*time.Second {
			r.Errorf("%d %v after %s; the window opened after %s", status, err, waited, opens)
		}
		if ex.QuotaResult != exchange.QuotaWaited || ex.QuotaWait != waited {
			r.Errorf("the exchange says %q, %s", ex.QuotaResult, ex.QuotaWait)
		}
		if _, refused, most := o.tally(); refused != 0 || most > 10 {
			r.Errorf("%d refused, %d in a window", refused, most)
		}
	})
}

func TestNoWait(t *testing.T) {
	o := &origin{limit: 3, window: 10 * time.Second}
	bubble(t, patient(), o, nil, func(r *rig) {
		r.mustSend(3, want{class: "batch", noWait: true})
		before := time.Now()
		_, ex, err := r.send(want{class: "batch", noWait: true})
		p := r.refusal(err)
		if time.Since(before) > 0 || ex.QuotaResult != string(ReasonNoWait) || p.RetryAfter < time.Second {
			r.Errorf("after %s: %s, Retry-After %s", time.Since(before), ex.QuotaResult, p.RetryAfter)
		}
		if !strings.Contains(p.Detail, "X-Gateway-Wait") {
			r.Errorf("the detail does not tell why: %s", p.Detail)
		}
	})
}

func TestPatience(t *testing.T) {
	tests := map[string]struct {
		want  want
		total time.Duration // of the request's context; 0 = none
		until time.Duration
	}{
		"interactive":              {want{class: "interactive"}, 0, 2 * time.Second},
		"batch":                    {want{class: "batch"}, 0, time.Minute},
		"background":               {want{class: "background"}, 0, 2 * time.Minute},
		"a write":                  {want{class: "background", method: http.MethodPost}, 0, 25 * time.Second},
		"a write that may not":     {want{class: "interactive", method: http.MethodPost}, 0, 2 * time.Second},
		"the caller's own timeout": {want{class: "batch"}, 7 * time.Second, 7 * time.Second},
		"a longer one":             {want{class: "batch"}, 70 * time.Second, time.Minute},
		"X-Gateway-Wait: 0":        {want{class: "batch", noWait: true}, 0, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, patient(), &origin{}, nil, func(r *rig) {
				w := tt.want
				if tt.total > 0 {
					ctx, cancel := context.WithTimeout(r.Context(), tt.total)
					defer cancel()
					w.ctx = ctx
				}
				c := &call{
					bucket: r.limiter.all()[0], request: requestOf(r.T, w), class: ClassOf(tt.want.class),
					exchange: &exchange.Exchange{NoWait: tt.want.noWait, Target: &exchange.Target{Write: tt.want.method == http.MethodPost}},
				}
				now := time.Now()
				if got := c.patience(now).Sub(now); got != tt.until {
					r.Errorf("it may wait %s, want %s", got, tt.until)
				}
			})
		})
	}
}

func requestOf(t *testing.T, w want) *http.Request {
	t.Helper()
	if w.ctx == nil {
		w.ctx = t.Context()
	}
	req, err := http.NewRequestWithContext(w.ctx, http.MethodGet, "https://crm.example/", nil)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

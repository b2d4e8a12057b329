package limiter

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"iqgateway/internal/exchange"
)

func TestAThousandCallersStayInsideTheLimit(t *testing.T) {
	o := &origin{limit: 500, window: 10 * time.Second, delay: 30 * time.Millisecond}
	bubble(t, patient(), o, nil, func(r *rig) {
		r.mustSend(1, want{})
		var group sync.WaitGroup
		var answered, refused atomic.Int64
		for i := range 1000 {
			group.Go(func() {
				status, _, err := r.send(want{class: "batch", caller: string(rune('a' + i%20))})
				switch {
				case err == nil && status == 200:
					answered.Add(1)
				case err != nil:
					_ = r.refusal(err)
					refused.Add(1)
				}
			})
		}
		group.Wait()
		sent, rejected, most := o.tally()
		if rejected != 0 || most > 500 {
			r.Errorf("the upstream refused %d, and counted %d in one window of 500", rejected, most)
		}
		if answered.Load()+refused.Load() != 1000 || sent != answered.Load()+1 || answered.Load() < 900 {
			r.Errorf("%d answered, %d refused, %d sent", answered.Load(), refused.Load(), sent)
		}
	})
}

func TestCallerLeavesAtOnce(t *testing.T) {
	o := &origin{limit: 5, window: time.Minute}
	bubble(t, patient(), o, nil, func(r *rig) {
		r.mustSend(5, want{class: "batch"})
		ctx, cancel := context.WithCancelCause(r.Context())
		gone := errors.New("the connection was closed")
		left := time.Time{}
		time.AfterFunc(3*time.Second, func() { left = time.Now(); cancel(gone) })
		_, ex, err := r.send(want{class: "background", ctx: ctx})
		if !errors.Is(err, gone) || !time.Now().Equal(left) || ex.QuotaResult != string(ReasonLeft) {
			r.Errorf("%s after it had left: %v (%s)", time.Since(left), err, ex.QuotaResult)
		}
		<-time.After(time.Minute)
		r.mustSend(5, want{class: "batch"})
		if got := r.log.reasons(); got[ReasonLeft] != 1 || got[""] != 10 {
			r.Errorf("requests left the queue as %v", got)
		}
	})
}

func TestRequestOfACallerThatHasLeftCostsNothing(t *testing.T) {
	o := &origin{limit: 5, window: time.Minute}
	bubble(t, patient(), o, nil, func(r *rig) {
		ctx, cancel := context.WithCancel(r.Context())
		cancel()
		if _, _, err := r.send(want{ctx: ctx}); !errors.Is(err, context.Canceled) {
			r.Errorf("%v", err)
		}
		ended, cancel := context.WithDeadline(r.Context(), time.Now().Add(-time.Second))
		defer cancel()
		if _, ex, err := r.send(want{ctx: ended}); r.refusal(err).Type != exchange.QuotaExceeded || ex.QuotaResult != string(ReasonDeadline) {
			r.Errorf("%v (%s)", err, ex.QuotaResult)
		}
		if sent, _, _ := o.tally(); sent != 0 || r.own() != 0 {
			r.Errorf("%d attempts, %d tokens", sent, r.own())
		}
	})
}

// A bucket of which nothing is known does not tell when a turn comes: patience
// ends the wait.
func TestDeadlineOfAWait(t *testing.T) {
	tests := map[string]struct {
		total time.Duration // of the caller's context; 0 = none
		until time.Duration
	}{
		"that of the class":  {0, 2 * time.Second},
		"that of the caller": {700 * time.Millisecond, 700 * time.Millisecond},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			o := &origin{limit: 5, window: time.Minute, delay: 30 * time.Second}
			bubble(t, patient(), o, nil, func(r *rig) {
				var group sync.WaitGroup
				group.Go(func() { r.mustSend(1, want{class: "background"}) }) // the probe
				synctest.Wait()
				w := want{class: "interactive"}
				if tt.total > 0 {
					ctx, cancel := context.WithTimeout(r.Context(), tt.total)
					defer cancel()
					w.ctx = ctx
				}
				before := time.Now()
				_, ex, err := r.send(w)
				p := r.refusal(err)
				if waited := time.Since(before); waited < tt.until || waited > tt.until+10*time.Millisecond {
					r.Errorf("it waited %s, want %s", waited, tt.until)
				}
				if got := r.log.reasons()[ReasonDeadline]; got != 1 {
					r.Errorf("left as %v", r.log.reasons())
				}
				if p.Type != exchange.QuotaExceeded || ex.QuotaResult != string(ReasonDeadline) || p.RetryAfter < time.Second {
					r.Errorf("%s, %q, Retry-After %s", p.Type, ex.QuotaResult, p.RetryAfter)
				}
				group.Wait()
			})
		})
	}
}

func TestShadowModeHoldsNobody(t *testing.T) {
	s := patient()
	s.Enforce = false
	o := &origin{limit: 10, window: time.Minute}
	bubble(t, s, o, nil, func(r *rig) {
		held := 0
		for range 15 {
			_, ex, err := r.send(want{})
			if err != nil {
				r.Fatal(err)
			}
			if ex.QuotaResult == exchange.QuotaHeld {
				held++
			}
		}
		if sent, refused, _ := o.tally(); sent < 15 || refused == 0 {
			r.Errorf("%d attempts, %d refused by the upstream", sent, refused)
		}
		if held < 4 {
			r.Errorf("%d of 5 requests beyond the limit are marked", held)
		}
	})
}

func TestQueueIsBounded(t *testing.T) {
	o := &origin{limit: 2, window: time.Minute}
	bubble(t, patient(), o, nil, func(r *rig) {
		r.mustSend(2, want{})
		ctx, cancel := context.WithCancel(r.Context())
		var group sync.WaitGroup
		var full atomic.Int64
		for range 600 {
			group.Go(func() {
				_, ex, err := r.send(want{class: "background", caller: "flood", ctx: ctx})
				if ex.QuotaResult == string(ReasonFull) {
					if p := r.refusal(err); p.Type != exchange.QuotaUnavailable {
						r.Errorf("%s", p.Type)
					}
					full.Add(1)
				}
			})
		}
		synctest.Wait()
		s, err := r.limiter.View(r.Context(), "production/crm/authenticated")
		if err != nil || s.Snapshot.Waiting > 500 || s.Waiting[Interactive] != 0 || s.Waiting[Background] > 500 || s.Waiting[Background] == 0 {
			r.Errorf("%d wait, here %v (%v)", s.Snapshot.Waiting, s.Waiting, err)
		}
		cancel()
		group.Wait()
		if got := r.log.reasons(); got[ReasonLeft]+got[ReasonFull]+got[ReasonETA] != 600 || got[ReasonLeft] > 500 {
			r.Errorf("left as %v", got)
		}
	})
}

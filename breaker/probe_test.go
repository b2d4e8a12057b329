package breaker

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// sick opens the breaker of r and waits until it lets probes pass.
func (r *replica) sick() {
	r.Helper()
	r.become(always(500))
	r.many(20, "/")
	r.is(Open)
	rest(r.List()[0].OpenFor)
}

// slow answers after d, or when the caller leaves.
func slow(d time.Duration, status int) upstreamFunc {
	return func(req *http.Request) (*http.Response, error) {
		select {
		case <-time.After(d):
			return answer(status, "text"), nil
		case <-req.Context().Done():
			return nil, context.Cause(req.Context())
		}
	}
}

func TestOnlySoManyProbesRun(t *testing.T) {
	u := usual()
	u.Settings.HalfOpenProbes = 3
	alone(t, u, func(r *replica) {
		r.sick()
		r.become(slow(time.Second, 200))
		before := r.count()
		var group sync.WaitGroup
		for range 10 {
			group.Go(func() { _, _ = r.send("/") })
		}
		synctest.Wait()
		if n := r.count() - before; n != 3 {
			t.Errorf("%d probes run", n)
		}
		if p := r.refused(); p.Extra["reason"] != string(ReasonProbing) || p.Extra["open_until"] != nil {
			t.Errorf("%+v", p)
		}
		r.is(HalfOpen)
		group.Wait()
		r.is(Closed)
	})
}

// A caller that leaves takes its probe along: the next request finds out.
func TestACancelledProbeFreesItsSlot(t *testing.T) {
	alone(t, usual(), func(r *replica) {
		r.sick()
		r.become(slow(time.Hour, 200))
		for range 5 {
			ctx, cancel := context.WithCancel(r.Context())
			req, _ := request(ctx, "/")
			var group sync.WaitGroup
			group.Go(func() {
				if resp, err := r.stack.RoundTrip(req); err == nil {
					t.Error("it was answered")
					_ = resp.Body.Close()
				}
			})
			synctest.Wait()
			r.refuses()
			cancel()
			group.Wait()
			r.is(HalfOpen)
		}
		r.become(always(200))
		r.passes()
		r.is(Closed)
		if s := r.List()[0]; s.Failures != 0 {
			t.Errorf("%d failures", s.Failures)
		}
	})
}

// A probe of which nothing is heard does not keep others out for ever, and
// what it finds out in the end is of no effect.
func TestAProbeThatHangsIsAbandoned(t *testing.T) {
	alone(t, usual(), func(r *replica) {
		r.sick()
		r.become(slow(2*probeMost, 500))
		var group sync.WaitGroup
		group.Go(func() { _, _ = r.send("/") })
		synctest.Wait()
		rest(probeMost - time.Second)
		r.refuses()
		rest(2 * time.Second)
		r.become(always(200))
		r.passes()
		r.is(Closed)
		group.Wait()
		r.is(Closed)
	})
}

// flowing answers 200 with a body that is written as the test goes on.
func flowing(w **io.PipeWriter) upstreamFunc {
	return func(*http.Request) (*http.Response, error) {
		resp := answer(200, "")
		pr, pw := io.Pipe()
		*w = pw
		resp.Body, resp.ContentLength = pr, -1
		return resp, nil
	}
}

func TestTheBodyOfAProbe(t *testing.T) {
	tests := map[string]struct {
		flows time.Duration
		err   error
		want  State
	}{
		"ends":                     {time.Second / 2, nil, Closed},
		"breaks off":               {time.Second / 2, kinded{Broken}, Open},
		"flows on":                 {time.Minute, nil, Closed},
		"breaks off after a while": {time.Minute, kinded{Broken}, Closed},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			alone(t, usual(), func(r *replica) {
				r.sick()
				var w *io.PipeWriter
				r.become(flowing(&w))
				var group sync.WaitGroup
				group.Go(func() { _, _ = r.send("/") })
				synctest.Wait()
				r.is(HalfOpen)
				r.refuses()
				rest(tt.flows)
				if tt.flows > probeFlow {
					r.is(Closed)
					rest(3 * time.Second)
				}
				_ = w.CloseWithError(tt.err)
				group.Wait()
				r.is(tt.want)
				if s := r.List()[0]; tt.flows > probeFlow && (s.Failures == 1) != (tt.err != nil) {
					t.Errorf("%d failures counted", s.Failures)
				}
			})
		})
	}
}

// Layers before the service answer while it is down; a missing order is looked
// up by the service.
func TestWhatProvesAnUpstreamWell(t *testing.T) {
	for status, want := range map[int]State{200: Closed, 404: Closed, 409: Closed, 401: HalfOpen, 403: HalfOpen, 429: HalfOpen, 501: Closed, 503: Open} {
		alone(t, usual(), func(r *replica) {
			r.sick()
			r.become(always(status))
			r.many(1, "/")
			if got := r.List()[0].State; got != want {
				t.Errorf("after %d: %s, want %s", status, got, want)
			}
		})
	}
}

// No answer keeps a breaker half-open for ever.
func TestEveryAnswerEndsAHalfOpenState(t *testing.T) {
	uncounted := usual()
	uncounted.Settings.Failures.Status = false
	for name, tt := range map[string]struct {
		u      Upstream
		path   string
		answer upstreamFunc
		most   int // answers until it closes
	}{
		"403":                {usual(), "/", always(403), enoughAnswers},
		"429":                {usual(), "/", with(429, "Retry-After", "1"), enoughAnswers},
		"501":                {usual(), "/", always(501), 1},
		"a mistake":          {usual(), "/mistaken/1", func(*http.Request) (*http.Response, error) { return answer(500, "not related"), nil }, 1},
		"500, not a failure": {uncounted, "/", always(500), 1},
	} {
		t.Run(name, func(t *testing.T) {
			alone(t, tt.u, func(r *replica) {
				r.become(failing(Broken))
				r.many(20, "/")
				r.is(Open)
				rest(time.Second)
				r.become(tt.answer)
				r.many(tt.most-1, tt.path)
				if tt.most > 1 {
					r.is(HalfOpen)
				}
				r.many(1, tt.path)
				r.is(Closed)
			})
		})
	}
}

// Callers who leave are no answers.
func TestProbesThatNobodyWaitsForProveNothing(t *testing.T) {
	alone(t, usual(), func(r *replica) {
		r.sick()
		r.become(failing(NotCounted))
		r.many(3*enoughAnswers, "/")
		r.is(HalfOpen)
	})
	several := usual()
	several.Settings.HalfOpenProbes = 3
	alone(t, several, func(r *replica) {
		r.sick()
		r.become(always(403))
		r.many(enoughAnswers, "/") // one proof of three
		r.become(failing(NotCounted))
		r.many(3*enoughAnswers, "/")
		r.is(HalfOpen)
	})
}

// The load comes back in steps, so that those who waited do not all come at
// once: in the first second at most 10 % more than before.
func TestRecoveryRamps(t *testing.T) {
	alone(t, usual(), func(r *replica) {
		const rate = 50
		for range 60 * rate {
			r.many(1, "/")
			rest(time.Second / rate)
		}
		r.sick()
		r.become(always(200))
		r.passes()
		for second, most := range []int{rate * 110 / 100, rate * 220 / 100} {
			before := r.count()
			for range 100 {
				r.many(10, "/")
				rest(10 * time.Millisecond)
			}
			if n := r.count() - before; n > most || n < rate*9/10 {
				t.Errorf("second %d: %d passed, want at most %d", second+1, n, most)
			}
		}
		before := r.count()
		r.many(1000, "/")
		if n := r.count() - before; n != 1000 {
			t.Errorf("later: %d of 1000", n)
		}
	})
}

// A caller that sends a handful at once right after a recovery is no herd,
// however small the load was before.
func TestRecoveryLetsAHandfulPass(t *testing.T) {
	alone(t, usual(), func(r *replica) {
		r.become(always(500))
		for range 20 { // one a second
			r.many(1, "/")
			rest(time.Second)
		}
		rest(r.List()[0].OpenFor)
		r.become(always(200))
		r.passes() // the probe
		for range rampBurst {
			r.passes()
		}
		p := r.refused()
		if p.Extra["reason"] != string(ReasonRecovering) || p.RetryAfter > 2*rampStep {
			t.Errorf("%s after %s", p.Extra["reason"], p.RetryAfter)
		}
		rest(rampStep)
		for range rampBurst { // the second step
			r.passes()
		}
	})
}

// A caller must not read that the breaker opens when it lets requests pass.
func TestARefusalSaysWhenTheNextIsLetThrough(t *testing.T) {
	alone(t, usual(), func(r *replica) {
		r.become(always(500))
		r.many(20, "/")
		if p := r.refused(); !strings.Contains(p.Detail, fmt.Sprintf("The next attempt is in %d s at the earliest", wholeSeconds(p.RetryAfter))) {
			t.Errorf("told: %s", p.Detail)
		}
		if err := r.Force(r.Context(), key(), Forced{State: Open, For: time.Hour, By: "ann"}); err != nil {
			t.Fatal(err)
		}
		if p := r.refused(); !strings.Contains(p.Detail, "an operator has stopped them. The next attempt is in ") {
			t.Errorf("told: %s", p.Detail)
		}
	})
}

func TestWhatARefusalTells(t *testing.T) {
	alone(t, usual(), func(r *replica) {
		r.become(failing(TimedOut))
		r.many(20, "/")
		p := r.refused()
		for _, word := range []string{"production/crm", "timeout", "Nothing was sent"} {
			if !strings.Contains(p.Detail, word) {
				t.Errorf("%q is not in: %s", word, p.Detail)
			}
		}
		if p.Extra["upstream"] != "production/crm" || p.Extra["reason"] != "failures" {
			t.Errorf("%v", p.Extra)
		}
	})
}

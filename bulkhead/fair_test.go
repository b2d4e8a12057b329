package bulkhead

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"iqgateway/internal/exchange"
)

// by is a request of one caller.
func by(ctx context.Context, name, class string) *http.Request {
	return request(ctx, func(ex *exchange.Exchange) { ex.Caller, ex.Class = &exchange.Caller{Name: name}, class })
}

// flood sends n requests of one caller, whose answers take a second each, and
// returns how many were refused once they are all over.
func flood(t *testing.T, stage http.RoundTripper, n int, name, class string) (refused func() int) {
	t.Helper()
	results := make(chan bool, n)
	for range n {
		go func() {
			res, err := stage.RoundTrip(by(t.Context(), name, class))
			if err == nil {
				<-time.After(time.Second)
				_ = res.Body.Close()
			}
			results <- err == nil
		}()
	}
	synctest.Wait()
	return func() int {
		count := 0
		for range n {
			if !<-results {
				count++
			}
		}
		return count
	}
}

// A caller that has taken all slots and all places in the queue keeps others
// from neither: its last give their places, and the next slots go to them.
func TestOneCallerDoesNotTakeAnUpstream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := NewUpstreams(UpstreamsOptions{})
		stage := use(t, u, 4).Stage()(tripper(answering))
		greedy := flood(t, stage, 8, "greedy", "interactive")
		wantState(t, u, UpstreamState{Key: crm, MaxInFlight: 4, InFlight: 4, Waiting: 4})

		start := time.Now()
		res, err := stage.RoundTrip(by(t.Context(), "modest", "background"))
		if err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(start); waited != time.Second {
			t.Errorf("waited for %s, want until the first slot was free", waited)
		}
		_ = res.Body.Close()
		if n := greedy(); n != 1 {
			t.Errorf("%d requests of the greedy caller were refused, want the one whose place was given", n)
		}
		wantState(t, u, UpstreamState{Key: crm, MaxInFlight: 4})
	})
}

// Whose place is given is told so, and that nothing was sent.
func TestDisplacedRequestIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var why Reason
		var waited time.Duration
		u := NewUpstreams(UpstreamsOptions{Hooks: UpstreamHooks{Refused: func(_ Key, r Reason, d time.Duration) { why, waited = r, d }}})
		stage := use(t, u, 2).Stage()(tripper(answering))
		others := flood(t, stage, 3, "greedy", "interactive")
		last := make(chan error, 1)
		go func() {
			_, err := stage.RoundTrip(by(t.Context(), "greedy", "interactive"))
			last <- err
		}()
		<-time.After(time.Second / 2)
		modest := flood(t, stage, 1, "modest", "interactive")
		wantBusy(t, <-last, "gave its place")
		if why != ReasonFull || waited != time.Second/2 {
			t.Errorf("reason %s after %s", why, waited)
		}
		if others() != 0 || modest() != 0 {
			t.Error("more than one was refused")
		}
		wantState(t, u, UpstreamState{Key: crm, MaxInFlight: 2})
	})
}

// Callers that ask for ever share the slots, however many each sends at once.
func TestSlotsGoRoundTheCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stage := use(t, NewUpstreams(UpstreamsOptions{}), 4).Stage()(tripper(answering))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		served := make(chan string, 1<<12)
		for name, parallel := range map[string]int{"many": 40, "some": 4, "few": 2} {
			for range parallel {
				go func() {
					for ctx.Err() == nil {
						if res, err := stage.RoundTrip(by(ctx, name, "batch")); err == nil {
							<-time.After(time.Second)
							served <- name
							_ = res.Body.Close()
							continue
						}
						<-time.After(100 * time.Millisecond)
					}
				}()
			}
		}
		<-time.After(62 * time.Second)
		synctest.Wait()
		close(served)
		count := map[string]int{}
		for name := range served {
			count[name]++
		}
		for name, n := range count { // 240 in all
			if n < 60 || n > 105 {
				t.Errorf("%s: %d of %v, want about a third", name, n, count)
			}
		}
		if len(count) != 3 {
			t.Errorf("served %v", count)
		}
	})
}

// Somebody whose slot comes in the moment in which it leaves gives it on.
func TestGrantedAndGoneInTheSameMoment(t *testing.T) {
	s := &slots{limit: 1}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for range 64 { // which of the two it sees first is left to chance
		h := s.take("a")
		w := s.queue("b", interactive, nil)
		s.free(h)
		if !w.granted {
			t.Fatal("the slot was not handed on")
		}
		if s.wait(gone, w) == nil {
			s.free(w.line.caller)
		}
		if s.taken != 0 || w.line.caller.taken != 0 {
			t.Fatalf("%d slots are lost", s.taken)
		}
	}
}

// Callers that no configuration has any more are forgotten with the next one.
func TestIdleCallersAreForgotten(t *testing.T) {
	s := &slots{}
	s.resize(2)
	kept := s.take("busy")
	s.free(s.take("idle"))
	s.resize(2)
	if len(s.callers) != 1 || s.callers["busy"] != kept {
		t.Errorf("known: %v", s.callers)
	}
}

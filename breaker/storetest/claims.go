package storetest

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"iqgateway/breaker"
)

func probe(id string, limit int, ttl time.Duration) breaker.Probe {
	return breaker.Probe{ID: id, Limit: limit, TTL: ttl}
}

func claims(t *testing.T, w *world) {
	var group sync.WaitGroup
	var granted atomic.Int64
	for i := range 20 {
		group.Go(func() {
			s := w.one
			if i%2 == 0 {
				s = w.other
			}
			ok, _, err := s.Claim(t.Context(), w.name, probe(string(rune('a'+i)), 3, time.Minute))
			if err != nil {
				t.Error(err)
			}
			if ok {
				granted.Add(1)
			}
		})
	}
	group.Wait()
	if n := granted.Load(); n != 3 {
		t.Errorf("%d of 3 claims", n)
	}
}

func renewed(t *testing.T, w *world) {
	for range 5 {
		if ok, _ := w.claim(t, w.one, probe("p", 1, time.Second)); !ok {
			t.Fatal("the same probe is refused")
		}
		if ok, _ := w.claim(t, w.other, probe("q", 1, time.Second)); ok {
			t.Fatal("a second one is granted")
		}
		pause(t, 300*time.Millisecond)
	}
}

func ends(t *testing.T, w *world) {
	w.claim(t, w.one, probe("p", 1, 50*time.Millisecond))
	pause(t, 100*time.Millisecond)
	if ok, _ := w.claim(t, w.other, probe("q", 1, time.Minute)); !ok {
		t.Error("the claim did not end")
	}
}

// A probe that fails opens the breaker and ends its claim in one step, so that
// no other probe comes in between.
func endsWithChange(t *testing.T, w *world) {
	w.claim(t, w.one, probe("p", 1, time.Minute))
	c := opening("one", 50*time.Millisecond, 1)
	c.Probe = "p"
	w.apply(t, w.one, c)
	if ok, r := w.claim(t, w.other, probe("q", 1, time.Minute)); ok || r.By != "one" {
		t.Errorf("granted %v, %+v", ok, r)
	}
	pause(t, 100*time.Millisecond)
	if ok, _ := w.claim(t, w.other, probe("q", 1, time.Minute)); !ok {
		t.Error("it is refused later")
	}
}

func onlyEnds(t *testing.T, w *world) {
	before := w.apply(t, w.one, opening("one", 0, 1))
	w.claim(t, w.one, probe("p", 1, time.Minute))
	if r := w.apply(t, w.one, breaker.Change{Probe: "p"}); r.Version != before.Version || r.State != breaker.Open {
		t.Errorf("%+v", r)
	}
	if ok, _ := w.claim(t, w.other, probe("q", 1, time.Minute)); !ok {
		t.Error("the claim did not end")
	}
	w.apply(t, w.one, breaker.Change{Probe: "p"}) // of another, or of nobody: nothing happens
	if ok, _ := w.claim(t, w.one, probe("r", 1, time.Minute)); ok {
		t.Error("the claim of another has ended")
	}
}

func openRefuses(t *testing.T, w *world) {
	w.apply(t, w.one, opening("one", time.Minute, 2))
	if ok, r := w.claim(t, w.other, probe("p", 1, time.Minute)); ok || r.State != breaker.Open || !about(r.Left, time.Minute) || r.Step != 2 {
		t.Errorf("granted %v, %+v", ok, r)
	}
}

func closedRefuses(t *testing.T, w *world) {
	w.claim(t, w.one, probe("p", 2, time.Minute))
	w.apply(t, w.one, breaker.Change{State: breaker.Closed, Reason: breaker.ReasonRecovered, By: "one", Probe: "p"})
	if ok, r := w.claim(t, w.other, probe("q", 2, time.Minute)); ok || r.State != breaker.Closed || r.By != "one" {
		t.Errorf("granted %v, %+v", ok, r)
	}
}

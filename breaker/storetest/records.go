package storetest

import (
	"strings"
	"testing"
	"time"

	"iqgateway/breaker"
)

func opening(by string, d time.Duration, step int) breaker.Change {
	return breaker.Change{State: breaker.Open, For: d, Step: step, Reason: breaker.ReasonFailures, By: by}
}

func unknown(t *testing.T, w *world) {
	if r := w.load(t); r != (breaker.Record{}) {
		t.Errorf("%+v", r)
	}
}

func opened(t *testing.T, w *world) {
	own := w.apply(t, w.one, opening("one", time.Minute, 3))
	for _, r := range []breaker.Record{own, w.load(t)} {
		if r.State != breaker.Open || r.Step != 3 || r.By != "one" || r.Reason != breaker.ReasonFailures || !about(r.Left, time.Minute) || r.Age > 5*time.Second || r.Version == 0 {
			t.Errorf("%+v", r)
		}
	}
	if r := w.load(t); r.Version != own.Version {
		t.Errorf("version %d, then %d", own.Version, r.Version)
	}
}

func runsOut(t *testing.T, w *world) {
	w.apply(t, w.one, opening("one", 50*time.Millisecond, 0))
	pause(t, 100*time.Millisecond)
	if r := w.load(t); r.State != breaker.Open || r.Left != 0 || r.Age < 100*time.Millisecond {
		t.Errorf("%+v", r)
	}
}

// What a replica that has not heard yet says makes no open time shorter.
func laterEnd(t *testing.T, w *world) {
	first := w.apply(t, w.one, opening("one", time.Minute, 2))
	if r := w.apply(t, w.other, opening("other", time.Second, 5)); r.By != "one" || r.Step != 5 || !about(r.Left, time.Minute) || r.Version != first.Version {
		t.Errorf("%+v", r)
	}
	if r := w.apply(t, w.other, opening("other", time.Hour, 0)); r.By != "other" || r.Step != 5 || !about(r.Left, time.Hour) || r.Version <= first.Version {
		t.Errorf("%+v", r)
	}
}

func higherStep(t *testing.T, w *world) {
	w.apply(t, w.one, opening("one", time.Second, 4))
	if r := w.apply(t, w.other, opening("other", time.Minute, 1)); r.Step != 4 {
		t.Errorf("%+v", r)
	}
	w.apply(t, w.one, breaker.Change{State: breaker.Closed})
	if r := w.apply(t, w.other, opening("other", time.Minute, 0)); r.Step != 0 {
		t.Errorf("%+v", r)
	}
}

func closed(t *testing.T, w *world) {
	w.apply(t, w.one, opening("one", time.Hour, 4))
	w.apply(t, w.other, breaker.Change{State: breaker.Closed, Reason: breaker.ReasonRecovered, By: "other"})
	if r := w.load(t); r.State != breaker.Closed || r.Reason != breaker.ReasonRecovered || r.By != "other" || r.Step != 0 || r.Left != 0 {
		t.Errorf("%+v", r)
	}
}

func versions(t *testing.T, w *world) {
	last := uint64(0)
	for i := range 20 {
		c := breaker.Change{State: breaker.Closed}
		if i%2 == 0 {
			c = opening("one", time.Duration(i)*time.Second, i)
		}
		r := w.apply(t, w.one, c)
		if r.Version <= last {
			t.Fatalf("version %d after %d", r.Version, last)
		}
		last = r.Version
	}
}

func forcedStates(t *testing.T, w *world) {
	for _, state := range []breaker.State{breaker.Open, breaker.Closed} {
		w.apply(t, w.one, breaker.Change{State: state, For: time.Hour, Reason: breaker.ReasonForced, By: "ann", Why: "maintenance"})
		if r := w.load(t); r.State != state || !about(r.Left, time.Hour) || r.By != "ann" || r.Why != "maintenance" || r.Reason != breaker.ReasonForced {
			t.Errorf("%+v", r)
		}
	}
	before := w.load(t).Version
	w.apply(t, w.other, breaker.Change{State: breaker.Lifted, By: "bob"})
	if r := w.load(t); r.State != breaker.Lifted || r.Version <= before || r.Left != 0 || r.By != "bob" {
		t.Errorf("%+v", r)
	}
}

// An operator's word is the last one, unlike what a replica has counted.
func forcedShorter(t *testing.T, w *world) {
	forced := breaker.Change{State: breaker.Open, For: time.Hour, Reason: breaker.ReasonForced}
	w.apply(t, w.one, forced)
	forced.For = time.Minute
	if r := w.apply(t, w.other, forced); !about(r.Left, time.Minute) {
		t.Errorf("%+v", r)
	}
}

// Of two orders the one holds that was given later, whenever it is told. One
// that is told at once holds in any case.
func olderOrder(t *testing.T, w *world) {
	order := func(by string, age time.Duration) breaker.Record {
		return w.apply(t, w.one, breaker.Change{State: breaker.Open, For: time.Hour, Reason: breaker.ReasonForced, By: by, Age: age})
	}
	first := order("ann", 10*time.Minute)
	if first.By != "ann" || first.Age < 10*time.Minute {
		t.Errorf("%+v", first)
	}
	younger := order("bob", 5*time.Minute)
	if younger.By != "bob" || younger.Version <= first.Version {
		t.Errorf("%+v", younger)
	}
	if r := order("cid", 7*time.Minute); r.By != "bob" || r.Version != younger.Version || r.Age < 5*time.Minute {
		t.Errorf("%+v", r)
	}
	for _, by := range []string{"dora", "emil"} {
		if r := order(by, 0); r.By != by {
			t.Errorf("%+v", r)
		}
	}
}

func apart(t *testing.T, w *world) {
	w.apply(t, w.one, opening("one", time.Minute, 0))
	for _, name := range []string{w.name + "x", strings.ToUpper(w.name), ""} {
		other := &world{one: w.one, other: w.other, name: name}
		if r := other.load(t); r.Version != 0 {
			t.Errorf("%q has %+v", name, r)
		}
	}
}

func texts(t *testing.T, w *world) {
	for _, text := range []string{"", " ", "two words", "ümläut \u2028 \x00 \"quoted\" \\ {} ; = :", strings.Repeat("long ", 100)} {
		w.apply(t, w.one, breaker.Change{State: breaker.Open, For: time.Minute, Reason: breaker.ReasonForced, By: text, Why: text})
		if r := w.load(t); r.By != text || r.Why != text {
			t.Errorf("%q became %q, %q", text, r.By, r.Why)
		}
	}
}

// Package storetest is the acceptance suite of callerlimit's stores.
package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"iqgateway/callerlimit"
)

// Fleet is what one test works with: independent handles on one state, as those
// of several replicas are. Callers are named after the tests.
type Fleet struct{ One, Other callerlimit.Store }

// Run checks that a store keeps the contract of [callerlimit.Store]. Its
// subtests run at the same time and take the store's real time, four seconds.
func Run(t *testing.T, start func(t *testing.T) Fleet) {
	t.Helper()
	for name, check := range map[string]func(*testing.T, *world){
		"a new bucket is full":                  full,
		"the bucket fills up":                   fills,
		"together never more than the burst":    bounded,
		"tokens come back":                      back,
		"debts are paid":                        debts,
		"a replica that rests keeps its part":   rests,
		"slots are lent once":                   lent,
		"slots go where they are needed":        needed,
		"a silent replica is forgotten":         silent,
		"callers are apart":                     apart,
		"a limit that changes counts at once":   changes,
		"calls obey their context":              contexts,
		"no limit gives nothing":                none,
		"a replica tells less than it was lent": less,
		"a bucket that was lost is empty":       lostTokens,
		"slots that were lost are not lent":     lostSlots,
		"what was spent at rest fills up":       held,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := start(t)
			check(t, &world{Fleet: f, caller: t.Name()})
		})
	}
}

type world struct {
	Fleet
	caller string
}

// slow is a limit whose bucket does not fill up while a test runs.
func slow(replica string) callerlimit.Ask {
	return callerlimit.Ask{Replica: replica, Fleet: 2, Rate: 0.001, Burst: 100, Held: 25}
}

func slots(replica string, held, need int) callerlimit.Ask {
	return callerlimit.Ask{Replica: replica, Fleet: 2, Concurrency: 100, Slots: held, Need: need}
}

func (w *world) ask(t *testing.T, s callerlimit.Store, a callerlimit.Ask) callerlimit.Answer {
	t.Helper()
	answer, err := s.Ask(t.Context(), w.caller, a)
	if err != nil {
		t.Fatal(err)
	}
	if answer.Granted > a.Want || answer.Slots < a.Slots || answer.Granted < 0 {
		t.Fatalf("asked %+v, got %+v", a, answer)
	}
	return answer
}

func (w *world) wantGranted(t *testing.T, s callerlimit.Store, a callerlimit.Ask, want int) callerlimit.Answer {
	t.Helper()
	answer := w.ask(t, s, a)
	if answer.Granted != want {
		t.Fatalf("asked %+v, got %+v, want %d tokens", a, answer, want)
	}
	return answer
}

func full(t *testing.T, w *world) {
	a := slow("one")
	a.Have, a.Want = 25, 1000
	answer := w.wantGranted(t, w.One, a, 50) // each replica keeps 25
	if answer.Wait < 15*time.Minute || answer.Wait > 17*time.Minute {
		t.Errorf("the next token in %s, want about 1000 s", answer.Wait)
	}
}

func fills(t *testing.T, w *world) {
	a := callerlimit.Ask{Replica: "one", Fleet: 2, Rate: 20, Burst: 100, Held: 25, Want: 1000}
	first := w.wantGranted(t, w.One, a, 50)
	if first.Wait <= 0 || first.Wait > 50*time.Millisecond {
		t.Errorf("the next token in %s", first.Wait)
	}
	pause(t, 500*time.Millisecond)
	if got := w.ask(t, w.Other, a).Granted; got < 10 || got > 50 {
		t.Errorf("%d tokens after half a second", got)
	}
}

func bounded(t *testing.T, w *world) {
	one, other := slow("one"), slow("other")
	one.Have, one.Want = 25, 30
	w.wantGranted(t, w.One, one, 30)
	other.Have, other.Want = 25, 30
	w.wantGranted(t, w.Other, other, 20)
	one.Have, one.Want = 0, 100 // spent
	w.wantGranted(t, w.One, one, 0)
}

func back(t *testing.T, w *world) {
	one, other := slow("one"), slow("other")
	one.Have, one.Want = 25, 50
	w.wantGranted(t, w.One, one, 50)
	one.Have, one.Want, one.Back, one.Resting = 25, 0, 40, true
	w.wantGranted(t, w.One, one, 0)
	other.Have, other.Want = 25, 100
	w.wantGranted(t, w.Other, other, 40)
}

func debts(t *testing.T, w *world) {
	a := slow("one")
	a.Have, a.Want, a.Debt = 25, 100, 30
	w.wantGranted(t, w.One, a, 20)
	a.Have, a.Want, a.Debt = 0, 100, 1000 // no more than there is
	w.wantGranted(t, w.One, a, 0)
}

func rests(t *testing.T, w *world) {
	one, other := slow("one"), slow("other")
	one.Have, one.Resting = 25, true
	w.ask(t, w.One, one)
	other.Have, other.Want = 25, 100
	w.wantGranted(t, w.Other, other, 50)
}

func lent(t *testing.T, w *world) {
	first := w.ask(t, w.One, slots("one", 25, 90))
	if first.Slots < 50 || first.Slots > 75 {
		t.Errorf("alone: %+v", first)
	}
	second := w.ask(t, w.Other, slots("other", 25, 90))
	if second.Slots != 25 || second.Due != 50 {
		t.Errorf("the other has them: %+v", second)
	}
	if again := w.ask(t, w.One, slots("one", first.Slots, 90)); again.Due != 50 || again.Slots != first.Slots {
		t.Errorf("asked to come down: %+v", again)
	}
	w.ask(t, w.One, slots("one", 50, 90))
	if third := w.ask(t, w.Other, slots("other", 25, 90)); third.Slots != 50 {
		t.Errorf("after they came back: %+v", third)
	}
}

func needed(t *testing.T, w *world) {
	w.ask(t, w.One, slots("one", 25, 10))
	busy := w.ask(t, w.Other, slots("other", 25, 70))
	idle := w.ask(t, w.One, slots("one", 25, 10))
	if busy.Due != 80 || idle.Due != 25 {
		t.Errorf("needs 70: %+v, needs 10: %+v", busy, idle)
	}
}

func silent(t *testing.T, w *world) {
	one, other := slots("one", 25, 90), slots("other", 25, 90)
	w.ask(t, w.One, one)
	w.ask(t, w.Other, other)
	pause(t, callerlimit.Silence+200*time.Millisecond)
	if got := w.ask(t, w.Other, other); got.Slots != 75 {
		t.Errorf("the slots of a replica that is gone: %+v", got)
	}
}

func apart(t *testing.T, w *world) {
	a := slow("one")
	a.Want = 50
	w.wantGranted(t, w.One, a, 50)
	b := &world{Fleet: w.Fleet, caller: w.caller + " and another"}
	b.wantGranted(t, w.One, a, 50)
}

func changes(t *testing.T, w *world) {
	a := slow("one")
	a.Have, a.Want = 25, 0
	w.ask(t, w.One, a)
	a.Burst, a.Want = 20, 100
	w.wantGranted(t, w.One, a, 0) // there were 50
	a.Burst, a.Want = 1000, 1000
	w.wantGranted(t, w.One, a, 0) // it fills up, it is not given
	a.Rate = 1e9
	w.wantGranted(t, w.One, a, 725) // all but what this one has and the other keeps
}

func contexts(t *testing.T, w *world) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.One.Ask(ctx, w.caller, slow("one")); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func none(t *testing.T, w *world) {
	if got := w.ask(t, w.One, callerlimit.Ask{Replica: "one", Fleet: 1, Want: 5}); got != (callerlimit.Answer{}) {
		t.Errorf("got %+v", got)
	}
}

func less(t *testing.T, w *world) {
	one, other := slow("one"), slow("other")
	one.Have, one.Want = 25, 50
	w.ask(t, w.One, one) // its answer is lost
	one.Have, one.Want = 25, 0
	w.ask(t, w.One, one)
	other.Have, other.Want = 25, 50
	w.wantGranted(t, w.Other, other, 0) // what was lost fills up by and by, it is not given twice
}

func lostTokens(t *testing.T, w *world) {
	a := slow("one")
	a.Known, a.Have, a.Want = true, 5, 20
	w.wantGranted(t, w.One, a, 0)
	a.Rate = 1e9
	pause(t, 10*time.Millisecond)
	w.wantGranted(t, w.One, a, 20)
}

func lostSlots(t *testing.T, w *world) {
	one, other := slots("one", 40, 90), slots("other", 25, 90)
	one.Known, other.Known = true, true
	if got := w.ask(t, w.One, one); got.Slots != 40 {
		t.Errorf("the one that holds some: %+v", got)
	}
	if got := w.ask(t, w.Other, other); got.Slots != 25 {
		t.Errorf("there may be more of which nothing is known: %+v", got)
	}
	pause(t, callerlimit.Silence+200*time.Millisecond)
	if got := w.ask(t, w.Other, other); got.Slots <= 25 {
		t.Errorf("whoever holds some has told so by now: %+v", got)
	}
}

// A replica at rest that has told of less than one keeps gets the rest later.
func held(t *testing.T, w *world) {
	a := callerlimit.Ask{Replica: "one", Fleet: 1, Rate: 1e9, Burst: 100, Have: 60, Held: 60, Want: 100}
	w.wantGranted(t, w.One, a, 40)
}

func pause(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
		t.Fatal(context.Cause(t.Context()))
	}
}

package storetest

import (
	"testing"

	"iqgateway/limiter"
)

// compete has two callers on two replicas want everything, in small turns, and
// returns what each got.
func compete(t *testing.T, w *world, prepare func(r *replica)) (a, b int64) {
	t.Helper()
	one, two := w.replica(t, 0), w.replica(t, 1)
	prepare(one)
	prepare(two)
	w.learn(t, one)
	one.ask.Uses = nil
	for range 200 {
		one.wants("aa", limiter.Interactive, 200).trip()
		a += one.held
		one.answered(w.window, one.spend())
		two.wants("bb", limiter.Interactive, 200).trip()
		b += two.held
		two.answered(w.window, two.spend())
	}
	return a, b
}

func fairness(t *testing.T, w *world) {
	w.window.limit = 400
	a, b := compete(t, w, func(*replica) {})
	if a+b != 399 || a-b > 40 || b-a > 40 {
		t.Errorf("%d and %d of 399", a, b)
	}
}

func capped(t *testing.T, w *world) {
	w.window.limit = 400
	a, b := compete(t, w, func(r *replica) {
		r.ask.SharesID = 7
		r.ask.Shares = []limiter.Share{{Caller: "bb", Weight: 1, Cap: limiter.Amount{Percent: 10}}}
	})
	if b != 40 || a != 399-b {
		t.Errorf("%d and %d; the second may have 40", a, b)
	}
}

// A caller that comes late still finds its guarantee, if it was expected.
func guarantee(t *testing.T, w *world) {
	w.window.limit = 400
	one, two := w.replica(t, 0), w.replica(t, 1)
	for _, r := range []*replica{one, two} {
		r.ask.SharesID = 7
		r.ask.Shares = []limiter.Share{{Caller: "bb", Weight: 1, Guarantee: limiter.Amount{Tokens: 150}}}
	}
	w.learn(t, one)
	one.ask.Uses = nil
	two.wants("bb", limiter.Interactive, 150) // waits, and is served last
	var a, b int64
	for range 200 {
		a += granted(one.wants("aa", limiter.Interactive, 400).trip())
		one.answered(w.window, one.spend())
		a += granted(one.wants("aa", limiter.Interactive, 400).trip())
		one.answered(w.window, one.spend())
		got := granted(two.trip())
		b += got
		two.answered(w.window, two.spend())
	}
	if b != 150 || a != 249 {
		t.Errorf("%d, and %d of a guarantee of 150", a, b)
	}
}

func slots(t *testing.T, w *world) {
	one, two := w.replica(t, 0), w.replica(t, 1)
	for _, r := range []*replica{one, two} {
		r.ask.Kind, r.ask.Assume = limiter.Concurrency, 8
	}
	var got int64
	for range 8 {
		got += granted(one.wants("aa", limiter.Interactive, 8).trip())
		one.spend()
		got += granted(two.wants("aa", limiter.Interactive, 8).trip())
		two.spend()
	}
	if got != 8 {
		t.Fatalf("%d of 8 slots", got)
	}
	one.ask.Done += 2
	one.wants("aa", limiter.Interactive, 0).trip()
	got = 0
	for range 4 {
		got += granted(two.wants("aa", limiter.Interactive, 8).trip())
		two.spend()
	}
	if got != 2 {
		t.Errorf("%d slots after 2 were given back", got)
	}
	if two.last.Mode != limiter.ModeSlots || two.last.Own != 8 {
		t.Errorf("all are taken: %+v", two.last)
	}
}

func deadSlots(t *testing.T, w *world) {
	one, two := w.replica(t, 0), w.replica(t, 1)
	for _, r := range []*replica{one, two} {
		r.ask.Kind, r.ask.Assume = limiter.Concurrency, 4
	}
	var got int64
	for range 8 {
		got += granted(one.wants("aa", limiter.Interactive, 4).trip())
		one.spend()
	}
	if got != 4 {
		t.Fatalf("%d of 4 slots", got)
	}
	two.wants("aa", limiter.Interactive, 4)
	died := w.now()
	for got = 0; got == 0 && w.now() < died+8000; got = granted(two.trip()) {
		w.wait(t, w.now()+200)
	}
	if took := w.now() - died; got == 0 || took < 2000 || took > 5000 {
		t.Errorf("%d slots of a dead replica after %d ms", got, took)
	}
}

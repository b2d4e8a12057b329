package storetest

import (
	"testing"
	"time"

	"iqgateway/limiter"
)

func rollByProof(t *testing.T, w *world) {
	r, other := w.replica(t, 0), w.replica(t, 1)
	w.learn(t, r)
	r.wants("aa", limiter.Interactive, 10).drain(w.window)
	epoch, own := r.last.Epoch, r.last.Own
	next := w.window.next()
	r.see(next, 0)
	a := r.trip()
	if a.Epoch <= epoch || a.Name != next.name || a.Closed == nil {
		t.Fatalf("a newer window was seen: %+v", a)
	}
	c := *a.Closed
	if c.Epoch != epoch || c.Own != own || !c.Proof || c.Name != w.window.name || c.Limit != w.window.limit {
		t.Errorf("the record of the window: %+v", c)
	}
	if a.Available < next.limit-2 {
		t.Errorf("%d are left of a fresh window of %d", a.Available, next.limit)
	}
	if b := other.trip(); b.Epoch != a.Epoch || b.Closed != nil {
		t.Errorf("the others: %+v", b)
	}
}

func rollByTime(t *testing.T, w *world) {
	w.window = w.newWindow(100, 300*time.Millisecond)
	r, other := w.replica(t, 0), w.replica(t, 1)
	w.learn(t, r)
	if a := other.trip(); a.Epoch != r.last.Epoch || a.Hi != w.window.ends+20 {
		t.Fatalf("before the end: %+v", a)
	}
	w.wait(t, w.window.ends+20+6)
	a := other.trip()
	if a.Epoch <= r.last.Epoch || a.Closed == nil || a.Closed.Proof {
		t.Errorf("after the end: %+v", a)
	}
}

func carried(t *testing.T, w *world) {
	r, other := w.replica(t, 0), w.replica(t, 1)
	w.learn(t, r)
	r.wants("aa", limiter.Interactive, 12).trip()
	sent := r.spend() // still under way
	r.trip()
	next := w.window.next()
	other.see(next, 0)
	a := other.trip()
	if a.Own != sent || a.Available > next.limit-sent {
		t.Fatalf("%d requests are under way, own is %d", sent, a.Own)
	}
	r.trip() // learns of the new window
	r.want(r.last.Own, sent, "own while they are under way")
	r.ask.Carry = 0 // all were answered by the old window
	if a = r.trip(); a.Own != 0 {
		t.Errorf("own is %d after all were counted in the old window", a.Own)
	}
}

func closedBy429(t *testing.T, w *world) {
	r, other := w.replica(t, 0), w.replica(t, 1)
	w.learn(t, r)
	r.wants("aa", limiter.Interactive, 1).trip()
	r.spend()
	w.window.used = w.window.limit
	r.refused(w.window)
	r.trip()
	a := other.wants("aa", limiter.Interactive, 5).trip()
	if granted(a) != 0 || a.Blocked < w.window.ends-20 {
		t.Errorf("the upstream has refused: %+v", a)
	}
	next := w.window.next()
	other.see(next, 0)
	if a = other.trip(); granted(a) == 0 {
		t.Errorf("a new window has opened: %+v", a)
	}
}

func deadReplica(t *testing.T, w *world) {
	r, other := w.replica(t, 0), w.replica(t, 1)
	w.learn(t, other)
	r.wants("aa", limiter.Interactive, 10).trip()
	held, expires := r.held, r.last.Expires
	for at := w.now(); at <= expires; at = w.now() {
		w.wait(t, at+900) // the store must not seem to have been away
		other.trip()
	}
	a := other.trip()
	if a.Own != 1+held || a.Replicas != 1 {
		t.Errorf("%d tokens of a dead replica, its lease is over: %+v", held, a)
	}
	other.see(w.window.next(), 0)
	if a = other.trip(); a.Own != held {
		t.Errorf("the next window carries %d, want %d: they may have been sent", a.Own, held)
	}
}

func limitOnly(t *testing.T, w *world) {
	r, other := w.replica(t, 0), w.replica(t, 1)
	r.wants("aa", limiter.Interactive, 1).trip()
	r.ask.Done += r.spend()
	r.ask.Unnamed, r.ask.LimitSeen = 3, 100
	a := r.trip()
	if a.Mode != limiter.ModeLimitOnly {
		t.Fatalf("only a limit was seen: %+v", a)
	}
	got := granted(a)
	for _, x := range []*replica{r, other} {
		got += x.wants("aa", limiter.Interactive, 90).drain(nil)
	}
	if got < 80 || got > 90 {
		t.Errorf("%d tokens where 0.9 of 100 a minute may go", got)
	}
}

func history(t *testing.T, w *world) {
	r := w.replica(t, 0)
	w.learn(t, r)
	const windows = 4
	for range windows {
		r.wants("aa", limiter.Interactive, 3).trip()
		r.answered(w.window, r.spend())
		w.window = w.window.next()
		r.see(w.window, 0)
		r.trip()
	}
	s, err := w.stores[1].View(t.Context(), w.key, []string{"aa"})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.History) != windows {
		t.Fatalf("%d records of %d windows", len(s.History), windows)
	}
	for i, c := range s.History {
		if c.Limit != 100 || c.Epoch == 0 || i > 0 && c.Epoch >= s.History[i-1].Epoch {
			t.Errorf("record %d: %+v", i, c)
		}
		if len(c.By) != 1 || c.By[0].Caller != "aa" || c.By[0].Spent < 3 {
			t.Errorf("record %d: who used it: %+v", i, c.By)
		}
	}
}

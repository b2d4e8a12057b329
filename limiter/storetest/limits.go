package storetest

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"iqgateway/limiter"
)

func coldProbe(t *testing.T, w *world) {
	var got int64
	for i := range 3 {
		r := w.replica(t, i).wants("aa", limiter.Interactive, 5)
		a := r.trip()
		got += granted(a)
		if a.Mode != limiter.ModeCold || a.Name != 0 {
			t.Errorf("nothing is known: %+v", a)
		}
	}
	if got != 1 {
		t.Errorf("%d tokens while nothing is known, want 1", got)
	}
}

func coldAssumed(t *testing.T, w *world) {
	var got int64
	for i := range 3 {
		r := w.replica(t, i).wants("aa", limiter.Interactive, 50)
		r.ask.Assume, r.ask.AssumeWindow = 40, 60_000
		for range 20 {
			got += granted(r.trip())
			r.spend()
		}
	}
	if got < 2 || got > 40 {
		t.Errorf("%d tokens of an assumed limit of 40", got)
	}
}

// drain has a replica ask and spend until it gets nothing several times.
func (r *replica) drain(answers *window) (got int64) {
	for dry := 0; dry < 3; {
		n := granted(r.trip())
		if n == 0 {
			dry++
			continue
		}
		got += n
		if answers != nil {
			r.answered(answers, r.spend())
		} else {
			r.spend()
		}
	}
	return got
}

func neverMore(t *testing.T, w *world) {
	fleet := []*replica{w.replica(t, 0), w.replica(t, 1), w.replica(t, 2)}
	w.learn(t, fleet[0])
	var got int64 = 1
	for range 4 {
		for _, r := range fleet {
			got += r.wants("aa", limiter.Interactive, 90).drain(w.window)
		}
	}
	if got != w.window.limit || w.window.used != w.window.limit {
		t.Errorf("%d tokens granted, %d counted, of a limit of %d", got, w.window.used, w.window.limit)
	}
	if a := fleet[1].last; a.Own != w.window.limit || a.Available != 0 || a.External != 0 || a.Margin != 0 {
		t.Errorf("the books do not balance: %+v", a)
	}
}

func neverMoreInAHerd(t *testing.T, w *world) {
	first := w.replica(t, 0)
	w.learn(t, first)
	var got atomic.Int64
	got.Add(1)
	var fleet sync.WaitGroup
	for i := range 12 {
		r := w.replica(t, i+1)
		fleet.Go(func() { got.Add(r.wants("aa", limiter.Interactive, 50).drain(nil)) })
	}
	fleet.Wait()
	if n := got.Load(); n != w.window.limit {
		t.Errorf("%d tokens granted of a limit of %d", n, w.window.limit)
	}
}

func replay(t *testing.T, w *world) {
	r, other := w.replica(t, 0), w.replica(t, 1)
	w.learn(t, r)
	r.wants("aa", limiter.Interactive, 7).wants("bb", limiter.Batch, 5)
	first := r.trip()
	if granted(first) == 0 {
		t.Fatalf("nothing granted: %+v", first)
	}
	held := r.held
	other.wants("cc", limiter.Interactive, 90).drain(nil) // a new decision would find less
	before := other.last
	for range 3 {
		r.held = held - granted(first) // as it was when the Ask was made
		again := r.send()
		if again.Epoch != first.Epoch || !cmp.Equal(again.Grants, first.Grants) || again.Pool != first.Pool || again.Expires != first.Expires {
			t.Errorf("a repeated ask got %v and %d until %d, at first %v and %d until %d",
				again.Grants, again.Pool, again.Expires, first.Grants, first.Pool, first.Expires)
		}
	}
	if after := other.trip(); after.Own != before.Own || after.Available != before.Available {
		t.Errorf("repeated asks moved own from %d to %d", before.Own, after.Own)
	}
}

// An Ask that was overtaken by a newer one of its replica neither grants nor
// takes back.
func lateAsk(t *testing.T, w *world) {
	r, other := w.replica(t, 0), w.replica(t, 1)
	w.learn(t, r)
	old := r.ask
	r.wants("aa", limiter.Interactive, 10).wants("bb", limiter.Batch, 3).drain(w.window)
	r.wants("bb", limiter.Batch, 3).trip() // the last one got something
	before := other.trip()
	a, err := r.store.Acquire(t.Context(), r.key, old)
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Grants) != len(old.Uses) || granted(a) != 0 {
		t.Errorf("a late ask of %d uses got %v", len(old.Uses), a.Grants)
	}
	if after := other.trip(); after.Own != before.Own {
		t.Errorf("a late ask moved own from %d to %d", before.Own, after.Own)
	}
}

func givenBack(t *testing.T, w *world) {
	r, other := w.replica(t, 0), w.replica(t, 1)
	w.learn(t, r)
	r.wants("aa", limiter.Interactive, 20).trip()
	r.want(r.last.Own, 1+r.held, "own while tokens are held")
	r.wants("aa", limiter.Interactive, 0)
	r.held = 0
	r.trip()
	if a := other.trip(); a.Own != 1 || a.Available != w.window.limit-1 {
		t.Errorf("after all was given back: own %d, available %d", a.Own, a.Available)
	}
}

func external(t *testing.T, w *world) {
	r, other := w.replica(t, 0), w.replica(t, 1)
	w.learn(t, r)
	w.window.used += 60 // by others
	r.wants("aa", limiter.Interactive, 1).trip()
	r.answered(w.window, r.spend())
	a := r.trip()
	if a.External < 60 || a.Used != w.window.used {
		t.Fatalf("others have used 60: %+v", a)
	}
	got := other.wants("aa", limiter.Interactive, 90).drain(w.window)
	if most := w.window.limit - 60 - 2; got > most || w.window.used > w.window.limit {
		t.Errorf("%d tokens where others have left %d", got, most)
	}
}

func regression(t *testing.T, w *world) {
	r, other := w.replica(t, 0), w.replica(t, 1)
	w.learn(t, r)
	other.trip()
	r.ask.Sent += 30 // granted by a write that the store has lost
	a := r.trip()
	if !a.Repaired || a.Own != 31 {
		t.Fatalf("a lost write: %+v", a)
	}
	b := other.wants("aa", limiter.Interactive, 90).trip()
	got := granted(b)
	if most := (b.Available + got) / 4; got > max(1, most) {
		t.Errorf("%d tokens while replicas tell again what they had, want %d at most", got, most)
	}
}

func keysApart(t *testing.T, w *world) {
	r := w.replica(t, 0)
	w.learn(t, r)
	for _, change := range []func(k *limiter.Key){
		func(k *limiter.Key) { k.Environment = "sandbox" },
		func(k *limiter.Key) { k.Service = "crm" },
		func(k *limiter.Key) { k.Policy = "anonymous" },
		func(k *limiter.Key) { k.Counted = "another client" },
	} {
		other := w.replica(t, 1)
		change(&other.key)
		if a := other.trip(); a.Mode != limiter.ModeCold || a.Own != 0 {
			t.Errorf("%+v knows %+v", other.key, a)
		}
	}
}

func shadow(t *testing.T, w *world) {
	r := w.replica(t, 0)
	r.ask.Shadow = true
	w.learn(t, r)
	r.ask.Sent += 150
	r.answered(w.window, 150)
	a := r.trip()
	if a.Own < 150 || a.Repaired || a.External != 0 || a.Available > 0 {
		t.Errorf("151 sent without asking: %+v", a)
	}
}

func olderWindow(t *testing.T, w *world) {
	r, other := w.replica(t, 0), w.replica(t, 1)
	w.learn(t, r)
	before := other.trip()
	older := &window{name: w.window.name - w.window.span, limit: 100, used: 77, span: w.window.span, ends: w.now() - 10}
	stranger := w.replica(t, 2)
	stranger.see(older, 0)
	for i := range stranger.ask.Seen { // of a request from before its end, however long the test has taken
		o := &stranger.ask.Seen[i]
		o.Sent, o.First, o.Last = older.ends-20, older.ends-20, older.ends-15
	}
	a := stranger.trip()
	if a.Epoch != before.Epoch || a.Name != before.Name || a.Own != before.Own || a.External != before.External || a.Used != before.Used {
		t.Errorf("an older window changed\n%+v\nto\n%+v", before, a)
	}
}

func leaving(t *testing.T, w *world) {
	r, other := w.replica(t, 0), w.replica(t, 1)
	w.learn(t, other)
	r.wants("aa", limiter.Interactive, 20).trip()
	r.held = 0
	r.ask.Leaving = true
	for i := range r.ask.Uses {
		r.ask.Uses[i].Waiting = 0
	}
	r.trip()
	if a := other.trip(); a.Own != 1 || a.Replicas != 1 || a.Waiting != 0 {
		t.Errorf("a replica has left: %+v", a)
	}
}

func pool(t *testing.T, w *world) {
	w.window.limit = 10_000
	r := w.replica(t, 0)
	w.learn(t, r)
	r.ask.Ahead = 20
	a := r.trip()
	if a.Pool <= 0 || a.Pool > 20 {
		t.Errorf("%d tokens ahead, wanted 20 of 10000", a.Pool)
	}
	if left := a.Expires - a.Now; left <= 0 || left > (5*time.Second).Milliseconds() {
		t.Errorf("they expire after %d ms", left)
	}
}

package storetest

import (
	"context"
	"errors"
	"testing"

	"iqgateway/limiter"
)

func block(t *testing.T, w *world) {
	r := w.replica(t, 0)
	w.learn(t, r)
	until := w.now() + 60_000
	if err := w.stores[1].Block(t.Context(), w.key, until, "by hand: maintenance"); err != nil {
		t.Fatal(err)
	}
	if a := r.wants("aa", limiter.Interactive, 5).trip(); granted(a) != 0 || a.Blocked != until {
		t.Errorf("blocked until %d: %+v", until, a)
	}
	s, err := w.stores[2].View(t.Context(), w.key, nil)
	if err != nil || s.Held != "by hand: maintenance" || s.Blocked != until {
		t.Errorf("the operator sees %q until %d (%v)", s.Held, s.Blocked, err)
	}
	if err := w.stores[2].Block(t.Context(), w.key, 0, ""); err != nil {
		t.Fatal(err)
	}
	if a := r.trip(); granted(a) == 0 || a.Blocked != 0 {
		t.Errorf("the block is lifted: %+v", a)
	}
	s, err = w.stores[2].View(t.Context(), w.key, nil)
	if err != nil || s.Held != "" || s.Blocked != 0 {
		t.Errorf("the operator sees %q until %d (%v)", s.Held, s.Blocked, err)
	}
}

// blockUnused: a block is seen, and holds, although nobody has used the bucket
// yet.
func blockUnused(t *testing.T, w *world) {
	until := w.now() + 60_000
	if err := w.stores[1].Block(t.Context(), w.key, until, "by hand"); err != nil {
		t.Fatal(err)
	}
	s, err := w.stores[2].View(t.Context(), w.key, nil)
	if err != nil || s.Held != "by hand" || s.Blocked != until {
		t.Errorf("the operator sees %q until %d (%v), want %d", s.Held, s.Blocked, err, until)
	}
	if a := w.replica(t, 0).wants("aa", limiter.Interactive, 1).trip(); granted(a) != 0 || a.Blocked != until {
		t.Errorf("blocked until %d: %+v", until, a)
	}
}

func view(t *testing.T, w *world) {
	callers := []string{"aa", "bb"}
	empty, err := w.stores[0].View(t.Context(), w.key, callers)
	if err != nil || len(empty.Callers) != 0 || len(empty.History) != 0 || empty.Own != 0 {
		t.Errorf("of a bucket that nobody has used: %+v, %v", empty, err)
	}
	r := w.replica(t, 0)
	w.learn(t, r)
	r.wants("bb", limiter.Batch, 4).trip()
	r.answered(w.window, r.spend())
	r.wants("bb", limiter.Batch, 3).trip()
	s, err := w.stores[1].View(t.Context(), w.key, callers)
	if err != nil {
		t.Fatal(err)
	}
	if s.Limit != 100 || s.Mode != limiter.ModeKnown || s.Own != r.last.Own || s.Name != w.window.name || s.Epoch != r.last.Epoch || s.Now < r.last.Now {
		t.Errorf("the view %+v of\n%+v", s.Answer, r.last)
	}
	spent := map[string]int64{}
	for _, c := range s.Callers {
		spent[c.Caller] = c.Spent
	}
	if spent["aa"] != 1 || spent["bb"] < 4 {
		t.Errorf("callers: %+v", s.Callers)
	}
	if again, err := w.stores[2].View(t.Context(), w.key, callers); err != nil || again.Own != s.Own || again.Epoch != s.Epoch {
		t.Errorf("a view has changed something: %+v, %v", again.Answer, err)
	}
}

func contexts(t *testing.T, w *world) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := w.stores[0].Acquire(ctx, w.key, limiter.Ask{Replica: "x", Seq: 1})
	_, viewErr := w.stores[0].View(ctx, w.key, nil)
	for _, e := range []error{err, viewErr, w.stores[0].Block(ctx, w.key, 0, "")} {
		if !errors.Is(e, context.Canceled) {
			t.Errorf("with an ended context: %v", e)
		}
	}
}

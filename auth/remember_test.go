package auth

import (
	"strconv"
	"sync"
	"testing"
)

func TestRemembered(t *testing.T) {
	r := newRemembered[string](64)
	one := DigestOf("one")
	if _, ok := r.get(one); ok {
		t.Error("an empty memory knows something")
	}
	r.put(one, "1")
	if v, ok := r.get(one); !ok || v != "1" {
		t.Errorf("%q, %t", v, ok)
	}
	r.put(one, "2")
	if v, _ := r.get(one); v != "2" {
		t.Errorf("%q after a change", v)
	}
	r.forget(one)
	if _, ok := r.get(one); ok {
		t.Error("it was not forgotten")
	}
}

// However many tokens come, no more than the bound are kept, and the newest is.
func TestRememberedIsBounded(t *testing.T) {
	const most = 64
	r := newRemembered[int](most)
	var group sync.WaitGroup
	for worker := range 4 {
		group.Go(func() {
			for i := range 1000 {
				d := DigestOf(strconv.Itoa(worker) + "/" + strconv.Itoa(i))
				r.put(d, i)
				_, _ = r.get(d)
			}
		})
	}
	group.Wait()
	total := 0
	for i := range r.shards {
		total += len(r.shards[i].entries)
	}
	if total > most || total < most/2 {
		t.Errorf("%d entries are kept, want at most %d", total, most)
	}
	last := DigestOf("last")
	r.put(last, 7)
	if v, ok := r.get(last); !ok || v != 7 {
		t.Error("the newest was not kept")
	}
}

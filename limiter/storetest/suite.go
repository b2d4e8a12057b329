package storetest

import (
	"context"
	"strings"
	"testing"
	"time"

	"iqgateway/limiter"
)

// Fleet is what one test of the suite works with.
type Fleet struct {
	// Stores are at least three independent handles on one state, as those of
	// several replicas are. They must be usable until the test ends. What lies in
	// the state under other keys than the test's does not matter.
	Stores []limiter.Store
}

// Run checks that a store keeps the contract of [limiter.Store]. Its subtests
// run at the same time and take the store's real time, a few seconds.
func Run(t *testing.T, start func(t *testing.T) Fleet) {
	t.Helper()
	cases := map[string]func(*testing.T, *world){
		"a cold bucket sends one probe":              coldProbe,
		"an assumed limit needs no probe":            coldAssumed,
		"never more than the limit":                  neverMore,
		"never more than the limit, in a herd":       neverMoreInAHerd,
		"a repeated ask gets the same":               replay,
		"a late ask changes nothing":                 lateAsk,
		"unspent tokens go back":                     givenBack,
		"what others use is not granted":             external,
		"a newer window is the next epoch":           rollByProof,
		"a window ends with its time":                rollByTime,
		"an older window changes nothing":            olderWindow,
		"requests under way are carried":             carried,
		"a 429 closes the window for all":            closedBy429,
		"a lost write is taken from the replica":     regression,
		"what a dead replica holds stays counted":    deadReplica,
		"equal callers get equal parts":              fairness,
		"a guarantee is kept":                        guarantee,
		"a cap binds":                                capped,
		"tokens ahead of need":                       pool,
		"a limit without a window":                   limitOnly,
		"slots come back":                            slots,
		"slots of a dead replica come back":          deadSlots,
		"an operator's block":                        block,
		"a block of a bucket that nobody has used":   blockUnused,
		"what an operator sees":                      view,
		"a window that is over stands in the record": history,
		"a replica that leaves":                      leaving,
		"shadow mode counts":                         shadow,
		"buckets are apart":                          keysApart,
		"calls obey their context":                   contexts,
	}
	for name, check := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, newWorld(t, start(t)))
		})
	}
}

// world is the fleet of one test, its bucket and its upstream's window.
type world struct {
	stores []limiter.Store
	key    limiter.Key
	began  time.Time
	offset int64 // of the store's clock to the time since began
	window *window
}

func newWorld(t *testing.T, f Fleet) *world {
	t.Helper()
	w := &world{stores: f.Stores, key: bucketOf(t, "main"), began: time.Now()}
	// A bucket of its own tells the store's clock.
	a, err := f.Stores[0].Acquire(t.Context(), bucketOf(t, "clock"), limiter.Ask{Replica: "clock", Seq: 1})
	if err != nil {
		t.Fatal(err)
	}
	w.offset = a.Now - time.Since(w.began).Milliseconds()
	w.window = w.newWindow(100, time.Minute)
	return w
}

func bucketOf(t *testing.T, service string) limiter.Key {
	return limiter.Key{Environment: "production", Service: service, Policy: "authenticated", Counted: strings.ReplaceAll(t.Name(), " ", "_")}
}

// now is the store's clock.
func (w *world) now() int64 { return w.offset + time.Since(w.began).Milliseconds() }

// wait lets the store's clock reach an instant.
func (w *world) wait(t *testing.T, until int64) {
	t.Helper()
	for left := until - w.now(); left > 0; left = until - w.now() {
		select {
		case <-time.After(time.Duration(left) * time.Millisecond):
		case <-t.Context().Done():
			t.Fatal(context.Cause(t.Context()))
		}
	}
}

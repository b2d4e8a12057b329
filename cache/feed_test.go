package cache_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"iqgateway/cache"
	"iqgateway/cache/storetest"
)

// feedReplica is the part of a gateway that knows of writes.
type feedReplica struct {
	*cache.Feed
	ix     *cache.Index
	errors atomic.Int64
	stop   func()
}

func startFeed(t *testing.T, log cache.Log) *feedReplica {
	t.Helper()
	r := &feedReplica{}
	r.Feed, r.ix = cache.NewFeed(log, func(string, error) { r.errors.Add(1) })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	r.stop = func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
		done <- nil
	}
	t.Cleanup(r.stop)
	synctest.Wait()
	return r
}

// feedBubble runs a test with two replicas on one log.
func feedBubble(t *testing.T, test func(t *testing.T, log *storetest.Log, a, b *feedReplica)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		log := storetest.NewLog()
		test(t, log, startFeed(t, log), startFeed(t, log))
	})
}

// after lets the bubble's time pass.
func after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

var feedService = cache.ServiceName{Environment: "production", Service: "crm"}

func written(path string) cache.Event {
	return cache.Event{Kind: cache.DropPath, Service: feedService, Path: path}
}

func place(path string) cache.Route { return cache.Route{Service: feedService, Path: path} }

func TestPublishReachesTheFleet(t *testing.T) {
	feedBubble(t, func(t *testing.T, log *storetest.Log, a, b *feedReplica) {
		atA, atB := a.ix.Position(), b.ix.Position()
		if !a.Publish(t.Context(), written("/x"), written("/y")) {
			t.Error("the log did not take it")
		}
		if !a.ix.Dropped(place("/x"), atA) || b.ix.Dropped(place("/x"), atB) {
			t.Error("here at once, there not before the log was read")
		}
		fresh := a.ix.Position()
		after(51 * time.Millisecond)
		if !b.ix.Dropped(place("/x"), atB) || !b.ix.Dropped(place("/y"), atB) || b.ix.Dropped(place("/z"), atB) {
			t.Error("the other replica does not know")
		}
		if !b.ix.DroppedEntry(place("/x"), atB) || b.ix.DroppedEntry(place("/x"), b.ix.Position()) {
			t.Error("values of the tier")
		}
		if a.ix.Dropped(place("/x"), fresh) || a.ix.Pending() != 0 {
			t.Error("an own event that comes back drops again")
		}
		if n := len(log.Events()); n != 2 || a.errors.Load() != 0 {
			t.Errorf("%d events, %d errors", n, a.errors.Load())
		}
	})
}

func TestFeedWithoutLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startFeed(t, nil)
		at := r.ix.Position()
		if !r.Publish(t.Context(), written("/x")) || !r.ix.Dropped(place("/x"), at) || r.ix.Pending() != 0 {
			t.Error("not dropped here")
		}
		after(time.Hour)
		if !r.Heard().Equal(time.Now()) {
			t.Errorf("heard %v ago", time.Since(r.Heard()))
		}
	})
}

func TestHeard(t *testing.T) {
	feedBubble(t, func(t *testing.T, log *storetest.Log, a, _ *feedReplica) {
		after(10 * time.Second)
		if d := time.Since(a.Heard()); d > 50*time.Millisecond {
			t.Errorf("heard %v ago", d)
		}
		for name, fault := range map[string]func(bool){
			"away": log.Away, "full": log.Full,
			"slow": func(is bool) {
				if log.Slow(0); is {
					log.Slow(time.Second)
				}
			},
		} {
			fault(true)
			after(10 * time.Second)
			if d := time.Since(a.Heard()); d < 9*time.Second || d > 10100*time.Millisecond {
				t.Errorf("%s for 10 s, heard %v ago", name, d)
			}
			fault(false)
			after(200 * time.Millisecond)
			if d := time.Since(a.Heard()); d > 50*time.Millisecond {
				t.Errorf("no longer %s, heard %v ago", name, d)
			}
		}
		fresh, _ := cache.NewFeed(log, nil)
		if !fresh.Heard().IsZero() {
			t.Error("heard before it began to listen")
		}
	})
}

// What is known is what the log had when it was asked, not when it answered.
func TestHeardIsWhenAsked(t *testing.T) {
	feedBubble(t, func(t *testing.T, log *storetest.Log, a, _ *feedReplica) {
		log.Slow(40 * time.Millisecond)
		after(100 * time.Millisecond)
		for range 30 {
			after(7 * time.Millisecond)
			if d := time.Since(a.Heard()); d < 40*time.Millisecond || d > 140*time.Millisecond {
				t.Errorf("heard %v ago", d)
			}
		}
	})
}

// While the log is away writers do not wait for it, and it gets everything when
// it is back.
func TestLogAway(t *testing.T) {
	for name, fault := range map[string]func(log *storetest.Log, is bool){
		"away": func(log *storetest.Log, is bool) { log.Away(is) },
		"full": func(log *storetest.Log, is bool) { log.Full(is) },
		"slow": func(log *storetest.Log, is bool) {
			if log.Slow(0); is {
				log.Slow(time.Minute)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			feedBubble(t, func(t *testing.T, log *storetest.Log, a, b *feedReplica) {
				fault(log, true)
				atA, atB := a.ix.Position(), b.ix.Position()
				begun := time.Now()
				if a.Publish(t.Context(), written("/first")) || time.Since(begun) > 50*time.Millisecond {
					t.Errorf("the first writer waited %v", time.Since(begun))
				}
				begun = time.Now()
				for i := range 100 {
					if a.Publish(t.Context(), written(fmt.Sprint("/", i))) {
						t.Error("the log is away")
					}
				}
				if waited := time.Since(begun); waited != 0 {
					t.Errorf("writers waited %v for a log that is away", waited)
				}
				if !a.ix.Dropped(place("/7"), atA) || !a.ix.DroppedEntry(place("/7"), cache.Position{Log: atA.Log, Seq: 1 << 60}) {
					t.Error("not dropped here")
				}
				after(3 * time.Second)
				fault(log, false)
				after(200 * time.Millisecond)
				for _, path := range []string{"/first", "/0", "/99"} {
					if !b.ix.Dropped(place(path), atB) || !b.ix.DroppedEntry(place(path), atB) {
						t.Errorf("%s: the other replica does not know", path)
					}
				}
				if a.ix.Pending() != 0 || a.errors.Load() == 0 {
					t.Errorf("%d are pending, %d errors were told", a.ix.Pending(), a.errors.Load())
				}
				if !a.Publish(t.Context(), written("/again")) {
					t.Error("the log is back, and not used")
				}
			})
		})
	}
}

// An idle replica notices that the log is away, so that not even the first
// writer waits.
func TestNobodyWaitsForAFrozenLog(t *testing.T) {
	feedBubble(t, func(t *testing.T, log *storetest.Log, a, _ *feedReplica) {
		log.Slow(time.Hour)
		after(150 * time.Millisecond)
		begun := time.Now()
		a.Publish(t.Context(), written("/x"))
		if waited := time.Since(begun); waited != 0 {
			t.Errorf("the first writer waited %v", waited)
		}
	})
}

// The log took it, but its answer was lost: it gets the event twice, and the
// writer recognises both.
func TestAnswerLost(t *testing.T) {
	feedBubble(t, func(t *testing.T, log *storetest.Log, a, b *feedReplica) {
		log.Slow(60 * time.Millisecond)
		a.Publish(t.Context(), written("/x"))
		log.Slow(0)
		fresh := a.ix.Position()
		after(300 * time.Millisecond)
		if a.ix.Dropped(place("/x"), fresh) || a.ix.Pending() != 0 {
			t.Error("dropped again here")
		}
		if !b.ix.Dropped(place("/x"), cache.Position{}) {
			t.Error("the other replica does not know")
		}
	})
}

func TestLogLost(t *testing.T) {
	feedBubble(t, func(t *testing.T, log *storetest.Log, a, b *feedReplica) {
		a.Publish(t.Context(), written("/x"))
		after(100 * time.Millisecond)
		atA, atB := a.ix.Position(), b.ix.Position()
		log.Lose()
		a.Publish(t.Context(), written("/y")) // goes to the new log
		after(300 * time.Millisecond)
		for _, r := range []*feedReplica{a, b} {
			if !r.ix.Dropped(place("/never written"), atA) || !r.ix.DroppedEntry(place("/never written"), atB) {
				t.Error("what is older than the loss is still used")
			}
			if now := r.ix.Position(); r.ix.Dropped(place("/y"), now) || r.ix.DroppedEntry(place("/z"), now) {
				t.Error("what is younger than the loss is not used")
			}
			if r.ix.Pending() != 0 {
				t.Errorf("%d are pending", r.ix.Pending())
			}
		}
		if len(log.Events()) == 0 {
			t.Error("the new log does not know of the write")
		}
		at := b.ix.Position()
		a.Publish(t.Context(), written("/w"))
		after(60 * time.Millisecond)
		if !b.ix.Dropped(place("/w"), at) || b.ix.Dropped(place("/v"), at) {
			t.Error("the new log is not read")
		}
	})
}

// A replica that missed a part of the log drops all, and misses nothing after.
func TestLogTrimmed(t *testing.T) {
	feedBubble(t, func(t *testing.T, log *storetest.Log, a, _ *feedReplica) {
		for i := range 20 {
			a.Publish(t.Context(), written(fmt.Sprint("/", i)))
		}
		log.Trim(3)
		late := startFeed(t, log)
		if at := late.ix.Position(); at.Seq != 20 || late.ix.DroppedEntry(place("/other"), cache.Position{Log: at.Log, Seq: 17}) {
			t.Errorf("at %+v", at)
		}
		if p := (cache.Position{Log: late.ix.Position().Log, Seq: 18}); !late.ix.DroppedEntry(place("/19"), p) || late.ix.DroppedEntry(place("/17"), p) {
			t.Error("what is left of the log was not read")
		}
		if !late.ix.DroppedEntry(place("/other"), cache.Position{Log: late.ix.Position().Log, Seq: 16}) {
			t.Error("a value from before what is left was used")
		}
	})
}

func TestPublishOutlivesItsCaller(t *testing.T) {
	feedBubble(t, func(t *testing.T, log *storetest.Log, a, _ *feedReplica) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if !a.Publish(ctx, written("/x")) || len(log.Events()) != 1 {
			t.Error("the caller has left, and the write is not told")
		}
		if !a.Publish(ctx) || log.Calls() == 0 || len(log.Events()) != 1 {
			t.Error("nothing is something")
		}
	})
}

func TestManyWritesWhileTheLogIsAway(t *testing.T) {
	feedBubble(t, func(t *testing.T, log *storetest.Log, a, b *feedReplica) {
		log.Away(true)
		after(60 * time.Millisecond)
		atB := b.ix.Position()
		for i := range 5000 {
			a.Publish(t.Context(), written(fmt.Sprint("/", i)))
		}
		log.Away(false)
		after(200 * time.Millisecond)
		if n := len(log.Events()); n == 0 || n > 1000 {
			t.Errorf("the log got %d events", n)
		}
		for i := range 5000 {
			if !b.ix.Dropped(place(fmt.Sprint("/", i)), atB) {
				t.Fatalf("write %d is lost", i)
			}
		}
	})
}

// What waits when the process ends is offered once more.
func TestLastOffer(t *testing.T) {
	feedBubble(t, func(t *testing.T, log *storetest.Log, a, _ *feedReplica) {
		log.Away(true)
		after(10 * time.Millisecond)
		a.Publish(t.Context(), written("/x"))
		log.Away(false)
		a.stop()
		if len(log.Events()) != 1 {
			t.Error("the write is lost with the process")
		}
	})
}

// Whatever happens to the log: in the end everybody knows of every write.
func TestFeedChaos(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			log := storetest.NewLog()
			fleet := []*feedReplica{startFeed(t, log), startFeed(t, log), startFeed(t, log)}
			births := make([]cache.Position, len(fleet))
			for i := range fleet {
				births[i] = fleet[i].ix.Position()
			}
			const writes = 200
			for i := range writes {
				switch r.IntN(12) {
				case 0:
					log.Away(r.IntN(2) == 0)
				case 1:
					log.Full(r.IntN(2) == 0)
				case 2:
					log.Slow(time.Duration(r.IntN(2)*r.IntN(120)) * time.Millisecond)
				case 3:
					if r.IntN(4) == 0 {
						log.Lose()
					} else {
						log.Trim(r.IntN(10))
					}
				default:
					after(time.Duration(r.IntN(80)) * time.Millisecond)
				}
				fleet[r.IntN(len(fleet))].Publish(t.Context(), written(fmt.Sprint("/", i)))
			}
			log.Away(false)
			log.Full(false)
			log.Slow(0)
			after(time.Second)
			for n, one := range fleet {
				for i := range writes {
					if path := place(fmt.Sprint("/", i)); !one.ix.Dropped(path, births[n]) || !one.ix.DroppedEntry(path, births[n]) {
						t.Errorf("seed %d: replica %d does not know of write %d", seed, n, i)
					}
				}
				if at := one.ix.Position(); one.ix.Pending() != 0 || one.ix.Dropped(place("/0"), at) || one.ix.DroppedEntry(place("/none"), at) {
					t.Errorf("seed %d: replica %d does not come to rest, %d pending", seed, n, one.ix.Pending())
				}
			}
		})
	}
}

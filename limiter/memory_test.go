package limiter_test

import (
	"testing"
	"testing/synctest"
	"time"

	"iqgateway/limiter"
	"iqgateway/limiter/storetest"
)

func TestMemoryIsAStore(t *testing.T) {
	storetest.Run(t, func(*testing.T) storetest.Fleet {
		m := limiter.NewMemory(limiter.MemoryOptions{})
		return storetest.Fleet{Stores: []limiter.Store{m, m, m}}
	})
}

func TestMemoryClockRunsOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := limiter.NewMemory(limiter.MemoryOptions{})
		first, err := m.View(t.Context(), limiter.Key{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(1500 * time.Millisecond)
		second, err := m.View(t.Context(), limiter.Key{}, nil)
		if err != nil || second.Now-first.Now != 1500 {
			t.Errorf("1.5 s are %d ms (%v)", second.Now-first.Now, err)
		}
	})
}

func TestMemoryKeepsSixtyWindows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := limiter.NewMemory(limiter.MemoryOptions{})
		key := limiter.Key{Service: "crm"}
		for seq := range int64(150) {
			view, err := m.View(t.Context(), key, nil)
			if err != nil {
				t.Fatal(err)
			}
			reset := view.Now/1000*1000 + 1000
			_, err = m.Acquire(t.Context(), key, limiter.Ask{
				Replica: "r", Seq: seq + 1, At: view.Now, Epoch: view.Epoch,
				Seen: []limiter.Seen{{
					Name: reset, Limit: 10, Used: 1, Sent: view.Now, First: view.Now, Last: view.Now, Lo: reset - 1, Hi: reset + 1,
				}},
			})
			if err != nil {
				t.Fatal(err)
			}
			<-time.After(time.Second)
		}
		view, err := m.View(t.Context(), key, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(view.History) != 60 {
			t.Fatalf("%d windows are kept, want 60", len(view.History))
		}
		for i := 1; i < 60; i++ {
			if view.History[i].Epoch >= view.History[i-1].Epoch {
				t.Fatalf("window %d is not older than the one before it", i)
			}
		}
	})
}

package storetest

import (
	"sync"
	"testing"

	"iqgateway/cache"
)

const herdWriters, herdBatches = 6, 20

// logHerd has writers append batches of one to five events, and readers follow:
// each sees every event once, batches whole and those of a writer in order.
func logHerd(t *testing.T, d *desk) {
	var writers, readers sync.WaitGroup
	total := uint64(herdWriters * herdBatches * 3)
	for w := range herdWriters {
		writers.Go(func() {
			for b := range herdBatches {
				if _, err := d.logs[w%3].Append(t.Context(), herdBatch(w, b)); err != nil {
					t.Errorf("append: %v", err)
				}
			}
		})
	}
	seen := make([][]cache.Event, len(d.logs))
	for r := range d.logs {
		readers.Go(func() { seen[r] = follow(t, d.logs[r], total) })
	}
	writers.Wait()
	readers.Wait()
	for r := range seen {
		if r > 0 && !t.Failed() {
			sameEvents(t, seen[r], seen[0])
		}
		inOrder(t, seen[r])
	}
}

// herdBatch has 1, 2, … 5 events, 3 on average.
func herdBatch(writer, batch int) []cache.Event {
	return pathEvents(1+writer*100_000+batch*100, 1+batch%5)
}

// follow reads until it has seen so many events.
func follow(t *testing.T, log cache.Log, total uint64) (seen []cache.Event) {
	var at cache.Position
	for at.Seq < total && !t.Failed() {
		news, err := log.Since(t.Context(), at)
		if err != nil || news.Lost {
			t.Errorf("since %+v: lost %t, %v", at, news.Lost, err)
			return nil
		}
		if got := news.Position.Seq - at.Seq; got != uint64(len(news.Events)) {
			t.Errorf("%d events from %+v to %+v", len(news.Events), at, news.Position)
			return nil
		}
		at, seen = news.Position, append(seen, news.Events...)
	}
	return seen
}

func inOrder(t *testing.T, seen []cache.Event) {
	t.Helper()
	next := map[int]int{} // batch of each writer
	for i := 0; i < len(seen); {
		writer := int(seen[i].ID / 100_000)
		batch := herdBatch(writer, next[writer])
		if len(seen)-i < len(batch) {
			t.Fatalf("batch %d of writer %d is cut", next[writer], writer)
		}
		sameEvents(t, seen[i:i+len(batch)], batch)
		if t.Failed() {
			return
		}
		i += len(batch)
		next[writer]++
	}
}

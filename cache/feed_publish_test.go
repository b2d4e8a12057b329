package cache_test

import (
	"testing"

	"iqgateway/cache"
	"iqgateway/cache/storetest"
)

// TestPublishTakesNothing: where there is nothing to tell the log is not called,
// and the events stay their owner's.
func TestPublishTakesNothing(t *testing.T) {
	feedBubble(t, func(t *testing.T, log *storetest.Log, a, _ *feedReplica) {
		calls := log.Calls()
		if !a.Publish(t.Context()) || log.Calls() != calls {
			t.Errorf("%d calls to tell nothing", log.Calls()-calls)
		}
		mine := []cache.Event{written("/v1/a")}
		a.Publish(t.Context(), mine...)
		if mine[0].ID != 0 {
			t.Error("the caller's event was written to")
		}
	})
}

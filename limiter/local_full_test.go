package limiter

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// crowd fills the queue of a window in which 50 tokens are left with requests of
// eight callers, and returns those that wait.
func crowd(d *desk, class Class) (all []*callOf) {
	d.want("first", Batch, time.Minute)
	ask := d.ask()
	d.answer(ask, d.known(ask, []int64{1}, 0))
	for i := range 8 {
		for range maxQueued {
			all = append(all, d.want(fmt.Sprintf("crowd%d", i), class, time.Hour))
		}
	}
	return slices.DeleteFunc(all, func(c *callOf) bool { return c.refusal != nil })
}

// In a full queue there is room for who is more urgent, and for who has less.
func TestAFullQueueMakesRoom(t *testing.T) {
	for _, tt := range []struct {
		name         string
		crowd, class Class
		caller       string
		room         bool
	}{
		{"more urgent", Batch, Interactive, "shop", true},
		{"as urgent, of another caller", Batch, Batch, "shop", true},
		{"as urgent, of a caller with most of it", Batch, Batch, "crowd0", false},
		{"less urgent", Batch, Background, "shop", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDesk(t, settings())
			all := crowd(d, tt.crowd)
			if d.local.queue.total() != maxQueued || len(all) != maxQueued {
				t.Fatalf("%d wait, %d were let in", d.local.queue.total(), len(all))
			}
			c := d.want(tt.caller, tt.class, time.Hour)
			if (c.refusal == nil) != tt.room || c.refusal != nil && c.refusal.Reason != ReasonFull {
				t.Errorf("%+v", c.refusal)
			}
			gone := 0
			for _, other := range all {
				if other.refusal == nil {
					continue
				}
				if gone++; other.refusal.Reason != ReasonFull || other.refusal.RetryAfter <= 0 {
					t.Errorf("%+v", other.refusal)
				}
			}
			if tt.room != (gone == 1) || d.local.queue.total() != maxQueued {
				t.Errorf("%d have gone, %d wait", gone, d.local.queue.total())
			}
		})
	}
}

// Callers with equal parts of a full queue do not push each other out.
func TestAFullQueueSettles(t *testing.T) {
	d := newDesk(t, settings())
	all := crowd(d, Batch)
	for range 3 * maxQueued {
		d.want("shop", Batch, time.Hour)
	}
	before := d.local.queue.callers["shop"].waiting
	for _, c := range all[:10] {
		d.want(c.Caller, Batch, time.Hour)
	}
	if after := d.local.queue.callers["shop"].waiting; before < 50 || after != before || d.local.queue.total() != maxQueued {
		t.Errorf("%d places, then %d, of %d", before, after, d.local.queue.total())
	}
}

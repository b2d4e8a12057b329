package limiter

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// replicas are several rigs on one store and one upstream.
func replicas(r *rig, n int, f *far) []*rig {
	all := []*rig{r}
	for i := 1; i < n; i++ {
		other := newRig(r.T, patient(), r.origin, func(o *Options) {
			o.Replica, o.Store, o.Fleet = fmt.Sprintf("r%d", i+1), f, func() int { return n }
		})
		all = append(all, other)
	}
	return all
}

func closeAll(t *testing.T, all []*rig) {
	t.Helper()
	for _, r := range all {
		if err := r.limiter.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// offer has every replica send as fast as the quota lets it, for some windows,
// and returns how many requests were answered.
func offer(all []*rig, lasting time.Duration) int64 {
	var answered atomic.Int64
	var group sync.WaitGroup
	ctx, cancel := context.WithTimeout(all[0].Context(), lasting)
	defer cancel()
	for i, r := range all {
		for j := range 20 {
			group.Go(func() {
				for ctx.Err() == nil {
					w := want{caller: fmt.Sprintf("c%d", (i+j)%5), class: "batch", ctx: ctx}
					if status, _, err := r.send(w); err == nil && status == 200 {
						answered.Add(1)
						continue
					}
					<-time.After(10 * time.Millisecond) // else no time would pass
				}
			})
		}
	}
	group.Wait()
	return answered.Load()
}

func TestReplicasFillTheirWindowsAndNoMore(t *testing.T) {
	o := &origin{limit: 500, window: 10 * time.Second, delay: 40 * time.Millisecond}
	inBubble(t, patient(), o, func(r *rig, f *far) {
		f.delay = time.Millisecond
		all := replicas(r, 3, f)
		offer(all, 59*time.Second) // six windows, the first of them from its first second on
		sent, refused, most := o.tally()
		if refused != 0 || most > 500 {
			r.Errorf("%d refused, %d in one window of 500", refused, most)
		}
		if sent < 6*500*98/100 {
			r.Errorf("%d of %d tokens were used", sent, 6*500)
		}
		if trips := len(f.asks); trips > int(sent)*6/10 {
			r.Errorf("%d trips for %d requests", trips, sent)
		}
		closeAll(r.T, all)
	})
}

func TestReplicasWithoutTheirStore(t *testing.T) {
	o := &origin{limit: 500, window: 10 * time.Second, delay: 40 * time.Millisecond}
	inBubble(t, patient(), o, func(r *rig, f *far) {
		f.delay = time.Millisecond
		all := replicas(r, 3, f)
		offer(all, 12*time.Second)
		f.set("fail")
		before, _, _ := o.tally()
		offer(all, 20*time.Second)
		during, _, _ := o.tally()
		f.set("")
		offer(all, 20*time.Second)
		_, refused, most := o.tally()
		if most > 500 || refused > 6 {
			r.Errorf("%d in one window of 500, %d refused", most, refused)
		}
		if during-before < 500 {
			r.Errorf("%d requests in 20 s without the store", during-before)
		}
		closeAll(r.T, all)
	})
}

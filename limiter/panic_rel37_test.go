package limiter

import (
	"sync/atomic"
	"testing"
	"time"
)

// REL-37: a panic in a trip to the store is told, and the bucket goes on.
func TestREL37PanicsInTrips(t *testing.T) {
	var panics, told atomic.Int64
	o := &origin{limit: 100, window: 10 * time.Second}
	bubble(t, patient(), o, func(options *Options) {
		overFar(newFar())(options)
		options.Hooks.Acquired = func(AcquireInfo) {
			if panics.Add(1)%3 == 0 {
				panic("a hook")
			}
		}
		options.Hooks.Panicked = func(Name, any, []byte) { told.Add(1) }
	}, func(r *rig) {
		for range 30 {
			r.mustSend(1, want{class: "batch"})
			<-time.After(time.Second)
		}
		if told.Load() == 0 || told.Load() != panics.Load()/3 {
			r.Errorf("told of %d panics of %d", told.Load(), panics.Load()/3)
		}
	})
}

// REL-37: what panics with a bucket's lock gives it back, and a tick that does is
// followed by the next.
func TestREL37APanicKeepsNoLock(t *testing.T) {
	var told atomic.Int64
	bubble(t, patient(), &origin{limit: 100, window: 10 * time.Second}, func(options *Options) {
		options.Hooks.Panicked = func(Name, any, []byte) { told.Add(1) }
	}, func(r *rig) {
		r.mustSend(1, want{class: "batch"})
		b := r.limiter.all()[0]
		func() {
			defer func() { _ = recover() }()
			b.do(func(time.Time) { panic("a defect") })
		}()
		b.tickPanicked("a defect", nil)
		<-time.After(2 * panicPause)
		r.mustSend(1, want{class: "batch"})
		if told.Load() != 1 {
			r.Errorf("told %d times", told.Load())
		}
	})
}

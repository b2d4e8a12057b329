package rig_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"iqgateway/test/rig"
)

// In a bubble time passes at once when all wait, so no pulse is late unless
// somebody holds the watcher up.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		calls := 0
		done := make(chan struct{})
		go func() {
			defer close(done)
			rig.Watch(ctx, func(from, to time.Time) {
				calls++
				if d := to.Sub(from); d < time.Second {
					t.Errorf("late by %s", d)
				}
			})
		}()
		rig.Pass(t.Context(), time.Minute)
		stop()
		<-done
		if calls != 0 {
			t.Errorf("%d late pulses", calls)
		}
	})
}

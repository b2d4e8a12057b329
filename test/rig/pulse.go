package rig

import (
	"context"
	"time"
)

const (
	pulse     = 20 * time.Millisecond
	latePulse = 400 * time.Millisecond
)

// Watch calls late for every time in which this process, and probably the whole
// machine, stood still, until the context ends: what times out then says
// nothing about anybody.
func Watch(ctx context.Context, late func(from, to time.Time)) {
	tick := time.NewTicker(pulse)
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := time.Now()
		if now.Sub(last) > latePulse {
			late(last, now)
		}
		last = now
	}
}

package rig

import (
	"context"
	"fmt"
	"time"
)

// Await waits until ready says so, at most for the given time.
func Await(ctx context.Context, most time.Duration, what string, ready func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ready() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%s: not within %s", what, most)
		}
	}
	return nil
}

// Pass waits for a time; false means that the context ended before.
func Pass(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

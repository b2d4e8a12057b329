// Package steady keeps work in the background from taking the process along:
// a panic in a goroutine that no one recovers ends every request under way.
package steady

import (
	"context"
	"runtime/debug"
	"time"
)

const (
	firstPause = time.Second
	lastPause  = time.Minute
	// calm is after how long a loop that ran is believed to be well again.
	calm = 5 * time.Minute
)

// Panicked is told of a panic. It must not panic itself.
type Panicked func(value any, stack []byte)

// Keep runs loop until ctx ends. A loop that panics begins anew after a second,
// then two, at most a minute; one that returns is not begun again.
func Keep(ctx context.Context, loop func(context.Context), panicked Panicked) {
	pause := firstPause
	for {
		began := time.Now()
		if !Try(func() { loop(ctx) }, panicked) {
			return
		}
		if time.Since(began) >= calm {
			pause = firstPause
		}
		if !Pause(ctx, pause) {
			return
		}
		pause = min(2*pause, lastPause)
	}
}

// Pause waits for d. It reports false if ctx ends before.
func Pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Try does one piece of work and reports whether it panicked.
func Try(work func(), panicked Panicked) (failed bool) {
	defer func() {
		if value := recover(); value != nil {
			failed = true
			if panicked != nil {
				panicked(value, debug.Stack())
			}
		}
	}()
	work()
	return false
}

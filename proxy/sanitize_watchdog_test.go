package proxy

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestWatchdog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fired := 0
		d := watchdog{idle: time.Second, fire: func() { fired++ }}
		at := func(advance time.Duration, want int, what string) {
			t.Helper()
			<-time.After(advance)
			synctest.Wait()
			if fired != want {
				t.Errorf("%s: fired %d times, want %d", what, fired, want)
			}
		}
		d.start()
		at(900*time.Millisecond, 0, "before the end")
		d.start()
		at(900*time.Millisecond, 0, "started again")
		d.stop()
		at(time.Hour, 0, "stopped")
		d.start()
		at(time.Second, 1, "at the end")
		d.stop()

		// A timer that was about to strike when it was stopped comes late.
		d.expire()
		at(0, 1, "late, stopped")
		d.start()
		d.expire()
		at(0, 1, "late, started again")
		d.stop()
	})
}

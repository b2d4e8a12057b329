package rawcase

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestPatienceEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p patience
		wait := func(d, want time.Duration) {
			t.Helper()
			limit, end := p.begin()
			if limit != want {
				t.Errorf("after %d waits in vain the limit is %v, want %v", p.lost.Load(), limit, want)
			}
			<-time.After(d)
			end()
		}
		for range maxLost {
			wait(generous-1, generous) // slow, but not in vain
			wait(generous, generous)
		}
		wait(hurried, hurried)
		wait(0, hurried)
	})
}

package limiter

import (
	"net/http"
	"sync"
	"testing"
	"time"
)

// Each 429 of a window is counted once, though the ask that tells of it has to
// be repeated; one that comes meanwhile is told, and counted, with the next.
func TestA429IsCountedOnceThoughItsAskIsRepeated(t *testing.T) {
	for name, late := range map[string]int{"one": 0, "another meanwhile": 1} {
		t.Run(name, func(t *testing.T) {
			o := &origin{limit: 10, window: time.Minute}
			inBubble(t, patient(), o, func(r *rig, f *far) {
				r.mustSend(1, want{})
				outsiders(o)
				o.delay = time.Second
				var group sync.WaitGroup
				refused := func() {
					if status, _, err := r.send(want{class: "interactive"}); err != nil || status != http.StatusTooManyRequests {
						r.Errorf("%d %v", status, err)
					}
				}
				group.Go(refused)
				<-time.After(nextRetry / 2)
				for range late { // its answer comes between the ask and the repetition
					group.Go(refused)
				}
				<-time.After(o.delay - nextRetry)
				f.set("fail")
				<-time.After(nextRetry)
				f.set("")
				group.Wait()
				<-time.After(2 * heartbeat)
				r.log.mu.Lock()
				defer r.log.mu.Unlock()
				if r.log.failed != 1 || !f.repeated() {
					r.Fatalf("%d asks have failed; repeated: %v", r.log.failed, f.repeated())
				}
				if got := r.log.refused[RefusedExpected] + r.log.refused[RefusedUnexpected]; got != 1+late {
					r.Errorf("%d 429s are counted as %v", 1+late, r.log.refused)
				}
			})
		})
	}
}

// repeated reports whether an ask came twice.
func (f *far) repeated() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := 1; i < len(f.asks); i++ {
		if f.asks[i].Seq == f.asks[i-1].Seq {
			return true
		}
	}
	return false
}

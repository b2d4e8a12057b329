package cache_test

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"iqgateway/cache"
	"iqgateway/internal/clocktest"
)

// REL-38: the age of what is stored counts on the monotonic clock: setting the
// wall clock makes nothing older, younger or gone, and no flood of fetches. A
// machine that was suspended cannot be told from one whose clock was set: what
// it has stored is older than it says, by that time.
func TestREL38AgeFollowsTheMonotonicClock(t *testing.T) {
	for name, jump := range clocktest.Jumps() {
		t.Run(name, func(t *testing.T) {
			clock := clocktest.New()
			s := newStack(t, stackOptions{origin: counting(), options: func(int) cache.Options {
				return cache.Options{Memory: 64 << 20, Now: clock.Now}
			}})
			aged := func(want int) {
				t.Helper()
				a := s.get("/v1/a")
				a.want(t, http.StatusOK, "answer 1", "hit")
				if age, err := strconv.Atoi(a.header.Get("Age")); err != nil || age != want {
					t.Errorf("Age: %q, want %d", a.header.Get("Age"), want)
				}
			}
			s.get("/v1/a").want(t, http.StatusOK, "answer 1", "fwd=")
			clock.Step(jump)
			aged(0)
			clock.Pass(20 * time.Second)
			aged(20)
			clock.Step(-jump)
			aged(20)
			clock.Pass(time.Minute)
			s.get("/v1/a").want(t, http.StatusOK, "answer 2", "fwd=")
			if n := s.asked.Load(); n != 2 {
				t.Errorf("the upstream was asked %d times", n)
			}
		})
	}
}

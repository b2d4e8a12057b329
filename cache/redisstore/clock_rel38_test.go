package redisstore_test

import (
	"testing"
	"time"

	"iqgateway/internal/clocktest"
	"iqgateway/internal/redistest"
)

// REL-38: what replicas with skewed clocks share ages by Redis' clock: it is
// never younger than nothing, and a step of a wall clock makes it no older.
func TestREL38SharedAnswersAgeByRedisClock(t *testing.T) {
	server := redistest.Single(t)
	early, late := clocktest.New(), clocktest.New()
	early.Step(-10 * time.Minute)
	late.Step(10 * time.Minute)
	one, two := newReplica(t, server, setup{now: early.Now}), newReplica(t, server, setup{now: late.Now})
	began := time.Now()
	one.mustPut(t, "a", "x", "")
	two.mustPut(t, "b", "y", "")
	for name, jump := range clocktest.Jumps() {
		early.Step(jump)
		for _, value := range []string{"a", "b"} {
			for _, r := range []*replica{one, two} {
				e := r.mustGet(t, value)
				if most := time.Since(began) + time.Second; e.Value == nil || e.Age < 0 || e.Age > most {
					t.Errorf("%s: %s is %v old, at most %v", name, value, e.Age, most)
				}
			}
		}
		early.Step(-jump)
	}
}

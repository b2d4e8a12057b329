package redisstore

import (
	"sync/atomic"
	"time"
)

// clock guesses what Redis' clock shows, from the last answer that told it.
type clock struct {
	now  func() time.Time
	last atomic.Pointer[reading]
}

// reading is Redis' clock in an answer, and when that answer had come.
type reading struct {
	redis time.Time
	after time.Time // local
}

func (c *clock) learn(millis int64) {
	c.last.Store(&reading{redis: time.UnixMilli(millis), after: c.now()})
}

// millis never gives a later moment than the true one, so that what is counted
// from it is never taken for younger than it is; ok is false before the first
// answer.
func (c *clock) millis() (millis int64, ok bool) {
	r := c.last.Load()
	if r == nil {
		return 0, false
	}
	return r.redis.Add(c.now().Sub(r.after)).UnixMilli(), true
}

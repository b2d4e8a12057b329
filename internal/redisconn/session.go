package redisconn

import (
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// session is one client for as long as the server behind it is well. Results
// that come after it was lost change nothing.
type session struct {
	client redis.UniversalClient
	mode   Mode
	nodes  *nodes // of a cluster, else nil

	adopted time.Time // when its server was found; set before it is used

	mu      sync.Mutex
	breaker breaker
}

func (s *session) enter(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.breaker.enter(now)
}

func (s *session) leave(now time.Time, v verdict) (away bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.breaker.leave(now, v)
}

package iqsim

import "sync"

// dcSlots counts the requests that run on each database.
type dcSlots struct {
	mu     sync.Mutex
	active map[string]int
	most   int
}

// take counts one more request on database, unless limit (negative: none) of
// them run already. A successful take needs one release.
func (s *dcSlots) take(database string, limit int) (running int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.active[database]
	if limit >= 0 && n >= limit {
		return n, false
	}
	if s.active == nil {
		s.active = map[string]int{}
	}
	s.active[database] = n + 1
	s.most = max(s.most, n+1)
	return n + 1, true
}

// release gives back what take took.
func (s *dcSlots) release(database string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.active[database]--; s.active[database] == 0 {
		delete(s.active, database)
	}
}

// count returns how many requests run now, on all databases, and how many ever
// ran at once on one.
func (s *dcSlots) count() (active, most int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.active {
		active += n
	}
	return active, s.most
}

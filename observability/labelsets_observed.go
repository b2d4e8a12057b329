package observability

import (
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel/metric"
)

// observedSets are the [labelSets] of what is read at each scrape, whose series
// are those of that scrape alone. A combination that a whole scrape did not tell
// of makes room when another needs it: callers, keys and configurations come and
// go for as long as the process lives. A counter's combinations last: one that was
// counted with the rest stays there, as the rest must not fall either.
type observedSets struct {
	names  []string
	limit  int
	lasts  bool
	room   *seriesRoom
	scrape *atomic.Int64 // counts them
	rest   []metric.ObserveOption

	mu    sync.Mutex
	sets  map[labelValues]*observedSet
	full  bool  // for good, as combinations last
	swept int64 // the scrape that last looked for room
}

type observedSet struct {
	option []metric.ObserveOption
	told   int64 // the scrape that last told of it
}

func (s *observedSets) of(values []string) []metric.ObserveOption {
	if len(s.names) == 0 {
		return nil
	}
	var k labelValues
	copy(k[:], values)
	now := s.scrape.Load()
	s.mu.Lock()
	defer s.mu.Unlock()
	if made, ok := s.sets[k]; ok {
		made.told = now
		return made.option
	}
	if !s.fits(now) {
		return s.rest
	}
	made := &observedSet{option: optionOf[metric.ObserveOption](s.names, k), told: now}
	s.sets[k] = made
	return made.option
}

// fits reports whether there is room for one more, which is then taken.
func (s *observedSets) fits(now int64) bool {
	take := func() bool { return !s.full && len(s.sets) < s.limit && s.room.take(1) }
	if take() {
		return true
	}
	if s.lasts {
		s.full = true
		return false
	}
	s.sweep(now)
	return take()
}

// sweep gives back what the scrape before this one did not tell of, once in a
// scrape: what this one will still tell of keeps its series.
func (s *observedSets) sweep(now int64) {
	if s.swept == now {
		return
	}
	s.swept = now
	for k, set := range s.sets {
		if set.told < now-1 {
			delete(s.sets, k)
			s.room.give(1)
		}
	}
}

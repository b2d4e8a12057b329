package observability

import (
	"slices"

	"iqgateway/internal/exchange"
)

// FindTrace returns the exchanges and the background work of a trace that are
// remembered and match, oldest first. Of more than most these are the newest;
// omitted says how many others there are. It looks at all that is remembered: about 100 µs.
func (r *Recent) FindTrace(id exchange.TraceID, match func(*Record) bool, most int) (found []Record, omitted int) {
	if r == nil || id == (exchange.TraceID{}) {
		return nil, 0
	}
	for i := range r.shards {
		found = r.shards[i].ofTrace(id, match, found)
		if len(found) > most {
			slices.SortFunc(found, func(a, b Record) int { return a.Start.Compare(b.Start) })
			over := len(found) - most
			found, omitted = slices.Delete(found, 0, over), omitted+over
		}
	}
	slices.SortFunc(found, func(a, b Record) int { return a.Start.Compare(b.Start) })
	return found, omitted
}

// ofTrace adds those of this shard to found.
func (s *recentShard) ofTrace(id exchange.TraceID, match func(*Record) bool, found []Record) []Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ring := range []*recentRing{&s.newest, &s.kept, &s.strangers} {
		for i := range ring.n {
			if rec := ring.at(i); rec.Trace.ID == id && match(rec) {
				found = append(found, *rec)
			}
		}
	}
	return found
}

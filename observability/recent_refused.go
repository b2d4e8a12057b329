package observability

import (
	"slices"
	"time"

	"iqgateway/internal/exchange"
)

// Refusal is an exchange that the gateway answered with a problem of its own.
type Refusal struct {
	ID                           string
	Ended                        time.Time
	Caller, Environment, Service string // "" = not known
	Status                       int
	Problem                      exchange.ProblemType
	Detail                       string
}

// Refused returns the newest refusals that are remembered, at most so many,
// newest first. It reads all that is remembered: ask at most once in a second.
func (r *Recent) Refused(most int) []Refusal {
	if r == nil {
		return nil
	}
	var all []Refusal
	for i := range recentShards { // the one beyond has no requests
		all = r.shards[i].refused(all, most)
	}
	slices.SortFunc(all, func(a, b Refusal) int { return b.Ended.Compare(a.Ended) })
	return slices.Clip(all[:min(most, len(all))])
}

func (s *recentShard) refused(all []Refusal, most int) []Refusal {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ring := range []*recentRing{&s.newest, &s.kept, &s.strangers} {
		found := 0
		for i := ring.n - 1; i >= 0 && found < most; i-- {
			if rec := ring.at(i); rec.Problem != "" {
				all = append(all, rec.refusal())
				found++
			}
		}
	}
	return all
}

func (r *Record) refusal() Refusal {
	f := Refusal{
		ID: r.ID, Ended: r.Start.Add(r.Duration), Environment: r.Environment, Service: r.Service,
		Status: r.Status, Problem: r.Problem, Detail: r.Detail,
	}
	if r.Caller != nil {
		f.Caller = r.Caller.Name
	}
	return f
}

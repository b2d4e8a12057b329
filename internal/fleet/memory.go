package fleet

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"
)

// Memory is a [Store] of several fleets in one process, for tests: it keeps
// the contract, by the process's clock.
type Memory struct {
	mu      sync.Mutex
	members map[string]Member
	log     []entry
	latest  ID
	lost    ID // the newest command that is kept no longer
	asked   map[string][]Question
	answers map[string][]byte
}

type entry struct {
	at      time.Time
	command Command
}

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{members: map[string]Member{}, asked: map[string][]Question{}, answers: map[string][]byte{}}
}

// Beat implements [Store].
func (s *Memory) Beat(_ context.Context, b Beat) (News, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	m := b.Member
	m.Seen, m.Failed = now, slices.Clone(m.Failed)
	if m.Started.IsZero() {
		m.Started = now.Add(-b.Age)
	}
	m.Done = max(m.Done, idAt(m.Started))
	s.members[m.Replica] = m
	s.forget(now)
	news := News{Started: m.Started, Now: now, Members: len(s.members), Latest: s.latest}
	if b.Listen {
		news.Questions = s.asked[m.Replica]
		delete(s.asked, m.Replica)
	}
	if b.Want {
		news.Missed = s.lost > m.Done
		for _, e := range s.log {
			if e.command.ID > m.Done {
				news.Commands = append(news.Commands, e.command)
			}
		}
	}
	return news, nil
}

// Append implements [Store].
func (s *Memory) Append(_ context.Context, c Command) (ID, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.latest = max(s.latest+1, idAt(now))
	for _, m := range s.members { // that began within this microsecond are before it
		s.latest = max(s.latest, idAt(m.Started)+1)
	}
	c.ID = s.latest
	s.log = append(s.log, entry{now, c})
	s.forget(now)
	return c.ID, nil
}

// Members implements [Store].
func (s *Memory) Members(context.Context) ([]Member, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(time.Now())
	all := make([]Member, 0, len(s.members))
	for _, m := range s.members {
		m.Failed = slices.Clone(m.Failed)
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b Member) int { return cmp.Compare(a.Replica, b.Replica) })
	return all, nil
}

// Leave implements [Store].
func (s *Memory) Leave(_ context.Context, replica string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.members, replica)
	return nil
}

// forget drops silent members and commands that are too old or too many.
func (s *Memory) forget(now time.Time) {
	for name, m := range s.members {
		if now.Sub(m.Seen) > Silence {
			delete(s.members, name)
		}
	}
	for len(s.log) > Kept || len(s.log) > 0 && now.Sub(s.log[0].at) > KeptFor {
		s.lost = s.log[0].command.ID
		s.log = s.log[1:]
	}
}

// Ask implements [Mail].
func (s *Memory) Ask(_ context.Context, questions []Question) ([]error, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(time.Now())
	refused := make([]error, len(questions))
	for i, q := range questions {
		_, alive := s.members[q.To]
		switch {
		case !alive:
			refused[i] = ErrNobody
		case len(s.asked[q.To]) >= MaxAsked:
			refused[i] = ErrAsking
		default:
			s.asked[q.To] = append(s.asked[q.To], q)
		}
	}
	return refused, nil
}

// Reply implements [Mail].
func (s *Memory) Reply(_ context.Context, q Question, answer []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[q.ID] = append([]byte{}, answer...) // not nil: there is one
	return nil
}

// Answers implements [Mail].
func (s *Memory) Answers(_ context.Context, questions []Question) ([][]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	answers := make([][]byte, len(questions))
	for i, q := range questions {
		answers[i] = s.answers[q.ID]
	}
	return answers, nil
}

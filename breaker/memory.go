package breaker

import (
	"context"
	"sync"
	"time"
)

// Memory is a [Store] in this process, for replicas that live in it. The zero
// value is empty and ready for use.
type Memory struct {
	mu      sync.Mutex
	records map[string]*entry
	version uint64
}

// entry is one name's record and claims.
type entry struct {
	record Record
	since  time.Time
	until  time.Time
	claims map[string]time.Time // until when
}

var _ Store = (*Memory)(nil)

// Load implements [Store].
func (m *Memory) Load(ctx context.Context, names []string) (map[string]Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	found := make(map[string]Record)
	for _, name := range names {
		if r := m.at(name).now(); r.Version != 0 {
			found[name] = r
		}
	}
	return found, ctx.Err()
}

// Apply implements [Store].
func (m *Memory) Apply(ctx context.Context, name string, c Change) (Record, error) {
	if err := ctx.Err(); err != nil {
		return Record{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.at(name)
	delete(e.claims, c.Probe)
	if c.State == "" {
		return e.now(), nil
	}
	now := time.Now()
	since, until, step := now.Add(-c.Age), now.Add(c.For), c.Step
	if r := e.now(); c.Age > Late && r.Version != 0 && e.since.After(since) {
		return r, nil
	}
	if c.State == Open && c.Reason != ReasonForced && e.record.State == Open && now.Before(e.until) {
		step = max(step, e.record.Step)
		if e.until.After(until) {
			e.record.Step = step
			return e.now(), nil
		}
	}
	m.version++
	e.record = Record{Version: m.version, State: c.State, Step: step, Reason: c.Reason, By: c.By, Why: c.Why}
	e.since, e.until = since, until
	return e.now(), nil
}

// Claim implements [Store].
func (m *Memory) Claim(ctx context.Context, name string, p Probe) (bool, Record, error) {
	if err := ctx.Err(); err != nil {
		return false, Record{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.at(name)
	now := time.Now()
	for id, until := range e.claims {
		if !now.Before(until) {
			delete(e.claims, id)
		}
	}
	r := e.now()
	_, renewed := e.claims[p.ID]
	if !renewed && (len(e.claims) >= p.Limit || r.State == Closed || r.State == Open && r.Left > 0) {
		return false, r, nil
	}
	e.claims[p.ID] = now.Add(p.TTL)
	return true, r, nil
}

func (m *Memory) at(name string) *entry {
	if m.records == nil {
		m.records = make(map[string]*entry)
	}
	e := m.records[name]
	if e == nil {
		e = &entry{claims: make(map[string]time.Time)}
		m.records[name] = e
	}
	return e
}

// now returns the record as it is now.
func (e *entry) now() Record {
	r := e.record
	now := time.Now()
	keep := Keep
	if r.State == Lifted {
		keep = KeepLifted
	}
	if r.Version == 0 || now.Sub(later(e.since, e.until)) >= keep {
		return Record{}
	}
	r.Left, r.Age = max(0, e.until.Sub(now)), now.Sub(e.since)
	return r
}

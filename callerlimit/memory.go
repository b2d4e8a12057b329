package callerlimit

import (
	"context"
	"sync"
	"time"
)

// Memory is a [Store] in this process, for replicas that live in it: those of
// tests.
type Memory struct {
	now   func() time.Time
	start time.Time

	mu     sync.Mutex
	states map[string]State
}

var _ Store = (*Memory)(nil)

// NewMemory returns an empty store; now may be nil for [time.Now].
func NewMemory(now func() time.Time) *Memory {
	if now == nil {
		now = time.Now
	}
	return &Memory{now: now, start: now(), states: make(map[string]State)}
}

// Ask implements [Store].
func (m *Memory) Ask(ctx context.Context, caller string, ask Ask) (Answer, error) {
	if err := ctx.Err(); err != nil {
		return Answer{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	at := m.now().Sub(m.start).Microseconds() + 1 // 0 is unknown
	state, answer := Decide(at, m.states[caller], ask)
	m.states[caller] = state
	return answer, nil
}

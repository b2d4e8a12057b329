package storetest

import (
	"context"
	"sync"
	"time"

	"iqgateway/callerlimit"
)

// Memory is a store in this process, for the replicas of a test.
type Memory struct {
	now   func() time.Time
	start time.Time

	mu     sync.Mutex
	states map[string]*State
}

var _ callerlimit.Store = (*Memory)(nil)

// NewMemory returns an empty store; now may be nil for [time.Now].
func NewMemory(now func() time.Time) *Memory {
	if now == nil {
		now = time.Now
	}
	return &Memory{now: now, start: now(), states: make(map[string]*State)}
}

// Ask implements callerlimit.Store.
func (m *Memory) Ask(ctx context.Context, caller string, ask callerlimit.Ask) (callerlimit.Answer, error) {
	if err := ctx.Err(); err != nil {
		return callerlimit.Answer{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	at := m.now().Sub(m.start).Microseconds() + 1 // 0 is unknown
	state, answer := Decide(at, m.states[caller], ask)
	m.states[caller] = state
	return answer, nil
}

// Lose forgets everything, as a store that begins anew does.
func (m *Memory) Lose() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.states)
}

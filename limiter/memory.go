package limiter

import (
	"context"
	"slices"
	"sync"
	"time"
)

// maxHistory is how many closed windows a store keeps.
const maxHistory = 60

// MemoryOptions are the settings of a [Memory]; the zero value works.
type MemoryOptions struct {
	Now func() time.Time // nil = [time.Now]; its monotonic reading is used
}

// Memory is the [Store] of a process that is alone. It is safe for concurrent
// use and answers at once. It keeps each bucket that was ever asked for: their
// number is that of the configured ones.
type Memory struct {
	now   func() time.Time
	start time.Time

	mu      sync.Mutex
	buckets map[Key]*remembered
}

type remembered struct {
	shared  Shared
	history []Closed // newest last
}

// NewMemory returns a store that knows nothing.
func NewMemory(o MemoryOptions) *Memory {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Memory{now: o.Now, start: o.Now(), buckets: make(map[Key]*remembered)}
}

// clock is this store's: that of the wall when it was made, and from there on
// one that cannot be set.
func (m *Memory) clock() int64 {
	return m.start.UnixMilli() + m.now().Sub(m.start).Milliseconds()
}

// Acquire implements [Store].
func (m *Memory) Acquire(ctx context.Context, key Key, ask Ask) (Answer, error) {
	if err := ctx.Err(); err != nil {
		return Answer{}, err
	}
	return m.acquire(key, ask), nil
}

func (m *Memory) acquire(key Key, ask Ask) Answer {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.bucket(key)
	answer := b.shared.Acquire(ask, m.clock())
	if answer.Closed != nil {
		if len(b.history) == maxHistory {
			b.history = slices.Delete(b.history, 0, 1)
		}
		b.history = append(b.history, *answer.Closed)
	}
	return answer
}

// bucket returns the state of a bucket, a new one if need be; m.mu is held.
func (m *Memory) bucket(key Key) *remembered {
	b := m.buckets[key]
	if b == nil {
		b = &remembered{}
		m.buckets[key] = b
	}
	return b
}

// View implements [Store]. A bucket that nobody has asked for is all zero but
// for the time.
func (m *Memory) View(ctx context.Context, key Key, _ []string) (Snapshot, error) {
	if err := ctx.Err(); err != nil {
		return Snapshot{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.clock()
	b := m.buckets[key]
	if b == nil {
		return Snapshot{Answer: Answer{Now: now}}, nil
	}
	return b.view(now), nil
}

func (b *remembered) view(now int64) Snapshot {
	v := b.shared.View(now)
	v.History = slices.Clone(b.history)
	slices.Reverse(v.History)
	return v
}

// Block implements [Store].
func (m *Memory) Block(ctx context.Context, key Key, until int64, reason string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.bucket(key).shared.Block(until, reason)
	return nil
}

package bulkhead

import (
	"context"
	"math"
	"net/http"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"

	"iqgateway/internal/exchange"
	"iqgateway/internal/steady"
)

const (
	// lookEvery is how often memory is looked at: a gigabyte a second is 256 MB
	// in that time.
	lookEvery = 250 * time.Millisecond
	// collectEvery bounds how often a collection is forced while shedding.
	collectEvery = time.Second

	shedAbove  = 0.90 // of the limit
	serveBelow = 0.85
	// collectAbove is where the runtime collects as hard as it can: garbage never
	// comes near to what is shed for.
	collectAbove = 0.80
	// growth is what may be garbage beside what is in use, in percent of it: a
	// process that knows how much memory it has need not collect for less.
	growth = 400
	// usualGrowth is the runtime's own, as it is without GOGC.
	usualGrowth = 100
)

// MemoryOptions are the settings of [NewMemory].
type MemoryOptions struct {
	// Limit is what the process may use, in bytes; 0 = no limit, and nothing is
	// ever refused.
	Limit int64
	// InUse returns the bytes in use; nil = [InUse].
	InUse func() int64
	// Collect frees what nobody uses; nil = [runtime.GC].
	Collect func()
	// SetGoal tells the runtime to what it should keep the memory, and returns
	// what it was told before; nil = [debug.SetMemoryLimit].
	SetGoal func(int64) int64
	// SetGrowth tells the runtime how much garbage it may leave, in percent of
	// what is in use, and returns what it was told before; nil =
	// [debug.SetGCPercent].
	SetGrowth func(int) int
	Hooks     MemoryHooks
}

// MemoryState is what [Memory] knows.
type MemoryState struct {
	Limit    int64 // bytes; 0 = none
	InUse    int64 // bytes, of the last look
	Shedding bool
}

// Memory watches the memory of the process. It is safe for concurrent use and
// starts nothing: Run looks.
type Memory struct {
	options  MemoryOptions
	inUse    atomic.Int64
	shedding atomic.Bool
}

// NewMemory returns a watcher that refuses nothing before it runs.
func NewMemory(o MemoryOptions) *Memory {
	if o.InUse == nil {
		o.InUse = InUse
	}
	if o.Collect == nil {
		o.Collect = runtime.GC
	}
	if o.SetGoal == nil {
		o.SetGoal = debug.SetMemoryLimit
	}
	if o.SetGrowth == nil {
		o.SetGrowth = debug.SetGCPercent
	}
	return &Memory{options: o}
}

// Run looks at the memory every 250 ms until ctx ends. Meanwhile the runtime
// collects seldom while there is much memory, and hard before requests would be
// refused for want of it, unless GOMEMLIMIT or GOGC have told it otherwise.
func (m *Memory) Run(ctx context.Context) {
	if m.options.Limit == 0 {
		return
	}
	defer m.tune()()
	defer m.set(false)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var collected time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			steady.Try(func() { collected = m.look(now, collected) }, m.options.Hooks.panicked)
		}
	}
}

// tune tells the runtime how to collect. The func that it returns takes that
// back.
func (m *Memory) tune() (restore func()) {
	if m.options.SetGoal(-1) != math.MaxInt64 { // GOMEMLIMIT is set
		return func() {}
	}
	m.options.SetGoal(part(m.options.Limit, collectAbove))
	before := m.options.SetGrowth(growth)
	if before != usualGrowth { // GOGC is set
		m.options.SetGrowth(before)
	}
	return func() {
		m.options.SetGrowth(before)
		m.options.SetGoal(math.MaxInt64)
	}
}

// look refreshes what the stage goes by. It returns when it last forced a
// collection, of which the last was at collected.
func (m *Memory) look(now, collected time.Time) time.Time {
	use := m.measure()
	shedding := m.shedding.Load()
	// Garbage alone is no reason to begin; and while everything is refused, the
	// runtime may see none to collect.
	if !shedding && use > m.bound(shedAbove) || shedding && use >= m.bound(serveBelow) && now.Sub(collected) >= collectEvery {
		m.options.Collect()
		collected = now
		use = m.measure()
	}
	switch {
	case use > m.bound(shedAbove):
		m.set(true)
	case use < m.bound(serveBelow):
		m.set(false)
	}
	return collected
}

func (m *Memory) measure() int64 {
	use := m.options.InUse()
	m.inUse.Store(use)
	return use
}

func (m *Memory) set(shedding bool) {
	if m.shedding.Swap(shedding) != shedding {
		m.options.Hooks.changed(m.State())
	}
}

func (m *Memory) bound(ratio float64) int64 { return part(m.options.Limit, ratio) }

func part(limit int64, ratio float64) int64 { return int64(float64(limit) * ratio) }

// State returns what is known since the last look.
func (m *Memory) State() MemoryState {
	return MemoryState{Limit: m.options.Limit, InUse: m.inUse.Load(), Shedding: m.shedding.Load()}
}

// Stage returns the inbound stage that answers GatewayOverloaded while memory is
// short. The connection ends with the answer, so that a load balancer takes the
// caller to another replica.
func (m *Memory) Stage(refuse func(http.ResponseWriter, *http.Request, error)) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		if m.options.Limit == 0 {
			return next
		}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !m.shedding.Load() {
				next.ServeHTTP(w, r)
				return
			}
			m.options.Hooks.shed()
			p := exchange.Refuse(exchange.GatewayOverloaded,
				"This replica is short of memory and takes no new work before it has finished some. Nothing was sent upstream.")
			p.RetryAfter = retryAfter
			p.Close = true
			refuse(w, r, p)
		})
	}
}

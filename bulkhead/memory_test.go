package bulkhead

import (
	"context"
	"errors"
	"math"
	"net/http"
	"os"
	"runtime"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"iqgateway/internal/exchange"
)

// process is one whose memory the test sets.
type process struct {
	mu          sync.Mutex
	live        int64 // what is used
	garbage     int64 // what a collection frees
	collections int
	goal        int64
	growth      int
	panics      bool
	changes     []bool
	shed        int
	panicked    int
}

func (p *process) options(limit int64) MemoryOptions {
	return MemoryOptions{
		Limit: limit,
		InUse: func() int64 {
			p.mu.Lock()
			defer p.mu.Unlock()
			if p.panics {
				panic("no such metric")
			}
			return p.live + p.garbage
		},
		Collect: func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.collections++
			p.garbage = 0
		},
		SetGoal: func(goal int64) int64 {
			before := p.goal
			if goal >= 0 {
				p.goal = goal
			}
			return before
		},
		SetGrowth: func(percent int) int {
			before := p.growth
			p.growth = percent
			return before
		},
		Hooks: MemoryHooks{
			Changed:  func(s MemoryState) { p.changes = append(p.changes, s.Shedding) },
			Shed:     func() { p.shed++ },
			Panicked: func(any, []byte) { p.panicked++ },
		},
	}
}

func (p *process) set(live, garbage int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.live, p.garbage = live, garbage
}

// look waits until the memory was looked at.
func look() {
	<-time.After(lookEvery)
	synctest.Wait()
}

// runs starts m and ends it with the test.
func runs(t *testing.T, m *Memory) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { m.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
}

func TestMemoryShedsWithHysteresis(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &process{goal: math.MaxInt64}
		m := NewMemory(p.options(1000))
		runs(t, m)
		steps := []struct {
			what          string
			live, garbage int64
			shedding      bool
			collections   int // so far; -1 = any
		}{
			{"little", 100, 0, false, 0},
			{"at the mark", 900, 0, false, 0},
			{"garbage alone", 300, 650, false, 1},
			{"garbage again", 300, 650, false, 2},
			{"too much", 901, 50, true, 3},
			{"between the marks", 870, 0, true, 3},
			{"below them", 849, 0, false, -1},
			{"between the marks again", 870, 0, false, -1},
		}
		for _, s := range steps {
			p.set(s.live, s.garbage)
			look()
			state := m.State()
			if state.Shedding != s.shedding || state.Limit != 1000 {
				t.Errorf("%s: %+v", s.what, state)
			}
			if s.collections >= 0 && p.collections != s.collections {
				t.Errorf("%s: %d collections, want %d", s.what, p.collections, s.collections)
			}
		}
		if len(p.changes) != 2 || !p.changes[0] || p.changes[1] {
			t.Errorf("changes %v", p.changes)
		}
	})
}

// While everything is refused nothing is allocated, and the runtime may collect
// nothing for minutes.
func TestMemoryRecoversByCollecting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &process{goal: math.MaxInt64, live: 950}
		m := NewMemory(p.options(1000))
		runs(t, m)
		look()
		if !m.State().Shedding {
			t.Fatal("does not shed")
		}
		before := p.collections
		p.set(100, 800) // the requests have ended and left garbage
		for range 8 {
			look()
		}
		if m.State().Shedding || p.collections != before+1 {
			t.Errorf("%+v after %d collections", m.State(), p.collections-before)
		}
	})
}

func TestMemorySetsTheGoalOfTheRuntime(t *testing.T) {
	for name, tt := range map[string]struct {
		before, during, limit int64
		growth, grown         int
	}{
		"not set":        {math.MaxInt64, 800, 1000, 100, 400},
		"GOGC set":       {math.MaxInt64, 800, 1000, 50, 50},
		"GOMEMLIMIT set": {500, 500, 1000, 100, 100},
		"no limit":       {math.MaxInt64, math.MaxInt64, 0, 100, 100},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &process{goal: tt.before, growth: tt.growth}
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan struct{})
				go func() {
					defer close(ended)
					NewMemory(p.options(tt.limit)).Run(ctx)
				}()
				synctest.Wait()
				if p.goal != tt.during {
					t.Errorf("goal %d, want %d", p.goal, tt.during)
				}
				if p.growth != tt.grown {
					t.Errorf("growth %d, want %d", p.growth, tt.grown)
				}
				cancel()
				<-ended
				if p.goal != tt.before || p.growth != tt.growth {
					t.Errorf("goal %d, growth %d afterwards, want %d, %d", p.goal, p.growth, tt.before, tt.growth)
				}
			})
		})
	}
}

func TestMemoryStage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &process{goal: math.MaxInt64}
		m := NewMemory(p.options(1000))
		c := newCalls(m.Stage)
		runs(t, m)
		if code := c.call(t); code != http.StatusOK {
			t.Errorf("%d before", code)
		}
		p.set(1000, 0)
		look()
		if code := c.call(t); code != http.StatusTeapot || p.shed != 1 {
			t.Fatalf("%d, %d shed", code, p.shed)
		}
		problem, ok := errors.AsType[*exchange.Problem](c.refused[0])
		if !ok || problem.Type != exchange.GatewayOverloaded || !problem.Close || problem.RetryAfter <= 0 {
			t.Errorf("refused with %+v", c.refused[0])
		}
		p.set(10, 0)
		look()
		if code := c.call(t); code != http.StatusOK {
			t.Errorf("%d afterwards", code)
		}
	})
}

// REL-37: the watch goes on after a panic.
func TestMemoryLooksAgainAfterAPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &process{goal: math.MaxInt64, live: 950, panics: true}
		m := NewMemory(p.options(1000))
		runs(t, m)
		look()
		if p.panicked != 1 {
			t.Fatalf("%d panics were told", p.panicked)
		}
		p.mu.Lock()
		p.panics = false
		p.mu.Unlock()
		look()
		if !m.State().Shedding {
			t.Error("does not look any more")
		}
	})
}

// What is in use follows what is held, and falls again when it is given up.
func TestInUse(t *testing.T) {
	const held = 64 << 20
	before := InUse()
	during := func() int64 {
		block := make([]byte, held)
		defer runtime.KeepAlive(block)
		return InUse()
	}()
	runtime.GC()
	after := InUse()
	if grown := during - before; before <= 0 || grown < held/2 {
		t.Errorf("%d before, %d more with %d held", before, grown, held)
	}
	if after > during-held/2 {
		t.Errorf("%d after, %d with %d held", after, during, held)
	}
}

func TestGroupLimit(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	for name, tt := range map[string]struct {
		files fstest.MapFS
		want  int64
	}{
		"no Linux":              {fstest.MapFS{}, 0},
		"version 2":             {fstest.MapFS{"proc/self/cgroup": file("0::/\n"), "sys/fs/cgroup/memory.max": file("536870912\n")}, 512 << 20},
		"version 2, none":       {fstest.MapFS{"proc/self/cgroup": file("0::/\n"), "sys/fs/cgroup/memory.max": file("max\n")}, 0},
		"version 2, of a group": {fstest.MapFS{"proc/self/cgroup": file("0::/a/b\n"), "sys/fs/cgroup/a/b/memory.max": file("1000\n"), "sys/fs/cgroup/a/memory.max": file("max\n")}, 1000},
		"version 2, of the group above": {fstest.MapFS{
			"proc/self/cgroup": file("0::/a/b\n"), "sys/fs/cgroup/a/b/memory.max": file("1000\n"), "sys/fs/cgroup/a/memory.max": file("700\n"),
		}, 700},
		"version 2, groups above hidden": {fstest.MapFS{"proc/self/cgroup": file("0::/../x\n"), "sys/fs/cgroup/memory.max": file("900\n")}, 900},
		"version 1": {fstest.MapFS{
			"proc/self/cgroup": file("3:cpu,cpuacct:/x\n7:memory:/docker/1\n"), "sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes": file("2000\n"),
		}, 2000},
		"version 1, in a container": {fstest.MapFS{
			"proc/self/cgroup": file("7:hugetlb,memory:/docker/1\n"), "sys/fs/cgroup/memory/memory.limit_in_bytes": file("3000\n"),
		}, 3000},
		"version 1, none": {fstest.MapFS{
			"proc/self/cgroup": file("7:memory:/\n"), "sys/fs/cgroup/memory/memory.limit_in_bytes": file("9223372036854771712\n"),
		}, 0},
		"garbage": {fstest.MapFS{"proc/self/cgroup": file("x\n0:\n\n:::\n"), "sys/fs/cgroup/memory.max": file("?")}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if got := groupLimit(tt.files); got != tt.want {
				t.Errorf("%d, want %d", got, tt.want)
			}
			want := tt.want
			if got := FindLimit(tt.files); got != want { // GOMEMLIMIT is not set
				t.Errorf("found %d, want %d", got, want)
			}
		})
	}
	if limit := FindLimit(os.DirFS("/")); limit < 0 {
		t.Errorf("of this machine: %d", limit)
	}
}

func FuzzGroupLimit(f *testing.F) {
	for _, seed := range []string{"0::/\n", "7:memory:/docker/1\n", "0::/../..\n", "::::", "1:memory:\n"} {
		f.Add(seed, "max\n")
		f.Add(seed, "536870912\n")
	}
	f.Fuzz(func(t *testing.T, groups, limit string) {
		files := fstest.MapFS{
			"proc/self/cgroup": {Data: []byte(groups)}, "sys/fs/cgroup/memory.max": {Data: []byte(limit)},
			"sys/fs/cgroup/memory/memory.limit_in_bytes": {Data: []byte(limit)},
		}
		if got := groupLimit(files); got < 0 || got >= noLimit {
			t.Errorf("%q with %q: %d", groups, limit, got)
		}
	})
}

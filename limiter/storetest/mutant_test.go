package storetest_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"iqgateway/limiter"
	"iqgateway/limiter/storetest"
)

// mutant is a store with a fault.
type mutant struct {
	limiter.Store
	change func(key *limiter.Key, ask *limiter.Ask)
	spoil  func(ask limiter.Ask, a *limiter.Answer)
}

// Acquire implements limiter.Store.
func (m *mutant) Acquire(ctx context.Context, key limiter.Key, ask limiter.Ask) (limiter.Answer, error) {
	m.change(&key, &ask)
	a, err := m.Store.Acquire(ctx, key, ask)
	m.spoil(ask, &a)
	return a, err
}

// faults are what the suite must find, and by which of its tests.
func faults() map[string]struct {
	found string
	plant func(m *mutant)
} {
	var seq atomic.Int64
	type fault = struct {
		found string
		plant func(m *mutant)
	}
	return map[string]fault{
		"grants again": {"a_repeated_ask_gets_the_same", func(m *mutant) {
			m.change = func(_ *limiter.Key, ask *limiter.Ask) { ask.Seq = seq.Add(1) }
		}},
		"grants twice": {"never_more_than_the_limit", func(m *mutant) {
			m.spoil = func(_ limiter.Ask, a *limiter.Answer) {
				for i := range a.Grants {
					a.Grants[i] *= 2
				}
			}
		}},
		"mixes policies": {"buckets_are_apart", func(m *mutant) {
			m.change = func(key *limiter.Key, _ *limiter.Ask) { key.Policy = "" }
		}},
		"carries nothing": {"requests_under_way_are_carried", func(m *mutant) {
			m.change = func(_ *limiter.Key, ask *limiter.Ask) { ask.Done, ask.Carry = ask.Sent, 0 }
		}},
		"takes nothing back": {"unspent_tokens_go_back", func(m *mutant) {
			m.change = func(_ *limiter.Key, ask *limiter.Ask) { ask.Keep += 20 }
		}},
		"overlooks others": {"what_others_use_is_not_granted", func(m *mutant) {
			m.change = func(_ *limiter.Key, ask *limiter.Ask) {
				for i := range ask.Seen {
					ask.Seen[i].Excess = 0
				}
			}
		}},
		"knows no callers": {"equal_callers_get_equal_parts", func(m *mutant) {
			m.change = func(_ *limiter.Key, ask *limiter.Ask) {
				for i := range ask.Uses {
					ask.Uses[i].Spent = 0
				}
				if ask.Replica == "replica-1" {
					ask.Uses = nil
				}
			}
			m.spoil = func(ask limiter.Ask, a *limiter.Answer) {
				if ask.Uses == nil {
					a.Grants, a.Left, a.Fair = make([]int64, 1), make([]int64, 1), make([]int64, 1)
				}
			}
		}},
		"hides the end": {"a_window_ends_with_its_time", func(m *mutant) {
			m.change = func(_ *limiter.Key, ask *limiter.Ask) {
				for i := range ask.Seen {
					ask.Seen[i].Lo, ask.Seen[i].Hi = 0, 0
				}
			}
		}},
	}
}

// planted names the fault of this process.
const planted = "STORETEST_FAULT"

// TestMutant is the suite on a store with a fault, in a process of its own.
func TestMutant(t *testing.T) {
	fault, ok := faults()[os.Getenv(planted)]
	if !ok {
		t.Skip("no fault is planted; TestFaultsAreFound does")
	}
	storetest.Run(t, func(*testing.T) storetest.Fleet {
		m := &mutant{
			Store:  limiter.NewMemory(limiter.MemoryOptions{}),
			change: func(*limiter.Key, *limiter.Ask) {}, spoil: func(limiter.Ask, *limiter.Answer) {},
		}
		fault.plant(m)
		return storetest.Fleet{Stores: []limiter.Store{m, m, m}}
	})
}

// A suite that finds no fault is none.
func TestFaultsAreFound(t *testing.T) {
	for name, fault := range faults() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			binary, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), binary, "-test.run=^TestMutant$/"+fault.found+"$")
			cmd.Env = append(os.Environ(), planted+"="+name)
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), "--- FAIL: TestMutant/"+fault.found) {
				t.Errorf("%q does not find it (%v):\n%s", fault.found, err, out)
			}
		})
	}
}

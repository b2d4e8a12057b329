package iqsim

import (
	"math/rand/v2"
	"slices"
	"sync"
)

// faults are the faults that are armed. It is safe for concurrent use.
type faults struct {
	mu     sync.Mutex
	random *rand.Rand
	last   int
	armed  []*armedFault
}

func newFaults(seed uint64) *faults {
	if seed == 0 {
		seed = rand.Uint64()
	}
	return &faults{random: rand.New(rand.NewPCG(seed, seed))}
}

// add arms f and returns its id.
func (fs *faults) add(f Fault) (int, error) {
	a, err := f.arm()
	if err != nil {
		return 0, err
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.last++
	a.ID = fs.last
	fs.armed = append(fs.armed, a)
	return a.ID, nil
}

// remove disarms the fault with this id, or all with 0, and returns how many
// there were.
func (fs *faults) remove(id int) int {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	before := len(fs.armed)
	fs.armed = slices.DeleteFunc(fs.armed, func(a *armedFault) bool { return id == 0 || a.ID == id })
	return before - len(fs.armed)
}

// list returns the armed faults; Count is what is left of each.
func (fs *faults) list() []Fault {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	out := make([]Fault, 0, len(fs.armed))
	for _, a := range fs.armed {
		out = append(out, a.Fault)
	}
	return out
}

// take returns the faults that strike a request, and counts them as used.
func (fs *faults) take(to address, method string) []Fault {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	var struck []Fault
	fs.armed = slices.DeleteFunc(fs.armed, func(a *armedFault) (used bool) {
		if !a.selects(to, method) || a.Probability > 0 && fs.random.Float64() >= a.Probability {
			return false
		}
		if a.Skip > 0 {
			a.Skip--
			return false
		}
		struck = append(struck, a.Fault)
		if a.Count == 0 {
			return false
		}
		a.Count--
		return a.Count == 0
	})
	return struck
}

package fleet

import "sync"

const (
	// maxAsking is how many questions of this replica are open at once.
	maxAsking = 8
	// callersAsking is how many of them may be callers', so that these cannot
	// keep operators from asking, and callerAsking how many one caller's.
	callersAsking = 6
	callerAsking  = 2
)

// asking counts the questions that are open. The zero value has none.
type asking struct {
	mu        sync.Mutex
	all       int
	callers   int
	byCallers map[string]int
}

// begin counts a question of a caller, "" for an operator, unless there are too
// many.
func (a *asking) begin(caller string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.all >= maxAsking, caller != "" && (a.callers >= callersAsking || a.byCallers[caller] >= callerAsking):
		return false
	case caller != "":
		if a.byCallers == nil {
			a.byCallers = map[string]int{}
		}
		a.callers++
		a.byCallers[caller]++
	}
	a.all++
	return true
}

func (a *asking) end(caller string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all--
	if caller == "" {
		return
	}
	a.callers--
	if a.byCallers[caller]--; a.byCallers[caller] == 0 {
		delete(a.byCallers, caller)
	}
}

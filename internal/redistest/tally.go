package redistest

import (
	"fmt"
	"strings"
	"sync"
)

// Tally counts what hooks told, by its words. The zero value is empty; it is
// safe for concurrent use.
type Tally struct {
	mu     sync.Mutex
	counts map[string]int
}

// Add counts words once more.
func (y *Tally) Add(words ...string) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.counts == nil {
		y.counts = map[string]int{}
	}
	y.counts[strings.Join(words, " ")]++
}

// Of returns how often words were told.
func (y *Tally) Of(words ...string) int {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.counts[strings.Join(words, " ")]
}

// String lists everything that was told, "" if nothing was.
func (y *Tally) String() string {
	y.mu.Lock()
	defer y.mu.Unlock()
	if len(y.counts) == 0 {
		return ""
	}
	return fmt.Sprint(y.counts)
}

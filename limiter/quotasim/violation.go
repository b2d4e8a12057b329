package quotasim

import (
	"fmt"
	"strings"
	"time"
)

// Violation says which invariant a run broke, when, and what had just happened.
// The run is repeated by its seed.
type Violation struct {
	Invariant string
	Seed      uint64
	At        time.Duration
	Text      string
	Trace     []string // what happened last, oldest first
}

// String returns what was broken, without the trace.
func (v *Violation) String() string {
	return fmt.Sprintf("%s broken at %v: %s (seed %d)", v.Invariant, v.At, v.Text, v.Seed)
}

// Report returns what was broken, with the trace.
func (v *Violation) Report() string {
	return v.String() + "\n" + strings.Join(v.Trace, "\n")
}

// trace keeps the last lines of what happened. A line is written only when it
// is wanted: most runs break nothing.
type trace struct {
	lines [3000]func() string
	next  int
}

func (t *trace) add(at time.Duration, format string, args ...any) {
	t.lines[t.next%len(t.lines)] = func() string {
		return fmt.Sprintf("%12.6f ", at.Seconds()) + fmt.Sprintf(format, args...)
	}
	t.next++
}

func (t *trace) tail() []string {
	var tail []string
	for i := max(0, t.next-len(t.lines)); i < t.next; i++ {
		tail = append(tail, t.lines[i%len(t.lines)]())
	}
	return tail
}

// Package watchdog finds parts of the process that answer no more: a deadlock
// shows in no error, and only a restart ends it.
package watchdog

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"iqgateway/internal/steady"
)

const (
	// Interval is the time between two looks.
	Interval = 5 * time.Second
	// Patience is how many looks in a row must find the same question unanswered.
	// They are counted, not timed: a process that was frozen, or a machine that
	// slept, has looked as seldom as its parts have run.
	Patience = 12
)

// Watchdog asks each part of the process again and again. It is safe for
// concurrent use.
type Watchdog struct {
	stuck    func(part string)
	panicked steady.Panicked

	mu    sync.Mutex
	parts []part
}

type part struct {
	name   string
	ask    func()
	asked  bool // and has not answered yet
	missed int  // looks since then
}

// New returns a watchdog that looks at nothing before [Watchdog.Run]. Parts are
// asked by funcs that take their locks for a moment and wait for nobody beyond
// the process. Stuck is told once of each part that answers no more.
func New(parts map[string]func(), stuck func(part string), panicked steady.Panicked) *Watchdog {
	w := &Watchdog{stuck: stuck, panicked: panicked}
	for name, ask := range parts {
		w.parts = append(w.parts, part{name: name, ask: ask})
	}
	slices.SortFunc(w.parts, func(a, b part) int { return strings.Compare(a.name, b.name) })
	return w
}

// Run looks until ctx ends. A part that never answers keeps one goroutine.
func (w *Watchdog) Run(ctx context.Context) {
	for steady.Pause(ctx, Interval) {
		for i := range w.parts {
			if w.look(i) {
				w.stuck(w.parts[i].name)
			}
		}
	}
}

// look asks a part that has answered, and reports whether another was missed
// for the last time that is allowed.
func (w *Watchdog) look(i int) (stuck bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := &w.parts[i]
	if p.asked {
		p.missed++
		return p.missed == Patience
	}
	p.asked = true
	go func() {
		steady.Try(p.ask, w.panicked) // who panics has answered
		w.mu.Lock()
		defer w.mu.Unlock()
		p.asked, p.missed = false, 0
	}()
	return false
}

// Err names the parts that answer no more; nil = all do.
func (w *Watchdog) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var names []string
	for _, p := range w.parts {
		if p.missed >= Patience {
			names = append(names, p.name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return fmt.Errorf("not answered for %s or longer: %s", Patience*Interval, strings.Join(names, ", "))
}

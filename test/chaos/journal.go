package chaos

import (
	"sync"
	"time"
)

// afterwards is how long connections of a disturbance may still die after it:
// they lie idle in a pool until somebody uses them.
const afterwards = 500 * time.Millisecond

// Everywhere is the place of what disturbs all replicas.
const Everywhere = -1

// disturbed is a time in which requests through a replica may break.
type disturbed struct {
	replica  int
	from, to time.Time // to is zero while it lasts
}

// Journal notes when which part of the fleet was disturbed. It is safe for
// concurrent use.
type Journal struct {
	mu   sync.Mutex
	list []disturbed
}

// Begin notes a disturbance of what passes a replica, or everywhere, and
// returns what notes its end.
func (j *Journal) Begin(replica int, now time.Time) (end func(time.Time)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	at := len(j.list)
	j.list = append(j.list, disturbed{replica: replica, from: now})
	return func(now time.Time) {
		j.mu.Lock()
		defer j.mu.Unlock()
		j.list[at].to = now
	}
}

// Touches reports whether a call through a replica was under way while its path
// was disturbed.
func (j *Journal) Touches(replica int, begun, ended time.Time) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, d := range j.list {
		if (d.replica == Everywhere || replica == Everywhere || d.replica == replica) && d.from.Before(ended) &&
			(d.to.IsZero() || begun.Before(d.to.Add(afterwards))) {
			return true
		}
	}
	return false
}

package breaker

import "time"

// keptFailures is how many failures a breaker shows.
const keptFailures = 5

// failed is one failure, as people see it.
type failed struct {
	at    time.Time
	cause string
}

// lastFailures are the newest failures, in a ring.
type lastFailures struct {
	ring [keptFailures]failed
	next int
}

func (l *lastFailures) add(at time.Time, cause string) {
	l.ring[l.next] = failed{at, cause}
	l.next = (l.next + 1) % keptFailures
}

func (l *lastFailures) newest() failed { return l.ring[(l.next+keptFailures-1)%keptFailures] }

// list returns them, the newest first.
func (l *lastFailures) list() []failed {
	var all []failed
	for i := range keptFailures {
		f := l.ring[(l.next+2*keptFailures-1-i)%keptFailures]
		if f.cause != "" {
			all = append(all, f)
		}
	}
	return all
}

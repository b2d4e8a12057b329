package cache

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"

	"iqgateway/internal/exchange"
)

// flightKey is what requests must have in common to be answered together.
type flightKey struct {
	key      Key
	selected string
}

// flights are the fetches under way.
type flights struct {
	mu  sync.Mutex
	all map[flightKey]*flight
}

// flight is one fetch for all that ask for the same. It has a goroutine and a
// context of its own: whoever leaves changes nothing.
//
// The request that began it, its leader, gets the answer as it comes. Everybody
// else gets it when it is complete, or learns that it cannot be shared.
type flight struct {
	key   flightKey
	route Route
	tags  []string
	born  Position
	class int // how urgent its leader is; 0 is most
	// leader is where its leader stands among traces, and caller who sent it; set
	// before it is under way.
	leader exchange.Trace
	caller *exchange.Caller
	apart  bool // another flight of the key is under way, and must not be waited for

	answered atomic.Bool     // the upstream has begun to answer
	lead     chan leadAnswer // for the leader; one
	done     chan struct{}   // closed when the rest is known

	// Of the rest, either object or err: why it cannot be shared.
	object *Object
	result flightResult
	err    error
}

// flightResult is where an object came from.
type flightResult int8

const (
	fetched   flightResult = iota // the upstream gave it
	confirmed                     // the upstream confirmed it
	shared                        // another replica had put it into the tier
)

// leadAnswer is what the leader gets: the upstream's answer, a stored one, or
// an error.
type leadAnswer struct {
	response *http.Response
	object   *Object
	from     flightResult
	stored   bool // response is going to be stored
	err      error
	spent    *exchange.Exchange // what it took: the leader's to keep
}

// urgency orders classes.
func urgency(class string) int {
	switch class {
	case "background":
		return 2
	case "batch":
		return 1
	default:
		return 0
	}
}

// join returns the flight to take part in, and whether the caller leads it. A
// flight that began before something was dropped which it may still bring is
// not joined, nor one that waits for its turn with less urgency.
func (f *flights) join(k flightKey, q *question, class string, c *Cache) (fl *flight, leads bool) {
	var tags []string
	if q.rule != nil {
		tags = q.rule.Tags
	}
	mine := &flight{
		key: k, route: q.route, tags: tags, born: c.index.position(), class: urgency(class),
		lead: make(chan leadAnswer, 1), done: make(chan struct{}),
	}
	if c.o.Separate {
		return mine, true
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if there := f.all[k]; there != nil {
		if there.serves(q, mine.class, c.index) {
			return there, false
		}
		mine.apart = true
	}
	f.all[k] = mine
	return mine, true
}

func (fl *flight) serves(q *question, class int, ix *index) bool {
	if fl.answered.Load() && q.want.NoCache { // the upstream is to be asked now
		return false
	}
	return (fl.class <= class || fl.answered.Load()) && !fl.dropped(ix)
}

// dropped reports whether what the flight brings has been dropped since it
// began.
func (fl *flight) dropped(ix *index) bool {
	return ix.dropped(&Object{Route: fl.route, Tags: fl.tags, Born: fl.born})
}

// leave takes a flight out that has ended.
func (f *flights) leave(fl *flight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.all[fl.key] == fl {
		delete(f.all, fl.key)
	}
}

// crowds bound how many requests of one key that cannot be answered together
// are upstream at once.
type crowds struct {
	mu  sync.Mutex
	all map[flightKey]*crowd
}

type crowd struct {
	slots chan struct{}
	users int
}

// enter waits for a place; leave gives it back, once.
func (c *crowds) enter(ctx context.Context, k flightKey) (leave func(), err error) {
	c.mu.Lock()
	if c.all == nil {
		c.all = map[flightKey]*crowd{}
	}
	one := c.all[k]
	if one == nil {
		one = &crowd{slots: make(chan struct{}, alonePerKey)}
		c.all[k] = one
	}
	one.users++
	c.mu.Unlock()
	forget := func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if one.users--; one.users == 0 {
			delete(c.all, k)
		}
	}
	select {
	case one.slots <- struct{}{}:
	case <-ctx.Done():
		forget()
		return nil, context.Cause(ctx)
	}
	return sync.OnceFunc(func() {
		<-one.slots
		forget()
	}), nil
}

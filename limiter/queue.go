package limiter

import "time"

const (
	maxQueued          = 1000 // requests that wait in a bucket, on one replica
	maxQueuedPerCaller = 100
)

// queue holds the requests that wait in one bucket: by class, then by caller,
// then in the order in which they came. It also keeps the books of callers. It
// decides nothing about tokens.
type queue struct {
	callers   map[string]*queueCaller
	rings     [Classes]ring
	waiting   [Classes]int
	deadlines deadlines
}

// queueCaller is one caller in a bucket on this replica.
type queueCaller struct {
	name             string
	weight           int64
	guarantee, limit Amount // limit is the cap
	lanes            [Classes]lane
	waiting          int
}

// lane is one class of a caller: a FIFO and its books.
type lane struct {
	caller *queueCaller
	class  Class

	first, last *Request
	length      int64
	ringed      bool  // in the ring of its class
	credit      int64 // tokens that it may still take in this round

	spent, arrived int64 // as in [Use]
	held           int64 // slots
	// left and fair are of the last answer, for generation; left falls with
	// each token.
	left, fair int64
	generation int64
}

// queued is the part of a [Request] that belongs to the queue.
type queued struct {
	lane       *lane
	next, prev *Request
	arrived    moment
	deadline   moment
	index      int // in deadlines
	// hurried requests wait for one trip to the store at most.
	hurried bool
}

func newQueue() queue { return queue{callers: make(map[string]*queueCaller)} }

// caller returns the books of a caller, new ones if there are none. shares is
// sorted by caller.
func (q *queue) caller(name string, shares []Share) *queueCaller {
	if c := q.callers[name]; c != nil {
		return c
	}
	c := &queueCaller{name: name}
	for i := range c.lanes {
		c.lanes[i] = lane{caller: c, class: Class(i), generation: -1}
	}
	c.configure(shares)
	q.callers[name] = c
	return c
}

// total is how many requests wait.
func (q *queue) total() int { return len(q.deadlines) }

// full reports whether c has as many places as it may have. A caller may always
// hold its own, and as many more as are free: one alone half of the queue.
func (q *queue) full(c *queueCaller) bool {
	return c.waiting >= max(maxQueuedPerCaller, maxQueued-q.total())
}

// least returns the request whose place one more of the lane may have in a full
// queue: the last of the longest lane of a less urgent class or, where there is
// none, of a caller that has more places. Without it a few callers with long
// queues would shut out one whose guarantee is free. nil if there is none.
func (q *queue) least(ln *lane) *Request {
	for class := Background; ; class-- {
		var longest *lane
		for _, other := range q.rings[class].lanes {
			if longest == nil || other.length > longest.length {
				longest = other
			}
		}
		switch {
		case class == ln.class:
			if longest == nil || longest.caller.waiting <= ln.caller.waiting+1 {
				return nil
			}
			return longest.last
		case longest != nil:
			return longest.last
		}
	}
}

// push puts a request at the end of its lane, or before all others if it had
// its turn already.
func (q *queue) push(ln *lane, r *Request, now, deadline moment, hurried bool) {
	r.queued = queued{lane: ln, arrived: now, deadline: deadline, hurried: hurried}
	switch {
	case ln.last == nil:
		ln.first, ln.last = r, r
	case r.Again:
		r.queued.next, ln.first.queued.prev = ln.first, r
		ln.first = r
	default:
		r.queued.prev, ln.last.queued.next = ln.last, r
		ln.last = r
	}
	ln.length++
	ln.caller.waiting++
	q.waiting[ln.class]++
	q.deadlines.push(r)
	q.rings[ln.class].add(ln)
}

// remove takes a request out, wherever it stands. It reports false if it is not
// in the queue.
func (q *queue) remove(r *Request) bool {
	ln := r.queued.lane
	if ln == nil {
		return false
	}
	if r.queued.prev == nil {
		ln.first = r.queued.next
	} else {
		r.queued.prev.queued.next = r.queued.next
	}
	if r.queued.next == nil {
		ln.last = r.queued.prev
	} else {
		r.queued.next.queued.prev = r.queued.prev
	}
	ln.length--
	ln.caller.waiting--
	q.waiting[ln.class]--
	q.deadlines.remove(r)
	if ln.length == 0 {
		q.rings[ln.class].drop(ln)
	}
	arrived := r.queued.arrived
	r.queued = queued{arrived: arrived}
	return true
}

// next returns the request whose turn it is among the callers that eligible
// accepts, the most urgent class first; nil if there is none.
func (q *queue) next(eligible func(*lane) bool) *Request {
	for class := range q.rings {
		if ln := q.rings[class].turn(eligible); ln != nil {
			return ln.first
		}
	}
	return nil
}

// renew begins the books of a new epoch. What no caller has used since the last
// one is forgotten.
func (q *queue) renew() {
	for name, c := range q.callers {
		used := c.waiting > 0
		for i := range c.lanes {
			ln := &c.lanes[i]
			used = used || ln.arrived > 0 || ln.held > 0
			ln.spent, ln.arrived = 0, 0
		}
		if !used {
			delete(q.callers, name)
		}
	}
}

// configure gives every caller its part of new shares.
func (q *queue) configure(shares []Share) {
	for _, c := range q.callers {
		c.configure(shares)
	}
}

// patience is how long a request may wait in all.
func (w *queued) patience() time.Duration { return w.deadline - w.arrived }

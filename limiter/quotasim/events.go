package quotasim

import "time"

// queue is what will happen, by time. Events of one instant happen in the order
// in which they were added, so that a run depends on nothing but its scenario.
type queue struct {
	now  time.Duration // true time since the run began
	seq  uint64
	heap []event
}

type event struct {
	at  time.Duration
	seq uint64
	do  func()
}

func (e event) before(f event) bool {
	return e.at < f.at || e.at == f.at && e.seq < f.seq
}

// at has something happen at t, or now if that has passed.
func (q *queue) at(t time.Duration, do func()) {
	q.seq++
	q.heap = append(q.heap, event{at: max(t, q.now), seq: q.seq, do: do})
	h := q.heap
	for i := len(h) - 1; i > 0; {
		parent := (i - 1) / 2
		if !h[i].before(h[parent]) {
			break
		}
		h[i], h[parent] = h[parent], h[i]
		i = parent
	}
}

func (q *queue) after(d time.Duration, do func()) { q.at(q.now+d, do) }

// run lets everything happen that is due until the end, included.
func (q *queue) run(end time.Duration) {
	for len(q.heap) > 0 && q.heap[0].at <= end {
		e := q.pop()
		q.now = e.at
		e.do()
	}
	q.now = max(q.now, end)
}

// stop forgets all that would happen.
func (q *queue) stop() { q.heap = nil }

func (q *queue) pop() event {
	h := q.heap
	first, last := h[0], len(h)-1
	h[0], h[last] = h[last], event{}
	h = h[:last]
	for i := 0; ; {
		next := i
		for child := 2*i + 1; child <= 2*i+2 && child < last; child++ {
			if h[child].before(h[next]) {
				next = child
			}
		}
		if next == i {
			break
		}
		h[i], h[next] = h[next], h[i]
		i = next
	}
	q.heap = h
	return first
}

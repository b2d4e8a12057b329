package limiter

import "container/heap"

// deadlines are the requests that wait, the one whose patience ends first in
// front.
type deadlines []*Request

func (d *deadlines) push(r *Request)   { heap.Push((*deadlineHeap)(d), r) }
func (d *deadlines) remove(r *Request) { heap.Remove((*deadlineHeap)(d), r.queued.index) }

// first returns when the first one's patience ends, never if nobody waits.
func (d deadlines) first() moment {
	if len(d) == 0 {
		return never
	}
	return d[0].queued.deadline
}

// deadlineHeap is deadlines as container/heap wants it.
type deadlineHeap []*Request

// Len is part of [heap.Interface].
func (h *deadlineHeap) Len() int { return len(*h) }

// Less is part of [heap.Interface].
func (h *deadlineHeap) Less(i, j int) bool {
	return (*h)[i].queued.deadline < (*h)[j].queued.deadline
}

// Swap is part of [heap.Interface].
func (h *deadlineHeap) Swap(i, j int) {
	s := *h
	s[i], s[j] = s[j], s[i]
	s[i].queued.index, s[j].queued.index = i, j
}

// Push is part of [heap.Interface].
func (h *deadlineHeap) Push(x any) {
	r, _ := x.(*Request)
	r.queued.index = len(*h)
	*h = append(*h, r)
}

// Pop is part of [heap.Interface].
func (h *deadlineHeap) Pop() any {
	s := *h
	r := s[len(s)-1]
	s[len(s)-1] = nil
	*h = s[:len(s)-1]
	return r
}

package observability

import (
	"sync"

	"iqgateway/internal/exchange"
)

// How many exchanges a replica remembers: the newest ones, and of those that
// they displace the last that failed, were refused or slow. What nobody is known
// to have sent has a place of its own, so that a flood of it displaces nothing.
const (
	recentShards    = 16
	recentNewest    = 4096 / recentShards
	recentKept      = 1024 / recentShards
	recentStrangers = 128 / recentShards
)

// How much text each of them may have in the mean, in bytes. Where they have
// more there are fewer: all of a [Recent] together stays below 4 MiB.
const (
	newestText   = 160
	keptText     = 320
	strangerText = 320
)

// Recent remembers the newest exchanges of this replica, in bounded memory that
// is taken at once. It is safe for concurrent use.
type Recent struct {
	shards [recentShards]recentShard
}

// recentShard has the exchanges of some ids.
type recentShard struct {
	mu        sync.Mutex
	newest    recentRing
	kept      recentRing // of what newest had to drop
	strangers recentRing // without a caller
}

// NewRecent returns an empty one.
func NewRecent() *Recent {
	r := &Recent{}
	for i := range r.shards {
		s := &r.shards[i]
		s.newest = newRecentRing(recentNewest, newestText)
		s.kept = newRecentRing(recentKept, keptText)
		s.strangers = newRecentRing(recentStrangers, strangerText)
	}
	return r
}

// Find returns the record of the exchange with the id, if it is remembered.
func (r *Recent) Find(id string) (Record, bool) {
	if r == nil || id == "" {
		return Record{}, false
	}
	s := r.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ring := range []*recentRing{&s.newest, &s.kept, &s.strangers} {
		if found := ring.find(id); found != nil {
			return *found, true
		}
	}
	return Record{}, false
}

// add remembers rec, of which it keeps a copy.
func (r *Recent) add(rec *Record) {
	s := r.shard(rec.ID)
	s.mu.Lock()
	defer s.mu.Unlock()
	if rec.Caller == nil {
		s.strangers.push(rec, nil)
		return
	}
	s.newest.push(rec, &s.kept)
}

// shard is chosen by the end of an id, which is random.
func (r *Recent) shard(id string) *recentShard {
	h := uint32(0)
	for i := max(0, len(id)-4); i < len(id); i++ {
		h = h*31 + uint32(id[i])
	}
	return &r.shards[h%recentShards]
}

// recentRing holds the last records that were put into it, bounded by number and
// by the size of their texts.
type recentRing struct {
	slots    []Record
	first, n int
	held     int // bytes of text
	budget   int
}

func newRecentRing(slots, text int) recentRing {
	return recentRing{slots: make([]Record, slots), budget: slots * text}
}

// push copies rec into the ring. What has to go and is worth it goes into kept.
func (r *recentRing) push(rec *Record, kept *recentRing) {
	size := rec.textSize()
	for r.n == len(r.slots) || r.n > 0 && r.held+size > r.budget {
		r.drop(kept)
	}
	r.slots[(r.first+r.n)%len(r.slots)] = *rec
	r.n++
	r.held += size
}

// drop takes the oldest one out.
func (r *recentRing) drop(kept *recentRing) {
	old := &r.slots[r.first]
	if kept != nil && old.noteworthy() {
		kept.push(old, nil)
	}
	r.held -= old.textSize()
	*old = Record{} // its texts are free
	r.first = (r.first + 1) % len(r.slots)
	r.n--
}

func (r *recentRing) find(id string) *Record {
	for i := range r.n {
		if rec := &r.slots[(r.first+i)%len(r.slots)]; rec.ID == id {
			return rec
		}
	}
	return nil
}

// hides reports whether an exchange is not to be remembered: it only asked the
// gateway about itself, and the answer is not to displace what it is about.
func hides(ex *exchange.Exchange) bool { return ex.Target != nil && ex.Target.Service == "" }

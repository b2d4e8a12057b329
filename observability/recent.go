package observability

import "sync"

// How many exchanges a replica remembers: the newest ones, and of those that
// they displace the last that failed, were refused or slow, of each caller some.
// What nobody is known to have sent has a place of its own, so that a flood of it
// displaces nothing; so has background work, and in it that for no caller, such as
// the fetch of a token.
const (
	recentShards    = 16
	recentNewest    = 4096 / recentShards
	recentKept      = 1024 / recentShards
	recentStrangers = 128 / recentShards
	recentWork      = 32 // of each kind
)

// How much text, attempts and waits each of them may have in the mean, in bytes.
// One attempt with its quota and its token takes about 456. Where they have more
// there are fewer: all of a [Recent] together stays below 6 MiB.
const (
	newestText   = 456
	keptText     = 512
	strangerText = 320
)

// Recent remembers the newest exchanges of this replica, in bounded memory that
// is taken at once. It is safe for concurrent use.
type Recent struct {
	shards [recentShards + 1]recentShard // the last one has background work
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
	for i := range recentShards {
		r.shards[i] = newRecentShard(recentNewest, recentKept, recentStrangers)
	}
	r.shards[recentShards] = newRecentShard(recentWork, recentWork/2, recentWork)
	return r
}

func newRecentShard(newest, kept, strangers int) recentShard {
	return recentShard{
		newest: newRecentRing(newest, newestText), kept: newRecentRing(kept, keptText), strangers: newRecentRing(strangers, strangerText),
	}
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
	if rec.Work {
		s = &r.shards[recentShards]
	}
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

// recentParts is the part of a full ring of what was kept, a quarter, above which
// a caller's next record displaces its own oldest, not another's.
const recentParts = 4

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
	for r.full(size) {
		if old := r.at(0); kept != nil && old.noteworthy() {
			kept.keep(old)
		}
		r.drop()
	}
	r.add(rec, size)
}

// keep is push where a caller that has more than its part makes room itself.
func (r *recentRing) keep(rec *Record) {
	size := rec.textSize()
	for r.full(size) {
		if own, over := r.of(rec.Caller.Name); over {
			r.bringForward(own)
		}
		r.drop()
	}
	r.add(rec, size)
}

func (r *recentRing) full(size int) bool {
	return r.n == len(r.slots) || r.n > 0 && r.held+size > r.budget
}

func (r *recentRing) add(rec *Record, size int) {
	slot := r.at(r.n)
	*slot = *rec
	slot.Trace.State = "" // long, and nobody asks for it
	r.n++
	r.held += size
}

// drop takes the oldest one out.
func (r *recentRing) drop() {
	old := r.at(0)
	r.held -= old.textSize()
	*old = Record{} // its texts are free
	r.first = (r.first + 1) % len(r.slots)
	r.n--
}

// of finds the oldest record of a caller, and whether the caller has more than
// its part.
func (r *recentRing) of(caller string) (oldest int, over bool) {
	n, held := 0, 0
	for i := range r.n {
		if rec := r.at(i); rec.Caller.Name == caller {
			if n == 0 {
				oldest = i
			}
			n++
			held += rec.textSize()
		}
	}
	return oldest, n > 0 && (n >= len(r.slots)/recentParts || held >= r.budget/recentParts)
}

// bringForward makes the record at i the oldest; the others keep their order.
func (r *recentRing) bringForward(i int) {
	rec := *r.at(i)
	for ; i > 0; i-- {
		*r.at(i) = *r.at(i - 1)
	}
	*r.at(0) = rec
}

// at returns the place of the i-th oldest record.
func (r *recentRing) at(i int) *Record { return &r.slots[(r.first+i)%len(r.slots)] }

func (r *recentRing) find(id string) *Record {
	for i := range r.n {
		if rec := r.at(i); rec.ID == id {
			return rec
		}
	}
	return nil
}

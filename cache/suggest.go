package cache

import (
	"hash/maphash"
	"sync"
	"time"
)

// ghostShards is how many locks the ghost has.
const ghostShards = 16

// ghost remembers what would be stored, to count what would have hit. It keeps
// a hash and a time of each answer, the younger ones where there are too many,
// and knows nothing of writes: it counts what a rule could save at most.
type ghost struct {
	seed   maphash.Seed
	shards [ghostShards]ghostShard
}

// ghostShard has two ages: when the young one is full, it becomes the old one,
// and what was old is forgotten.
type ghostShard struct {
	mu         sync.Mutex
	young, old map[uint64]int64 // until, Unix nanoseconds
	most       int              // of the young
}

// newGhost bounds it to so many answers; each takes some 40 bytes.
func newGhost(most int) *ghost {
	g := &ghost{seed: maphash.MakeSeed()}
	for i := range g.shards {
		g.shards[i].most = max(most/(2*ghostShards), 1)
		g.shards[i].young = map[uint64]int64{}
	}
	return g
}

// would reports whether a stored answer would have served the request; if not,
// it counts as stored for ttl from now on.
func (g *ghost) would(key Key, selected string, ttl time.Duration, now time.Time) bool {
	id := g.hash(key, selected)
	return g.shards[id%ghostShards].would(id, ttl, now.UnixNano())
}

func (g *ghost) hash(key Key, selected string) uint64 {
	var h maphash.Hash
	h.SetSeed(g.seed)
	_, _ = h.WriteString(string(key))
	_ = h.WriteByte(0)
	_, _ = h.WriteString(selected)
	return h.Sum64()
}

func (s *ghostShard) would(id uint64, ttl time.Duration, now int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	until, ok := s.young[id]
	if !ok {
		until, ok = s.old[id]
	}
	if ok && now < until {
		return true
	}
	if ttl <= 0 {
		return false
	}
	if len(s.young) >= s.most {
		s.young, s.old = make(map[uint64]int64, s.most), s.young
	}
	s.young[id] = now + int64(ttl)
	return false
}

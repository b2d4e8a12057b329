package auth

import "sync"

// rememberShards keep requests that look something up apart from each other.
const rememberShards = 16

// remembered keeps what tokens were found to prove, by their digest, so that a
// token which comes again costs no signature. Only what was proved belongs in
// it: nobody without a good token can fill it. Whoever reads an entry checks
// that it still holds. It is safe for concurrent use.
type remembered[T any] struct {
	shards [rememberShards]rememberShard[T]
	most   int // entries of a shard
}

type rememberShard[T any] struct {
	mu      sync.RWMutex
	entries map[Digest]T
}

// newRemembered returns an empty memory of about that many entries.
func newRemembered[T any](most int) *remembered[T] {
	r := &remembered[T]{most: max(1, most/rememberShards)}
	for i := range r.shards {
		r.shards[i].entries = map[Digest]T{}
	}
	return r
}

func (r *remembered[T]) shard(d Digest) *rememberShard[T] { return &r.shards[d[0]%rememberShards] }

func (r *remembered[T]) get(d Digest) (T, bool) {
	s := r.shard(d)
	s.mu.RLock()
	defer s.mu.RUnlock()
	v, ok := s.entries[d]
	return v, ok
}

// put keeps v; where there is no room, any other goes: what is asked for again
// comes back.
func (r *remembered[T]) put(d Digest, v T) {
	s := r.shard(d)
	s.mu.Lock()
	defer s.mu.Unlock()
	for other := range s.entries {
		if len(s.entries) < r.most {
			break
		}
		delete(s.entries, other)
	}
	s.entries[d] = v
}

func (r *remembered[T]) forget(d Digest) {
	s := r.shard(d)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.entries, d)
}

package redisstore

// Hooks are called as things happen; nil funcs are skipped. They must be safe
// for concurrent use and must not block.
type Hooks struct {
	// Discarded tells of something under one of the Store's names that the
	// Store cannot have written: field is state or history, reason is type,
	// size, schema or unreadable. It counts as absent: the replicas' next asks
	// tell again what was known.
	Discarded func(field, reason string)
}

func (h Hooks) discarded(field, reason string) {
	if h.Discarded != nil {
		h.Discarded(field, reason)
	}
}

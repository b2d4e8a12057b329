package redisstore

// Hooks are called as things happen; nil funcs are skipped. They must be safe
// for concurrent use and must not block.
type Hooks struct {
	// Discarded tells of something under one of the Store's names that the
	// Store cannot have written: field is records or claims, reason is type,
	// size, malformed or time. It counts as absent.
	Discarded func(field, reason string)
}

func (h Hooks) discarded(field, reason string) {
	if h.Discarded != nil {
		h.Discarded(field, reason)
	}
}

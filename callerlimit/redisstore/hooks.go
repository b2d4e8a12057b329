package redisstore

// Hooks are called as things happen; nil funcs are skipped. They must be safe
// for concurrent use and must not block.
type Hooks struct {
	// Discarded tells of something under the Store's name that it cannot have
	// written: reason is type, size or malformed. It counts as absent.
	Discarded func(reason string)
}

func (h Hooks) discarded(reason string) {
	if h.Discarded != nil {
		h.Discarded(reason)
	}
}

package redisstore

// Hooks are called as things happen; nil funcs are skipped. They must be safe
// for concurrent use and must not block.
type Hooks struct {
	// Discarded tells of something under one of the Store's names that the
	// Store cannot have written: field is state, token, history or lock, reason
	// is type, size, number, malformed or unreadable. It counts as absent.
	// Sealed values that do not open go to redisconn's Hooks.Rejected instead.
	Discarded func(field, reason string)
	// Lost tells that a heartbeat found its claim lost to another replica or to
	// a forgotten token.
	Lost func()
	// Panicked tells of a panic in a heartbeat, which ends with it: its claim
	// runs out.
	Panicked func(value any, stack []byte)
}

func (h Hooks) panicked(value any, stack []byte) {
	if h.Panicked != nil {
		h.Panicked(value, stack)
	}
}

func (h Hooks) discarded(field, reason string) {
	if h.Discarded != nil {
		h.Discarded(field, reason)
	}
}

func (h Hooks) lost() {
	if h.Lost != nil {
		h.Lost()
	}
}

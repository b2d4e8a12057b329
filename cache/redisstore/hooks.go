package redisstore

// Hooks are called as things happen; nil funcs are skipped. They must be safe
// for concurrent use and must not block.
type Hooks struct {
	// Discarded tells of something under one of our names that cannot be used:
	// field is value, event or log. Reasons of a value: type, size, stamp,
	// format, unreadable; of an event: unreadable; of the log: type, head,
	// rollback. What does not open goes to redisconn's Hooks.Rejected instead.
	Discarded func(field, reason string)
	// Oversize tells of an answer that was not put because it is too large, in
	// bytes as it would be stored.
	Oversize func(bytes int)
}

func (h Hooks) discarded(field, reason string) {
	if h.Discarded != nil {
		h.Discarded(field, reason)
	}
}

func (h Hooks) oversize(bytes int) {
	if h.Oversize != nil {
		h.Oversize(bytes)
	}
}

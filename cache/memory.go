package cache

// memory is the store of one process, bounded in bytes.
type memory struct{}

// newMemory starts nothing. onEvict (nil = silent) is told of what has been
// evicted for want of room; it must be quick and not call the memory.
func newMemory(maxBytes int64, onEvict func(bytes int64)) *memory { return &memory{} }

// get returns the answer to a request, fresh or not, dropped or not; nil = none.
func (m *memory) get(key Key, selected string) *Object { return nil }

// variants returns all answers under a key.
func (m *memory) variants(key Key) []*Object { return nil }

// put stores o in place of the answer to the same request. The memory keeps a
// shallow copy: o may be shared already, and stays as it is. False = too big,
// or of no use any more.
func (m *memory) put(o *Object) bool { return false }

// drop removes all answers under a key.
func (m *memory) drop(key Key) {}

// tidy lets go of what has expired; to be called every second or so.
func (m *memory) tidy() {}

func (m *memory) bytes() int64 { return 0 }

// bytesOf returns what one service has of them.
func (m *memory) bytesOf(service ServiceName) int64 { return 0 }

// len returns how many keys there are.
func (m *memory) len() int { return 0 }

// setMaximum changes the bound.
func (m *memory) setMaximum(maxBytes int64) {}

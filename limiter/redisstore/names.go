package redisstore

import "sync"

// OtherCaller stands in answers for callers whose names this process cannot
// know: another replica with another configuration serves them.
const OtherCaller = "(another replica's caller)"

// maxNames bounds what is remembered; names come from the configuration, so
// that only a fault can bring more.
const maxNames = 1 << 14

// names hides callers' names and finds them again. It is safe for concurrent
// use.
type names struct {
	hash func(name string) string

	mu     sync.Mutex
	hidden map[string]string // by name
	known  map[string]string // by hidden name
}

func newNames(hash func(name string) string) *names {
	return &names{hash: hash, hidden: map[string]string{}, known: map[string]string{}}
}

// hide returns what stands for the name, and learns the name.
func (n *names) hide(name string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if hidden, ok := n.hidden[name]; ok {
		return hidden
	}
	if len(n.hidden) >= maxNames {
		clear(n.hidden) // each Ask tells its names again
		clear(n.known)
	}
	hidden := n.hash(name)
	n.hidden[name], n.known[hidden] = hidden, name
	return hidden
}

// reveal returns the name that was hidden, or OtherCaller.
func (n *names) reveal(hidden string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if name, ok := n.known[hidden]; ok {
		return name
	}
	return OtherCaller
}

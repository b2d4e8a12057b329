package cache

import "iqgateway/internal/pathpattern"

// EventKind is what an event drops.
type EventKind string

// The kinds.
const (
	DropPath    EventKind = "path"    // Path alone, whatever the query
	DropTree    EventKind = "tree"    // Path, all above it and all below it
	DropPattern EventKind = "pattern" // all paths that Pattern matches
	DropTag     EventKind = "tag"     // all that carry Tag
	DropKey     EventKind = "key"     // Path with exactly Query
	DropService EventKind = "service" // all of the service
	DropAll     EventKind = "all"     // everything
)

// Event says that stored answers are not to be used again. It reaches all
// replicas by the log.
type Event struct {
	ID      uint64 // random: how its sender recognises it
	Kind    EventKind
	Service ServiceName // zero for DropAll, and for a DropTag of all services
	// Path is folded; of DropPattern it is the pattern's text.
	Path    string
	Query   string // raw, of DropKey
	Tag     string
	pattern pathpattern.Pattern
}

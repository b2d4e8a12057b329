package cache

import "time"

// ghost remembers what would be stored, to count what would have hit.
type ghost struct{}

// newGhost bounds it to so many answers.
func newGhost(most int) *ghost { return &ghost{} }

// would reports whether a stored answer would have served the request; if not,
// it counts as stored for ttl from now on.
func (g *ghost) would(key Key, selected string, ttl time.Duration, now time.Time) bool { return false }

package limiter

// Shared is what the fleet holds in common of one bucket. It is pure: time is
// an argument, and every decision of the fleet is [Shared.Acquire]. The zero
// value knows nothing.
type Shared struct{}

// Acquire applies an Ask at now, in milliseconds of the store's clock.
func (s *Shared) Acquire(ask Ask, now int64) Answer { panic("not yet") }

package bulkhead

// InFlight returns how many requests each caller with a limit has under way.
func (c *Callers) InFlight() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make(map[string]int, len(c.counts))
	for name, n := range c.counts {
		all[name] = int(n.n.Load())
	}
	return all
}

package cache

// Answered counts the flights to which the upstream has begun to answer.
func (c *Cache) Answered() (n int) {
	c.flights.mu.Lock()
	defer c.flights.mu.Unlock()
	for _, fl := range c.flights.all {
		if fl.answered.Load() {
			n++
		}
	}
	return n
}

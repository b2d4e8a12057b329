package cache

import "flag"

// Long asks for the long forms: a million URLs, ten thousand variants.
var Long = flag.Bool("long", false, "run the long forms of the tests")

// AlonePerKey is how many requests of one key are upstream at once when they
// cannot be answered together.
const AlonePerKey = alonePerKey

// Unshared is of how many keys it is remembered that they cannot be shared.
func (c *Cache) Unshared() int {
	c.notShared.mu.Lock()
	defer c.notShared.mu.Unlock()
	return len(c.notShared.until)
}

// Crowds is for how many keys requests wait that cannot be answered together.
func (c *Cache) Crowds() int {
	c.alone.mu.Lock()
	defer c.alone.mu.Unlock()
	return len(c.alone.all)
}

// Crowding is how many requests those are, waiting or upstream.
func (c *Cache) Crowding() (n int) {
	c.alone.mu.Lock()
	defer c.alone.mu.Unlock()
	for _, one := range c.alone.all {
		n += one.users
	}
	return n
}

// Flights is how many shared fetches are under way.
func (c *Cache) Flights() int {
	c.flights.mu.Lock()
	defer c.flights.mu.Unlock()
	return len(c.flights.all)
}

// Bytes and Keys are what memory holds.
func (c *Cache) Bytes() int64 { return c.memory.bytes() }

// Keys is how many keys memory holds.
func (c *Cache) Keys() int { return c.memory.len() }

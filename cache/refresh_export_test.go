package cache

// Refreshing reports whether anything is being refreshed in the background.
func (c *Cache) Refreshing() (yes bool) {
	c.fresh.Range(func(any, any) bool {
		yes = true
		return false
	})
	return yes
}

// MaxRefreshes is how many are under way at once.
const MaxRefreshes = maxRefreshes

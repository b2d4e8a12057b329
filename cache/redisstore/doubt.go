package redisstore

import (
	"sync"
	"time"
)

// maxDoubts bounds what is remembered of an outage.
const maxDoubts = 1024

// doubts are claims whose answer was lost: they may stand in Redis although
// nobody holds them, and everybody would wait for them in vain. The next call
// for their name ends or takes them. It is safe for concurrent use.
type doubts struct {
	mu     sync.Mutex
	claims map[string]doubt // by key name
}

type doubt struct {
	token string
	until time.Time
}

func (d *doubts) add(key, token string, now time.Time, lasting time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.claims == nil {
		d.claims = map[string]doubt{}
	}
	if len(d.claims) >= maxDoubts {
		for k, c := range d.claims {
			if !now.Before(c.until) {
				delete(d.claims, k)
			}
		}
		if len(d.claims) >= maxDoubts {
			return // it ends by itself
		}
	}
	d.claims[key] = doubt{token: token, until: now.Add(lasting)}
}

// take returns the token of a claim that may stand, "" if there is none, and
// forgets it: one call alone may use it.
func (d *doubts) take(key string, now time.Time) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	c, ok := d.claims[key]
	if !ok {
		return ""
	}
	delete(d.claims, key)
	if !now.Before(c.until) {
		return ""
	}
	return c.token
}

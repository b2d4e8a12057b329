package main

import (
	"time"

	"iqgateway/cache"
)

// cacheDocument is the answer to GET /api/v1/cache: what this replica has seen
// since it began.
type cacheDocument struct {
	Replica  string               `json:"replica"`
	Memory   cacheMemory          `json:"memory"`
	Tier     cacheTier            `json:"second_tier"`
	Log      *cacheLog            `json:"invalidations,omitempty"` // absent: this replica is alone
	Services []cache.ServiceStats `json:"services"`
}

// cacheMemory is what is stored in the process.
type cacheMemory struct {
	Bytes   int64  `json:"bytes"`
	Limit   int64  `json:"limit_bytes"`
	Answers int    `json:"stored_answers"`
	Evicted uint64 `json:"evicted_bytes"`
}

// cacheLog says how well the replica hears of the writes of others.
type cacheLog struct {
	// Heard is when the log last answered; absent = never.
	Heard *time.Time `json:"last_heard,omitempty"`
	// Silent says that copies of what callers can write are not used now.
	Silent bool `json:"silent"`
}

// silentAfter is for how long copies of what can be written are used without
// hearing of the log.
const silentAfter = 5 * time.Second

func (c cacheAdmin) describe() cacheDocument {
	stats := c.stats()
	d := cacheDocument{
		Replica: c.replica, Tier: c.tier(), Services: append([]cache.ServiceStats{}, stats.Services...), // never null
		Memory: cacheMemory{Bytes: stats.Bytes, Limit: c.limit(), Answers: stats.Entries, Evicted: stats.Evicted},
	}
	if c.logged {
		heard := c.heard()
		d.Log = &cacheLog{Silent: silence(c.now(), heard) > silentAfter}
		if !heard.IsZero() {
			heard = heard.UTC().Truncate(time.Millisecond)
			d.Log.Heard = &heard
		}
	}
	return d
}

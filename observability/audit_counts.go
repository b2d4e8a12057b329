package observability

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"iqgateway/internal/exchange"
)

// maxAuditCounts bounds what is counted apart: more credentials and services
// than that share one count.
const maxAuditCounts = 4096

// auditCounts counts allowed requests without a lock and without allocating:
// every request that is answered from memory passes here.
type auditCounts struct {
	counts atomic.Pointer[map[auditKey]*auditCount] // is replaced, never changed
	mu     sync.Mutex                               // held to replace it
}

type auditKey struct {
	caller, proof, keyID, environment, service string

	write bool
}

type auditCount struct {
	requests atomic.Int64
	first    atomic.Pointer[string] // request id
}

func (c *auditCounts) add(ex *exchange.Exchange) {
	key := auditKey{caller: ex.Caller.Name, proof: ex.Caller.Proof, keyID: ex.Caller.KeyID}
	if t := ex.Target; t != nil {
		key.environment, key.service, key.write = t.Environment, t.Service, t.Write
	}
	count := c.find(key)
	if count.requests.Add(1) == 1 {
		id := ex.ID
		count.first.Store(&id)
	}
}

func (c *auditCounts) find(key auditKey) *auditCount {
	if all := c.counts.Load(); all != nil {
		if count := (*all)[key]; count != nil {
			return count
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	next := map[auditKey]*auditCount{}
	if all := c.counts.Load(); all != nil {
		next = maps.Clone(*all)
	}
	if len(next) >= maxAuditCounts {
		key = auditKey{}
	}
	count := next[key]
	if count == nil {
		count = &auditCount{}
		next[key] = count
		c.counts.Store(&next)
	}
	return count
}

// take returns a record of each count, and begins to count anew. A count that
// nobody has added to is forgotten: whoever still adds to it has read it more
// than a minute ago.
func (c *auditCounts) take(since time.Time) []AuditRecord {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.counts.Load()
	if all == nil {
		return nil
	}
	var records []AuditRecord
	kept := make(map[auditKey]*auditCount, len(*all))
	for key, count := range *all {
		first := count.first.Load()
		n := count.requests.Swap(0)
		if n == 0 {
			continue
		}
		kept[key] = count
		records = append(records, key.record(n, first, since))
	}
	c.counts.Store(&kept)
	return records
}

func (k auditKey) record(n int64, first *string, since time.Time) AuditRecord {
	r := AuditRecord{
		Event: AuditRequests, Result: AuditAllowed, Count: n, Since: since, Access: "read",
		Caller: k.caller, Proof: k.proof, KeyID: k.keyID, Environment: k.environment, Service: k.service,
	}
	if k.write {
		r.Access = "write"
	}
	if first != nil {
		r.RequestID = *first
	}
	return r
}

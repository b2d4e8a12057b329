package iqsim

import (
	"net/http"
	"sync"
	"time"
)

// LedgerEntry is what the simulation saw of one request and did with it.
type LedgerEntry struct {
	// Seq counts all requests from 1.
	Seq int64 `json:"seq"`
	// Time of arrival, by the clock of the simulation.
	Time        time.Time `json:"time"`
	Environment string    `json:"environment"`
	Service     string    `json:"service"`
	Method      string    `json:"method"`
	// Target is the request target, byte for byte.
	Target string `json:"target"`
	Host   string `json:"host"`
	Remote string `json:"remote"`
	Proto  string `json:"proto"`
	// Header as received, without Authorization.
	Header http.Header `json:"header"`
	// Authorizations is the number of Authorization fields.
	Authorizations int `json:"authorizations"`
	// TokenSerial counts the tokens of the environment; it tells which one
	// came, if it was ever issued. Account and ClientID are its owners.
	TokenSerial int    `json:"tokenSerial,omitempty"`
	Account     string `json:"account,omitempty"`
	ClientID    string `json:"clientId,omitempty"`
	// Nonce is the X-Sim-Nonce field, or else the sim-nonce parameter.
	Nonce string `json:"nonce,omitempty"`

	// Executed tells that the service ran to effect: its handler had the whole
	// body and did not answer with an error.
	Executed bool `json:"executed"`
	// ServiceStatus is what the service's handler answered, 0 if it did not
	// run.
	ServiceStatus int `json:"serviceStatus,omitempty"`
	// Status is what went out, 0 when nothing did.
	Status int `json:"status"`
	// Faults are the kinds of the faults that struck.
	Faults []string `json:"faults,omitempty"`
	// BodyLength and BodySHA256 (hex) are of the request body as far as it came.
	BodyLength int64  `json:"bodyLength"`
	BodySHA256 string `json:"bodySha256,omitempty"`
	// BodyError tells why the body did not come as a whole.
	BodyError string `json:"bodyError,omitempty"`
	// Done tells that the exchange is over, which may be a moment after the
	// client has the answer; Duration is how long it took in
	// real time.
	Done     bool     `json:"done"`
	Duration Duration `json:"duration,omitempty"`
}

// Counts are the totals of a service since the start or the last reset; they
// do not forget as the ledger does.
type Counts struct {
	Requests     int64 `json:"requests"`
	Executed     int64 `json:"executed"`
	Unauthorized int64 `json:"unauthorized"` // 401 sent
	OverQuota    int64 `json:"overQuota"`    // 429 sent
}

// ledger is a ring of the latest entries. It is safe for concurrent use.
type ledger struct {
	mu      sync.Mutex
	ring    []LedgerEntry
	last    int64 // sequence of the latest entry
	cleared int64 // entries up to this one were deleted
	counts  map[profileKey]*Counts
}

func newLedger(size int) *ledger {
	return &ledger{ring: make([]LedgerEntry, max(0, size)), counts: map[profileKey]*Counts{}}
}

// begin notes a request that arrived and returns its sequence number.
func (l *ledger) begin(e LedgerEntry) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	e.Seq = l.last
	l.count(e).Requests++
	l.put(e)
	return e.Seq
}

// update replaces the entry of a request; outcome adds to the counts, once for
// each request.
func (l *ledger) update(e LedgerEntry, outcome bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if outcome && e.Seq > l.cleared {
		c := l.count(e)
		c.Executed += countIf(e.Executed)
		c.Unauthorized += countIf(e.Status == http.StatusUnauthorized)
		c.OverQuota += countIf(e.Status == http.StatusTooManyRequests)
	}
	if e.Seq > l.oldest() {
		l.put(e)
	}
}

func (l *ledger) put(e LedgerEntry) {
	if len(l.ring) > 0 {
		l.ring[e.Seq%int64(len(l.ring))] = e
	}
}

// oldest returns the sequence before the first entry that is still held.
func (l *ledger) oldest() int64 { return max(l.cleared, l.last-int64(len(l.ring))) }

func (l *ledger) count(e LedgerEntry) *Counts {
	key := profileKey{e.Environment, e.Service}
	c := l.counts[key]
	if c == nil {
		c = &Counts{}
		l.counts[key] = c
	}
	return c
}

// since returns the entries after seq that keep selects, oldest first, and how
// many after seq are lost.
func (l *ledger) since(seq int64, keep func(*LedgerEntry) bool) (entries []LedgerEntry, lost int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	from := max(seq, l.oldest())
	for s := from + 1; s <= l.last; s++ {
		e := &l.ring[s%int64(len(l.ring))]
		if keep == nil || keep(e) {
			entries = append(entries, *e)
		}
	}
	return entries, max(0, from-max(seq, l.cleared))
}

// totals returns the counts by environment and service.
func (l *ledger) totals() map[string]map[string]Counts {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := map[string]map[string]Counts{}
	for key, c := range l.counts {
		if out[key.environment] == nil {
			out[key.environment] = map[string]Counts{}
		}
		out[key.environment][key.service] = *c
	}
	return out
}

// clear forgets entries and counts; sequence numbers go on.
func (l *ledger) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cleared = l.last
	clear(l.ring)
	clear(l.counts)
}

func countIf(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}

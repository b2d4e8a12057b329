package observability

import (
	"cmp"
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// exchangeInstruments count caller requests. What they count is kept in tallies
// and summed up at each scrape: a request is one look-up and a few additions,
// however many metrics it is part of.
type exchangeInstruments struct {
	duration       histogram
	active         observed
	byWhom, took   observed
	received, sent observed

	statuses statusTexts
	running  map[runningKey]*running // all that there can be
	tallies  sync.Map                // exchangeKey -> *exchangeTally
	refused  sync.Map                // reason -> *atomic.Int64: whose caller is not known; a closed set
	size     atomic.Int64
}

// maxTallies bounds what a configuration of very many callers and services can
// take in memory; what comes after is counted together.
const maxTallies = 20_000

func (i *exchangeInstruments) declare(d *declarer) {
	i.duration = d.histogram("http.server.request.duration", "s",
		"Duration of caller requests, from their header read to the last byte written. http_route is that of requests that were allowed. error_type is the problem's type, client_gone, aborted, or a status from 500 on.",
		durationBuckets(), "http.route", "http.request.method", "http.response.status_code", "error.type", "url.scheme")
	i.active = d.level("http.server.active_requests", "{request}",
		"Caller requests being served. Rising without more requests: something upstream is slow.",
		"http.request.method", "url.scheme")
	i.byWhom = d.tally("iqgw.exchanges", "{exchange}",
		"Caller requests by caller, service and how they ended: ok, the type of the problem that the caller got, upstream_error (a 5xx of the upstream that was passed on), client_gone or aborted.",
		"caller", "environment", "service", "outcome")
	i.took = d.tally("iqgw.exchange.duration", "s",
		"Time that these requests took, added up. Divided by iqgw_exchanges_total: what a caller waits on average.",
		"caller", "environment", "service")
	i.received = d.tally("iqgw.exchange.received", "By",
		"Bytes of request bodies that callers have sent.",
		"caller", "environment", "service")
	i.sent = d.tally("iqgw.exchange.sent", "By",
		"Bytes of answers' bodies that callers got, from the cache or not.",
		"caller", "environment", "service")
	i.statuses, i.running = newStatusTexts(), newRunning()
}

// exchangeKey is one combination of label values. All of them come from the
// configuration or from closed sets, so there are few.
type exchangeKey struct {
	environment, service, caller, outcome, result, reason string

	rest bool // all that have found no room
}

type exchangeTally struct{ exchanges, nanoseconds, received, sent, savedCalls, savedTokens atomic.Int64 }

func (i *exchangeInstruments) tally(k exchangeKey) *exchangeTally {
	known, ok := i.tallies.Load(k)
	if !ok {
		if i.size.Load() >= maxTallies {
			k = exchangeKey{rest: true, result: k.result}
		}
		if known, ok = i.tallies.LoadOrStore(k, &exchangeTally{}); !ok {
			i.size.Add(1)
		}
	}
	return known.(*exchangeTally)
}

// count books an exchange that has ended.
func (i *exchangeInstruments) count(s *observation, outcome string, d time.Duration) {
	ex := s.ex
	k := exchangeKey{outcome: cmp.Or(outcome, "ok")}
	if ex.Target != nil {
		k.environment, k.service = ex.Target.Environment, ex.Target.Service
		k.result, k.reason = string(ex.Cache.Result), ex.Cache.Reason
	}
	if ex.Caller != nil {
		k.caller = ex.Caller.Name
	}
	if ex.Refused != "" {
		reasons, _ := i.refused.LoadOrStore(ex.Refused, new(atomic.Int64))
		reasons.(*atomic.Int64).Add(1)
	}
	t := i.tally(k)
	t.exchanges.Add(1)
	t.nanoseconds.Add(int64(d))
	t.sent.Add(s.out.bytes)
	if s.in != nil {
		t.received.Add(s.in.bytes)
	}
	if saved := int64(ex.Cache.Saved); saved > 0 {
		t.savedCalls.Add(saved)
		if ex.QuotaView != nil { // a bucket counts the service
			t.savedTokens.Add(saved)
		}
	}
}

// runningKey is what requests under way are counted by.
type runningKey struct{ method, scheme string }

func runningOf(r *http.Request) runningKey {
	if r.TLS != nil {
		return runningKey{knownMethod(r.Method), "https"}
	}
	return runningKey{knownMethod(r.Method), "http"}
}

// running are the requests of a kind that are under way.
type running struct {
	now  atomic.Int64
	seen atomic.Bool
}

func newRunning() map[runningKey]*running {
	all := map[runningKey]*running{}
	for _, method := range []string{
		http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodOptions, http.MethodConnect, http.MethodTrace, otherMethod,
	} { // knownMethod gives no other
		all[runningKey{method, "http"}], all[runningKey{method, "https"}] = &running{}, &running{}
	}
	return all
}

// exchangeBegins returns what is to be counted down by one when the exchange ends.
func (m *Metrics) exchangeBegins(r *http.Request) *running {
	if m == nil {
		return nil
	}
	like := m.exchanges.running[runningOf(r)]
	like.now.Add(1)
	if !like.seen.Load() {
		like.seen.Store(true)
	}
	return like
}

// exchangeEnds measures an exchange. ctx carries the trace of its exemplar, if any.
func (m *Metrics) exchangeEnds(ctx context.Context, s *observation, r *http.Request, e ending) {
	if m == nil {
		return
	}
	s.running.now.Add(-1)
	route, status := "", m.exchanges.statuses.of(e.status)
	if t := s.ex.Target; t != nil && (s.ex.Credential != "" || t.Service == "") { // who may not ask makes no series of what there is
		route = t.Route
	}
	k := runningOf(r)
	m.exchanges.duration.record(ctx, e.duration.Seconds(), route, k.method, status, errorType(errorName(e.outcome), status, "5"), k.scheme)
	m.exchanges.count(s, e.outcome, e.duration)
}

package flood_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"iqgateway/internal/iqsim"
	"iqgateway/test/flood"
	"iqgateway/test/rig"
)

// work is all that the gateway has done for callers so far.
type work struct {
	// counts must stay as they are: what the upstream and its token endpoint saw,
	// and what the gateway says of its own parts.
	counts map[string]float64
	// commands of Redis go on in idle times, too.
	commands int
}

// parts are the metrics of what works for a request that was let in.
func parts() []string {
	return []string{"iqgw_cache_", "iqgw_quota_", "iqgw_token_", "iqgw_retry_", "iqgw_breaker_", "http_client_request_duration_"}
}

func (s *subject) work(t *testing.T) work {
	t.Helper()
	metrics, err := s.gateway.Metrics(t.Context())
	rig.Must(t, err)
	w := work{counts: map[string]float64{}, commands: s.commands(t)}
	for line := range strings.Lines(string(metrics)) {
		name, _, _ := strings.Cut(line, "{")
		counts := strings.HasSuffix(name, "_total") || strings.HasSuffix(name, "_count")
		if counts && slices.ContainsFunc(parts(), func(part string) bool { return strings.HasPrefix(name, part) }) {
			w.counts[name], err = metrics.Sum(name)
			rig.Must(t, err)
		}
	}
	w.counts["requests upstream"] = float64(len(s.sim.Ledger(iqsim.LedgerQuery{})))
	return w
}

// spare is how many commands of Redis more than in an idle time of the same
// length may be a coincidence; one for each request would be many thousands.
const spare = 300

// idleTime is what background work is measured in.
const idleTime = 2 * time.Second

// Who is not known costs no work beyond being refused: nothing is asked of Redis,
// the token endpoint, the cache or the upstream. Connections stay, as there is no
// body to come.
func TestFloodOfStrangers(t *testing.T) {
	s := newSubject(t)
	s.good(t, time.Second) // fills cache, leases and token
	lasts := idleTime
	if *long {
		lasts = 20 * time.Second
	}
	before := s.work(t)
	rig.Pass(t.Context(), idleTime)
	idle := s.work(t)
	began := time.Now()
	met, err := s.strangers(lasts).Run(t.Context())
	rig.Must(t, err)
	took := time.Since(began)
	after := s.work(t)
	t.Logf("%d requests in %s, %.0f/s; Redis: %d commands, %d in %s of idleness",
		met.Asked, took.Round(time.Millisecond), float64(met.Asked)/lasts.Seconds(), after.commands-idle.commands, idle.commands-before.commands, idleTime)
	wantRefused(t, met, s.strangers(lasts).Connections)
	if !maps.Equal(after.counts, idle.counts) {
		t.Errorf("work was done: %v, before %v", after.counts, idle.counts)
	}
	background := float64(idle.commands-before.commands) * (float64(took)/float64(idleTime) + 1)
	if n := after.commands - idle.commands; float64(n) > background+spare {
		t.Errorf("%d commands to Redis, %.0f in idle times", n, background)
	}
	if idle.counts["requests upstream"] == 0 || len(idle.counts) < len(parts())-1 {
		t.Errorf("the good callers left no trace: %v", idle.counts)
	}
}

func wantRefused(t *testing.T, met flood.Result, connections int) {
	t.Helper()
	if met.Error != "" {
		t.Error(met.Error)
	}
	if met.Asked == 0 || met.Statuses[http.StatusUnauthorized] != met.Asked {
		t.Errorf("%d requests: %v", met.Asked, met.Statuses)
	}
	if met.Connections != connections {
		t.Errorf("%d connections were needed, not %d", met.Connections, connections)
	}
}

// unnoticed is a latency that a busy machine may have at any time.
const unnoticed = 20 * time.Millisecond

// Good callers are served while strangers flood; in the long form, on a quiet
// machine, hardly more slowly than without.
func TestFloodLeavesGoodCallers(t *testing.T) {
	s := newSubject(t)
	lasts := time.Second
	if *long {
		lasts = 20 * time.Second
	}
	s.good(t, time.Second)
	quiet := s.good(t, lasts).Within(0.99)
	var strangers sync.WaitGroup
	strangers.Go(func() {
		met, err := s.strangers(lasts + time.Second).Run(t.Context())
		if err != nil {
			t.Error(err)
			return
		}
		wantRefused(t, met, s.strangers(lasts).Connections)
		t.Logf("strangers asked %.0f times a second", float64(met.Asked)/(lasts+time.Second).Seconds())
	})
	flooded := s.good(t, lasts)
	strangers.Wait()
	p99 := flooded.Within(0.99)
	t.Logf("%d good requests, p99 %s, %.1f times the quiet %s", flooded.Requests(), p99, float64(p99)/float64(quiet), quiet)
	if most := max(2*quiet, unnoticed); *long && p99 > most {
		t.Errorf("p99 %s, more than %s", p99, most)
	}
}

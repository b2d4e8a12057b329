package flood_test

import (
	"fmt"
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
	"iqgateway/test/slow"
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
	strangers := s.strangers(lasts)
	met, err := strangers.Run(t.Context())
	rig.Must(t, err)
	took := time.Since(began)
	after := s.work(t)
	t.Logf("%d requests in %s, %.0f/s; Redis: %d commands, %d in %s of idleness",
		met.Asked, took.Round(time.Millisecond), float64(met.Asked)/lasts.Seconds(), after.commands-idle.commands, idle.commands-before.commands, idleTime)
	wantRefused(t, met, strangers)
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

// keptRate is the part of its rate that a flood must reach in the long form, on a
// quiet machine: a slower one shows nothing.
const keptRate = 0.95

func wantRefused(t *testing.T, met flood.Result, f flood.Flood) {
	t.Helper()
	if met.Error != "" {
		t.Error(met.Error)
	}
	if met.Asked == 0 || met.Statuses[http.StatusUnauthorized] != met.Asked {
		t.Errorf("%d requests: %v", met.Asked, met.Statuses)
	}
	if met.Connections != f.Connections {
		t.Errorf("%d connections were needed, not %d", met.Connections, f.Connections)
	}
	if least := keptRate * float64(f.Rate) * f.Seconds; *long && float64(met.Asked) < least {
		t.Errorf("%d requests in %g s, at least %.0f must be asked", met.Asked, f.Seconds, least)
	}
}

// Good callers are served while strangers flood; in the long form, on a quiet
// machine, with at most twice the latency. The strangers take processors from the
// gateway and from the good callers, too: what that costs is told by the same
// flood of another server, which does nothing.
func TestFloodLeavesGoodCallers(t *testing.T) {
	s := newSubject(t)
	lasts := time.Second / 2
	if *long {
		lasts = 20 * time.Second
	}
	s.good(t, time.Second)
	bare, err := flood.StartBare(t.Context(), s.pair)
	rig.Must(t, err)
	before := s.good(t, lasts)
	besideBare := s.flooded(t, bare.Address, lasts)
	rig.Must(t, bare.Stop())
	flooded := s.flooded(t, s.gateway.Server, lasts)
	after := s.good(t, lasts)
	for _, e := range []struct {
		what string
		*slow.Experience
	}{{"quiet", before}, {"beside a flood of a bare server", besideBare}, {"beside a flood of the gateway", flooded}, {"quiet again", after}} {
		t.Logf("%s: %d good requests, p50 %s, p99 %s", e.what, e.Requests(), e.Within(0.50), e.Within(0.99))
	}
	if problem := slower(flooded.Within(0.99), before.Within(0.99), after.Within(0.99)); *long && problem != "" {
		t.Error(problem)
	}
}

// slower says what is wrong with a p99 beside those of two quiet times. Their sum
// is twice the better of them, and by how much this machine differs from itself.
func slower(p99, before, after time.Duration) string {
	if most := before + after; p99 > most {
		return fmt.Sprintf("p99 %s, more than %s, twice that of quiet times", p99, most)
	}
	return ""
}

func TestSlower(t *testing.T) {
	const ms = time.Millisecond
	for name, tt := range map[string]struct {
		p99, before, after time.Duration
		bad                bool
	}{
		"as quiet":        {2 * ms, 2 * ms, 2 * ms, false},
		"twice":           {4 * ms, 2 * ms, 2 * ms, false},
		"more than twice": {5 * ms, 2 * ms, 2 * ms, true},
		"an uneven time":  {5 * ms, 3 * ms, 2 * ms, false},
		"20 ms are many":  {20 * ms, ms, ms, true},
	} {
		if got := slower(tt.p99, tt.before, tt.after); (got != "") != tt.bad {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// flooded is what good callers of the gateway meet with while strangers ask
// whoever is at an address.
func (s *subject) flooded(t *testing.T, address string, d time.Duration) *slow.Experience {
	t.Helper()
	f := s.strangersOf(address, d+time.Second/2)
	var strangers sync.WaitGroup
	strangers.Go(func() {
		met, err := f.Run(t.Context())
		if err != nil {
			t.Error(err)
			return
		}
		wantRefused(t, met, f)
		t.Logf("strangers asked %.0f times a second", float64(met.Asked)/f.Seconds)
	})
	defer strangers.Wait()
	return s.good(t, d)
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"iqgateway/internal/iqsim"
	"iqgateway/internal/redistest"
)

// leave asks a replica to end and waits until it has.
func (f *replicas) leave(t *testing.T, r *replica) {
	t.Helper()
	r.signal(t, syscall.SIGTERM)
	_ = r.command.Wait() // says if requests were cut
	if s := r.command.ProcessState; !s.Exited() {
		t.Fatalf("it did not end by itself: %s\n%s", s, r.out)
	}
}

// own is how much of crm's window the fleet has taken, leases included, and how
// much of that was sent.
func (f *replicas) own(t *testing.T, r *replica) (own, sent int64) {
	t.Helper()
	status, text := f.api(t, r, http.MethodGet, pathQuotas+"?bucket=sim/crm/authenticated", "")
	var one quotaOne
	if err := json.Unmarshal([]byte(text), &one); err != nil || status != http.StatusOK {
		t.Fatal(status, text, err)
	}
	return one.Quota.Own, int64(f.upstreamCalls("crm"))
}

// A replica that ends gives its lease back: the others have the whole rest of
// the window, of which nobody would hear again otherwise.
func TestFleetHasTheLeaseOfAReplicaThatEnds(t *testing.T) {
	t.Parallel()
	const limit = 300
	o := fleetOptions{replicas: 2, extra: patientRedis + fmt.Sprintf("services:\n  crm: {quota: {assume: %d/3600s}}\n", limit)}
	o.sim.Limits = map[string]int{"crm": limit}
	o.sim.Switches.Window, o.sim.Switches.WindowAnchor = iqsim.Duration(time.Hour), "first"
	f := newFleet(t, redistest.Single(t), o)
	stays, goes := f.all[0], f.all[1]
	f.wantOK(t, stays)
	await(t, "the replica holds more than it has sent", func() bool {
		for range 10 {
			f.wantOK(t, goes)
		}
		own, sent := f.own(t, stays)
		return own > sent
	})
	f.leave(t, goes)
	own, sent := f.own(t, stays)
	if own != sent {
		t.Fatalf("%d are taken, %d were sent: the rest of the window lacks %d", own, sent, own-sent)
	}
	for range limit - sent {
		f.wantOK(t, stays)
	}
	if status := f.status(t, stays); status != http.StatusTooManyRequests {
		t.Errorf("one more than the window has: %d", status)
	}
	if n := f.upstreamCalls("crm"); n != limit {
		t.Errorf("the upstream had %d calls, want %d", n, limit)
	}
	t.Logf("%d were sent before the end, %d after it", sent, limit-sent)
}

// A replica that ends gives back what it holds of a caller's limit: the others
// admit the rest of the burst, but for what it kept if it had come to rest before.
func TestFleetHasTheLimitOfAReplicaThatEnds(t *testing.T) {
	t.Parallel()
	const burst, kept, limit = 200, 50, "    rate_limit: {rate: 1/1h, burst: 200, concurrency: 50}\n"
	f := newFleet(t, redistest.Single(t), fleetOptions{
		replicas: 2, config: strings.Replace(fleetConfig, "    access:", limit+"    access:", 1), extra: patientRedis,
	})
	stays, goes := f.all[0], f.all[1]
	await(t, "the replicas know each other", func() bool { return f.metric(t, stays, "iqgw_store_replicas") == 2 })
	admitted := 0
	ask := func(r *replica) {
		status, text, err := f.call(t.Context(), r, http.MethodGet, catalogItems, "")
		switch {
		case err == nil && status == http.StatusOK:
			admitted++
		case err != nil || !strings.Contains(text, "caller-rate-exceeded"):
			t.Fatal(status, text, err)
		}
	}
	for range 80 {
		ask(goes)
	}
	f.leave(t, goes)
	await(t, "the other has the rest of the burst", func() bool {
		ask(stays)
		return admitted >= burst-kept
	})
	for range kept + 5 {
		ask(stays)
	}
	if admitted > burst {
		t.Errorf("%d were admitted", admitted)
	}
}

// A replica that ends gives the claim of its probe back: another may find out at
// once whether the upstream is well.
func TestFleetHasTheProbeOfAReplicaThatEnds(t *testing.T) {
	t.Parallel()
	topology := redistest.Single(t)
	f := newFleet(t, topology, fleetOptions{
		replicas: 2, config: strings.Replace(fleetConfig, "lame_duck: 0s", "lame_duck: 0s\n  drain_timeout: 500ms", 1),
		extra: patientRedis + "services:\n  crm: {retry: {max_attempts: 1}, cache: {mode: none}, quota: {kind: none}}\n",
	})
	stays, goes := f.all[0], f.all[1]
	arm := func(fault iqsim.Fault) {
		t.Helper()
		fault.Service = "crm"
		if _, err := f.AddFault(fault); err != nil {
			t.Fatal(err)
		}
	}
	arm(iqsim.Fault{Kind: iqsim.FaultStatus})
	await(t, "the breaker is open", func() bool {
		_, text, err := f.call(t.Context(), goes, http.MethodGet, customers, "")
		return err == nil && strings.Contains(text, "breaker-open")
	})
	f.RemoveFaults(0)
	arm(iqsim.Fault{Kind: iqsim.FaultStall})
	var probes sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	await(t, "a probe is under way", func() bool {
		probes.Go(func() { _, _, _ = f.call(ctx, goes, http.MethodGet, customers, "") })
		return claimed(topology.Dump(t))
	})
	f.leave(t, goes)
	cancel()
	probes.Wait()
	if dump := topology.Dump(t); claimed(dump) {
		t.Errorf("the fleet still has the probe: %v", dump)
	}
	f.RemoveFaults(0)
	await(t, "another replica finds out", func() bool {
		status, _, err := f.call(t.Context(), stays, http.MethodGet, customers, "")
		return err == nil && status == http.StatusOK
	})
}

// claimed reports whether Redis has the claim of a probe.
func claimed(dump map[string]string) bool {
	for name := range dump {
		if strings.Contains(name, "breaker") && strings.HasSuffix(name, "claims") {
			return true
		}
	}
	return false
}

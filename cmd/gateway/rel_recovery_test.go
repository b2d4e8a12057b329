package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"iqgateway/internal/iqsim"
	"iqgateway/internal/redistest"
)

const (
	recoveryRate    = 100                   // requests a second that callers begin
	recoveryLatency = 20 * time.Millisecond // of the upstream
)

// recovery is a fleet whose crm can be taken away and brought back.
type recovery struct {
	*replicas
	address string
	server  *http.Server // nil = nobody listens
}

func newRecovery(t *testing.T, breaker string) *recovery {
	t.Helper()
	r := &recovery{address: lastingAddress(t)}
	head, tail, _ := strings.Cut(fleetConfig, "credentials:\n")
	config := strings.Replace(head, `{url: "SIM/{service}"}`, `{url: "SIM/{service}", services: {crm: {url: "http://`+r.address+`/crm"}}}`, 1) +
		"services:\n  crm: {quota: {kind: none}, retry: {max_attempts: 3}, breaker: {" + breaker + "}}\ncredentials:\n" + tail
	r.replicas = newFleet(t, redistest.Single(t), fleetOptions{
		config: config, extra: patientRedis, sim: iqsim.Options{Limits: map[string]int{"crm": 10_000_000}, LedgerSize: 200_000},
	})
	r.fault(t, iqsim.Fault{Kind: iqsim.FaultLatency, Service: "crm", Delay: iqsim.Duration(recoveryLatency)})
	r.listen(t)
	t.Cleanup(func() { r.leave() })
	for _, one := range r.all {
		r.wantOK(t, one)
	}
	return r
}

func (r *recovery) fault(t *testing.T, f iqsim.Fault) {
	t.Helper()
	if _, err := r.AddFault(f); err != nil {
		t.Fatal(err)
	}
}

// listen brings the upstream to its address.
func (r *recovery) listen(t *testing.T) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", r.address)
	if err != nil {
		t.Fatal(err)
	}
	r.server = &http.Server{Handler: r.Sim, ReadHeaderTimeout: time.Minute}
	go func(s *http.Server) { _ = s.Serve(l) }(r.server) // ends with Close
}

// leave resets every connection and lets nobody listen.
func (r *recovery) leave() {
	if r.server != nil {
		_ = r.server.Close()
		r.server = nil
	}
}

// states returns the states of crm's breaker, one for each replica.
func (r *recovery) states(t *testing.T) (list []string) {
	t.Helper()
	for _, one := range r.all {
		for _, state := range []string{"closed", "open", "half-open"} {
			if r.metric(t, one, "iqgw_breaker_state", `service="crm"`, `state="`+state+`"`) == 1 {
				list = append(list, state)
			}
		}
	}
	return list
}

func (r *recovery) inState(t *testing.T, state string) int {
	t.Helper()
	n := 0
	for _, s := range r.states(t) {
		n += oneWhen(s == state)
	}
	return n
}

// comeback is one caller: it begins a request and, refused, comes back as told.
type comeback struct {
	begun time.Time
	ended time.Time
	tries int
	well  bool
	text  string
}

// crowd begins a caller every so often until stop is called, which waits for the
// last of them.
func (r *recovery) crowd(t *testing.T) (stop func() []comeback) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var mu sync.Mutex
	var callers sync.WaitGroup
	var all []comeback
	callers.Go(func() {
		tick := time.NewTicker(time.Second / recoveryRate)
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			callers.Go(func() {
				c := r.visit(context.WithoutCancel(ctx), i)
				mu.Lock()
				defer mu.Unlock()
				all = append(all, c)
			})
		}
	})
	t.Cleanup(cancel)
	return func() []comeback {
		cancel()
		callers.Wait()
		slices.SortFunc(all, func(a, b comeback) int { return a.begun.Compare(b.begun) })
		return all
	}
}

// visit is one caller, who tries three times.
func (r *recovery) visit(ctx context.Context, i int) comeback {
	c := comeback{begun: time.Now()}
	for ; c.tries < 3; c.tries++ {
		a, retry, err := r.once(ctx, r.all[(i+c.tries)%len(r.all)])
		c.ended = time.Now()
		if c.well = err == nil && a == http.StatusOK; c.well || retry == 0 {
			c.text = fmt.Sprint(a, err)
			return c
		}
		c.text = fmt.Sprint(a)
		again := time.NewTimer(retry)
		<-again.C
	}
	return c
}

// once makes one request; retry is its Retry-After.
func (r *recovery) once(ctx context.Context, one *replica) (status int, retry time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, one.server+customers, http.NoBody)
	if err != nil {
		return 0, 0, err
	}
	req.Header.Set("X-Api-Key", r.key)
	resp, err := r.client.Do(req)
	if err != nil {
		return 0, 0, err
	}
	defer resp.Body.Close()
	var seconds int
	_, _ = fmt.Sscan(resp.Header.Get("Retry-After"), &seconds) // absent = 0
	return resp.StatusCode, time.Duration(seconds) * time.Second, nil
}

// TestREL27Recovery: an upstream is away for a while and comes back under load.
// It is found at once, gets no more than its usual load, and few requests at a
// time while nobody knows whether it is well.
func TestREL27Recovery(t *testing.T) {
	tests := map[string]struct {
		breaker  string
		down, up func(t *testing.T, r *recovery)
	}{
		"nobody listens": {
			"",
			func(_ *testing.T, r *recovery) { r.leave() },
			func(t *testing.T, r *recovery) { r.listen(t) },
		},
		// One that answers is asked ever more seldom, unless it is told otherwise.
		"503": {
			"open_for_max: 1s",
			func(t *testing.T, r *recovery) { r.fault(t, iqsim.Fault{Kind: iqsim.FaultStatus, Service: "crm"}) },
			func(t *testing.T, r *recovery) {
				r.RemoveFaults(0)
				r.fault(t, iqsim.Fault{Kind: iqsim.FaultLatency, Service: "crm", Delay: iqsim.Duration(recoveryLatency)})
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRecovery(t, tt.breaker)
			o := &healing{recovery: r}
			steady, down, after := 3*time.Second, 4*time.Second, 6*time.Second
			if *long {
				steady, down, after = 10*time.Second, 30*time.Second, 15*time.Second
			}
			stop := r.crowd(t)
			pass(t, steady)
			o.began = time.Now()
			tt.down(t, r)
			await(t, "every replica leaves the upstream alone", func() bool { return r.inState(t, "closed") == 0 })
			o.left = time.Now()
			pass(t, down-time.Since(o.began))
			tt.up(t, r)
			o.well = time.Now()
			pass(t, after)
			o.callers = stop()
			if n := r.inState(t, "closed"); n != len(r.all) {
				t.Errorf("%d breakers are closed again: %q", n, r.states(t))
			}
			o.judge(t)
		})
	}
}

// healing is what an outage looked like from both sides.
type healing struct {
	*recovery
	began   time.Time // the upstream went away
	left    time.Time // every replica knew
	well    time.Time // it was back
	callers []comeback
}

func (o *healing) judge(t *testing.T) {
	t.Helper()
	calls := o.Ledger(iqsim.LedgerQuery{Service: "crm"})
	slowest := o.slowest()
	first := o.first()
	within := time.Second + slowest
	if !*long { // beside other tests
		within += time.Second
	}
	if took := first.Sub(o.well); first.IsZero() || took > within {
		t.Errorf("the first success came %s after health", took)
	}
	late, ill := 0, map[string]int{}
	for _, c := range o.callers {
		if c.begun.Before(o.well.Add(5 * time.Second)) {
			continue
		}
		if late++; !c.well || c.tries > 0 {
			ill[c.text]++
		}
	}
	lost := 0
	for _, n := range ill {
		lost += n
	}
	if late == 0 || lost*100 > late {
		t.Errorf("of %d callers from 5 s on, %d were not served at once: %v", late, lost, ill)
	}
	found := answered(calls, o.well)
	usual, second := busiest(calls, o.began.Add(-3*time.Second), o.began.Add(-time.Second)), busiest(calls, o.well, found)
	if usual = max(usual, o.bunched(found)); second*100 > usual*110 {
		t.Errorf("the busiest second that began before the first success had %d requests, the busiest before %d", second, usual)
	}
	probes := together(calls, o.left, found)
	if probes > 3 {
		t.Errorf("%d requests at once while nobody knew whether it was well", probes)
	}
	t.Logf("left alone after %s; first success %s after health (slowest call before: %s); first second %d, usual %d; %d of %d late callers not served at once; at most %d probes, %d requests in the outage",
		o.left.Sub(o.began).Round(time.Millisecond), first.Sub(o.well).Round(time.Millisecond), slowest.Round(time.Millisecond), second, usual, lost, late, probes, arrived(calls, o.left, o.well))
}

// slowest is the longest that a caller waited while all was well: what this
// machine adds.
func (o *healing) slowest() (d time.Duration) {
	for _, c := range o.callers {
		if c.ended.Before(o.began) {
			d = max(d, c.ended.Sub(c.begun))
		}
	}
	return d
}

// first is when the first caller had an answer after health.
func (o *healing) first() (first time.Time) {
	for _, c := range o.callers {
		if c.well && c.ended.After(o.well) && (first.IsZero() || c.ended.Before(first)) {
			first = c.ended
		}
	}
	return first
}

// bunched returns the most callers that began within one of the seconds in which
// the upstream is found: a busy machine lets them come in bunches.
func (o *healing) bunched(found time.Time) (most int) {
	for i, c := range o.callers { // in the order of their beginnings
		if c.begun.Before(o.well.Add(-time.Second)) || c.begun.After(found) {
			continue
		}
		n := slices.IndexFunc(o.callers[i:], func(d comeback) bool { return d.begun.Sub(c.begun) >= time.Second })
		most = max(most, n)
	}
	return most
}

// answered is when the upstream first answered well again: from then on a breaker
// may know, a while before the caller does.
func answered(calls []iqsim.LedgerEntry, well time.Time) (first time.Time) {
	for _, c := range calls {
		end := c.Time.Add(time.Duration(c.Duration))
		if c.Status == http.StatusOK && !c.Time.Before(well) && (first.IsZero() || end.Before(first)) {
			first = end
		}
	}
	return first
}

func arrived(calls []iqsim.LedgerEntry, from, to time.Time) (n int) {
	for _, c := range calls {
		n += oneWhen(!c.Time.Before(from) && c.Time.Before(to))
	}
	return n
}

// busiest returns the most requests that arrived within a second that begins in
// a span.
func busiest(calls []iqsim.LedgerEntry, from, to time.Time) (most int) {
	for _, c := range calls {
		if !c.Time.Before(from) && c.Time.Before(to) {
			most = max(most, arrived(calls, c.Time, c.Time.Add(time.Second)))
		}
	}
	return most
}

// together returns the most requests that were under way at once, of those that
// arrived within a span.
func together(calls []iqsim.LedgerEntry, from, to time.Time) (most int) {
	for _, c := range calls {
		if c.Time.Before(from) || !c.Time.Before(to) {
			continue
		}
		n := 0
		for _, d := range calls {
			n += oneWhen(!d.Time.After(c.Time) && !d.Time.Before(from) && d.Time.Add(time.Duration(d.Duration)).After(c.Time))
		}
		most = max(most, n)
	}
	return most
}

// A probe whose caller leaves frees its slot, for the whole fleet.
func TestREL27CancelledProbe(t *testing.T) {
	t.Parallel()
	r := newRecovery(t, "open_for: 200ms, open_for_max: 200ms")
	r.fault(t, iqsim.Fault{Kind: iqsim.FaultStatus, Service: "crm"})
	await(t, "every replica leaves the upstream alone", func() bool {
		for _, one := range r.all {
			_, _, _ = r.once(t.Context(), one)
		}
		return r.inState(t, "closed") == 0
	})
	r.RemoveFaults(0)
	r.fault(t, iqsim.Fault{Kind: iqsim.FaultStall, Service: "crm", Count: 1})
	r.ClearLedger()
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	var ended atomic.Bool
	var prober sync.WaitGroup
	prober.Go(func() {
		for !ended.Load() {
			status, _, err := r.once(ctx, r.all[0])
			ended.Store(err != nil || status == http.StatusOK)
		}
	})
	probing := func() bool { return len(r.Ledger(iqsim.LedgerQuery{Service: "crm"})) == 1 }
	await(t, "a probe is under way", probing)
	for _, one := range r.all { // for longer than it was open
		pass(t, 100*time.Millisecond)
		if status, _, err := r.once(t.Context(), one); err != nil || status != http.StatusServiceUnavailable || !probing() {
			t.Errorf("beside the probe: %d %v, %d requests at the upstream", status, err, len(r.Ledger(iqsim.LedgerQuery{Service: "crm"})))
		}
	}
	leave()
	prober.Wait()
	left := time.Now()
	await(t, "another replica probes", func() bool {
		status, _, err := r.once(t.Context(), r.all[1])
		return err == nil && status == http.StatusOK
	})
	t.Logf("served by another replica %s after the prober left", time.Since(left).Round(time.Millisecond))
}

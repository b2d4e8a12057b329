package main

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"iqgateway/observability"
)

// onePlace has a slot that is not given back be missed by the next request.
const onePlace = `services:
  crm: {limits: {max_in_flight: 1}, cache: {mode: none}}
  catalogs: {limits: {max_in_flight: 1}}
`

func newPanicRig(t *testing.T, more func(*gateway)) (*rig, *saboteur) {
	t.Helper()
	s := &saboteur{}
	return newRig(t, rigOptions{
		extra: onePlace, start: s.start(more),
		flags: []string{"--set", "callers.storefront.rate_limit.concurrency=1"},
	}), s
}

// endsWell says what is wrong with how a request with a panic ended: it may be
// answered with our problem, or cut, and with nothing else.
func endsWell(a answer, err error) string {
	switch {
	case err != nil:
		return "" // cut
	case a.StatusCode == http.StatusInternalServerError && strings.Contains(a.text, "internal-error"):
		return ""
	default:
		return a.Status + " " + a.text
	}
}

// meet has one request meet a mishap, and the next one none.
func (r *rig) meet(t *testing.T, s *saboteur, m mishap, target string) (answer, error) {
	t.Helper()
	s.armed.Store(&m)
	a, err := r.try(t.Context(), http.MethodGet, target, "")
	if m := s.armed.Swap(nil); m != nil {
		t.Errorf("%v at %s: nothing came by", *m, target)
		return a, err
	}
	if wrong := endsWell(a, err); wrong != "" {
		t.Errorf("%v at %s: %s", m, target, wrong)
	}
	await(t, "a request after "+m.point+", "+m.when, func() bool { // a flight may end a little later
		after, err := r.try(t.Context(), http.MethodGet, target, "", setHeader("X-Request-Timeout-Ms", "2000"))
		return err == nil && after.StatusCode == http.StatusOK
	})
	return a, err
}

// panics returns the counter's value.
func (r *rig) panics(t *testing.T) int64 {
	t.Helper()
	for line := range strings.Lines(r.get(t, "http://"+r.Admin+"/metrics").text) {
		if text, ok := strings.CutPrefix(line, "iqgw_panics_total "); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	return 0
}

// wantToldPanics awaits that so many panics are counted, each with its stack in
// the log, and no secret there.
func (r *rig) wantToldPanics(t *testing.T, n int64) {
	t.Helper()
	await(t, "the counter of panics", func() bool { return r.panics(t) >= n })
	if got := r.panics(t); got != n {
		t.Errorf("%d panics are counted, want %d", got, n)
	}
	text, told := r.logs.String(), int64(0)
	for line := range strings.Lines(text) {
		var record struct{ Panic, Stack string }
		if json.Unmarshal([]byte(line), &record) == nil && record.Panic != "" && strings.Contains(record.Stack, ".go:") {
			told++
		}
	}
	if told != n {
		t.Errorf("%d panics with a stack are in the log, want %d", told, n)
	}
	secrets := append(r.tokens.All(), r.key, rigSecrets.secret, rigSecrets.password, rigSecrets.user)
	for _, secret := range secrets {
		if strings.Contains(text, secret) {
			t.Error("a secret is in the log")
		}
	}
}

const panicPath = "/crm/v1/Companies(14146)/Customers?$top=5"

// REL-37: a panic in any inbound stage, before, while and after it answers, ends
// that request, and nothing else.
func TestREL37PanicsInHandlers(t *testing.T) {
	r, s := newPanicRig(t, func(*gateway) {})
	r.do(t, http.MethodGet, panicPath, "").want(t, http.StatusOK)
	if len(s.handlers) < 10 {
		t.Fatalf("only %v", s.handlers)
	}
	for _, point := range s.handlers[1:] { // the first lies outside of what observes
		for _, when := range []string{beforeNext, atHeader, insideBody, afterNext} {
			a, err := r.meet(t, s, mishap{point, when}, panicPath)
			if when == insideBody && err == nil {
				t.Errorf("%s, %s: answered with %v %q", point, when, a.Response, a.text)
			}
		}
	}
	r.wantToldPanics(t, s.fired.Load())
}

// REL-37: so does one in any outbound stage, of a request by itself and of a
// fetch that several may share.
func TestREL37PanicsInTrippers(t *testing.T) {
	r, s := newPanicRig(t, func(*gateway) {})
	r.do(t, http.MethodGet, panicPath, "").want(t, http.StatusOK)
	if len(s.trippers) < 9 {
		t.Fatalf("only %v", s.trippers)
	}
	shared := 0
	for _, point := range s.trippers {
		for _, when := range []string{beforeNext, afterNext, noHeader, insideBody} {
			if when != noHeader { // which a stage may put up with
				_, _ = r.meet(t, s, mishap{point, when}, panicPath)
			}
			shared++
			if when != noHeader || !strings.HasPrefix(point, "tripper 0 of 6") {
				_, _ = r.meet(t, s, mishap{point, when}, catalogItems+"?n="+strconv.Itoa(shared))
			}
		}
	}
	r.wantToldPanics(t, s.fired.Load())
}

// REL-37: a panic in the background costs a turn of what panicked, which begins
// anew after a pause; one in what metrics are read from costs these metrics.
func TestREL37PanicsInTheBackground(t *testing.T) {
	var turns atomic.Int64
	var loop *rotation
	r, _ := newPanicRig(t, func(g *gateway) {
		loop = follower(g, &turns)
		g.stores.rotations = append(g.stores.rotations, loop)
	})
	for n := range int64(2) {
		loop.look()
		await(t, "the loop", func() bool { return turns.Load() > n })
	}
	r.do(t, http.MethodGet, panicPath, "").want(t, http.StatusOK)
	r.wantToldPanics(t, 2)
	if !strings.Contains(r.logs.String(), "begins anew") {
		t.Error("the log does not tell what goes on")
	}
}

// REL-37: a panic in what metrics are read from costs those metrics: they are
// read in goroutines of the Prometheus client, which nobody else guards.
func TestREL37PanicsWhileMetricsAreRead(t *testing.T) {
	var armed atomic.Bool
	r, _ := newPanicRig(t, func(g *gateway) {
		if err := g.stores.metrics.ObserveQuotas(func() []observability.QuotaState {
			if armed.CompareAndSwap(true, false) {
				panic("a defect")
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	})
	armed.Store(true)
	if a := r.get(t, "http://"+r.Admin+"/metrics").want(t, http.StatusOK); !strings.Contains(a.text, "iqgw_store_up") && !strings.Contains(a.text, "iqgw_build_info") {
		t.Errorf("the other metrics are gone: %s", a.text)
	}
	r.wantToldPanics(t, 1)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"iqgateway/internal/exchange"
)

// breakable are services whose breakers have their usual settings.
const breakable = `  availability: {timeouts: {response_header: 2s, body_idle: 2s}, retry: {max_attempts: 1}, quota: {kind: none}, FAULTS}
  pricing: {timeouts: {response_header: 2s, body_idle: 2s}, retry: {max_attempts: 1}, quota: {kind: none}, FAULTS}
`

const (
	stock     = "/availability/v1/Companies(14146)/Entities(14202)/CatalogItems"
	bulkStock = "/availability/v1/Suppliers(14107)/Companies(14146)/BulkSupplierAvailability"
	prices    = "/pricing/v1/Companies(14146)/Entities(14202)/CatalogItems"
)

// innocence is a request that fails by its caller's doing.
type innocence struct {
	method, target, body string
	edit                 func(*http.Request)
	patience             time.Duration // then the caller leaves; 0 = it stays
	status               int           // of the answer; 0 = it need not get one
}

func innocents() []innocence {
	both := func(edits ...func(*http.Request)) func(*http.Request) {
		return func(r *http.Request) {
			for _, e := range edits {
				e(r)
			}
		}
	}
	return []innocence{
		{method: http.MethodGet, target: stock, edit: meets("kind=stall"), patience: 20 * time.Millisecond},
		{method: http.MethodGet, target: stock, edit: meets("kind=stall&at=body&bytes=1"), patience: 20 * time.Millisecond},
		{method: http.MethodGet, target: stock, edit: both(meets("kind=stall"), setHeader("X-Request-Timeout-Ms", "20")), status: http.StatusGatewayTimeout},
		{method: http.MethodGet, target: stock + "(nothing)", status: http.StatusNotFound},
		{method: http.MethodGet, target: "/availability/v1/nothing", status: http.StatusNotFound},
		{method: http.MethodGet, target: stock, edit: meets("kind=status&status=409"), status: http.StatusConflict},
		{method: http.MethodGet, target: stock, edit: meets("kind=status&status=412"), status: http.StatusPreconditionFailed},
		{method: http.MethodPost, target: bulkStock, body: `{"Supplier`, status: http.StatusBadRequest},
		{method: http.MethodPost, target: bulkStock, edit: func(r *http.Request) {
			r.Body, r.ContentLength = io.NopCloser(io.MultiReader(strings.NewReader(`{"Supplier`), brokenBody{})), 100
		}},
		{method: http.MethodGet, target: strings.Replace(stock, "14202", "1", 1), status: http.StatusInternalServerError}, // not related to company
		{method: http.MethodPost, target: prices + "(x)/Pricing", body: `{"CatalogItemId":"x"}`, status: http.StatusInternalServerError},
	}
}

// brokenBody is a body that its caller cannot go on with.
type brokenBody struct{}

func (brokenBody) Read([]byte) (int, error) { return 0, errors.New("the body ends here") }

// do makes the request and reports what is wrong with its end.
func (i innocence) do(ctx context.Context, r *sickRig) error {
	if i.patience > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, i.patience)
		defer cancel()
	}
	var edits []func(*http.Request)
	if i.edit != nil {
		edits = append(edits, i.edit)
	}
	a, err := r.try(ctx, i.method, i.target, i.body, edits...)
	switch {
	case i.status == 0:
		return nil
	case err != nil:
		return fmt.Errorf("%s %s: %w", i.method, i.target, err)
	case a.StatusCode != i.status:
		return fmt.Errorf("%s %s: %s %.200s, want %d", i.method, i.target, a.Status, a.text, i.status)
	}
	return nil
}

// offend makes n such requests, eight at a time, and one of another caller after
// each twenty; nobody is refused.
func (r *sickRig) offend(t *testing.T, n int) {
	t.Helper()
	all := innocents()
	var next atomic.Int64
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n || t.Failed() {
					return
				}
				if err := all[i%len(all)].do(t.Context(), r); err != nil {
					t.Error(err)
				}
				if i%20 != 0 {
					continue
				}
				for _, target := range []string{stock, prices} {
					if a, err := r.try(t.Context(), http.MethodGet, target, "", r.byTill); err != nil || a.StatusCode != http.StatusOK {
						t.Errorf("another caller, after %d requests: %v %v %.300s", i, a.Response, err, a.text)
					}
				}
			}
		})
	}
	callers.Wait()
}

// TestREL26BreakerAccounting: however many requests one caller makes that fail by
// its own doing, the others are served; and when the upstream fails, it is left
// alone within twenty requests.
func TestREL26BreakerAccounting(t *testing.T) {
	n := 1_000
	if *long {
		n = 10_000
	}
	r := newSickRig(t, breakable, rigOptions{})
	r.do(t, http.MethodGet, stock, "").want(t, http.StatusOK) // there is a token
	r.offend(t, n)
	for _, service := range []string{"availability", "pricing"} {
		if b := r.breakers(t)["sim/"+service]; b.State != "closed" || b.Failures > 0 || len(b.Last) > 0 || b.Successes == 0 {
			t.Errorf("after the mistakes of one caller: %+v", b)
		}
	}
	if refused := r.metric(t, "iqgw_breaker_refused_total"); len(refused) > 0 {
		t.Errorf("refused: %q", refused)
	}
	for fault, cause := range map[string]string{
		"kind=status&status=500": "5xx", "kind=status&status=503": "5xx", "kind=reset": "broken", "kind=stall": "timeout",
	} {
		t.Run(fault, func(t *testing.T) { r.fail(t, fault, cause) })
	}
}

// fail has one caller meet twenty failures, after which nobody reaches the
// upstream.
func (r *sickRig) fail(t *testing.T, fault, cause string) {
	t.Helper()
	const enough = 20
	var callers sync.WaitGroup
	for range enough {
		callers.Go(func() { _, _ = r.try(t.Context(), http.MethodGet, stock, "", meets(fault)) }) // the breaker tells
	}
	callers.Wait()
	b := r.breakers(t)["sim/availability"]
	if b.State == "closed" || len(b.Last) == 0 || b.Last[0].Cause != cause {
		t.Errorf("after %d failures: %+v", enough, b)
	}
	r.order(t, "open", "open", "sim/availability", "--for", "1m", "--reason", "so that no probe gets in between")
	before := len(r.calls("availability"))
	a := r.do(t, http.MethodGet, stock, "", r.byTill).want(t, http.StatusServiceUnavailable)
	if seconds, err := strconv.Atoi(a.Header.Get("Retry-After")); err != nil || seconds < 1 || a.verdict(t) != (verdict{string(exchange.BreakerOpen), exchange.NotExecuted}) {
		t.Errorf("Retry-After %q, %s", a.Header.Get("Retry-After"), a.text)
	}
	if line := r.line(t, a); line.Breaker != "open" || line.Attempts != 0 {
		t.Errorf("%+v", line)
	}
	if n := len(r.calls("availability")); n != before {
		t.Errorf("%d requests reached the upstream while the breaker was open", n-before)
	}
	r.do(t, http.MethodGet, prices, "", r.byTill).want(t, http.StatusOK) // another upstream
	r.order(t, "reset", "reset", "sim/availability")
	r.do(t, http.MethodGet, stock, "", r.byTill).want(t, http.StatusOK)
}

// twoBuckets is a service with a bucket for calls with a token and one for those
// without.
const twoBuckets = "  ams: {retry: {max_attempts: 1}, FAULTS}\n"

// A 429 that says until when blocks its bucket, and no breaker. Those that do
// not say it open the throttle breaker of their bucket, and no other.
func TestREL26TooManyRequests(t *testing.T) {
	t.Parallel()
	const (
		counted   = "/ams/assets"
		anonymous = "/ams/assets/nothing"
	)
	ask := func(t *testing.T, r *sickRig, fault string) answer {
		t.Helper()
		return r.do(t, http.MethodPost, counted, "", meets(fault), noWaiting)
	}
	states := func(t *testing.T, r *sickRig, want map[string]string) {
		t.Helper()
		for name, state := range want {
			if b := r.breakers(t)[name]; b.State != state {
				t.Errorf("%s: %+v, want %q", name, b, state)
			}
		}
		r.do(t, http.MethodGet, anonymous, "").want(t, http.StatusNotFound) // the upstream's own
	}
	t.Run("with a reset", func(t *testing.T) {
		r := newSickRig(t, twoBuckets, rigOptions{})
		for range 20 {
			ask(t, r, "kind=status&status=429&field=Retry-After: 300").want(t, http.StatusTooManyRequests)
		}
		if n := len(r.struck("ams")); n > 2 {
			t.Errorf("the upstream refused %d requests, the quota none", n)
		}
		a := ask(t, r, "kind=latency").want(t, http.StatusTooManyRequests)
		if v := a.verdict(t); v.Type != string(exchange.QuotaExceeded) || v.Outcome != exchange.NotExecuted {
			t.Errorf("%+v", v)
		}
		states(t, r, map[string]string{"sim/ams": "closed", "sim/ams/throttle/authenticated": ""})
		if gates := r.breakers(t)["sim/ams"].Quota; len(gates) != 1 || gates[0].Bucket != "sim/ams/authenticated" {
			t.Errorf("the list does not show the quota's gate: %+v", gates)
		}
	})
	t.Run("without", func(t *testing.T) {
		r := newSickRig(t, twoBuckets, rigOptions{})
		for range 4 {
			ask(t, r, "kind=status&status=429")
		}
		if n := len(r.struck("ams")); n > 3 {
			t.Errorf("the upstream refused %d requests", n)
		}
		a := ask(t, r, "kind=latency").want(t, http.StatusServiceUnavailable)
		if v := a.verdict(t); v.Type != string(exchange.BreakerOpen) || v.Outcome != exchange.NotExecuted {
			t.Errorf("%+v", v)
		}
		states(t, r, map[string]string{"sim/ams": "closed", "sim/ams/throttle/authenticated": "open"})
	})
}

// What a breaker refuses costs no quota, before the queue and after it.
func TestREL26RefusedRequestsSpendNothing(t *testing.T) {
	t.Parallel()
	const limit = 40
	crm := "  crm: {quota: {assume: 40/600s}, retry: {max_attempts: 1}, FAULTS}\n"
	r := newSickRig(t, crm, rigOptions{sim: fewCalls(limit)})
	for range 20 {
		r.do(t, http.MethodGet, customers, "", meets("kind=status"), noWaiting).want(t, http.StatusServiceUnavailable)
	}
	r.order(t, "open", "open", "sim/crm", "--for", "1m", "--reason", "so that no probe gets in between")
	for range 100 {
		r.do(t, http.MethodGet, customers, "", noWaiting).want(t, http.StatusServiceUnavailable)
	}
	r.order(t, "closed", "close", "sim/crm", "--for", "1m", "--reason", "all that is left may go")
	left := 0
	for r.do(t, http.MethodGet, customers, "", noWaiting).StatusCode == http.StatusOK {
		left++
	}
	if left != limit-20 {
		t.Errorf("%d tokens were left, want %d", left, limit-20)
	}
	for _, e := range r.calls("crm") {
		if e.Status == http.StatusTooManyRequests {
			t.Errorf("the upstream had to refuse: %+v", e)
		}
	}
}

// A request that finds the breaker open only after it has waited for quota gives
// its slot back.
func TestREL26LateRefusalGivesBack(t *testing.T) {
	crm := "  crm: {quota: {kind: concurrency, max: 1, max_wait: {interactive: 50s}}, retry: {max_attempts: 1}, FAULTS}\n"
	r := newSickRig(t, crm, rigOptions{})
	ctx, release := context.WithCancel(t.Context())
	defer release()
	var both sync.WaitGroup
	both.Go(func() { _, _ = r.try(ctx, http.MethodGet, customers, "", meets("kind=stall")) })
	await(t, "the slot is taken", func() bool { return len(r.calls("crm")) == 1 })
	var late answer
	both.Go(func() {
		var err error
		if late, err = r.try(t.Context(), http.MethodPost, customers, `{}`); err != nil {
			t.Error(err)
		}
	})
	await(t, "another waits for it", func() bool { return r.waits(t, "iqgw_quota_queue_depth") })
	r.order(t, "open", "open", "sim/crm", "--for", "1m", "--reason", "while it waits")
	release()
	both.Wait()
	if v := late.want(t, http.StatusServiceUnavailable).verdict(t); v != (verdict{string(exchange.BreakerOpen), exchange.NotExecuted}) {
		t.Errorf("%+v", v)
	}
	if n := len(r.calls("crm")); n != 1 {
		t.Errorf("%d requests reached the upstream", n)
	}
	if returned := r.metric(t, "iqgw_quota_event_total", `="returned"`); len(returned) != 1 {
		t.Errorf("given back: %q", returned)
	}
	r.order(t, "reset", "reset", "sim/crm")
	r.do(t, http.MethodGet, customers, "", noWaiting).want(t, http.StatusOK)
}

package main

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"iqgateway/internal/exchange"
	"iqgateway/internal/iqsim"
)

// failing are services whose requests all fail: crm's breaker stays closed, so
// that retries are seen alone, that of availability has its usual settings.
const failing = `  crm: {quota: {kind: none}, breaker: {min_requests: 1000000}, FAULTS}
  availability: {quota: {kind: none}, FAULTS}
`

const offeredRate = 200 // requests a second

// TestREL25RetryAmplification: what fails for everybody is repeated for few, so
// that an ill upstream gets hardly more than what was asked for.
func TestREL25RetryAmplification(t *testing.T) {
	lasting := 2 * time.Second
	if *long {
		lasting = 30 * time.Second
	}
	r := newSickRig(t, failing, rigOptions{})
	for _, target := range []string{customers, stock} {
		r.do(t, http.MethodGet, target, "").want(t, http.StatusOK)
	}
	const answered = "kind=status&status=503"
	for _, tt := range []struct {
		fault, service, target string
		breaks                 bool
	}{
		{answered, "crm", customers, false},
		{"kind=reset", "crm", customers, false},
		{answered, "availability", stock, true},
		{"kind=reset", "availability", stock, true},
	} {
		t.Run(tt.service+" "+tt.fault, func(t *testing.T) {
			r.ClearLedger()
			before := r.repeated(t, tt.service)
			offered, _ := r.flood(t, lasting, tt.target, meets(tt.fault))
			arrived, repeats := len(r.calls(tt.service)), r.repeated(t, tt.service)-before
			t.Logf("%d offered, %d arrived, %d repeated", offered, arrived, repeats)
			if arrived*100 > offered*110+100 { // one repetition is always allowed
				t.Errorf("the upstream got %d requests, %d were offered", arrived, offered)
			}
			switch {
			case tt.breaks && arrived > offered/2:
				t.Errorf("the breaker let %d of %d pass", arrived, offered)
			case !tt.breaks && (repeats == 0 || arrived < offered):
				t.Errorf("%d requests arrived of %d, %d were repeated", arrived, offered, repeats)
			}
			if repeats*100 > offered*10+100 {
				t.Errorf("%d of %d requests were repeated", repeats, offered)
			}
		})
	}
	if stopped := r.metric(t, "iqgw_retry_stopped_total", `result="budget"`, `service="crm"`); len(stopped) != 1 {
		t.Errorf("the budget has stopped none: %q", stopped)
	}
}

// TestREL25WarmConnections: where a part of the answers fails with connections
// that have served before, the upstream gets hardly more either. net/http would
// send such reads again by itself: of 90 % that fail each for itself, of 50 % most.
func TestREL25WarmConnections(t *testing.T) {
	lasting := time.Second
	if *long {
		lasting = 30 * time.Second
	}
	for _, share := range []float64{0.1, 0.5, 0.9} {
		t.Run(fmt.Sprintf("%.0f %% resets", 100*share), func(t *testing.T) {
			r := newSickRig(t, failing, rigOptions{})
			r.do(t, http.MethodGet, customers, "").want(t, http.StatusOK)
			r.arm(t, iqsim.Fault{Service: "crm", Kind: iqsim.FaultReset, Probability: share})
			r.ClearLedger()
			offered, failed := r.flood(t, lasting, customers)
			arrived, repeats := len(r.calls("crm")), r.repeated(t, "crm")
			t.Logf("%d offered, %d arrived (%.2f), %d repeated, %d failed", offered, arrived, float64(arrived)/float64(offered), repeats, failed)
			if arrived*100 > offered*110+100 || arrived > offered+repeats {
				t.Errorf("the upstream got %d requests, %d were offered and %d repeated", arrived, offered, repeats)
			}
			if struck := len(r.struck("crm")); repeats == 0 || failed >= struck {
				t.Errorf("%d attempts were lost and %d repeated, %d requests failed", struck, repeats, failed)
			}
		})
	}
}

// flood begins requests at a fixed rate and returns how many, and how many of
// them were not answered with 200, once all have ended.
func (r *sickRig) flood(t *testing.T, lasting time.Duration, target string, edit ...func(*http.Request)) (n, failed int) {
	t.Helper()
	var lost atomic.Int64
	tick := time.NewTicker(time.Second / offeredRate)
	defer tick.Stop()
	var callers sync.WaitGroup
	for end := time.Now().Add(lasting); time.Now().Before(end); n++ {
		<-tick.C
		callers.Go(func() {
			a, err := r.try(t.Context(), http.MethodGet, target, "", edit...)
			switch {
			case err != nil:
				t.Error(err)
			case a.StatusCode == http.StatusServiceUnavailable, a.StatusCode == http.StatusBadGateway:
				lost.Add(1)
			case a.StatusCode != http.StatusOK:
				t.Error(a.Status)
			}
		})
	}
	callers.Wait()
	return n, int(lost.Load())
}

// repeated returns how many attempts to a service were repetitions.
func (r *rig) repeated(t *testing.T, service string) (n int) {
	t.Helper()
	for _, line := range r.metric(t, "iqgw_retry_attempts_total", `service="`+service+`"`) {
		var one int
		if _, err := fmt.Sscan(line[strings.LastIndex(line, " ")+1:], &one); err != nil {
			t.Fatal(line, err)
		}
		n += one
	}
	return n
}

// repeatable are services of the catalogue as it knows them, with a budget for
// every request.
const repeatable = `  crm: {retry: {budget: 100%}, quota: {kind: none}, cache: {mode: none}}
  productsubscriptions: {retry: {budget: 100%}}
  entitymanager: {retry: {budget: 100%}, cache: {mode: none}}
  dataconnect: {retry: {budget: 100%}}
  pricing: {retry: {budget: 100%}}
`

// retried is a request, what its first attempts meet, and how it ends.
type retried struct {
	method, target, body string
	fault, then          iqsim.Fault
	edit                 func(*http.Request)

	waits   time.Duration // before it ends, at least
	status  int
	outcome exchange.Outcome // of a problem; "" = the answer is the upstream's, or of a read
	want    accessLine       // its attempts, retries and result
	runs    int              // times that it was executed
}

func retries() map[string]retried {
	const (
		list   = "/productsubscriptions/v1/subscribablelists(0d7f4d5e-8f8e-4c43-9d3b-0a4f0c1a7c11)"
		body   = `{"EntityId":14107,"Name":"N","Products":[{"VendorSku":"x"}]}`
		person = `{"PrimaryName":"Ada","CustomerTypeId":2}`
	)
	status := func(fields ...iqsim.Field) iqsim.Fault {
		return iqsim.Fault{Kind: iqsim.FaultStatus, Count: 1, Fields: fields}
	}
	after := func(seconds string) iqsim.Fault { return status(iqsim.Field{Name: "Retry-After", Value: seconds}) }
	reset := iqsim.Fault{Kind: iqsim.FaultReset, Count: 1}
	executed := iqsim.Fault{Kind: iqsim.FaultReset, Count: 1, At: iqsim.AtAfter}
	always, twice := status(), status()
	always.Count, twice.Count = 0, 2
	refused := iqsim.Fault{Kind: iqsim.FaultStatus, Method: http.MethodGet, Status: http.StatusUnauthorized, Skip: 2}
	again, once := accessLine{Attempts: 2, Retries: 1, Retry: "answered"}, func(why string) accessLine { return accessLine{Attempts: 1, Retry: why} }
	return map[string]retried{
		"a reset, then an answer":           {method: "GET", target: customers, fault: reset, status: 200, want: again, runs: 1},
		"a 503, then an answer":             {method: "GET", target: customers, fault: status(), status: 200, want: again, runs: 1},
		"Retry-After is waited for":         {method: "GET", target: customers, fault: after("1"), waits: time.Second, status: 200, want: again, runs: 1},
		"the deadline comes first":          {method: "GET", target: customers, fault: after("3"), edit: setHeader("X-Request-Timeout-Ms", "2500"), status: 503, want: once("deadline")},
		"Retry-After is too long":           {method: "GET", target: customers, fault: after("60"), status: 503, want: once("retry_after")},
		"a POST that was executed":          {method: "POST", target: customers, body: person, fault: executed, status: 502, outcome: exchange.OutcomeUnknown, want: once("unsafe"), runs: 1},
		"a POST that was not":               {method: "POST", target: customers, body: person, fault: reset, status: 502, outcome: exchange.OutcomeUnknown, want: once("unsafe")},
		"a POST that was answered with 503": {method: "POST", target: customers, body: person, fault: status(), status: 503, want: once("unsafe")},
		"a PUT that the catalogue knows":    {method: "PUT", target: list, body: body, fault: reset, status: 200, want: again, runs: 1},
		"such a PUT that was executed":      {method: "PUT", target: list, body: body, fault: executed, status: 200, want: again, runs: 2},
		"a PUT that it does not know":       {method: "PUT", target: companyNode, body: renamedNode, fault: reset, status: 502, outcome: exchange.OutcomeUnknown, want: once("unsafe")},
		"a GET that mails":                  {method: "GET", target: "/dataconnect/lists/stores?Response=Csv.Email&Email.To=ada@example.com", fault: reset, status: 502, outcome: exchange.OutcomeUnknown, want: once("unsafe")},
		"a POST while nobody listens":       {method: "POST", target: prices + "(x)/Pricing", body: "{}", status: 502, outcome: exchange.NotExecuted, want: accessLine{Attempts: 2, Retries: 1, Retry: "budget"}},
		"nor by others, for a new token":    {method: "GET", target: customers, fault: twice, then: refused, status: 502, want: accessLine{Attempts: 3, Retries: 2, Retry: "failed"}},
		"no more attempts than are allowed": {method: "GET", target: customers, fault: always, status: 503, want: accessLine{Attempts: 3, Retries: 2, Retry: "attempts"}},
	}
}

// Retries help where they can, and are not made where they could do harm.
func TestRetries(t *testing.T) {
	r := newSickRig(t, repeatable, rigOptions{flags: []string{"--set", "environments.sim.services.pricing.url=http://" + lastingAddress(t)}})
	r.do(t, http.MethodGet, customers, "").want(t, http.StatusOK)
	tests := retries()
	for _, name := range slices.Sorted(maps.Keys(tests)) { // in turn, as all spend from one budget
		tt := tests[name]
		t.Run(name, func(t *testing.T) {
			r.RemoveFaults(0)
			r.ClearLedger()
			if tt.fault.Kind != "" {
				tt.fault.Method = tt.method
				r.arm(t, tt.fault)
			}
			if tt.then.Kind != "" {
				r.arm(t, tt.then)
			}
			var edits []func(*http.Request)
			if tt.edit != nil {
				edits = append(edits, tt.edit)
			}
			if tt.body != "" {
				edits = append(edits, setHeader("Content-Type", "application/json"))
			}
			begun := time.Now()
			a := r.do(t, tt.method, tt.target, tt.body, edits...).want(t, tt.status)
			if took := time.Since(begun); took < tt.waits {
				t.Errorf("it ended after %s", took)
			}
			line := r.line(t, a)
			if got := (accessLine{Attempts: line.Attempts, Retries: line.Retries, Retry: line.Retry}); got != tt.want {
				t.Errorf("%+v, want %+v", got, tt.want)
			}
			if tt.outcome != exchange.OutcomeNone {
				if v := a.verdict(t); v.Outcome != tt.outcome {
					t.Errorf("outcome %q, want %q", v.Outcome, tt.outcome)
				}
			}
			await(t, "the upstream has ended what it saw", func() bool {
				return !slices.ContainsFunc(r.calls(""), func(e iqsim.LedgerEntry) bool { return !e.Done })
			})
			runs := 0
			for _, e := range r.calls("") {
				runs += oneWhen(e.Executed)
			}
			sent := tt.want.Attempts
			if tt.outcome == exchange.NotExecuted {
				sent = 0
			}
			if got := len(r.calls("")); runs != tt.runs || got != sent {
				t.Errorf("sent %d times and executed %d times, want %d and %d", got, runs, sent, tt.runs)
			}
		})
	}
}

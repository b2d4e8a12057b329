package main

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"iqgateway/internal/iqsim"
)

const customers = "/crm/v1/Companies(14146)/Customers?$top=1"

// burst makes n calls at once and returns how many had each status.
func (r *rig) burst(t *testing.T, n int) map[int]int {
	t.Helper()
	var mu sync.Mutex
	statuses := map[int]int{}
	var all sync.WaitGroup
	begin := make(chan struct{})
	for range n {
		all.Go(func() {
			<-begin
			a, err := r.try(t.Context(), http.MethodGet, customers, "")
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				statuses[0]++
				t.Error(err)
				return
			}
			statuses[a.StatusCode]++
		})
	}
	close(begin)
	all.Wait()
	return statuses
}

// passwordCalls counts the calls of the token endpoint since the ledger was
// cleared.
func (r *rig) passwordCalls() int { return len(r.calls("accounts")) }

// 200 concurrent callers on an expired token cause exactly one token call.
func TestExpiredTokenIsFetchedOnceForAll(t *testing.T) {
	const lifetime = 2 * time.Second
	r := newRig(t, rigOptions{sim: iqsim.Options{
		Switches: iqsim.Switches{TokenLifetime: iqsim.Duration(lifetime), ExpiresIn: 2},
		Limits:   map[string]int{"crm": 100_000},
	}})
	r.do(t, http.MethodGet, customers, "").want(t, http.StatusOK)
	first := r.calls("crm")[0].TokenSerial
	if err := r.Switch(func(s *iqsim.Switches) { s.TokenLifetime, s.ExpiresIn = 0, 0 }); err != nil { // of the next token
		t.Fatal(err)
	}
	expired := time.NewTimer(lifetime + 100*time.Millisecond)
	<-expired.C
	r.ClearLedger()
	if statuses := r.burst(t, 200); statuses[http.StatusOK] != 200 {
		t.Errorf("statuses %v, want 200 times 200", statuses)
	}
	if n := r.passwordCalls(); n != 1 {
		t.Errorf("%d token calls, want 1", n)
	}
	for _, e := range r.calls("crm") {
		if e.TokenSerial <= first || e.Status != http.StatusOK {
			t.Fatalf("token %d with status %d, after token %d had expired", e.TokenSerial, e.Status, first)
		}
	}
}

// A revoked token is replaced once and the requests are replayed, writes too.
func TestRevokedTokenIsReplacedAndReplayed(t *testing.T) {
	r := newRig(t, rigOptions{})
	r.do(t, http.MethodGet, customers, "").want(t, http.StatusOK)
	if n, err := r.RevokeTokens(iqsim.TokenQuery{}); err != nil || n != 1 {
		t.Fatalf("%d tokens revoked, %v", n, err)
	}
	r.ClearLedger()
	const order = `{"Name":"replayed","EntityId":14146,"OrderTypeId":1}`
	r.do(t, http.MethodPost, "/order/v1/Companies(14146)/OrderFull", order,
		func(q *http.Request) { q.Header.Set("Content-Type", "application/json") }).want(t, http.StatusCreated)
	if n := len(r.Ledger(iqsim.LedgerQuery{Service: "order", Executed: true})); n != 1 {
		t.Errorf("the order was executed %d times", n)
	}
	if n := r.passwordCalls(); n != 1 {
		t.Errorf("%d token calls, want 1", n)
	}
}

// An upstream that refuses our credential is a 502, never the caller's 401.
func TestRefusedCredentialIsNotTheCallersFault(t *testing.T) {
	r := newRig(t, rigOptions{})
	if _, err := r.AddFault(iqsim.Fault{Kind: iqsim.FaultStatus, Service: "crm", Status: http.StatusUnauthorized, Body: "invalid token"}); err != nil {
		t.Fatal(err)
	}
	a := r.do(t, http.MethodGet, customers, "").want(t, http.StatusBadGateway)
	if !strings.Contains(a.text, "upstream-credential-rejected") || a.Header.Get("Www-Authenticate") != "" {
		t.Errorf("answer %v %s", a.Header, a.text)
	}
	if n := len(r.calls("crm")); n > 2 {
		t.Errorf("%d attempts", n)
	}
}

// A wrong password is tried at most three times, then callers get 503.
func TestWrongPasswordStops(t *testing.T) {
	r := newRig(t, rigOptions{sim: iqsim.Options{Switches: iqsim.Switches{LockAfter: 100}}})
	wrong := "another"
	if err := r.ChangeAccount("", rigSecrets.user, iqsim.AccountChange{Password: &wrong}); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		a := r.do(t, http.MethodGet, customers, "").want(t, http.StatusServiceUnavailable)
		if a.Header.Get("Retry-After") == "" || strings.Contains(a.text, rigSecrets.password) {
			t.Errorf("answer %v %s", a.Header, a.text)
		}
	}
	if n := r.passwordCalls(); n < 1 || n > 3 {
		t.Errorf("%d password attempts, want 1 to 3", n)
	}
	ready := r.get(t, "http://"+r.Admin+"/readyz?verbose").want(t, http.StatusOK)
	if !strings.Contains(ready.text, "degraded") || !strings.Contains(ready.text, "sim/retail") {
		t.Errorf("readyz: %s", ready.text)
	}
}

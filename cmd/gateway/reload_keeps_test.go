package main

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"iqgateway/auth"
	"iqgateway/internal/iqsim"
	"iqgateway/usage"
)

// What a reload keeps of each store, and what only a change of its key drops. The
// stores' own tests have the edges: TestReloadKeepsTheToken (tokencache),
// TestReloadKeepsTheState and TestRequestsWaitThroughAReload (limiter),
// TestReloadKeepsWhatIsKnown (breaker), TestReload (callerlimit),
// TestSlotsOutliveAGeneration and TestAnotherOriginBeginsAnew (bulkhead),
// TestPoolsOutliveGenerations (proxy).
func TestReloadKeepsWhatItsKeyNames(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change  []string // of the file
		dropped []string
	}{
		"nothing of theirs": {[]string{"lame_duck: 0s\n", "lame_duck: 0s\n  response_headers: minimal\n"}, nil},
		"a quota's limit":   {[]string{"assume: 900/3600s", "assume: 901/3600s"}, nil},
		"a breaker's rule":  {[]string{"min_requests: 2", "min_requests: 3"}, nil},
		"a caller's limit":  {[]string{"rate: 2/3600s", "rate: 1/3600s"}, nil},
		"a rule of the cache": {
			[]string{"catalogs: {}", "catalogs: {cache: {mode: rfc9111}}"},
			[]string{"answers"},
		},
		"the account": {
			[]string{"${env:RIG_CLIENT}", "second-client", "${env:RIG_USER}", "second@example.com"},
			[]string{"answers", "quota", "token"},
		},
		"the origin": {
			[]string{"http://127.0.0.1:", "http://localhost:"},
			[]string{"answers", "breaker", "token"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newKeeper(t)
			k.rewrite(t, tt.change...)
			if done := k.reload(t); done.Hash == done.Previous || len(done.NeedsRestart) > 0 {
				t.Fatalf("%+v", done)
			}
			var dropped []string
			for _, store := range slices.Sorted(maps.Keys(k.keeps)) {
				if !k.keeps[store](t) {
					dropped = append(dropped, store)
				}
			}
			if !slices.Equal(dropped, tt.dropped) {
				t.Errorf("dropped %q, want %q", dropped, tt.dropped)
			}
		})
	}
}

// keeper is a gateway each of whose stores holds something.
type keeper struct {
	*rig
	tickets tls.ClientSessionCache
	nightly func(*http.Request)              // has a request be of another caller
	keeps   map[string]func(*testing.T) bool // what was put into a store is there
}

func newKeeper(t *testing.T) *keeper {
	t.Helper()
	key, digest := auth.NewKey()
	k := &keeper{nightly: setHeader("X-Api-Key", key), keeps: map[string]func(*testing.T) bool{}}
	second := iqsim.Account{ClientID: "second-client", ClientSecret: rigSecrets.secret, Username: "second@example.com", Password: rigSecrets.password}
	k.rig = newRig(t, rigOptions{
		flags: adminTokenFlags(),
		sim: iqsim.Options{
			Switches: iqsim.Switches{Window: iqsim.Duration(time.Hour)},
			Accounts: []iqsim.Account{second, {
				ClientID: rigSecrets.client, ClientSecret: rigSecrets.secret, Username: rigSecrets.user, Password: rigSecrets.password,
			}},
		},
		access: fmt.Sprintf(`{"*": write}}
  nightly:
    keys: [{id: nightly-1, sha256: %s}]
    rate_limit: {rate: 2/3600s, burst: 2}
    access:
      - {credential: retail, services: {crm: read}`, digest),
		extra: `services:
  catalogs: {}
  crm: {cache: {mode: none}}
  pricing: {quota: {max: 3, assume: 900/3600s}, cache: {mode: none}}
  availability: {cache: {mode: none}, retry: {max_attempts: 1}, breaker: {min_requests: 2, open_for: 10m, open_for_max: 10m}}
`,
	})
	k.fill(t)
	return k
}

// fill puts something into each store.
func (k *keeper) fill(t *testing.T) {
	t.Helper()
	k.do(t, http.MethodGet, catalogItems, "").want(t, http.StatusOK)
	k.keeps["answers"] = k.asksNoMore("catalogs", catalogItems)

	for range 3 {
		k.do(t, http.MethodGet, prices, "", noWaiting).want(t, http.StatusOK)
	}
	k.keeps["quota"] = k.refuses(prices, http.StatusTooManyRequests, noWaiting)
	for range 2 {
		k.do(t, http.MethodGet, customers, "", k.nightly).want(t, http.StatusOK)
	}
	k.keeps["caller's limit"] = k.refuses(customers, http.StatusTooManyRequests, k.nightly)

	fault, err := k.AddFault(iqsim.Fault{Kind: iqsim.FaultStatus, Service: "availability", Status: http.StatusInternalServerError})
	if err != nil {
		t.Fatal(err)
	}
	await(t, "the breaker opens", func() bool {
		return k.do(t, http.MethodGet, stock, "").StatusCode == http.StatusServiceUnavailable
	})
	k.RemoveFaults(fault)
	k.keeps["breaker"] = k.refuses(stock, http.StatusServiceUnavailable)
	k.operate(t, "sim/entitymanager is forced open", "breaker", "open", "sim/entitymanager", "--for", "10m", "--reason", "x")
	k.keeps["breaker's order"] = k.refuses("/entitymanager/v1/nothing", http.StatusServiceUnavailable)
	k.operate(t, "is set until", "override", "set", "services.crm.timeouts.total=20s", "--for", "10m", "--reason", "x")
	k.keeps["override"] = k.shows(pathOverrides, "services.crm.timeouts.total")

	id := k.do(t, http.MethodGet, customers, "").want(t, http.StatusOK).Header.Get("X-Request-Id")
	k.keeps["recorder"] = k.shows("/api/v1/requests/"+id, id)
	used := k.used(t)
	k.keeps["usage"] = func(t *testing.T) bool { t.Helper(); return used >= 2 && k.used(t) >= used }
	k.keeps["token"] = k.asksNoMore("accounts", customers)
	k.resumes(t)
	k.keeps["tickets"] = func(t *testing.T) bool { t.Helper(); return k.resumes(t) }
}

// asksNoMore tells whether a request is answered, and a service was not called again.
func (k *keeper) asksNoMore(service, target string) func(*testing.T) bool {
	before := len(k.calls(service))
	return func(t *testing.T) bool {
		t.Helper()
		k.do(t, http.MethodGet, target, "").want(t, http.StatusOK)
		return len(k.calls(service)) == before
	}
}

// refuses tells whether a request is refused.
func (k *keeper) refuses(target string, status int, edits ...func(*http.Request)) func(*testing.T) bool {
	return func(t *testing.T) bool {
		t.Helper()
		a := k.do(t, http.MethodGet, target, "", edits...)
		return a.StatusCode == status && strings.Contains(a.text, `"instance"`)
	}
}

// shows tells whether the admin server has a text to show.
func (k *keeper) shows(path, text string) func(*testing.T) bool {
	return func(t *testing.T) bool {
		t.Helper()
		a := k.ask(t, http.MethodGet, path, "", func(http.Header) {})
		return a.StatusCode == http.StatusOK && strings.Contains(a.text, text)
	}
}

// used is how many requests of the caller nightly are in the book.
func (k *keeper) used(t *testing.T) (n int64) {
	t.Helper()
	a := k.ask(t, http.MethodGet, pathUsage+"?by=caller", "", func(http.Header) {}).want(t, http.StatusOK)
	var d struct{ Rows []usage.Row }
	if err := json.Unmarshal([]byte(a.text), &d); err != nil {
		t.Fatal(err)
	}
	for _, row := range d.Rows {
		if row.Caller == "nightly" {
			n += row.Requests
		}
	}
	return n
}

// resumes tells whether a new connection goes on with the session of the last one.
func (k *keeper) resumes(t *testing.T) bool {
	t.Helper()
	if k.tickets == nil {
		k.tickets = tls.NewLRUClientSessionCache(1)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: k.roots, ClientSessionCache: k.tickets}, DisableKeepAlives: true}
	client := *k.client
	defer func(before *http.Client) { k.client = before }(k.client)
	client.Transport = transport
	k.client = &client
	return k.do(t, http.MethodGet, customers, "").want(t, http.StatusOK).TLS.DidResume
}

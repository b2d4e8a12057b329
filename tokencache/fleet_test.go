package tokencache_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"iqgateway/internal/exchange"
	"iqgateway/internal/secret"
	"iqgateway/tokencache"
	"iqgateway/tokencache/storetest"
)

// accounts is a token endpoint without sockets, for bubbles of synctest. Each
// call gives another token of 12 hours; good says which still are.
type accounts struct {
	mu     sync.Mutex
	calls  []url.Values
	times  []time.Time
	delay  time.Duration
	status int // 0 = 200

	good   map[string]bool // by Authorization field
	revoke bool            // a refresh token ends the tokens before
}

func (a *accounts) RoundTrip(req *http.Request) (*http.Response, error) {
	raw, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(raw))
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	a.calls, a.times = append(a.calls, form), append(a.times, time.Now())
	n := len(a.calls)
	if a.revoke && form.Get("grant_type") == "refresh_token" {
		clear(a.good)
	}
	delay := a.delay
	a.mu.Unlock()
	select {
	case <-time.After(delay):
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.status == 0 {
		if a.good == nil {
			a.good = make(map[string]bool)
		}
		a.good[fmt.Sprintf("Bearer t%d", n)] = true
		return answer(req, http.StatusOK, fmt.Sprintf(`{"access_token":"t%d","refresh_token":"r%d","expires_in":43200}`, n, n)), nil
	}
	if a.status == http.StatusBadRequest {
		return answer(req, a.status, `{"error":"invalid_grant"}`), nil
	}
	return answer(req, a.status, ""), nil
}

func answer(req *http.Request, status int, body string) *http.Response {
	return &http.Response{
		StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)),
		ContentLength: int64(len(body)), Request: req,
	}
}

func (a *accounts) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.calls)
}

func (a *accounts) answers(status int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.status = status
}

// ends takes a token back.
func (a *accounts) ends(field string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.good, field)
}

// api accepts the tokens that accounts has given and not taken back.
func (a *accounts) api(req *http.Request) (*http.Response, error) {
	h := http.Header{}
	exchange.AuthorizerFrom(req.Context()).Authorize(h)
	a.mu.Lock()
	defer a.mu.Unlock()
	resp := answer(req, http.StatusOK, h.Get("Authorization"))
	if !a.good[h.Get("Authorization")] {
		resp.StatusCode = http.StatusUnauthorized
	}
	return resp, nil
}

type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// replica is one gateway of the fleet.
type replica struct {
	name  string
	store *storetest.Replica
	cache *tokencache.Cache
	set   *tokencache.Set
	stage http.RoundTripper
	hooks tally
}

// tally counts what the hooks tell.
type tally struct {
	mu     sync.Mutex
	counts map[string]int
}

func (y *tally) add(what string) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.counts == nil {
		y.counts = make(map[string]int)
	}
	y.counts[what]++
}

func (y *tally) of(what string) int {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.counts[what]
}

func (y *tally) hooks() tokencache.Hooks {
	return tokencache.Hooks{
		FetchDone: func(i tokencache.FetchInfo) { y.add(string(i.Outcome)) },
		Adopted:   func(tokencache.AdoptInfo) { y.add("adopted") },
		RolledBack: func(i tokencache.RollbackInfo) {
			y.add(fmt.Sprintf("rolled back, lower %t, ignored %t", i.Generation < i.Seen, i.Ignored))
		},
		ClaimLost:     func(tokencache.ID) { y.add("claim lost") },
		StoreFailed:   func(_ tokencache.ID, operation string, _ error) { y.add("store failed: " + operation) },
		Refused:       func(i tokencache.RefuseInfo) { y.add(fmt.Sprintf("refused %d stopped %t", i.Refusals, i.Stopped)) },
		Rotated:       func(tokencache.ID) { y.add("rotated") },
		RereadFailed:  func(_ tokencache.ID, err error) { y.add("reread: " + err.Error()) },
		HistoryFailed: func(tokencache.ID, error) { y.add("history failed") },
		Panicked:      func(_ tokencache.ID, value any, _ []byte) { y.add(fmt.Sprint("panic: ", value)) },
	}
}

// fleet is what a test of several gateways works with.
type fleet struct {
	memory   *storetest.Memory
	endpoint *accounts
	change   func(*tokencache.Options, *tokencache.Credential)
}

func credential(transport http.RoundTripper) tokencache.Credential {
	return tokencache.Credential{
		Name: "retail", Environment: "production", TokenURL: "https://accounts.example/v1/oauth2/token",
		Secrets: secretsOf("hidden"), Transport: transport,
	}
}

func secretsOf(password string) tokencache.Secrets {
	return tokencache.Secrets{
		ClientID: secret.New("client"), ClientSecret: secret.New("hidden"),
		Username: secret.New("user"), Password: secret.New(password),
	}
}

// start adds a gateway, which ends with the test or with stop.
func (f *fleet) start(t *testing.T, name string) *replica {
	t.Helper()
	r := &replica{name: name, store: f.memory.Replica()}
	o := tokencache.Options{Store: r.store, Replica: name, Hooks: r.hooks.hooks()}
	cred := credential(f.endpoint)
	if f.change != nil {
		f.change(&o, &cred)
	}
	r.cache = tokencache.New(o)
	set, err := r.cache.Use([]tokencache.Credential{cred})
	if err != nil {
		t.Fatal(err)
	}
	r.set, r.stage = set, set.Stage(tokencache.StageOptions{})(tripper(f.endpoint.api))
	return r
}

// inFleet runs f with three gateways in a bubble.
func inFleet(t *testing.T, endpoint *accounts, change func(*tokencache.Options, *tokencache.Credential), f func(t *testing.T, fl *fleet, r [3]*replica)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		fl := &fleet{memory: storetest.NewMemory(), endpoint: endpoint, change: change}
		var replicas [3]*replica
		for i := range replicas {
			replicas[i] = fl.start(t, fmt.Sprint("gw-", i))
			defer replicas[i].cache.Close()
		}
		f(t, fl, replicas)
	})
}

// send sends a request and returns the token that the upstream saw last.
func (r *replica) send(ctx context.Context) (string, error) {
	ctx = exchange.With(ctx, &exchange.Exchange{Credential: "retail", Target: &exchange.Target{
		Environment: "production", Service: "crm", Authentication: "bearer",
	}})
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://crm.example/v1/x", nil)
	if err != nil {
		return "", err
	}
	resp, err := r.stage.RoundTrip(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return strings.TrimPrefix(string(body), "Bearer "), err
}

func (r *replica) wantToken(t *testing.T, want string) {
	t.Helper()
	if got, err := r.send(t.Context()); err != nil || got != want {
		t.Fatalf("%s sends %q, want %q; %v", r.name, got, want, err)
	}
}

func (r *replica) wantProblem(t *testing.T, want exchange.ProblemType) exchange.Problem {
	t.Helper()
	got, err := r.send(t.Context())
	p, ok := errors.AsType[*exchange.Problem](err)
	if !ok || p.Type != want {
		t.Fatalf("%s sends %q, %v; want %s", r.name, got, err, want)
	}
	return *p
}

func (r *replica) status() tokencache.Status { return r.set.Status()[0] }

// storeKey is the only key that a test of one credential uses.
func (f *fleet) storeKey(t *testing.T) tokencache.StoreKey {
	t.Helper()
	keys := f.memory.Keys()
	if len(keys) != 1 {
		t.Fatalf("%d keys", len(keys))
	}
	return keys[0]
}

func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// herd sends with n callers on each replica at once and returns the tokens
// that were used and the longest wait.
func herd(t *testing.T, n int, replicas ...*replica) (used map[string]int, longest time.Duration) {
	t.Helper()
	var mu sync.Mutex
	used = make(map[string]int)
	var callers sync.WaitGroup
	since := time.Now()
	for _, r := range replicas {
		for range n {
			callers.Go(func() {
				got, err := r.send(t.Context())
				if err != nil {
					t.Errorf("%s: %v", r.name, err)
				}
				mu.Lock()
				defer mu.Unlock()
				used[got]++
				longest = max(longest, time.Since(since))
			})
		}
	}
	callers.Wait()
	synctest.Wait()
	return used, longest
}

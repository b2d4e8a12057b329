package iqsim

import (
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestQuotaWindows(t *testing.T) {
	base := time.Date(2026, 3, 2, 15, 4, 0, 0, time.UTC)
	minute := windowRule{time.Minute, anchorClock}
	first := windowRule{10 * time.Second, anchorFirst}
	type step struct {
		at    time.Duration
		calls int
		used  int
		ends  time.Duration
		over  bool
	}
	tests := []struct {
		name  string
		rule  windowRule
		limit int
		steps []step
	}{
		{"the call itself is counted", minute, 2, []step{{0, 1, 1, time.Minute, false}}},
		{"refusals are not counted", minute, 2, []step{
			{0, 1, 1, time.Minute, false},
			{1 * time.Second, 1, 2, time.Minute, false},
			{2 * time.Second, 1, 2, time.Minute, true},
			{60*time.Second - 1, 1, 2, time.Minute, true},
			{60 * time.Second, 1, 1, 2 * time.Minute, false},
		}},
		{"windows are those of the clock", minute, 9, []step{
			{59 * time.Second, 1, 1, time.Minute, false},
			{61 * time.Second, 1, 1, 2 * time.Minute, false},
			{500 * time.Second, 1, 1, 540 * time.Second, false},
		}},
		{"anchored on the first call", first, 9, []step{
			{3500 * time.Millisecond, 1, 1, 13 * time.Second, false},
			{12 * time.Second, 1, 2, 13 * time.Second, false},
			{13 * time.Second, 1, 1, 23 * time.Second, false},
			{40 * time.Second, 1, 1, 50 * time.Second, false},
		}},
		{"many at once fit or do not", minute, 10, []step{
			{0, 8, 8, time.Minute, false},
			{0, 3, 8, time.Minute, true},
			{0, 2, 10, time.Minute, false},
		}},
		{"unlimited", minute, Unlimited, []step{{0, 5000, 5000, time.Minute, false}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			q := quotas{windows: map[quotaKey]*quotaWindow{}}
			for i, s := range tt.steps {
				got := q.count(quotaKey{service: "crm"}, tt.limit, s.calls, base.Add(s.at), tt.rule)
				want := quotaCount{tt.limit, s.used, base.Add(s.ends), s.over}
				if got != want {
					t.Errorf("step %d: got %+v, want %+v", i, got, want)
				}
			}
		})
	}
}

func TestQuotaSweep(t *testing.T) {
	q := quotas{windows: map[quotaKey]*quotaWindow{}}
	now := time.Date(2026, 3, 2, 15, 4, 0, 0, time.UTC)
	rule := windowRule{time.Minute, anchorClock}
	for i := range sweepAt {
		q.count(quotaKey{holder: strconv.Itoa(i)}, 10, 1, now, rule)
	}
	q.count(quotaKey{holder: "late"}, 10, 1, now.Add(time.Minute), rule)
	if n := len(q.state()); n != 1 {
		t.Errorf("%d counters left, want the one of this window", n)
	}
}

// Fifty callers at once get exactly the limit, each a Remaining of its own.
func TestQuotaIsExactUnderConcurrency(t *testing.T) {
	const limit, callers, each = 500, 50, 14
	h := startSim(t, Options{Limits: map[string]int{"crm": limit}})
	var passed, refused atomic.Int64
	var remaining sync.Map
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for range each {
				r, err := h.try(http.MethodGet, "/crm/v1/ping", "")
				switch {
				case err != nil:
					t.Error(err)
				case r.status == http.StatusOK:
					passed.Add(1)
					if _, twice := remaining.LoadOrStore(r.header.Get("X-RateLimit-Remaining"), true); twice {
						t.Errorf("Remaining %s was told twice", r.header.Get("X-RateLimit-Remaining"))
					}
				case r.status == http.StatusTooManyRequests:
					refused.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if passed.Load() != limit || refused.Load() != callers*each-limit {
		t.Errorf("%d passed, %d refused; want %d and %d", passed.Load(), refused.Load(), limit, callers*each-limit)
	}
	counts := h.Counts()["sandbox"]["crm"]
	if counts.Executed != limit || counts.OverQuota != callers*each-limit {
		t.Errorf("ledger counts = %+v", counts)
	}
}

func TestOverQuotaAnswer(t *testing.T) {
	h := startSim(t, Options{Limits: map[string]int{"catalogs": 1}})
	h.get("/catalogs/v1/ping")
	r := h.get("/catalogs/v1/ping")
	if r.status != http.StatusTooManyRequests || r.body != "rate limit exceeded" || r.header.Get("Content-Type") != "text/plain" {
		t.Errorf("%d %q %q", r.status, r.header.Get("Content-Type"), r.body)
	}
	for name, want := range map[string]string{
		"X-RateLimit-Limit": "1", "X-RateLimit-Remaining": "0",
		"X-RateLimit-Reset": "03/02/2026 15:05:00", "X-RateLimit-ResetSeconds": "39", "Retry-After": "",
	} {
		if got := r.header.Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	h.clock.advance(40 * time.Second)
	if r := h.get("/catalogs/v1/ping"); r.status != http.StatusOK {
		t.Errorf("in the next window: %d", r.status)
	}
}

func TestQuotaScopes(t *testing.T) {
	other := Account{ClientID: "other", ClientSecret: "s", Username: "u", Password: "p"}
	same := Account{ClientID: "sim-client", ClientSecret: "sim-secret", Username: "second", Password: "p"}
	sim := Account{ClientID: "sim-client", ClientSecret: "sim-secret", Username: "sim@example.com", Password: "sim-password"}
	tests := []struct {
		scope string
		want  [4]string // Remaining for: sim, sim with a new token, another user of the client, another client
	}{
		{scopeClient, [4]string{"9", "8", "7", "9"}},
		{scopeToken, [4]string{"9", "9", "9", "9"}},
		{scopeIP, [4]string{"9", "8", "7", "6"}},
	}
	for _, tt := range tests {
		t.Run(tt.scope, func(t *testing.T) {
			h := startSim(t, Options{
				Accounts: []Account{sim, same, other}, Limits: map[string]int{"crm": 10},
				Switches: Switches{QuotaScope: tt.scope},
			})
			for i, changes := range [][]string{
				nil, nil,
				{"username", "second", "password", "p"},
				{"client_id", "other", "client_secret", "s", "username", "u", "password", "p"},
			} {
				_, g := h.login("sandbox", changes...)
				r := h.get("/crm/ping", "Authorization", "Bearer "+g.AccessToken)
				if got := r.header.Get("X-RateLimit-Remaining"); got != tt.want[i] {
					t.Errorf("call %d: Remaining %q, want %q", i, got, tt.want[i])
				}
			}
		})
	}
}

// Services, environments and the services behind the shared host "api" are
// counted apart.
func TestQuotaBuckets(t *testing.T) {
	shown := BuiltinProfile("crm")
	shown.Limit = 10
	h := startSim(t, Options{Profiles: map[string]Profile{
		"crm": shown, "catalogs": shown, "api/rqpurchaseorders": shown, "api/covaorderintake": shown,
	}})
	production, err := h.Token("production")
	if err != nil {
		t.Fatal(err)
	}
	for i, tt := range []struct{ target, bearer, want string }{
		{"/crm/ping", h.bearer, "9"},
		{"/crm/ping", h.bearer, "8"},
		{"/catalogs/ping", h.bearer, "9"},
		{"/~production/crm/ping", "Bearer " + production, "9"},
		{"/api/rqpurchaseorders/x", h.bearer, "9"},
		{"/api/RQPurchaseOrders/y", h.bearer, "8"},
		{"/api/covaorderintake/v1/x", h.bearer, "9"},
	} {
		r := h.get(tt.target, "Authorization", tt.bearer)
		if got := r.header.Get("X-RateLimit-Remaining"); got != tt.want {
			t.Errorf("call %d %s: Remaining %q, want %q", i, tt.target, got, tt.want)
		}
	}
}

func TestConsume(t *testing.T) {
	h := startSim(t, Options{Limits: map[string]int{"crm": 10}})
	if fitted, err := h.Consume("", "crm", "sim-client", 7); !fitted || err != nil {
		t.Fatalf("Consume = %v, %v", fitted, err)
	}
	if got := h.get("/crm/ping").header.Get("X-RateLimit-Remaining"); got != "2" {
		t.Errorf("Remaining = %s, want 2", got)
	}
	if fitted, _ := h.Consume("", "crm", "sim-client", 3); fitted {
		t.Error("3 calls fitted into 2")
	}
	if _, err := h.Consume("", "nope", "sim-client", 1); err == nil {
		t.Error("an unknown service was accepted")
	}
	h.ResetQuotas()
	if got := h.get("/crm/ping").header.Get("X-RateLimit-Remaining"); got != "9" {
		t.Errorf("Remaining after the reset = %s, want 9", got)
	}
}

func TestQuotaFields(t *testing.T) {
	reset := time.Date(2026, 3, 2, 15, 5, 0, 0, time.UTC)
	at := func(ms int) time.Time { return reset.Add(-time.Duration(ms) * time.Millisecond) }
	tests := []struct {
		name    string
		profile Profile
		used    int
		arrival time.Time
		want    [4]string
	}{
		{"as on the wire", Profile{}, 1, at(39_600), [4]string{"1000", "999", "03/02/2026 15:05:00", "39"}},
		{"as documented", Profile{RateHeaders: RateISO}, 1, at(39_000), [4]string{"1000", "999", "2026-03-02T15:05:00.0000000Z", "39"}},
		{"rounded up", Profile{Rounding: RoundCeil}, 1, at(39_001), [4]string{"1000", "999", "03/02/2026 15:05:00", "40"}},
		{"whole seconds rounded up", Profile{Rounding: RoundCeil}, 1, at(39_000), [4]string{"1000", "999", "03/02/2026 15:05:00", "39"}},
		{"rounded half down", Profile{Rounding: RoundNearest}, 1, at(39_499), [4]string{"1000", "999", "03/02/2026 15:05:00", "39"}},
		{"rounded half up", Profile{Rounding: RoundNearest}, 1, at(39_500), [4]string{"1000", "999", "03/02/2026 15:05:00", "40"}},
		{"too long", Profile{ResetSkew: 10}, 1, at(13_000), [4]string{"1000", "999", "03/02/2026 15:05:00", "23"}},
		{"lowered below what is used", Profile{Limit: 5}, 9, at(1_000), [4]string{"5", "0", "03/02/2026 15:05:00", "1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := tt.profile.compile()
			if err != nil {
				t.Fatal(err)
			}
			fields := quotaFields(p, quotaCount{limit: p.Limit, used: tt.used, resets: reset}, tt.arrival)
			var got [4]string
			for i, f := range fields {
				got[i] = f.Value
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestNoQuotaFields(t *testing.T) {
	h := startSim(t, Options{})
	for service, apim := range map[string]string{"availability": "1500", "entitymanager": "1500", "dataconnect": ""} {
		r := h.get("/" + service + "/ping")
		if got := r.header.Get("X-RateLimit-Limit"); got != "" {
			t.Errorf("%s: X-RateLimit-Limit = %q", service, got)
		}
		if got := r.header.Get("IQ-APIM-RateLimit-Limit"); got != apim {
			t.Errorf("%s: IQ-APIM-RateLimit-Limit = %q, want %q", service, got, apim)
		}
	}
}

// A slow answer tells a ResetSeconds that is too long by how late it is.
func TestResetSecondsCountsFromArrival(t *testing.T) {
	h := startSim(t, Options{})
	services := h.environments["sandbox"].services()
	crm := services["crm"]
	services["crm"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.clock.advance(8 * time.Second)
		crm.ServeHTTP(w, r)
	})
	r := h.get(customers)
	date, err := http.ParseTime(r.header.Get("Date"))
	if err != nil {
		t.Fatal(err)
	}
	if r.header.Get("X-RateLimit-ResetSeconds") != "39" || date.Second() != 28 {
		t.Errorf("ResetSeconds %s at %s", r.header.Get("X-RateLimit-ResetSeconds"), date)
	}
}

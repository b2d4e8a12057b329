package main

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"

	"iqgateway/internal/iqsim"
	"iqgateway/internal/iqsim/simtest"
)

// No secret reaches a log line, a metric, an answer or the admin server, on
// whatever path a request ends.
func TestNoSecretAnywhere(t *testing.T) {
	r := newRig(t, rigOptions{sim: iqsim.Options{Switches: iqsim.Switches{LockAfter: -1}}})
	var shown []string
	note := func(a answer, err error) {
		if err != nil {
			shown = append(shown, err.Error())
			return
		}
		head, _ := json.Marshal(a.Header)
		shown = append(shown, string(head), a.text)
	}
	for _, step := range canarySteps() {
		r.RemoveFaults(0)
		if step.fault.Kind != "" {
			if _, err := r.AddFault(step.fault); err != nil {
				t.Fatal(err)
			}
		}
		if step.before != nil {
			step.before(t, r)
		}
		note(r.try(t.Context(), step.method, step.target, step.body, step.edit...))
	}
	for _, path := range []string{"/metrics", "/readyz?verbose", "/livez", "/version", "/nothing"} {
		a := r.get(t, "http://"+r.Admin+path)
		note(a, nil)
	}
	shown = append(shown, r.logs.String())

	secrets := append(r.tokens.All(), rigSecrets.client, rigSecrets.secret, rigSecrets.user, rigSecrets.password, r.key)
	if len(r.tokens.All()) < 2 {
		t.Fatalf("only %d tokens were used: the sweep proves nothing", len(r.tokens.All()))
	}
	for _, s := range secrets {
		for _, text := range shown {
			if leak := simtest.Leak(text, s); leak != "" {
				t.Errorf("a secret (%.12s…) shows in %.300s", s, leak)
			}
		}
	}
}

type canaryStep struct {
	method, target, body string
	fault                iqsim.Fault
	before               func(*testing.T, *rig)
	edit                 []func(*http.Request)
}

// canarySteps end in every way that this pipeline has.
func canarySteps() []canaryStep {
	get := func(target string, edit ...func(*http.Request)) canaryStep {
		return canaryStep{method: http.MethodGet, target: target, edit: edit}
	}
	faulty := func(f iqsim.Fault) canaryStep {
		f.Service = "crm"
		return canaryStep{method: http.MethodGet, target: customers, fault: f}
	}
	echo := []iqsim.Field{{Name: "X-Debug", Value: "on"}, {Name: "Set-Cookie", Value: "s=1"}}
	steps := []canaryStep{
		get(customers),
		get("/dataconnect/session"),
		get("/dataconnect/lists/stores?Response=Csv"),
		get("/crm/v1/Companies(1)/Nothing"),
		get("/accounts/v1/oauth2/token"),
		get("/crm/../x"),
		get("/nonsense/x"),
		get(customers, func(q *http.Request) { q.Header.Set("X-Api-Key", "wrong") }),
		get(customers+"&access_token=abc", nil...),
		{method: "TRACE", target: customers},
		{method: http.MethodPost, target: "/order/v1/Companies(14146)/OrderFull", body: "{broken"},
		faulty(iqsim.Fault{Kind: iqsim.FaultReset}),
		faulty(iqsim.Fault{Kind: iqsim.FaultTruncate}),
		faulty(iqsim.Fault{Kind: iqsim.FaultStatus, Status: 500, Fields: echo, Body: "boom"}),
		faulty(iqsim.Fault{Kind: iqsim.FaultStatus, Status: 401, Body: "invalid token"}),
		faulty(iqsim.Fault{Kind: iqsim.FaultStatus, Status: 302, Fields: []iqsim.Field{{Name: "Location", Value: "https://elsewhere.test/?access_token=x"}}}),
		faulty(iqsim.Fault{Kind: iqsim.FaultRaw, Body: "garbage\r\n\r\n"}),
	}
	leave := get(customers)
	leave.fault = iqsim.Fault{Kind: iqsim.FaultLatency, Service: "crm", Delay: iqsim.Duration(200_000_000)}
	leave.edit = []func(*http.Request){func(q *http.Request) {
		ctx, cancel := context.WithTimeout(q.Context(), 50_000_000)
		_ = cancel // the context ends by itself
		*q = *q.WithContext(ctx)
	}}
	refused := get(customers) // a password that is refused
	refused.before = func(t *testing.T, r *rig) {
		t.Helper()
		wrong := "another"
		if err := r.ChangeAccount("", rigSecrets.user, iqsim.AccountChange{Password: &wrong}); err != nil {
			t.Fatal(err)
		}
		if _, err := r.RevokeTokens(iqsim.TokenQuery{}); err != nil {
			t.Fatal(err)
		}
	}
	revoked := get(customers)
	revoked.before = func(t *testing.T, r *rig) {
		t.Helper()
		if _, err := r.RevokeTokens(iqsim.TokenQuery{}); err != nil {
			t.Fatal(err)
		}
	}
	// The replacement comes first: one more within 30 s would be refused.
	return append([]canaryStep{get(customers), revoked}, append(steps, leave, refused)...)
}

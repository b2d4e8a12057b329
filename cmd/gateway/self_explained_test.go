package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"iqgateway/internal/iqsim"
)

func TestCacheIsExplained(t *testing.T) {
	r := newRig(t, rigOptions{})
	miss := r.own(t, r.do(t, http.MethodGet, catalogItems, "").want(t, http.StatusOK))
	miss.says(t, map[string]string{
		"authenticate": "storefront, by key storefront-1", "route": "catalogs in sim, as /sim/catalogs/", "authorize": "credential retail, class interactive",
		"cache": "nothing is stored for it", "token": "token", "breaker": "closed", "quota": "gave a token", "attempts": "1 to ", "answer": "200 after",
	})
	if miss.Cache == nil || miss.Cache.Result != "miss" || len(miss.Attempts) != 1 || miss.Attempts[0].Status != http.StatusOK || miss.BytesOut == 0 {
		t.Errorf("%+v", miss)
	}
	if miss.Quota == nil || miss.Quota.Bucket != "sim/catalogs/authenticated" || miss.Quota.Limit == 0 {
		t.Errorf("%+v", miss.Quota)
	}
	again := r.do(t, http.MethodGet, catalogItems, "", setHeader("X-Request-Id", "mine-42"), setHeader("X-Odd", "1"))
	hit := r.own(t, again)
	hit.says(t, map[string]string{"cache": "fresh: the upstream was not asked", "attempts": "nothing was sent upstream"})
	if hit.Cache == nil || hit.Cache.Result != "hit" || len(hit.Attempts) != 0 || hit.CallerRequestID != "mine-42" {
		t.Errorf("%+v", hit)
	}
	write := r.own(t, r.do(t, http.MethodPost, "/order/v1/Companies(14146)/OrderFull", "{broken", setHeader("X-Odd", "1")))
	write.says(t, map[string]string{"cache": "not used"})
	if write.BytesIn != int64(len("{broken")) || strings.Join(write.Dropped, " ") != "X-Odd" || write.Method != http.MethodPost {
		t.Errorf("%+v", write)
	}
}

func TestRefusalsAreExplained(t *testing.T) {
	r := newSickRig(t, "  crm: {FAULTS}\n", rigOptions{
		access: `{crm: read, pricing: read}`,
		sim:    iqsim.Options{Limits: map[string]int{"crm": 2, "pricing": 1_000_000}},
	})
	for {
		a := r.do(t, http.MethodGet, customers, "", setHeader("X-Gateway-Wait", "0"))
		if a.StatusCode == http.StatusOK {
			continue
		}
		d := r.own(t, a.want(t, http.StatusTooManyRequests))
		d.says(t, map[string]string{"quota": "would have had to wait and must not", "attempts": "nothing was sent", "answer": "429 quota-exceeded"})
		if d.Problem == nil || d.Problem.Type != "quota-exceeded" || d.Problem.Detail == "" || d.Problem.RetryAfter <= 0 || d.Quota.RefusedBy != "gateway" {
			t.Errorf("%+v", d)
		}
		break
	}
	d := r.own(t, r.do(t, http.MethodDelete, "/crm/v1/Companies(1)/Customers(2)", "").want(t, http.StatusForbidden))
	if d.Problem == nil || d.Problem.Type != "not-allowed" || d.Credential != "" || d.Service != "crm" {
		t.Errorf("%+v", d)
	}
	d = r.own(t, r.do(t, http.MethodGet, "/nonsense/v1/x", "").want(t, http.StatusNotFound))
	d.says(t, map[string]string{"route": "no service was found"})
	if d.Route != "" || d.Problem.Type != "unknown-service" {
		t.Errorf("%+v", d)
	}
}

func TestResilienceIsExplained(t *testing.T) {
	r := newSickRig(t, "  crm: {quota: {kind: none}, FAULTS}\n", rigOptions{})
	r.do(t, http.MethodGet, customers, "").want(t, http.StatusOK)
	if _, err := r.AddFault(iqsim.Fault{Kind: iqsim.FaultStatus, Status: 503, Service: "crm", Count: 1}); err != nil {
		t.Fatal(err)
	}
	retried := r.own(t, r.do(t, http.MethodGet, customers, "").want(t, http.StatusOK))
	retried.says(t, map[string]string{"retry": "repeated 1×; a repetition brought the answer", "attempts": "503 after", "answer": "200"})
	if len(retried.Attempts) != 2 || retried.Attempts[0].Status != 503 || retried.Attempts[1].Status != 200 || retried.Attempts[1].AtMS < retried.Attempts[0].AtMS {
		t.Errorf("%+v", retried.Attempts)
	}
	broken := r.own(t, r.do(t, http.MethodPost, "/crm/v1/Companies(1)/Customers", "{}", meets("kind=reset")).want(t, http.StatusBadGateway))
	if len(broken.Attempts) != 1 || broken.Attempts[0].Failure == "" || broken.Problem.Outcome != "unknown" {
		t.Errorf("%+v", broken)
	}
	r.order(t, "open", "open", "sim/crm", "--for", "10m", "--reason", "test")
	open := r.own(t, r.do(t, http.MethodGet, customers, "").want(t, http.StatusServiceUnavailable))
	open.says(t, map[string]string{"breaker": "open", "attempts": "nothing was sent", "answer": "503 breaker-open"})
	var me meDocument
	if err := json.Unmarshal([]byte(r.do(t, http.MethodGet, pathMe, "").text), &me); err != nil {
		t.Fatal(err)
	}
	for _, s := range me.Services {
		if want := map[bool]string{true: "open", false: "closed"}[s.Service == "crm"]; s.Breaker != want || (s.RetryAfter > 0) != (want == "open") {
			t.Errorf("%+v, want %s", s, want)
		}
	}
}

// Nothing of a request but its method is in its record: no path, query, field or
// body, and no secret.
func TestRecordsHoldNoRequest(t *testing.T) {
	r := newRig(t, rigOptions{})
	canaries := []string{"canary-path", "canary-query", "canary-field", "canary-body"}
	for _, target := range []string{"/crm/v1/canary-path(1)?canary-query=1", "/canary-path/x?canary-query=1", "/accounts/canary-path?canary-query=1", "/crm/v1//canary-path"} {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
			a := r.do(t, method, target, "canary-body", setHeader("X-Odd", "canary-field"), setHeader("Referer", "https://canary-field.test/"))
			if a.StatusCode == http.StatusBadRequest {
				continue // refused before anybody is known: nobody's
			}
			text, _ := json.Marshal(r.own(t, a))
			for _, c := range append(r.tokens.All(), append(canaries, r.key, rigSecrets.client, rigSecrets.secret, rigSecrets.user, rigSecrets.password)...) {
				if strings.Contains(string(text), c) {
					t.Errorf("%s %s: %.14s… shows in %s", method, target, c, text)
				}
			}
		}
	}
}

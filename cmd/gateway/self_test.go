package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"iqgateway/auth"
	"iqgateway/internal/exchange"
	"iqgateway/internal/iqsim"
)

// own reads what became of an answer's request, as its caller does. It is there
// once the exchange has ended.
func (r *rig) own(t *testing.T, a answer, edit ...func(*http.Request)) (d requestDocument) {
	t.Helper()
	id := a.Header.Get("X-Request-Id")
	await(t, "the record of "+id, func() bool {
		got := r.do(t, http.MethodGet, pathOwnRequests+id, "", edit...)
		return got.StatusCode == http.StatusOK && json.Unmarshal([]byte(got.text), &d) == nil
	})
	return d
}

// words are what the stages decided, by their names.
func (d requestDocument) words() map[string]string {
	all := map[string]string{}
	for _, s := range d.Stages {
		all[s.Stage] = s.Decision
	}
	return all
}

// says fails the test unless each stage's words contain those that are wanted.
func (d requestDocument) says(t *testing.T, want map[string]string) {
	t.Helper()
	got := d.words()
	for stage, words := range want {
		if !strings.Contains(got[stage], words) {
			t.Errorf("%s %s: %q says nothing of %q", d.Method, stage, got[stage], words)
		}
	}
}

func TestMe(t *testing.T) {
	t.Parallel()
	r := newSickRig(t, "  crm: {quota: {shares: {storefront: {guarantee: 100, cap: 500, weight: 3}}}}\n", rigOptions{
		sim:    iqsim.Options{Limits: map[string]int{"crm": 1000}},
		access: `{crm: read, order: {methods: [GET, POST], paths: ["/v1/Companies({company})/**"]}}, until: 2099-12-31`,
		flags: []string{
			"--set", "callers.storefront.classes=[batch]", "--set", "callers.storefront.rate_limit.concurrency=50",
		},
	})
	r.do(t, http.MethodGet, customers, "").want(t, http.StatusOK)
	a := r.do(t, http.MethodGet, pathMe, "").want(t, http.StatusOK)
	if a.Header.Get("Content-Type") != "application/json" || a.Header.Get("Cache-Control") != "no-store" || a.Header.Get("X-Request-Id") == "" {
		t.Errorf("%v", a.Header)
	}
	var d meDocument
	if err := json.Unmarshal([]byte(a.text), &d); err != nil {
		t.Fatal(err)
	}
	if d.Caller != "storefront" || d.Proof != "key" || d.KeyID != "storefront-1" || d.Expires != nil {
		t.Errorf("who: %s", a.text)
	}
	if !reflect.DeepEqual(d.Classes, []string{"interactive", "batch"}) || d.Limits == nil || d.Limits.Concurrency != 50 {
		t.Errorf("class and limits: %s", a.text)
	}
	if len(d.Access) != 1 || d.Access[0].Credential != "retail" || d.Access[0].Until == nil || d.Access[0].Services["crm"].Allows != "read" ||
		!slices.Equal(d.Access[0].Services["order"].Methods, []string{"GET", "POST"}) || len(d.Access[0].Services["order"].Paths) != 1 {
		t.Errorf("access: %s", a.text)
	}
	r.mine(t, d)
	if strings.Contains(a.text, "till") {
		t.Errorf("another caller shows: %s", a.text)
	}
}

func TestExpiryOfTheKeyThatWasUsed(t *testing.T) {
	at := time.Date(2098, 1, 31, 0, 0, 0, 0, time.UTC)
	c := &auth.Caller{Keys: []auth.Key{{ID: "old", Expires: at}, {ID: "new"}}}
	for _, tt := range []struct {
		proof, id string
		want      bool
	}{
		{"key", "old", true}, {"token", "old", true}, {"key", "new", false}, {"certificate", "old", false}, {"key", "", false},
	} {
		got := keyExpiry(c, &exchange.Caller{Proof: tt.proof, KeyID: tt.id})
		if (got != nil) != tt.want || tt.want && !got.Equal(at) {
			t.Errorf("%s %s: %v", tt.proof, tt.id, got)
		}
	}
}

// mine checks what is left of the quota of crm.
func (r *sickRig) mine(t *testing.T, d meDocument) {
	t.Helper()
	if len(d.Services) != 2 || d.Services[0].Service != "crm" || d.Services[0].Breaker != "closed" || len(d.Services[0].Quotas) != 1 {
		t.Fatalf("services: %+v", d.Services)
	}
	q := d.Services[0].Quotas[0]
	share := mineShare{Guarantee: 100, Cap: 500, Weight: 3, Tokens: 100, Remaining: 99}
	if q.Policy != "crm-authenticated" || !q.Known || q.Limit != 1000 || q.Remaining < 1 || q.Remaining > 500 || q.Share != share ||
		q.Opens == nil || q.OpensIn <= 0 || q.Window != 60 || !slices.Equal(q.Credentials, []string{"retail"}) {
		t.Errorf("quota: %+v", q)
	}
	if d.Services[1].Quotas[0].Known {
		t.Errorf("nothing was asked of order: %+v", d.Services[1])
	}
}

// Below /-/ there is nothing else, and nothing of it costs quota or goes
// upstream; the native form has no such place.
func TestSelfServiceAnswersItself(t *testing.T) {
	r := newSickRig(t, "  crm: {FAULTS}\n", rigOptions{})
	for _, tt := range []struct {
		method, target string
		want           int
		detail         string
	}{
		{http.MethodGet, "/-/me", 200, ""},
		{http.MethodHead, "/-/me", 200, ""},
		{http.MethodGet, "/-/me?pretty", 200, ""},
		{http.MethodPost, "/-/me", 405, "is read with GET"},
		{http.MethodDelete, "/-/requests/x-1", 405, "is read with GET"},
		{http.MethodGet, "/-", 404, "/-/requests/{id}"},
		{http.MethodGet, "/-/", 404, "/-/requests/{id}"},
		{http.MethodGet, "/-/you", 404, "/-/requests/{id}"},
		{http.MethodGet, "/-/me/", 404, "/-/requests/{id}"},
		{http.MethodGet, "/%2D/me", 404, ""},
		{http.MethodGet, "/-/%6De", 404, ""},
		{http.MethodGet, "/-x/me", 404, ""},
	} {
		a := r.do(t, tt.method, tt.target, "")
		if a.StatusCode != tt.want || !strings.Contains(a.text, tt.detail) || tt.method == http.MethodHead && a.text != "" {
			t.Errorf("%s %s: %s %s", tt.method, tt.target, a.Status, a.text)
		}
		if tt.want == 405 && a.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: Allow %q", tt.target, a.Header.Get("Allow"))
		}
	}
	if a := r.do(t, http.MethodGet, pathMe, "", setHeader("X-Api-Key", "wrong")); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("a stranger gets %s", a.Status)
	}
	if calls := r.calls(""); len(calls) > 0 {
		t.Errorf("%d requests went upstream", len(calls))
	}
	if lines := r.metric(t, "http_server_request_duration_seconds_count", `http_route="/-/me"`, `http_response_status_code="200"`); len(lines) == 0 {
		t.Error("they are not counted by their route")
	}
}

// What is another's, what is unknown and what is no id are told with the same
// words.
func TestRequestsOfOthersAreUnknown(t *testing.T) {
	r := newSickRig(t, "  crm: {FAULTS}\n", rigOptions{})
	a := r.do(t, http.MethodGet, customers, "").want(t, http.StatusOK)
	mine := r.own(t, a)
	id := a.Header.Get("X-Request-Id")
	replica, _, _ := strings.Cut(id, "-")
	texts, traceID := map[string]bool{}, regexp.MustCompile(`\b[0-9a-f]{32}\b`)
	for _, other := range []string{id, replica + "-0000000000000000", "zzzzzzzz-0000000000000000", replica, "", "..", "x%41-1", strings.Repeat("x", 500), id + "/", mine.TraceID, strings.Repeat("0", 31) + "1"} {
		got := r.do(t, http.MethodGet, pathOwnRequests+other, "", r.byTill)
		if other == ".." { // no path that the gateway would look at
			got.want(t, http.StatusBadRequest)
			continue
		}
		own := got.Header.Get("X-Request-Id")
		text := traceID.ReplaceAllString(strings.ReplaceAll(got.text, own, "ID"), "TRACE")
		texts[fmt.Sprintln(got.StatusCode, text)] = true
	}
	if len(texts) != 1 || !strings.Contains(fmt.Sprint(texts), "404") || strings.Contains(fmt.Sprint(texts), id) {
		t.Errorf("%d different answers: %v", len(texts), texts)
	}
	refused := r.do(t, http.MethodGet, customers, "", setHeader("X-Api-Key", "wrong")).want(t, http.StatusUnauthorized)
	if a := r.do(t, http.MethodGet, pathOwnRequests+refused.Header.Get("X-Request-Id"), ""); a.StatusCode != http.StatusNotFound {
		t.Errorf("what nobody sent is somebody's: %s", a.text)
	}
	var d requestDocument // to an operator it is known
	r.ask(t, pathRequests+refused.Header.Get("X-Request-Id"), &d)
	if d.Status != http.StatusUnauthorized || d.Caller != "" || d.Problem == nil {
		t.Errorf("%+v", d)
	}
	r.ask(t, pathRequests+id, &d)
	if d.RequestID != id || d.Caller != "storefront" {
		t.Errorf("%+v", d)
	}
}

func TestSelfServiceConcurrently(t *testing.T) {
	r := newRig(t, rigOptions{})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 10 {
				a, err := r.try(t.Context(), http.MethodGet, catalogItems, "")
				if err != nil || a.StatusCode != http.StatusOK || a.ProtoMajor != 2 {
					t.Errorf("%v %v", a.Response, err)
					return
				}
				me, err := r.try(t.Context(), http.MethodGet, pathMe, "")
				if err != nil || me.StatusCode != http.StatusOK {
					t.Errorf("%v %v", me.Response, err)
				}
				if d := r.own(t, a); d.RequestID != a.Header.Get("X-Request-Id") || d.Status != http.StatusOK {
					t.Errorf("%+v", d)
				}
			}
		})
	}
	all.Wait()
}
